import Glibc
import Testing

@testable import Config

/// Configurations of several files.
@Suite struct IncludeTests {
    let scratch = Scratch()

    private func told(_ main: String) -> [String] {
        switch Settings.load(scratch.write(main, to: "weir.yaml")) {
        case .success: []
        case .failure(let failure):
            failure.errors.map { "\($0)".split(separator: "/").last.map(String.init) ?? "" }
        }
    }

    @Test func filesAreMergedInTheOrderOfTheirNames() throws {
        scratch.write("services: [{name: c}]", to: "services.d/20.yaml")
        scratch.write(
            "services: [{name: b, mode: protect}]\nidentity: {pods: [{service: b, addresses: [10.0.0.1]}]}",
            to: "services.d/10.yaml")
        scratch.write("sensors: [{name: s, rules: [{name: r, patterns: [{regex: x}]}]}]", to: "sensors.yaml")
        scratch.write("lists: [{name: l, entries: [a.example]}]", to: "services.d/30.yaml")
        scratch.write("not: read", to: "services.d/notes.txt")
        let main = scratch.write(
            "defaults: {mode: monitor}\nservices: [{name: a, rules: [{to: list:l, action: deny}]}]\ninclude: [\"services.d/*.yaml\", sensors.yaml, \"*/10.yaml\"]",
            to: "weir.yaml")
        let settings = try Settings.load(main).get()
        #expect(settings.services.map(\.name) == ["a", "b", "c"])
        #expect(settings.services.map(\.mode) == [.monitor, .protect, .monitor])
        #expect(settings.identities.map(\.service) == ["b"])
        #expect(settings.sensors.map(\.name) == ["s"])
        #expect(settings.lists.map(\.name) == ["l"])
        #expect(
            settings.files
                == ["weir.yaml", "services.d/10.yaml", "services.d/20.yaml", "services.d/30.yaml", "sensors.yaml"].map(
                    scratch.file))
        #expect(settings.services[1].place.file == scratch.file("services.d/10.yaml"))
    }

    @Test func errorsOfEveryFileAreToldTogether() {
        scratch.write("services: [{name: a, mode: x}]", to: "b.yaml")
        scratch.write("services: [{name: a}\n", to: "c.yaml")
        scratch.write("workers: 1\nservices: []", to: "d.yaml")
        #expect(
            told("workers: x\nservices: [{name: z}]\ninclude: [b.yaml, c.yaml, d.yaml, e.yaml, \"no/*.yaml\"]") == [
                "b.yaml:1:28: mode: expected discover, monitor or protect, found \"x\"",
                "c.yaml:2:1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'",
                "d.yaml:1:1: workers: unknown key, expected services, identity, sensors, lists, detectors, honeytokens",
                "weir.yaml:1:10: workers: expected 0-1024, found \"x\"",
                "e.yaml: No such file or directory",
            ])
    }

    @Test func aNameDefinedInTwoFilesIsAnError() {
        scratch.write("services: [{name: a}]", to: "b.yaml")
        let found = told("services: [{name: a}]\ninclude: [b.yaml]")
        #expect(found == ["weir.yaml:1:19"])
        let file = scratch.file("b.yaml")
        guard case .failure(let failure) = Settings.load(scratch.file("weir.yaml")) else { return }
        #expect(failure.errors.map { ($0.file, $0.column) }.first ?? ("", 0) == (file, 19))
    }

    @Test func emptyAndRepeatedFilesAreNoError() throws {
        scratch.write("# later\n", to: "empty.yaml")
        let main = scratch.write("include: [empty.yaml, empty.yaml, weir.yaml]", to: "weir.yaml")
        #expect(try Settings.load(main).get().files.count == 2)
    }

    @Test func whatIsNoFileIsAnError() {
        let missing = Settings.load(scratch.file("none.yaml"))
        guard case .failure(let failure) = missing else { return #expect(Bool(false)) }
        #expect(failure.errors.first?.message.contains("No such file") == true)
        mkdir(scratch.file("dir.yaml"), 0o755)
        mkfifo(scratch.file("pipe.yaml"), 0o644)
        #expect(told("include: [pipe.yaml/*]").count == 1)
        #expect(
            told("include: [dir.yaml, pipe.yaml]") == ["dir.yaml: not a regular file", "pipe.yaml: not a regular file"])
    }

    @Test func aFileIsBounded() {
        let line = String(repeating: "#", count: 1023) + "\n"
        scratch.write(String(repeating: line, count: 4096), to: "a.yaml")
        scratch.write(String(repeating: line, count: 4096) + "#", to: "b.yaml")
        #expect(told("include: [a.yaml]").isEmpty)
        #expect(told("include: [b.yaml]") == ["b.yaml: larger than 4MiB"])
    }

    @Test func bytesThatAreNoTextAreAnError() {
        scratch.write("", to: "a.yaml")
        if let file = fopen(scratch.file("a.yaml"), "w") {
            fputc(0xff, file)
            fclose(file)
        }
        #expect(told("include: [a.yaml]") == ["a.yaml: not UTF-8 text"])
    }
}

/// Aliases may repeat what is written, not multiply it without end.
@Suite struct AliasTests {
    @Test func anAnchoredListIsUsedTwice() throws {
        let text = """
            services:
              - {name: a, rules: &web [{to: any, ports: [80], action: allow}]}
              - {name: b, rules: *web}
            """
        let settings = try Settings.parse(text, file: "weir.yaml").get()
        #expect(settings.services.map(\.rules.count) == [1, 1])
    }

    /// Ten levels of ten: as many nodes as no machine holds.
    private static let laughs: String = {
        let levels = (1...10).map { level in
            let items = Array(repeating: level == 1 ? "x" : "*l\(level - 1)", count: 10).joined(separator: ", ")
            return "l\(level): &l\(level) [\(items)]\n"
        }
        return levels.joined()
    }()

    @Test func laughterInValuesIsOnlyUnknownKeys() {
        #expect(errors(AliasTests.laughs).count == 10)
    }

    @Test(arguments: ["? *l10\n: 1", "*l10 : 1", "? [*l10]\n: 1", "a: {? {b: *l10} : 1}"])
    func laughterInKeysIsRefused(_ key: String) {
        let found = errors(AliasTests.laughs + key)
        #expect(found.count == 1)
        #expect(found.first?.contains("expected plain text as a key, found a collection or an alias") == true)
    }

    /// A list of services each with the same thousand rules of a thousand ports each.
    @Test func laughterWhereListsAreReadStopsAtTheBound() {
        let ports = Array(repeating: "1", count: 1000).joined(separator: ", ")
        let rules = Array(repeating: "*r", count: 1000).joined(separator: ", ")
        let services = Array(repeating: "*s", count: 100).joined(separator: ", ")
        let text = """
            services:
              - &s {name: a, rules: [&r {to: any, action: allow, ports: [\(ports)]}, \(rules)]}
              - \(services.replacing(", ", with: "\n  - "))
            """
        #expect(errors(text).contains { $0.contains("expected at most 1000000 values, aliases followed") })
    }

    @Test func deepNestingIsAnError() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(errors("a: \(deep)").count == 1)
    }
}
