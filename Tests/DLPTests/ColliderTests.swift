import Bytes
import Testing

@testable import DLP

/// The engine against one-shot PCRE2 on the same bytes, in every cut.
@Suite struct ColliderTests {
    /// What the seed of a pattern set can hold: all kinds of syntax, over an alphabet small enough to match often.
    static let regexes = [
        #"a+b"#, #"\b1[0-9]{2}\b"#, #"^ab"#, #"b1$"#, #"(?m)^1.*$"#, #"(?<=a)b+(?=1)"#, #"(?<!a)1{2,4}(?!1)"#,
        #"(a|ab)(c|bcd)?1"#, #"(?i)AB1"#, #"[^a1]+"#, #"a.?b"#, #"(?s)a.b"#, #"(ab)\1"#, #"(a|b)1\1"#,
        #"\d{2,3}[- ]\d"#,
        #"1(?:-?1){2,5}"#, #"(?x) a \ b # comment"#, #"\Qa-b\E+"#, #"[[:digit:]]{2}\n"#, #"a*+b"#, #"(?>a+)b"#,
        #"\Bb\B"#, #"\Aa+"#, #"1+\z"#, #"1+\Z"#, #"a\R"#, #"[a-]+1"#, #"a??b"#, #"(?|(a)|(b))\1"#,
        #"(?(?=a)ab|1-)"#, #"(a(?1)?b)"#, #"\x61[\x31-\x39]"#, #"(?-i:a)\x{62}"#, #"[\w-]+ "#, #"\s\S\s?"#, #"(?=a1)a"#,
        #"(?:a|b|1){3}-"#, #"(?i:a)b(?i)A"#, #"[]a]b"#, #"[^]a]b"#, #"1{0}a1"#, #"(?:1|-){2,}?a"#, #"(?#x)a(?#y)+1"#,
        #"\N\n"#, #"\h+1"#, #"(?<n>a|1)\k<n>"#, #"(?P<n>a)(?P=n)"#, #"\011a|\141b"#, #"(?<=(?<=a)b)1"#, #"(?<=^a)b"#,
        #"(?!a)\w1"#, #"a$\n?"#, #"(?m)a$"#, #"(?m)^$\n"#, #"x*"#, #"(?:a\b.)+"#, #"1(?<=11)"#, #".{3}"#,
    ]
    static let alphabet = Array("aab11112- \nA".utf8)

    static func check(
        _ profile: Profile, _ regexes: [String], _ body: [UInt8], _ cuts: [Int], _ inspection: Inspection
    ) -> Bool {
        inspection.reset(profile)
        inspection.read(body, cuts: cuts)
        let found = inspection.spans
        let expected = Oracle.matches(regexes, body)
        if found == expected && inspection.overruns == 0 { return true }
        Issue.record(
            "\(String(decoding: body, as: UTF8.self).debugDescription) cut at \(cuts): \(found), expected \(expected)")
        return false
    }

    @Test(arguments: 0..<ColliderTests.regexes.count)
    func oneExpressionInEveryCut(_ index: Int) throws {
        let regexes = [Self.regexes[index]]
        let profile = try Make.profile(regexes, action: .alert)
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(UInt64(index))
        for _ in 0..<25 {
            let body = (0..<dice.below(40)).map { _ in dice.pick(Self.alphabet) }
            for cut in 0...body.count {
                guard Self.check(profile, regexes, body, [cut], inspection) else { return }
            }
            guard Self.check(profile, regexes, body, Array(0...body.count), inspection) else { return }
        }
    }

    @Test func manyExpressionsAtOnce() throws {
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(7)
        for _ in 0..<60 {
            let regexes = (0..<6).map { _ in dice.pick(Self.regexes) }
            let profile = try Make.profile(regexes, action: .alert)
            for _ in 0..<10 {
                let body = (0..<dice.below(200)).map { _ in dice.pick(Self.alphabet) }
                guard Self.check(profile, regexes, body, dice.cuts(body.count, most: 6), inspection) else { return }
            }
        }
    }

    /// Windows of many words are filtered as a whole; the patterns share runs of different lengths.
    @Test func longBodies() throws {
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(17)
        let numbers = [
            #"\d{4}"#, #"\b\d{3}-\d{4}"#, #"(?<![a1])1{5}"#, #"[12]\d{6,9}\b"#, #"\d{2}[ -]\d{4}"#, #"[a1-]{60,70}"#,
            #"[a-f]{3}\d{17}"#, #"1{64}"#, #"\d{9}[a-z]{2}"#, #"A-?\d{12}\s"#,
        ]
        for _ in 0..<40 {
            let regexes = (0..<12).map { _ in dice.pick(dice.below(3) == 0 ? Self.regexes : numbers) }
            let profile = try Make.profile(regexes, action: .alert)
            inspection.reset(profile)
            inspection.keepAll()
            for _ in 0..<4 {
                let dense = dice.below(20)
                let body = (0..<dice.below(5000)).map { _ in
                    dice.pick(dice.below(20) < dense ? [0x31, 0x32] : Self.alphabet)
                }
                guard Self.check(profile, regexes, body, dice.cuts(body.count, most: 4), inspection) else { return }
            }
        }
    }

