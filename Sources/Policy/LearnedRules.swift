import Bytes
import Synchronization

/// One rule that Discover learned: this service talks to this host, at this port, in this application.
public struct LearnedRule: Hashable, Sendable {
    public var service: String
    public var host: Host
    public var port: UInt16
    public var application: Application

    public init(service: String, host: Host, port: UInt16, application: Application) {
        self.service = service
        self.host = host
        self.port = port
        self.application = application
    }

    /// As records show it: `learned: canarytokens.com:80 HTTP`.
    var text: String { "learned: \(host):\(port) \(application.label)" }
}

/// All learned rules of all services: shared by the loops, older than any one policy, never evicting.
///
/// Asking takes no lock. Learning takes one, briefly; it happens once per rule. A service learns at most `perService`
/// rules; rules of services that are gone are kept, for they may come back.
public final class LearnedRules: Sendable {
    public enum Outcome: Hashable, Sendable {
        case learned
        /// It was known before.
        case known
        /// The service has as many as it may have. `first` is true once each time the bound is met, for one alert.
        case full(first: Bool)
    }

    private struct Learner {
        let name: String
        var rules: [LearnedRule] = []
        var isFull = false
        var refused = 0
    }

    private struct State {
        var numbers: [String: UInt32] = [:]
        var learners: [Learner] = []
        var perService: Int
    }

    private let table = LearnedTable(seed: .random(in: .min ... .max))
    private let state: Guarded<State>
    /// Counts the rules learned; the state file is behind while `saved` differs.
    private let generation = Atomic<Int>(0)
    /// The generation in the state file. Held while the file is written, so that two threads do not write it at once.
    private let saved = Guarded<Int>(0)

    public init(perService: Int = Limits().learnedPerService) {
        state = Guarded(State(perService: perService))
    }

    // MARK: - Asking

    /// The name of the rule that covers this, if one was learned. A session with a name is covered by a rule for that
    /// name only: an address may be shared by strangers.
    func name(
        _ service: UInt32, _ name: DomainName?, _ address: IPAddress?, _ port: UInt16, _ application: Application
    ) -> RuleText? {
        if let name {
            // Any rule about a name covers the DNS question for it; such questions are kept under port 0.
            return table.find(service, name, application == .dns ? 0 : port, application)
        }
        guard let address else { return nil }
        return table.find(service, address, port, application)
    }

    /// Whether this was learned for the service, of a policy compiled with these rules. Takes no lock.
    public func contains(service: Service, host: Host, port: UInt16, application: Application) -> Bool {
        knows(service.learnedAs, host, port, application)
    }

    private func knows(_ service: UInt32, _ host: Host, _ port: UInt16, _ application: Application) -> Bool {
        switch host {
        case .name(let name): self.name(service, name, nil, port, application) != nil
        case .address(let address): name(service, nil, address, port, application) != nil
        }
    }

    // MARK: - Learning

    /// The number of a service, the same for the life of the process.
    func number(of service: String) -> UInt32 { state.withLock { LearnedRules.number(of: service, &$0) } }

    private static func number(of service: String, _ state: inout State) -> UInt32 {
        if let known = state.numbers[service] { return known }
        let number = UInt32(state.learners.count)
        state.numbers[service] = number
        state.learners.append(Learner(name: service))
        return number
    }

    /// Learns a rule, unless it is known or the service has its full number.
    @discardableResult
    public func learn(service: String, host: Host, port: UInt16, application: Application) -> Outcome {
        learn(LearnedRule(service: service, host: host, port: port, application: application), isBounded: true)
    }

    /// Rules from the state file are not held to the bound: it may have been lowered, and nothing is ever evicted.
    func learn(_ rule: LearnedRule, isBounded: Bool) -> Outcome {
        precondition(Service.isName(rule.service), "a compiled policy has only proper service names")
        return state.withLock { state in
            let number = Int(LearnedRules.number(of: rule.service, &state))
            if knows(UInt32(number), rule.host, rule.port, rule.application) { return .known }
            if isBounded, state.learners[number].rules.count >= state.perService {
                let first = !state.learners[number].isFull
                state.learners[number].isFull = true
                state.learners[number].refused += 1
                return .full(first: first)
            }
            insert(rule, UInt32(number))
            state.learners[number].rules.append(rule)
            state.learners[number].isFull = false
            generation.add(1, ordering: .releasing)
            return .learned
        }
    }

    private func insert(_ rule: LearnedRule, _ service: UInt32) {
        let text = rule.text
        var key = LearnedTable.Key(
            service: service, port: rule.port, application: rule.application, host: rule.host)
        if case .name = rule.host {
            let question = LearnedTable.Key(service: service, port: 0, application: .dns, host: rule.host)
            _ = table.insert(question, text: text)
            if rule.application == .dns { key = question }
        }
        _ = table.insert(key, text: text)
    }

    /// Takes over a changed bound, after a reload.
    public func setPerService(_ count: Int) { state.withLock { $0.perService = count } }

    // MARK: - For people and for the state file

    /// The services that learned something, by name.
    public var services: [String] {
        state.withLock { $0.learners.filter { !$0.rules.isEmpty }.map(\.name) }.sorted()
    }

    public var count: Int { state.withLock { $0.learners.reduce(0) { $0 + $1.rules.count } } }

    /// How many rules were not learned because the service had its full number.
    public func refused(by service: String) -> Int {
        state.withLock { state in state.numbers[service].map { state.learners[Int($0)].refused } ?? 0 }
    }

    /// What a service learned, as rules for its configuration, by host, port and application.
    public func rules(of service: String) -> [RuleSpec] {
        let rules = state.withLock { state in state.numbers[service].map { state.learners[Int($0)].rules } ?? [] }
        return LearnedRules.sorted(rules).map { rule in
            let destination: Destination =
                switch rule.host {
                case .name(let name): .name(name)
                case .address(let address): .prefix(Prefix(address))
                }
            return RuleSpec(
                to: destination, ports: [rule.port...rule.port], applications: [rule.application], action: .allow)
        }
    }

    /// Every rule, ordered so that equal sets are written as equal files.
    var all: [LearnedRule] {
        let learners = state.withLock { $0.learners }
        return learners.sorted { $0.name < $1.name }.flatMap { LearnedRules.sorted($0.rules) }
    }

    /// Whether the state file has all that was learned.
    public var isSaved: Bool { saved.withLock { $0 } == generation.load(ordering: .acquiring) }

    func markSaved() { saved.withLock { $0 = generation.load(ordering: .acquiring) } }

    /// Runs `write` if the state file is behind, one thread at a time.
    func saving(_ write: () throws(StateError) -> Void) throws(StateError) -> Bool {
        let outcome = saved.withLock { saved -> Result<Bool, StateError> in
            let now = generation.load(ordering: .acquiring)
            if now == saved { return .success(false) }
            do throws(StateError) { try write() } catch { return .failure(error) }
            saved = now
            return .success(true)
        }
        return try outcome.get()
    }

    private static func sorted(_ rules: [LearnedRule]) -> [LearnedRule] {
        rules.map { (host: $0.host.description, rule: $0) }.sorted {
            ($0.host, $0.rule.port, $0.rule.application.rawValue)
                < ($1.host, $1.rule.port, $1.rule.application.rawValue)
        }.map(\.rule)
    }
}
