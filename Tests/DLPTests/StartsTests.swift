import Bytes
import CLinux
import Testing

@testable import DLP

/// The pass over all patterns at once, and the automaton behind it.
@Suite struct StartsTests {
    /// Expressions like those that people write: literals, classes and counts, with and without edges.
    static func expression(_ dice: inout Dice) -> String {
        let edges = [("", ""), (#"\b"#, #"\b"#), (#"\b"#, ""), ("(?<![0-9a-z])", "(?![0-9a-z-])"), ("(?<!1)", "")]
        let classes = [
            "[ab]", "[a-f]", "[0-9]", "[12]", #"\d"#, "[0-9a-z]", #"\w"#, "[^a]", "[a1-]", "a", "b", "1", "2", "-", "Z",
        ]
        let counts = ["", "", "", "{2}", "{3}", "{4}", "{1,3}", "{2,5}", "{8}", "{20,26}", "{55}", "?"]
        let (before, after) = dice.pick(edges)
        var text = before
        for _ in 0...dice.below(5) {
            if dice.below(5) == 0 {
                text += "(?:\(dice.pick(classes))\(dice.pick(classes))|\(dice.pick(classes)))"
            } else {
                text += dice.pick(classes)
            }
            text += dice.pick(counts)
        }
        // No more than one without bounds: a stack of them is an overrun where PCRE2 without limits has its match.
        return text + dice.pick(["", "", "[ab]+", "[12-]*"]) + after
    }

    static func body(_ dice: inout Dice, _ count: Int) -> [UInt8] {
        var body: [UInt8] = []
        let pieces = ["a", "b", "ab", "1", "12", "2", "-", " ", "\n", "Z", "é"].map { Array($0.utf8) }
        while body.count < count {
            let piece = dice.pick(pieces)
            for _ in 0..<(dice.below(6) == 0 ? 1 + dice.below(70) : 1) { body += piece }
        }
        return Array(body.prefix(count))
    }

    /// Two hundred at a time, in values whose ends and borders fall everywhere in a vector.
    @Test func twoHundredAtOnce() throws {
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(23)
        for _ in 0..<3 {
            let regexes = (0..<200).map { _ in Self.expression(&dice) }
            let profile = try Make.profile(regexes, action: .alert)
            inspection.keepAll()
            for count in [0, 1, 15, 16, 17, 31, 33, 63, 64, 65, 66, 67, 127, 129, 200, 700] {
                let body = Self.body(&dice, count)
                let cuts = dice.cuts(body.count, most: 3)
                inspection.reset(profile)
                inspection.read(body, cuts: cuts)
                #expect(inspection.spans == Oracle.matches(regexes, body), "\(body) cut at \(cuts)")
            }
        }
    }

    /// One at a time, at every place of a few vectors: what is found does not depend on where it stands.
    @Test func everyPlaceOfAVector() throws {
        let inspection = Inspection(scratch: Scratch())
        let regexes = [
            "ghp_[0-9a-z]{4}", #"\b\d{3}-\d{2}\b"#, #"\b[0-9a-z]{24}\b"#, "(?<![0-9])[0-9]{12}", "x[0-9]{60}y",
            "[a-z0-9]{10}\\.k1", #"\b[+-]?\d{9}\b"#,
        ]
        let secrets = [
            "ghp_01ab", "123-45", "0123456789abcdef01234567", "123456789012",
            "x" + String(repeating: "7", count: 60) + "y",
            "abcdefghij.k1", "+123456789",
        ]
        let profile = try Make.profile(regexes, action: .alert)
        for secret in secrets {
            for at in 0..<130 {
                let body = [UInt8](repeating: 0x20, count: at) + Array(secret.utf8)
                #expect(ColliderTests.check(profile, regexes, body, [], inspection))
                #expect(ColliderTests.check(profile, regexes, body + [0x2c, 0x20], [at + 3], inspection))
            }
        }
    }

    /// Machines without wide vectors find the same.
    @Test func vectorsOfEveryWidth() throws {
        var dice = Dice(29)
        for round in 0..<20 {
            let regexes = (0..<[1, 5, 40][round % 3]).map { _ in Self.expression(&dice) }
            let expressions = try regexes.map { try Expression($0, limits: Limits()) }
            let plan = StartPlan(expressions, certain: true)
            for _ in 0..<8 {
                let body = Self.body(&dice, dice.below(400))
                let from = dice.below(body.count + 1)
                let to = from + dice.below(body.count - from + 1)
                let ended = dice.below(2) == 0
                let plain = Self.starts(plan, WEIR_PLAIN, body, ended, from, to)
                for vectors in [WEIR_16_BYTES, WEIR_32_BYTES] where vectors.rawValue <= weir_vectors().rawValue {
                    #expect(Self.starts(plan, vectors, body, ended, from, to) == plain, "\(regexes)")
                }
            }
        }
    }

    struct Start: Equatable, Comparable {
        var pattern: UInt32
        var at: UInt32
        var end: UInt32
        static func < (one: Start, other: Start) -> Bool { (one.pattern, one.at) < (other.pattern, other.at) }
    }

    static func starts(
        _ plan: StartPlan, _ vectors: weir_vectors, _ body: [UInt8], _ ended: Bool, _ from: Int, _ to: Int
    ) -> [Start] {
        var room = [weir_start](repeating: weir_start(), count: 100_000)
        let count = body.withUnsafeBufferPointer { bytes in
            bytes.baseAddress.map {
                weir_find_starts(
                    plan.starts, vectors, $0, UInt32(body.count), ended ? 1 : 0, UInt32(from), UInt32(to), &room,
                    UInt32(room.count))
            } ?? 0
        }
        #expect(count >= 0)
        return room.prefix(Int(count)).map { Start(pattern: $0.pattern, at: $0.at, end: $0.end) }.sorted()
    }
}
