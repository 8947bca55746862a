import Bytes

/// What is asked of the rules: may this service speak this application with that destination?
public struct Question: Sendable {
    /// Index into `Policy.services`.
    public var service: Int
    /// The name the session is for; for a DNS session the name asked about.
    public var name: DomainName?
    /// The address that will be dialled.
    public var address: IPAddress?
    public var port: UInt16
    public var application: Application

    @inlinable public init(
        service: Int, name: DomainName?, address: IPAddress?, port: UInt16, application: Application
    ) {
        self.service = service
        self.name = name
        self.address = address
        self.port = port
        self.application = application
    }
}

/// One rule, as records name it. A plain value, for it is copied with every decision; it is good for as long as the
/// policy that gave it.
public struct RuleID: Hashable, Sendable {
    /// Index into `Policy.services`.
    public let service: Int
    /// Place among the rules of the service, from 0; absent for a learned rule.
    public let rule: Int?
    let name: RuleText

    /// `myapp.default/2`, or `learned: canarytokens.com:80 HTTP`.
    public var text: String { name.text }

    public var isLearned: Bool { rule == nil }
}

/// What the rules say to a question. The first match in written order wins; learned rules come after the written ones.
public enum Cover: Hashable, Sendable {
    case allowed(RuleID)
    case denied(RuleID)
    case learned(RuleID)
    case uncovered
}

/// What an address is to a service, once its rules and the internal suffixes have been heard.
public enum AddressVerdict: Hashable, Sendable {
    /// Nothing is wrong with the address itself.
    case outward
    /// Refused in every mode: the threat `inward_address`.
    case inward
    /// A private address behind a public name: the threat `rebinding`, which follows the mode.
    case privateBehindName
}
