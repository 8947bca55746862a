import Bytes
import Testing

@testable import DLP

/// Expressions and texts that somebody means harm with, or has not thought about.
@Suite struct BadInputTests {
    // MARK: Expressions that backtrack for ever

    static let catastrophic = [
        #"(a+)+$"#, #"(x+x+)+y"#, #"(?<=(?<=(?<=a)a)a)(?:a|aa)+b"#, #"(?<!(?<!x)y)(x|xx)+z"#, #"(?i)(A|a)+B"#,
        #"(?=(a+)+c)[ax]{3}"#, #"([ax]*)*!"#,
    ]

    /// The pattern gives up, which is told once; the others read on, and so does it, in the value that comes next.
    @Test(arguments: catastrophic) func anOverrunIsAnOutcome(_ regex: String) throws {
        let profile = try Make.profile([regex, "needle-[0-9]"], action: .alert)
        let inspection = Inspection(scratch: Scratch())
        let hostile = Array((String(repeating: "a", count: 50_000) + String(repeating: "x", count: 50_000)).utf8)
        let body = hostile + Array("; needle-1".utf8)
        inspection.reset(profile)
        // What is guarded against takes for ever.
        #expect(ContinuousClock().measure { inspection.read(body, cuts: [70_000]) } < .seconds(20))
        #expect(inspection.findings.filter { $0.sensor == "s1" }.map(\.offset) == [100_002])
        #expect(inspection.overruns > 0 && inspection.uninspectable == .patternOverrun)
        let (findings, overruns) = (inspection.findings, inspection.overruns)
        for cuts in [[], [1, 100, 99_999], Array(stride(from: 0, to: body.count, by: 1777))] {
            inspection.reset(profile)
            inspection.read(body, cuts: cuts)
            #expect(inspection.findings == findings && inspection.overruns == overruns)
        }
        inspection.reset(profile)
        inspection.read(Array("needle-2 ".utf8))
        #expect(inspection.findings.map(\.offset) == [0] && inspection.overruns == 0)
    }

    /// In values that are short, but many.
    @Test(arguments: catastrophic) func fieldsOfAHeadCostABoundedTimeEach(_ regex: String) throws {
        let profile = try Make.profile([regex], action: .alert)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        let value = String(repeating: "a", count: 1000) + String(repeating: "x", count: 1000)
        #expect(ContinuousClock().measure { for _ in 0..<50 { inspection.scan(value, as: .header) } } < .seconds(20))
    }

    // MARK: Expressions that find nothing

    @Test(arguments: [
        ("(?<=a{4100})b", "looks back 4100 bytes"), ("(?<=(?<=a{2100})b{2100})c", "looks back 4200 bytes"),
        ("(?:)", "empty string"), ("(?=secret)", "empty string"), (#"^\b$"#, "empty string"),
        ("(?:a{0}|(?<=b))", "empty string"), ("(?i)(?#nothing)", "empty string"), ("(?!a)(?<!b)", "empty string"),
        ("(?<=a{4000})b", nil), ("a*", nil), ("(?:a|)", nil), ("(?=a)b?", nil), (#"\Q\Ea"#, nil),
    ])
    func areRefusedByTheirRule(_ regex: String, _ said: String?) throws {
        let result = Database.compile([Make.sensor("mine", regex)], limits: Limits(), fingerprintKey: [])
        guard case .failure(let errors) = result else { return #expect(said == nil, "\(regex) was taken") }
        #expect(errors.errors.map(\.sensor) == ["mine"] && errors.errors.map(\.rule) == ["r"])
        #expect(errors.errors.allSatisfy { $0.message.contains(said ?? "nothing") }, "\(errors)")
    }

    /// What could be empty is found where it is not.
    @Test func whatCouldBeEmptyIsFoundWhereItIsNot() throws {
        let profile = try Make.profile(["[0-9]*", "(?:ab|)", "(?=a)(?:ab)?"], action: .alert)
        let inspection = Inspection(scratch: Scratch())
        let body = Array("x12y a ab".utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            inspection.read(body, cuts: [cut])
            #expect(
                inspection.findings.map { "\($0.sensor) \($0.offset) \($0.length)" } == ["s0 1 2", "s1 7 2", "s2 7 2"])
        }
    }

    // MARK: Text that is none

    /// Bytes are what is matched, whatever they are: letters beyond ASCII have no other case, and properties are those of
    /// the character that a byte alone is.
    static let bytewise = [
        #"(?i)é"#, #"(?i)aÉ"#, #"(?i)[é-ü]+"#, #"\p{L}+"#, #"\p{Lu}\P{L}"#, #"(?i)\p{Lu}{2}"#, #"[\p{L}\d]{3}"#,
        #"[^\p{L}]{2}1"#, #"(?i)k\xff"#, #"[^\x00-\x7f]{2,5}"#, #"(?i)[^a]\x80"#, #"\xc3(?=\xa9)"#, #"(?<=\xff)."#,
        #"(?<!\x80)\xa0a"#, #"\W{3}"#, #"\bK\b"#, #"\h\h"#, #"\v+"#, #"\R1"#, #"(?i)ß|ss"#, #"\x{e9}+"#,
        #"[[:alpha:]]é"#,
        #"(?s).{4}\xff$"#, #"\p{Any}{6}"#, #"\p{Xwd}+1"#, #"(\p{L})\1"#, #"\N{3}\xed"#,
    ]
    /// Characters, halves of them, surrogates, and bytes that never occur in UTF-8.
    static let pieces: [[UInt8]] = [
        [0xc3, 0xa9], [0xc3, 0x89], [0xc3, 0x9f], [0xe2, 0x84, 0xaa], [0xff], [0xc3], [0x80], [0xe2, 0x82],
        [0xed, 0xa0, 0x80], [0xf5], [0xc0, 0xaf], [0xe9], [0xc9], [0xa0], [0x85], [0], Array("aAkKss1 \n".utf8), [0x61],
        [0x31],
        [0x4b],
    ]

    @Test func bytesThatAreNoTextAreMatchedAsTheyAre() throws {
        let inspection = Inspection(scratch: Scratch())
        var (dice, found) = (Dice(31), 0)
        for regex in Self.bytewise {
            let profile = try Make.profile([regex], action: .alert)
            for _ in 0..<20 {
                let body = (0..<dice.below(25)).flatMap { _ in dice.pick(Self.pieces) }
                let cuts = (0...body.count).map { [$0] } + [Array(0...body.count)]
                for cuts in cuts {
                    guard ColliderTests.check(profile, [regex], body, cuts, inspection) else {
                        Issue.record("by \(regex)")
                        return
                    }
                }
                found += inspection.findingsCount
            }
        }
        let together = try Make.profile(Self.bytewise, action: .alert)
        for _ in 0..<40 {
            let body = (0..<dice.below(40)).flatMap { _ in dice.pick(Self.pieces) }
            inspection.keepAll()
            guard ColliderTests.check(together, Self.bytewise, body, dice.cuts(body.count, most: 4), inspection) else {
                return
            }
        }
        #expect(found > 500)
    }
}
