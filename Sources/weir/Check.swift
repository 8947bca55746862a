import ArgumentParser
import Config

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate configuration files.",
        discussion: "Prints what it understood, or every error with file, line and column; exit 1 if there is one.")

    @Flag(help: "Scan the examples of every detector in the files, and tell those that do not hold.")
    var examples = false

    @Flag(help: "Print the JSON Schema of the configuration instead.")
    var schema = false

    @Argument(help: "Configuration files.")
    var files: [String] = []

    func validate() throws {
        if files.isEmpty, !schema { throw ValidationError("expected a configuration file") }
    }

    func run() throws {
        if schema { return print(Schema.json(), terminator: "") }
        var failed = false
        for file in files {
            do {
                let snapshot = try Offline.compile(try Offline.read(file))
                let examples = examples ? DetectorExamples(snapshot.settings) : nil
                if let failures = examples?.failures, !failures.isEmpty { throw Offline.refuse(ConfigErrors(failures)) }
                describe(file, snapshot, examples)
            } catch let code as ExitCode {
                failed = failed || !code.isSuccess
            }
        }
        if failed { throw ExitCode(1) }
    }

    private func describe(_ file: String, _ snapshot: Snapshot, _ examples: DetectorExamples?) {
        for warning in snapshot.warnings { complain("warning: \(warning)") }
        print("\(file): good")
        for listener in snapshot.settings.listeners {
            print("  listener \(listener.name): \(listener.intercept.rawValue) on \(listener.address)")
        }
        for list in snapshot.policy.lists {
            let isWritten = snapshot.settings.lists.contains { $0.name == list.name }
            print("  list \(list.name): \(list.entries.count) entries" + (isWritten ? "" : ", built in"))
        }
        if !snapshot.settings.detectors.isEmpty {
            let held = examples.map { ", \($0.count) examples hold" } ?? ""
            print("  detectors: \(snapshot.settings.detectors.count)\(held)")
        }
        for (service, settings) in zip(snapshot.policy.services, snapshot.services) {
            let sensors = settings.sensors.map { "\($0.name) \($0.action.label)" }.joined(separator: ", ")
            let rules = snapshot.policy.rules(of: service.index).count
            print(
                "  service \(service.name): \(service.mode.label), \(rules) rules"
                    + (sensors.isEmpty ? "" : ", sensors \(sensors)"))
        }
    }
}
