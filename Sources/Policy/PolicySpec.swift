import Bytes

/// To whom a rule applies.
public enum Destination: Hashable, Sendable {
    case any
    case name(DomainName)
    /// `*.example.com`: every name below, not `example.com` itself.
    case suffix(DomainName)
    case prefix(Prefix)
    /// `list:encrypted-dns`: what is on the list of that name, all at the place of the rule.
    case list(String)
}

/// One network rule as written: first match wins.
public struct RuleSpec: Hashable, Sendable {
    public var to: Destination
    /// Empty: every port.
    public var ports: [ClosedRange<UInt16>]
    /// Empty: every application.
    public var applications: [Application]
    /// `allow` or `deny`.
    public var action: Action

    public init(
        to: Destination, ports: [ClosedRange<UInt16>] = [], applications: [Application] = [], action: Action
    ) {
        self.to = to
        self.ports = ports
        self.applications = applications
        self.action = action
    }
}

/// A service as written. The first service of a `PolicySpec` is `unknown`, for clients that no identity matches.
public struct ServiceSpec: Sendable {
    public var name: String
    public var mode: Mode
    /// What follows when something could not be inspected: `allow`, `alert` or `deny`.
    public var uninspectable: Action
    public var rules: [RuleSpec]

    public init(name: String, mode: Mode, uninspectable: Action, rules: [RuleSpec]) {
        self.name = name
        self.mode = mode
        self.uninspectable = uninspectable
        self.rules = rules
    }
}

/// Which addresses are which pod of which service.
public struct IdentitySpec: Sendable {
    public var service: String
    /// Absent for a range that is not one pod.
    public var pod: String?
    public var addresses: [Prefix]

    public init(service: String, pod: String?, addresses: [Prefix]) {
        self.service = service
        self.pod = pod
        self.addresses = addresses
    }
}

/// All that a `Policy` is compiled from.
public struct PolicySpec: Sendable {
    public var services: [ServiceSpec]
    public var identities: [IdentitySpec]
    /// Suffixes whose names may have private addresses.
    public var internalSuffixes: [DomainName]
    /// The gateway's own addresses: refused as inward.
    public var ownAddresses: [IPAddress]
    /// Lists beside the built-in ones, or in the place of one with the same name.
    public var lists: [ListSpec]
    /// For services that only an identity names.
    public var defaultMode: Mode
    public var defaultUninspectable: Action

    public init(
        services: [ServiceSpec], identities: [IdentitySpec], internalSuffixes: [DomainName],
        ownAddresses: [IPAddress], lists: [ListSpec] = [], defaultMode: Mode = .discover,
        defaultUninspectable: Action = .alert
    ) {
        self.services = services
        self.identities = identities
        self.internalSuffixes = internalSuffixes
        self.ownAddresses = ownAddresses
        self.lists = lists
        self.defaultMode = defaultMode
        self.defaultUninspectable = defaultUninspectable
    }
}
