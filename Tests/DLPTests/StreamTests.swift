import Bytes
import Testing

@testable import DLP

/// What leaves while a body is being read: a caller that forwards what it may, as soon as it may.
@Suite struct StreamTests {
    /// Forwards as the gateway does and answers what an origin would have got.
    static func forward(_ inspection: Inspection, _ body: [UInt8], cuts: [Int], codings: [ContentCoding] = [])
        -> [UInt8]
    {
        inspection.open(.request, as: .body, codings: codings)
        var held: [UInt8] = []
        var sent: [UInt8] = []
        var from = 0
        for cut in cuts + [body.count] where cut >= from {
            inspection.feed(.request, body[from..<cut], end: cut == body.count)
            held += body[from..<cut]
            from = cut
            for redaction in inspection.takeRedactions(.request) {
                let first = Int(redaction.offset) - sent.count
                for at in first..<first + redaction.length { held[at] = redaction.byte }
            }
            let free = Int(inspection.releasable(.request)) - sent.count
            sent += held[..<free]
            held.removeFirst(free)
        }
        return sent
    }

    static let secret = Array("4111111111111111".utf8)

    @Test func noByteOfADeniedMatchLeaves() throws {
        let profile = try Make.builtIn()
        let inspection = Inspection(scratch: Scratch())
        let before = Array(#"{"a": 12, "b": "#.utf8)
        let body = before + Self.secret + Array(#", "c": 536-90-4399}"#.utf8)
        for cut in 0...body.count {
            for second in stride(from: cut, through: body.count, by: 3) {
                inspection.reset(profile)
                let sent = Self.forward(inspection, body, cuts: [cut, second])
                #expect(sent.count <= before.count && body.starts(with: sent))
                #expect(inspection.verdict == .deny)
            }
        }
    }

    @Test func whatCannotBeAMatchFlows() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        inspection.open(.request, as: .body, codings: [])
        inspection.feed(.request, Array("hello 4111".utf8)[...], end: false)
        #expect(inspection.releasable(.request) == 6)
        inspection.feed(.request, Array(" and".utf8)[...], end: false)
        // A last word may be the beginning of one in base64.
        #expect(inspection.releasable(.request) == 11)
        inspection.feed(.request, Array(" 12".utf8)[...], end: false)
        #expect(inspection.releasable(.request) == 15)
        inspection.feed(.request, [][...], end: true)
        #expect(inspection.releasable(.request) == 17)
        #expect(inspection.verdict == .allow)
    }

    @Test func nothingIsHeldWhereNothingIsInForce() throws {
        for (action, enforcing) in [(Action.alert, true), (.deny, false), (.redact, false)] {
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(try Make.builtIn(action, enforcing: enforcing))
            inspection.open(.request, as: .body, codings: [])
            inspection.feed(.request, Array("pan 4111111".utf8)[...], end: false)
            #expect(inspection.releasable(.request) == 11)
            inspection.feed(.request, Array("111111111;".utf8)[...], end: true)
            #expect(inspection.verdict == action)
            #expect(inspection.releasable(.request) == 21)
            #expect(inspection.takeRedactions(.request).isEmpty)
        }
    }

    @Test func redactedBodiesKeepTheirLength() throws {
        let profile = try Make.builtIn(.redact)
        let inspection = Inspection(scratch: Scratch())
        let body = Array(#"{"a": "4111111111111111", "b": 5555555555554444, "c":"x"}"#.utf8)
        let expected = Array(#"{"a": "****************", "b": 0000000000000000, "c":"x"}"#.utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            #expect(Self.forward(inspection, body, cuts: [cut]) == expected)
            inspection.reset(profile)
            #expect(Self.forward(inspection, body, cuts: [cut / 2, cut]) == expected)
        }
        #expect(inspection.verdict == .redact && inspection.uninspectable == nil)
    }

    @Test func redactionWhereTheWireIsNotWhatWasReadDenies() throws {
        let profile = try Make.builtIn(.redact)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.scan("n=4111111111111111", as: .header)
        #expect(inspection.verdict == .deny && inspection.uninspectable == .redactImpossible)
        inspection.reset(profile)
        let sent = Self.forward(inspection, Pack.gzip(Array("x=4111111111111111;".utf8)), cuts: [], codings: [.gzip])
        #expect(inspection.verdict == .deny && inspection.uninspectable == .redactImpossible)
        #expect(sent.isEmpty)
    }

    @Test func aReleasedTailIsStillMatched() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.profile(["abcd"], action: .redact))
        inspection.open(.response, as: .packet, codings: [])
        #expect(inspection.releasable(.response) == 0)
        inspection.reset(
            Profile(
                try Make.database([Make.sensor("s", "abcd", direction: .both)]),
                [Attachment(sensor: "s", action: .redact)],
                enforcing: true, hold: 0))
        inspection.open(.response, as: .packet, codings: [])
        inspection.feed(.response, Array("xxab".utf8)[...], end: false)
        #expect(inspection.releasable(.response) == 2)
        inspection.releaseTail(.response)
        #expect(inspection.releasable(.response) == 4)
        inspection.feed(.response, Array("cd".utf8)[...], end: false)
        #expect(inspection.takeRedactions(.response) == [Redaction(offset: 4, length: 2, byte: UInt8(ascii: "*"))])
        #expect(inspection.findings.map(\.offset) == [2])
    }

    @Test func matchesAreBoundedByMatchBytes() throws {
        let bound = Limits().matchBytes
        let profile = try Make.profile([#"x\d+y"#])
        for (digits, found, overruns) in [(bound - 2, 1, 0), (bound - 1, 0, 1)] {
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            let body = Array("x".utf8) + [UInt8](repeating: UInt8(ascii: "1"), count: digits) + Array("y x1y".utf8)
            inspection.read(body, cuts: [7, 100, 4000])
            #expect(inspection.findingsCount == found + 1)
            #expect(inspection.overruns == overruns)
            #expect(inspection.uninspectable == (overruns > 0 ? .patternOverrun : nil))
        }
    }

    @Test func aHostileBodyCostsABoundedTime() throws {
        let profile = try Make.profile([#"(a+)+$"#, #"(x+x+)+y"#, #"(?:a|aa)+b"#, #"a[^\n]*b"#], action: .alert)
        for text in ["a", "x", "ax", "aab\n"] {
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            let body = Array(String(repeating: text, count: 100_000 / text.utf8.count).utf8) + Array("!".utf8)
            let clock = ContinuousClock()
            let time = clock.measure { inspection.read(body, cuts: [50_000]) }
            // Generous: what is guarded against takes for ever.
            #expect(time < .seconds(10))
        }
    }

    @Test func aSideOpensAgainAsATunnel() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        inspection.read(Array("GET".utf8))
        inspection.open(.request, as: .packet, codings: [])
        inspection.feed(.request, Array("ssn 536-90-4399 ".utf8)[...], end: false)
        #expect(inspection.findings.map(\.context) == [.packet])
        #expect(inspection.releasable(.request) == 4)
    }
}
