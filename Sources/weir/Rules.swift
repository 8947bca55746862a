import ArgumentParser
import Bytes
import Policy

struct Rules: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the network rules in force, as configuration.",
        discussion:
            "With --learned, what Discover has learned, ready to be pasted under `services`; with --list, what is on a list."
    )

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "Only this service.")
    var service: String?

    @Flag(help: "Learned rules instead of configured ones.")
    var learned = false

    @Option(help: "The entries of this list instead, such as encrypted-dns.")
    var list: String?

    func run() throws {
        let offline = try Offline.load(options.config)
        if let list { return try show(list, of: offline.snapshot.policy) }
        if let service, !learned { _ = try offline.service(service) }
        let names = learned ? offline.learned.services : offline.snapshot.policy.services.map(\.name)
        print("services:")
        for name in names where service == nil || service == name {
            let index = offline.snapshot.policy.services.firstIndex { $0.name == name }
            let rules =
                learned
                ? offline.learned.rules(of: name)
                : index.map { offline.snapshot.policy.rules(of: $0) } ?? []
            if rules.isEmpty { continue }
            print("  - name: \(name)")
            if let index { print("    mode: \(offline.snapshot.policy.services[index].mode.label)") }
            print("    rules:")
            for rule in rules { print("      - \(rule.yaml)") }
        }
    }

    private func show(_ name: String, of policy: Policy) throws {
        guard let list = policy.lists.first(where: { $0.name == name }) else {
            let known = policy.lists.map(\.name).joined(separator: ", ")
            throw ValidationError("there is no list \(name); expected one of \(known)")
        }
        print("lists:")
        print("  - name: \(list.name)")
        print("    entries:")
        for entry in list.entries { print("      - \"\(entry)\"") }
    }
}

extension RuleSpec {
    /// As it is written in a configuration.
    var yaml: String {
        var parts = ["to: \"\(to)\""]
        if !ports.isEmpty {
            let ranges = ports.map { $0.count == 1 ? "\($0.lowerBound)" : "\"\($0.lowerBound)-\($0.upperBound)\"" }
            parts.append("ports: [\(ranges.joined(separator: ", "))]")
        }
        if !applications.isEmpty {
            parts.append("applications: [\(applications.map { "\($0.label)" }.joined(separator: ", "))]")
        }
        parts.append("action: \(action.label)")
        return "{\(parts.joined(separator: ", "))}"
    }
}
