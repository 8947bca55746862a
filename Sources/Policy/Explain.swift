import Bytes

// Rules and decisions in words, for `weir explain` and `weir rules`.

extension Destination: CustomStringConvertible {
    /// As it is written in `to`.
    public var description: String {
        switch self {
        case .any: "any"
        case .name(let name): name.description
        case .suffix(let name): "*.\(name)"
        case .prefix(let prefix): prefix.length == 128 ? prefix.address.description : prefix.description
        case .list(let name): "list:\(name)"
        }
    }
}

extension RuleSpec: CustomStringConvertible {
    /// `allow *.github.com, ports 443, applications HTTP HTTP2`.
    public var description: String {
        var text = "\(action.label) \(to)"
        if !ports.isEmpty {
            let ranges = ports.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            text += ", ports " + ranges.joined(separator: " ")
        }
        if !applications.isEmpty {
            text += ", applications " + applications.map { "\($0.label)" }.joined(separator: " ")
        }
        return text
    }
}

/// What would happen to a session, and which rule or range says so.
public struct Explanation: Sendable, CustomStringConvertible {
    public let service: Service
    public let question: Question
    /// Absent where no address is known.
    public let address: AddressVerdict?
    public let decision: Decision
    /// The covering rule as written; absent for a learned one and for none.
    public let rule: RuleSpec?
    /// Where the rule is about a list, what on it covers the session.
    public let entry: Destination?

    /// One fact a line.
    public var description: String {
        var lines = [
            "service      \(service.name), \(service.mode.label)",
            "destination  \(destination)",
            "rule         \(ruleText)",
        ]
        if let entry { lines.append("entry        \(entry)") }
        switch address {
        case nil, .outward: break
        case .inward: lines.append("address      inward: refused in every mode unless a rule names it")
        case .privateBehindName: lines.append("address      private behind a public name")
        }
        if let threat = decision.threat { lines.append("threat       \(threat.rawValue)") }
        lines.append("action       \(decision.action.label)" + (decision.mayLearn ? ", and learns a rule" : ""))
        lines.append("would        \(decision.would.label)")
        if let reason = decision.reason { lines.append("reason       \(reason.label)") }
        return lines.joined(separator: "\n")
    }

    private var destination: String {
        let hosts = [question.name?.description, question.address?.description].compactMap { $0 }
        return "\(hosts.joined(separator: " at ")), port \(question.port), \(question.application.label)"
    }

    private var ruleText: String {
        guard let id = decision.rule else { return "none covers it" }
        return rule.map { "\(id.text): \($0)" } ?? id.text
    }
}

extension Policy {
    /// Answers a question and says why.
    public func explain(_ question: Question) -> Explanation {
        var decision = decide(question)
        let verdict = question.address.map { classify($0, name: question.name, service: question.service) }
        switch verdict {
        case .inward: decision.note(.inwardAddress)
        case .privateBehindName: decision.note(.rebinding)
        case .outward, nil: break
        }
        let rule = decision.rule.flatMap(self.rule)
        return Explanation(
            service: services[question.service], question: question, address: verdict, decision: decision,
            rule: rule, entry: rule.flatMap { entry($0, question) })
    }

    private func entry(_ rule: RuleSpec, _ question: Question) -> Destination? {
        guard case .list(let name) = rule.to else { return nil }
        return lists.first { $0.name == name }?.entry(for: question.name, question.address)
    }
}
