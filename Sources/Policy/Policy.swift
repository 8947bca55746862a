import Bytes

/// Who may talk to whom, compiled from a `PolicySpec` and immutable. It is shared by all loops; only the learned rules
/// behind it grow.
public final class Policy: Sendable {
    /// As written, at the same indices; index 0 is `unknown`. Services that only an identity names come after them.
    public let services: [Service]
    /// The names of the pods.
    public let pods: [String]
    public let learned: LearnedRules

    /// The first address of each pod that is an address and no range.
    private let podAddresses: [IPAddress?]
    /// What rules may name as `list:`: as written, and the built-in ones that nothing takes the place of.
    public let lists: [ListSpec]

    private let identities: PrefixTable
    private let identified: ContiguousArray<Identity>
    private let rules: RuleTable
    private let written: [[RuleSpec]]
    private let ruleTexts: RuleTexts
    private let internalSuffixes: NameTable
    private let internalNames: Set<DomainName>
    private let own: PrefixTable

    /// Compiles a policy, or says all that is wrong with it.
    public static func compile(_ spec: PolicySpec, learned: LearnedRules) -> Result<Policy, PolicyErrors> {
        var compiler = PolicyCompiler(spec)
        let errors = compiler.check()
        guard errors.isEmpty else { return .failure(PolicyErrors(errors)) }
        return .success(Policy(compiler, spec, learned))
    }

    private init(_ compiler: PolicyCompiler, _ spec: PolicySpec, _ learned: LearnedRules) {
        self.learned = learned
        services = compiler.services.enumerated().map { index, service in
            Service(
                index: index, name: service.name, mode: service.mode, uninspectable: service.uninspectable,
                learnedAs: learned.number(of: service.name))
        }
        pods = compiler.pods
        podAddresses = compiler.pods.indices.map { pod in
            compiler.identities.first { $0.identity.pod == pod && $0.prefix.length == 128 }?.prefix.address
        }
        identified = ContiguousArray(compiler.identities.map(\.identity))
        identities = PrefixTable(
            scopes: 1,
            compiler.identities.enumerated().map { .init(scope: 0, prefix: $1.prefix, value: UInt32($0)) })
        written = compiler.services.map(\.rules)
        rules = RuleTable(written, lists: compiler.lists)
        lists = compiler.lists
        ruleTexts = RuleTexts(compiler.services.map { (name: $0.name, rules: $0.rules.count) })
        internalNames = Set(spec.internalSuffixes)
        internalSuffixes = NameTable(
            scopes: 1, internalNames.map { .init(scope: 0, name: $0, isSuffix: true, value: 0) })
        own = PrefixTable(
            scopes: 1, Set(spec.ownAddresses).map { .init(scope: 0, prefix: Prefix($0), value: 0) })
    }

    // MARK: - Who

    /// Who has this address: the longest prefix wins; nobody's is the service `unknown`.
    public func identify(_ client: IPAddress) -> Identity {
        guard let index = identities.longest(0, client) else { return Identity(service: 0, pod: nil) }
        return identified[Int(index)]
    }

    /// Under which address the memory of names keeps what a client is told: a pod that asks by IPv4 may connect by IPv6.
    public func keeper(_ identity: Identity, _ client: IPAddress) -> IPAddress {
        identity.pod.flatMap { podAddresses[$0] } ?? client
    }

    public func podName(_ identity: Identity) -> String? { identity.pod.map { pods[$0] } }

    // MARK: - What the rules say

    /// What covers what is asked: the first written rule that matches, else a learned one.
    public func cover(_ question: Question) -> Cover {
        let first = rules.first(question)
        if first != .none {
            let id = RuleID(
                service: question.service, rule: first.rule, name: ruleTexts[question.service, first.rule])
            return first.denies ? .denied(id) : .allowed(id)
        }
        if let name = learned.name(
            services[question.service].learnedAs, question.name, question.address, question.port, question.application)
        {
            return .learned(RuleID(service: question.service, rule: nil, name: name))
        }
        return .uncovered
    }

    /// The decision about a session of which nothing else is known yet.
    public func decide(_ question: Question) -> Decision {
        Decision(service: services[question.service], cover: cover(question))
    }

    /// Whether some application would be let through in the mode of the service: asked before dialling when the client
    /// is silent and the server may speak first.
    public func couldAllow(service: Int, name: DomainName?, address: IPAddress?, port: UInt16) -> Bool {
        Application.allCases.contains { application in
            // The name of a DNS session is that of its question, which is not known yet.
            let name = application == .dns ? nil : name
            let question = Question(
                service: service, name: name, address: address, port: port, application: application)
            return decide(question).action < .deny
        }
    }

    /// Whether what the rule is about are names, or a list that has some.
    public func speaksOfNames(_ rule: RuleSpec) -> Bool {
        entries(of: rule).contains { if case .name = $0 { true } else if case .suffix = $0 { true } else { false } }
    }

    /// Whether what the rule is about are addresses, or a list that has some.
    public func speaksOfAddresses(_ rule: RuleSpec) -> Bool {
        entries(of: rule).contains { if case .prefix = $0 { true } else { false } }
    }

    private func entries(of rule: RuleSpec) -> [Destination] {
        guard case .list(let name) = rule.to else { return [rule.to] }
        return lists.first { $0.name == name }?.entries ?? []
    }

    // MARK: - What an address is

    /// What this address is to this service. `name` is the name that led to it, absent where the client itself used
    /// the address.
    public func classify(_ address: IPAddress, name: DomainName?, service: Int) -> AddressVerdict {
        let place = placed(address)
        switch place.kind {
        case .outward: return .outward
        case .refused: return rules.names(address, service, atLeast: place.range) ? .outward : .inward
        case .privateRange:
            guard let name, !isInternal(name) else { return .outward }
            return rules.names(address, service, atLeast: place.range) ? .outward : .privateBehindName
        }
    }

    /// Whether a rule of the service that allows something names this address, by itself or by a range. A range that
    /// reaches beyond the special range around the address does not name it.
    public func names(_ address: IPAddress, service: Int) -> Bool {
        rules.names(address, service, atLeast: placed(address).range)
    }

    /// Whether the name is, or is below, a suffix whose names may have private addresses.
    public func isInternal(_ name: DomainName) -> Bool {
        var found = internalNames.contains(name)
        internalSuffixes.walk(0, name) { _ in found = true }
        return found
    }

    private func placed(_ address: IPAddress) -> AddressClass {
        var isOwn = own.longest(0, address) != nil
        address.forEachEmbeddedV4 { isOwn = isOwn || own.longest(0, IPAddress(v4: $0)) != nil }
        return isOwn ? AddressClass(.refused, 128) : AddressClass(address)
    }

    // MARK: - For people

    /// The rules of a service as written, in order.
    public func rules(of service: Int) -> [RuleSpec] { written[service] }

    /// The rule as written; absent for a learned one.
    public func rule(_ id: RuleID) -> RuleSpec? { id.rule.map { written[id.service][$0] } }

    /// The table look-ups that a question costs: a measure for tests, the same for ten rules and for ten thousand.
    func probes(_ question: Question) -> Int { rules.probes(question) }
}
