import Bytes
import DLP
import Policy
import Testing

@testable import Config

/// Settings become policy and profiles, or errors at the places where they were written.
@Suite struct SnapshotTests {
    private func build(_ text: String) -> Result<Snapshot, ConfigErrors> {
        Settings.parse(text, file: "weir.yaml").flatMap {
            Snapshot.build(
                $0, generation: 7, learned: LearnedRules(), ownAddresses: [],
                fingerprintKey: Array(repeating: 1, count: 32))
        }
    }

    private func errors(_ text: String) -> [String] {
        guard case .failure(let failure) = build(text) else { return [] }
        return failure.errors.map { "\($0.line):\($0.column): \($0.message)" }
    }

    private func pattern(_ regex: String, _ name: String = "s") -> String {
        "sensors: [{name: \(name), rules: [{name: r, patterns: [{regex: '\(regex)'}]}]}]"
    }

    @Test func servicesStandAtTheIndicesOfThePolicy() throws {
        let snapshot = try build(
            """
            defaults: {mode: monitor, hold: 1KiB}
            identity:
              pods:
                - {service: later.vm, addresses: [10.0.0.2]}
                - {service: a, pod: a-1, addresses: [10.0.0.1]}
            services:
              - {name: a, mode: protect, hold: 2KiB, sensors: {ssn-fr: deny, credit-card: alert}}
              - {name: unknown, mode: discover, sensors: {ssn-us: alert}}
              - {name: b}
            """
        ).get()
        #expect(snapshot.generation == 7)
        #expect(snapshot.policy.services.map(\.name) == ["unknown", "a", "b", "later.vm"])
        #expect(snapshot.services.map(\.name) == ["unknown", "a", "b", "later.vm"])
        #expect(snapshot.policy.services.map(\.mode) == [.discover, .protect, .monitor, .monitor])
        #expect(snapshot.profiles.map(\.enforcing) == [false, true, false, false])
        #expect(snapshot.profiles.map(\.hold) == [1024, 2048, 1024, 1024])
        #expect(snapshot.profiles.map { $0.reads.isEmpty } == [false, false, true, true])
        let client = try #require(IPAddress("10.0.0.1"))
        #expect(snapshot.policy.identify(client).service == 1)
        #expect(snapshot.warnings.map(\.description) == ["weir.yaml:9:12: services: no identity says who b is"])
    }

    @Test func unknownHasTheDefaultsIfNobodyNamesIt() throws {
        let snapshot = try build("defaults: {mode: protect, uninspectable: deny}").get()
        #expect(snapshot.policy.services.map(\.name) == ["unknown"])
        #expect(snapshot.policy.services[0].mode == .protect)
        #expect(snapshot.policy.services[0].uninspectable == .deny)
        #expect(snapshot.profiles.map(\.enforcing) == [true])
    }

    @Test func anUnknownSensorIsAnErrorWhereItIsAttached() {
        #expect(
            errors("services:\n  - name: a\n    sensors: {ssn-rf: deny, s: alert}\n\(pattern("x"))") == [
                "3:15: sensors: no sensor is called ssn-rf, did you mean ssn-fr?"
            ])
    }

    @Test func expressionsAreToldAtTheirPlace() {
        let found = errors(
            """
            services: [{name: a, sensors: {nobody: alert}}]
            sensors:
              - name: one
                rules:
                  - name: good
                    patterns: [{regex: 'a'}]
                  - name: bad
                    patterns:
                      - {regex: 'a'}
                      - {context: [url], regex: 'a(b'}
              - name: two
                rules: [{name: verb, patterns: [{regex: 'a\\Kb'}]}, {name: none, patterns: [{regex: a, negated: true}]}]
            """)
        #expect(
            found.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                "1:32: sensors:", "10:37: regex:", "12:45: regex:", "12:63: rule",
            ])
    }

    @Test func anExpressionIsToldWithWhatIsWrongInIt() {
        #expect(errors(pattern("a(b")) == ["1:58: regex: missing closing parenthesis at byte 3"])
        let found = errors("sensors: [{name: s, rules: [{name: r, patterns: [{regex: a, validator: lun}]}]}]")
        #expect(found.count == 1)
        #expect(found[0].hasPrefix("1:72: validator: expected luhn, card, verhoeff, mod97, "))
        #expect(found[0].hasSuffix("(did you mean luhn?), found \"lun\""))
    }

    @Test func whatOnlyCompilingShowsIsToldWithTheRest() {
        let text = "worker: 1\nservices: [{name: a, sensors: {nobody: deny}}]\n\(pattern("a(b"))"
        #expect(
            errors(text).map { $0.prefix(12) } == ["1:1: worker:", "2:32: sensor", "3:58: regex:"])
        let half = "services: [{name: a, sensors: {nobody: deny}}]\nsensors: 1"
        #expect(errors(half) == ["2:10: sensors: expected a list, found 1"])
        let blank = "sensors: [{rules: [{name: r, patterns: [{context: [url]}]}]}]"
        #expect(errors(blank).map { $0.prefix(5) } == ["1:11:", "1:41:"])
    }

    @Test func aBuiltInNameIsTaken() {
        #expect(
            errors(pattern("a", "ssn-fr")) == [
                "1:18: sensor ssn-fr is the name of a built-in sensor, expected a name of its own"
            ])
    }

    @Test func whatIsWrongWithAFileOfTLSIsToldWhereItIsNamed() {
        #expect(
            errors("tls: {inspect: true, revocation: [/nonexistent/a], trust: /nonexistent/b}") == [
                "1:34: tls.revocation: /nonexistent/a: No such file or directory",
                "1:59: tls.trust: /nonexistent/b: No such file or directory",
            ])
    }

    @Test func whatIsWrongWithTheKeyOfEvidenceIsToldWhereItIsNamed() {
        #expect(
            errors("evidence: {context: 64, seal_to: /nonexistent/key}") == [
                "1:34: seal_to: expected a readable file, found /nonexistent/key: No such file or directory"
            ])
        #expect(
            errors("evidence: {seal_to: /proc/self/status}").map {
                $0.hasSuffix(": expected an X25519 public key in PEM")
            }
                == [true])
    }

    @Test func captureWithoutAListenerIsDoubted() throws {
        let snapshot = try build("capture: {from: [eth0]}").get()
        #expect(
            snapshot.warnings.map(\.description) == [
                "weir.yaml:1:10: capture: no listener takes what is captured, so that all of it is dropped"
            ])
    }

    @Test func everyExampleBuildsWithoutADoubt() throws {
        let paths = Files.matching("\(repository)/conf/*.yaml") + Files.matching("\(repository)/conf/*/*.yaml")
        // The files that own-data.yaml names are made by who uses it, as test_edm.py does.
        for path in paths where !path.hasSuffix("/own-data.yaml") {
            let snapshot = try Snapshot.build(
                Settings.load(path).get(), generation: 1, learned: LearnedRules(), ownAddresses: [], fingerprintKey: []
            ).get()
            #expect(snapshot.warnings.isEmpty, "\(path)")
        }
    }
}