    /// What the validator says of the first bytes spares the expression; the findings are the same.
    @Test func cardsAsTheirValidatorAloneWouldFindThem() throws {
        let regexes = [#"(?<!\d)\d{12,19}(?!\d)"#, #"\d(?:[: -]?\d){11,18}"#, #"[\d:]{16}"#]
        var dice = Dice(19)
        for regex in regexes {
            let sensor = Make.sensor("s0", regex, validator: "card")
            let profile = Profile(
                try Make.database([sensor]), [Attachment(sensor: "s0", action: .alert)], enforcing: false, hold: 0)
            let inspection = Inspection(scratch: Scratch())
            inspection.keepAll()
            var found = 0
            for _ in 0..<10 {
                var body: [UInt8] = []
                while body.count < 3000 {
                    let known = [
                        "6:0:1:1:0:0:0:9:9:0:1:3:9:4:2:4", "4111111111111111", "5555 5555 5555 4444", "1700187540571",
                    ]
                    body +=
                        dice.below(4) == 0 ? Array(dice.pick(known).utf8) : [dice.pick(Array("0123456789:, -".utf8))]
                }
                inspection.reset(profile)
                inspection.read(body, cuts: dice.cuts(body.count, most: 5))
                let expected = Oracle.matches(regex, body) { $0.withUnsafeBytes(PaymentCard.accepts) }
                found += expected.count
                #expect(inspection.findings.map { Int($0.offset) } == expected.map(\.0), "\(regex)")
            }
            #expect(found > 0, "\(regex)")
        }
    }

    /// Values are read whole and by shorter ways.
    @Test func valuesAsWell() throws {
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(13)
        let digits = [#"\d{4}"#, #"\b\d{3}-\d{4}"#, #"(?<!1)1{5}"#, #"[12]\d{6,9}\b"#, #"\d{2}[ -]\d{4}"#]
        for round in 0..<60 {
            let regexes = (0..<3).map { _ in dice.pick(round % 2 == 0 ? digits : Self.regexes + digits) }
            let profile = try Make.profile(regexes, action: .alert)
            for _ in 0..<20 {
                let body = (0..<dice.below(150)).map { _ in
                    dice.pick(dice.below(3) == 0 ? Self.alphabet : [0x31, 0x32])
                }
                inspection.reset(profile)
                body.withUnsafeBytes { inspection.scan($0, as: .header) }
                #expect(inspection.spans == Oracle.matches(regexes, body), "\(regexes)")
            }
        }
    }

    /// Expressions made up at random, so that the reader of their syntax is not only right about those above.
    @Test func madeUpExpressions() throws {
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(11)
        var made = 0
        while made < 300 {
            let regex = Self.expression(&dice, depth: 3)
            guard let profile = try? Make.profile([regex], action: .alert) else { continue }
            made += 1
            for _ in 0..<6 {
                let body = (0..<dice.below(60)).map { _ in dice.pick(Self.alphabet) }
                guard Self.check(profile, [regex], body, dice.cuts(body.count, most: 4), inspection) else {
                    Issue.record("by \(regex)")
                    return
                }
            }
        }
    }

    static func expression(_ dice: inout Dice, depth: Int) -> String {
        var text = ""
        for _ in 0...dice.below(4) {
            let atoms = [
                "a", "b", "1", "-", "[a1]", "[^a]", #"\d"#, #"\w"#, ".", #"\s"#, "[0-9-]", "A", #"\n"#, "[b-]",
            ]
            if depth > 0 && dice.below(4) == 0 {
                let inner = expression(&dice, depth: depth - 1)
                let open = dice.pick(["(", "(?:", "(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"])
                text += "\(open)\(inner))"
            } else if dice.below(8) == 0 {
                text += dice.pick([#"\b"#, "^", "$", #"\B"#, "(?i)", "(?s)", "(?m)"])
                continue
            } else {
                text += dice.pick(atoms)
            }
            text += dice.pick(["", "", "", "", "?", "*", "+", "{2}", "{1,3}", "{2,}", "+?", "*+", "??"])
            if dice.below(9) == 0 { text += "|" }
        }
        return text
    }

    /// With a bound on matches and on work, what is found and what is given up depend on the bytes only.
    @Test(arguments: [
        #"a[^\n]*b"#, #"(a+)+$"#, #"(1+1+)+-"#, #"\w+-"#, #"(?s)a.*b"#, #"(?=(a+)+-)[a1]{9}"#, #"a{2,}"#,
        #"[a-z0-9]+$"#,
        #"(?:a|aa|aaa){1,20}1{3}"#, #"1{30,40}"#,
    ])
    func overrunsDoNotDependOnTheCut(_ regex: String) throws {
        var limits = Limits()
        limits.matchBytes = 48
        limits.matchSteps = 3000
        let profile = try Make.profile([regex], action: .alert, limits: limits)
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(3)
        let runs = ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "11111111111111111111111111111", "b", "-", "\n", "a1", " "].map {
            Array($0.utf8)
        }
        for _ in 0..<20 {
            var body: [UInt8] = []
            for _ in 0..<dice.below(12) { body += dice.pick(runs) }
            inspection.reset(profile)
            inspection.read(body)
            let (findings, overruns) = (inspection.findings, inspection.overruns)
            var allCuts = [Array(0...body.count)]
            for _ in 0..<12 { allCuts.append(dice.cuts(body.count, most: 5)) }
            for cuts in allCuts {
                inspection.reset(profile)
                inspection.read(body, cuts: cuts)
                #expect(inspection.findings == findings, "\(body.count) bytes cut at \(cuts)")
                #expect(inspection.overruns == overruns, "\(body.count) bytes cut at \(cuts)")
            }
        }
    }
}
