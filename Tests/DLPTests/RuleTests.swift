import Bytes
import Testing

@testable import DLP

@Suite struct RuleTests {
    static func profile(
        _ patterns: [PatternSpec], action: Action = .deny, enforcing: Bool = true, hold: Int = 64
    ) throws -> Profile {
        let sensor = SensorSpec(name: "s", rules: [SensorRuleSpec(name: "r", patterns: patterns)])
        return Profile(
            try Make.database([sensor]), [Attachment(sensor: "s", action: action)], enforcing: enforcing, hold: hold)
    }

    @Test func patternsOfARuleMustAllHold() throws {
        let profile = try Self.profile([
            PatternSpec(regex: "secret", contexts: .body), PatternSpec(regex: "example", contexts: .header),
        ])
        for (header, body, found) in [
            ("x", "a secret", 0), ("example.com", "nothing", 0), ("example.com", "a secret", 1),
        ] {
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            #expect(inspection.needsWholeBody)
            inspection.scan(header, as: .header)
            inspection.read(Array(body.utf8), cuts: [4])
            #expect(inspection.findings.count == found)
            #expect(inspection.verdict == (found > 0 ? .deny : .allow))
        }
    }

    @Test func theOrderOfEvidenceDoesNotMatter() throws {
        let profile = try Self.profile([
            PatternSpec(regex: "one", contexts: .body), PatternSpec(regex: "two", contexts: .body),
        ])
        let inspection = Inspection(scratch: Scratch())
        let body = Array("two .. one .. two one".utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, body, cuts: [cut])
            #expect(inspection.findings.map(\.offset) == [7])
            #expect(sent.count <= 7)
        }
    }

    @Test func aNegationSpeaksAtTheEnd() throws {
        let patterns = [
            PatternSpec(regex: "secret", contexts: .body),
            PatternSpec(regex: "sample", contexts: .body, negated: true),
        ]
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Self.profile(patterns))
        inspection.open(.request, as: .body, codings: [])
        inspection.feed(.request, Array("a secret".utf8)[...], end: true)
        #expect(inspection.verdict == .allow)
        inspection.finish()
        #expect(inspection.verdict == .deny)
        inspection.reset(try Self.profile(patterns))
        inspection.read(Array("a secret, but a sample".utf8))
        #expect(inspection.verdict == .allow)
    }

    @Test func aNegationIsDecidedAtHold() throws {
        let patterns = [
            PatternSpec(regex: "secret", contexts: .body),
            PatternSpec(regex: "sample", contexts: .body, negated: true),
        ]
        let profile = try Self.profile(patterns, hold: 64)
        let inspection = Inspection(scratch: Scratch())
        let late = Array(("secret" + String(repeating: ".", count: 58) + " sample").utf8)
        let early = Array(("secret" + String(repeating: ".", count: 52) + "sample" + "......").utf8)
        for cut in 0...late.count {
            inspection.reset(profile)
            inspection.read(late, cuts: [cut])
            #expect(inspection.verdict == .deny)
            inspection.reset(profile)
            inspection.read(early, cuts: [cut])
            #expect(inspection.verdict == .allow)
        }
    }

    @Test(arguments: [
        (#"(*UTF)a"#, "verb"), (#"(*LIMIT_MATCH=1)a"#, "verb"), (#"a(*COMMIT)b"#, "verb"), (#"a\Kb"#, #"\K"#),
        (#"\Ga"#, #"\G"#), (#"a(?C1)"#, "callout"), (#"a\C"#, #"\C"#), ("(a", "parenthes"), ("a{2,1}", "order"),
        (#"(?<=a{300})b"#, ""), ("[z-a]", "order"),
    ])
    func whatAStreamCannotOfferIsRefused(_ regex: String, _ said: String) throws {
        let result = Database.compile([Make.sensor("mine", regex)], limits: Limits(), fingerprintKey: [])
        if said.isEmpty {
            _ = try result.get()
            return
        }
        guard case .failure(let errors) = result, let error = errors.errors.first else {
            Issue.record("\(regex) was taken")
            return
        }
        #expect(errors.errors.count == 1)
        #expect(error.message.contains(said), "\(error.message)")
        #expect((error.sensor, error.rule, error.pattern) == ("mine", "r", 0))
        #expect(error.offset != nil)
    }

    @Test func literalsThatLookLikeVerbsAreTaken() throws {
        let profile = try Make.profile([#"\Q(*UTF)\E"#, #"[(*UTF)]{6}"#, #"a\\K"#])
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(Array(#"(*UTF) a\K"#.utf8))
        #expect(inspection.findings.count == 3)
    }

    @Test func allErrorsAreToldAtOnce() {
        let sensors = [
            Make.sensor("credit-card", "a"), Make.sensor("x", "(", validator: "nobody"),
            SensorSpec(
                name: "y",
                rules: [SensorRuleSpec(name: "n", patterns: [PatternSpec(regex: "a", contexts: .body, negated: true)])]),
            SensorSpec(name: "z", rules: [SensorRuleSpec(name: "none", patterns: [])]),
        ]
        guard case .failure(let errors) = Database.compile(sensors, limits: Limits(), fingerprintKey: []) else {
            Issue.record("taken")
            return
        }
        #expect(errors.errors.map(\.sensor) == ["credit-card", "x", "x", "y", "z"])
    }

    @Test func expressionsWithoutABoundAreWarnedOf() throws {
        let regexes = ["a+", #"\d{3}-\d{4}"#, "a{5000}", "(?=a*)b", "(a|b){1,9}", #"[^"]*"#, #"(a)\1"#]
        let sensors = regexes.enumerated().map { Make.sensor("s\($0)", $1) }
        let warnings = try Make.database(sensors).warnings.filter { $0.message.contains("match_bytes") }
        #expect(warnings.map(\.sensor) == ["s0", "s2", "s3", "s5"])
    }

    @Test func expressionsThatCouldBeginAnywhereAreWarnedOf() throws {
        let regexes = [
            #"[^"]{1,9}"#, #"\w{1,9}@x"#, #"\b\w{1,9}@x"#, #"^\w{1,9}@x"#, "(?i)token", ".{2}[0-9]{4}", "x?y?z?",
            "[a-z]{9}!",
        ]
        let sensors = regexes.enumerated().map { Make.sensor("s\($0)", $1) }
        let warnings = try Make.database(sensors).warnings.filter { $0.message.hasPrefix("costly") }
        #expect(warnings.map(\.sensor) == ["s0", "s1", "s6"])
    }

    @Test func theExpressionUsersBringWorks() throws {
        let regex = #"\b[12]\d{2}(0[1-9]|1[0-2]|20|21|22|23|24|25|26|27|28|29|30|31|32)\d{2}\d{3}\d{3}\d{2}\b"#
        let profile = try Make.profile([regex])
        let inspection = Inspection(scratch: Scratch())
        let body = Array("nir=295109912611193&x=1951099126111930&y=295139912611193".utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, body, cuts: [cut])
            #expect(inspection.findings.map(\.offset) == [4])
            #expect(sent == Array("nir=".utf8))
        }
        let finding = try #require(inspection.findings.first)
        #expect(finding.match == "2*************3" && finding.length == 15 && finding.rawOffset == 4)
        #expect(finding.fingerprint.utf8.count == 32 && finding.context == .body && finding.decoded.isEmpty)
    }

    @Test func urlsAreReadAsSentAndDecoded() throws {
        let inspection = Inspection(scratch: Scratch())
        for (url, decoded) in [
            ("/p?n=4111111111111111", [[]]), ("/p?n=4111%201111%201111%201111", [["percent"]]),
            ("/p?n=4111+1111+1111+1111", [["percent"]]), ("/p?n=4111111111111111&q=a%20b", [[]]),
            ("/p/4111+1111+1111+1111", []), ("/p?%34111111111111111", [["percent"]]), ("/%", []), ("/%3", []),
        ] as [(String, [[String]])] {
            inspection.reset(try Make.builtIn())
            inspection.scan(url, as: .url)
            #expect(inspection.findings.map(\.decoded) == decoded, "\(url)")
        }
    }

    @Test func findingsAreBoundedAndCounted() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.profile(["a", "b"]))
        inspection.read(Array(String(repeating: "ab", count: 1000).utf8), cuts: [500, 700])
        #expect(inspection.findingsCount == 2000)
        #expect(inspection.findings.map(\.offset) == (0..<UInt64(Inspection.findingsMax)).map { $0 })
    }

    @Test func responsesAreReadByThoseWhoAskForIt() throws {
        let profile = Profile(
            try Make.database([Make.sensor("s", "abc", direction: .both)]),
            [Attachment(sensor: "s", action: .alert), Attachment(sensor: "ssn-us", action: .deny)], enforcing: true,
            hold: 0)
        #expect(profile.reads.contains([.body, .url]) && profile.readsResponses.contains(.body) && profile.holds)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.open(.response, as: .body, codings: [])
        inspection.feed(.response, Array("abc 536-90-4399 ".utf8)[...], end: true)
        #expect(inspection.findings.map(\.sensor) == ["s"])
        #expect(inspection.releasable(.response) == 16)
    }
}
