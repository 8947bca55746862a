import Bytes

/// What is done with one exchange, and why: the one place where a mode turns facts into an action.
///
/// It begins with what the rules say and takes in threats, findings and failed inspections as they become known. It
/// only ever becomes stricter, so it can be asked at any moment of an exchange.
///
/// |          | allowed | uncovered    | denied | sensor alert | sensor redact | sensor deny |
/// |----------|---------|--------------|--------|--------------|---------------|-------------|
/// | Discover | allow   | allow, learn | alert  | alert        | alert         | alert       |
/// | Monitor  | allow   | alert        | alert  | alert        | alert         | alert       |
/// | Protect  | allow   | deny         | deny   | alert        | redact        | deny        |
public struct Decision: Sendable {
    private enum Standing: UInt8 { case covered, denied, uncovered }

    public let mode: Mode
    /// The rule that covers the exchange, to allow or to deny.
    public let rule: RuleID?
    private let standing: Standing
    /// The weightiest threat noted: one that is refused in every mode before one that follows the mode, else the first.
    public private(set) var threat: Threat?
    /// The strictest action that a sensor asked for.
    private var finding = Action.allow
    /// What the service does about things that could not be inspected, and the strictest of it that was called for.
    private let uninspectable: Action
    private var uninspected = Action.allow

    public init(mode: Mode, uninspectable: Action, cover: Cover) {
        self.mode = mode
        self.uninspectable = uninspectable
        switch cover {
        case .allowed(let rule), .learned(let rule): (standing, self.rule) = (.covered, rule)
        case .denied(let rule): (standing, self.rule) = (.denied, rule)
        case .uncovered: (standing, self.rule) = (.uncovered, nil)
        }
    }

    public init(service: Service, cover: Cover) {
        self.init(mode: service.mode, uninspectable: service.uninspectable, cover: cover)
    }

    // MARK: - Facts

    public mutating func note(_ threat: Threat) {
        if threat.enforcement == .asUninspectable { note(uninspectable: uninspectable) }
        guard let noted = self.threat else {
            self.threat = threat
            return
        }
        // Of threats that are enforced alike the first is told, but nothing is surer than a planted value.
        let isSurer = threat == .honeytoken && noted.enforcement == threat.enforcement
        if isSurer || threat.enforcement.rawValue > noted.enforcement.rawValue { self.threat = threat }
    }

    /// A sensor with this action matched.
    public mutating func note(finding action: Action) { finding = max(finding, action) }

    /// Something could not be inspected, and this is what the service wants done then (`Service.uninspectable`).
    public mutating func note(uninspectable action: Action) { uninspected = max(uninspected, action) }

    // MARK: - Verdict

    /// What is done in the mode of the service.
    public var action: Action { strictest(in: mode) }

    /// What Protect would do.
    public var would: Action { strictest(in: .protect) }

    /// What decided the action; when several did, the first in the order of `Reason`. Where the action is `allow` and
    /// Protect would not have allowed, it is what decides that. Absent if nothing is to be said against the exchange,
    /// or only that it could not be inspected.
    public var reason: Reason? {
        let action = action
        return action > .allow ? reason(for: action, in: mode) : reason(for: would, in: .protect)
    }

    /// Whether a rule may be learned from this exchange once the upstream has answered.
    public var mayLearn: Bool { mode == .discover && standing == .uncovered && threat == nil }

    private func strictest(in mode: Mode) -> Action {
        max(max(forThreat(in: mode), forCover(in: mode)), max(forFinding(in: mode), forUninspected(in: mode)))
    }

    private func reason(for action: Action, in mode: Mode) -> Reason? {
        if action == .allow { return nil }
        if forThreat(in: mode) == action { return .threat }
        if forCover(in: mode) == action { return standing == .uncovered ? .violation : .rule }
        return forFinding(in: mode) == action ? .finding : nil
    }

    // MARK: - The table, one fact at a time

    private func forCover(in mode: Mode) -> Action {
        switch (standing, mode) {
        case (.covered, _), (.uncovered, .discover): .allow
        case (.denied, .discover), (.denied, .monitor), (.uncovered, .monitor): .alert
        case (.denied, .protect), (.uncovered, .protect): .deny
        }
    }

    private func forThreat(in mode: Mode) -> Action {
        switch threat?.enforcement {
        case nil: .allow
        case .always: .deny
        case .byMode: mode == .protect ? .deny : .alert
        case .asUninspectable: forUninspected(in: mode)
        }
    }

    private func forFinding(in mode: Mode) -> Action { mode == .protect ? finding : min(finding, .alert) }

    private func forUninspected(in mode: Mode) -> Action { mode == .protect ? uninspected : min(uninspected, .alert) }
}

extension Threat {
    /// How a threat is answered, from the mildest to the strictest.
    enum Enforcement: UInt8 { case asUninspectable, byMode, always }

    var enforcement: Enforcement {
        switch self {
        // Ambiguous protocol, floods and ways into the gateway are no question of policy.
        case .requestSmuggling, .malformedHTTP, .headerFlood, .slowRequest, .inwardAddress, .gatewayLoop,
            .connectionFlood, .malformedTLS, .http2RapidReset, .http2ContinuationFlood, .http2HeaderBomb,
            .http2ControlFlood, .dnsMalformed, .dnsFlood:
            .always
        case .hostIPMismatch, .sniHostMismatch, .noSNI, .rebinding, .dnsTunnel, .dnsExfiltration, .dnsZoneTransfer,
            .dnsNull, .dnsAny, .echPresent, .tlsLegacy, .untrustedUpstream, .honeytoken:
            .byMode
        // The inspection gave up: the service says what follows from that.
        case .decompressionBomb, .patternOverrun: .asUninspectable
        }
    }

    /// Whether this threat is refused whatever the mode of the service.
    public var isAlwaysRefused: Bool { enforcement == .always }
}
