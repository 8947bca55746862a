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
    /// A DNS question that the gateway answers: the address is the resolver that the client meant. Nothing goes there, so
    /// that a list with this address, such as `encrypted-dns`, does not deny it.
    public var isAnsweredHere: Bool

    @inlinable public init(
        service: Int, name: DomainName?, address: IPAddress?, port: UInt16, application: Application,
        isAnsweredHere: Bool = false
    ) {
        self.service = service
        self.name = name
        self.address = address
        self.port = port
        self.application = application
        self.isAnsweredHere = isAnsweredHere
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
