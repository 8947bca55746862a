import Bytes
import Testing

@testable import DLP

/// Escapes that change nothing are passed over, and only those: what is read in pieces of one byte, of which none can be seen
/// to change nothing, has the same findings as the whole.
@Suite struct IdleEscapeTests {
    static let expressions = [
        #"\b\d{16}\b"#, #"key=\w+"#, #"AKIA[0-9A-Z]{16}"#, #"say "[^"]*""#, #"one\ntwo"#, #"BEGIN[^;]{0,200}END"#,
        #"\d{3}-\d{2}-\d{4}"#, #"(?<=x)[a-f]{6}(?!y)"#,
    ]

    /// What is in texts, some of it nothing at all and some of it matches, whole or broken by escapes.
    static let words: [String] = [
        "4111111111111111", "411111111111", "1111", "key", "=", "key=", "AKIA", "ABCDEFGH12345678", "say ", "\"hello\"",
        "BEGIN", "END", ";", "123-45-6789", "123-45", "-6789", "xabcdef", "abcdef", "one", "two", "a=1&b=2",
        "QUJDREVGR0hJSktMTU5PUA", "a3IgNDExMTExMTExMTExMTEx", "34313131313131313131313131313131",
        "/path/to/some/file.html",
        "\u{0}4\u{0}1\u{0}1\u{0}1\u{0}1", "  ", "\n", "caf\u{e9}",
    ]
    static let escapes: [String] = [
        #"\n"#, #"\""#, #"\\"#, #"\/"#, #"\u0031"#, #"\u0000"#, #"\x31"#, "%20", "%31", "%25", "%3D", "%5C", "%00",
        "&amp;",
        "&#49;", "%4=\n1", "\\u00=\r\n31", "key%3=\nDab", "&quot;", "&lt;", "&#x4b;", "=31", "=3D", "=\n", "=\r\n", "+",
        "%", "\\", "&", "=", "%4", "&am",
        "&nosuch;",
    ]

    static func text(_ dice: inout Dice) -> [UInt8] {
        var text = dice.below(3) == 0 ? "a=" : ""
        for _ in 0..<dice.below(12) {
            for _ in 0..<dice.below(40) { text += ["lorem", "ipsum", "dolor,", "sit"][dice.below(4)] + " " }
            for _ in 0..<1 + dice.below(5) {
                text += dice.below(2) == 0 ? escapes[dice.below(escapes.count)] : words[dice.below(words.count)]
            }
        }
        return Array(text.utf8)
    }

    static func profile() throws -> Profile {
        let profile = try Make.profile(expressions, action: .alert, limits: Make.viewing)
        // Of what no pass over the bytes finds nothing is passed over.
        #expect(profile.requestLists.body.unknown.isEmpty)
        return profile
    }

    @Test func areThoseThatChangeNothing() throws {
        let profile = try Self.profile()
        let (whole, pieces, bytes) = (
            Inspection(scratch: Scratch()), Inspection(scratch: Scratch()), Inspection(scratch: Scratch())
        )
        var dice = Dice(12)
        var found = 0
        for _ in 0..<1000 {
            let body = Self.text(&dice)
            let cuts = dice.cuts(body.count, most: 6)
            for (inspection, cuts) in [(whole, []), (pieces, cuts), (bytes, Array(0...body.count))] {
                inspection.reset(profile)
                inspection.read(body, cuts: cuts)
            }
            let note: Comment = "\(String(decoding: body, as: UTF8.self))"
            try #require(bytes.findings == whole.findings, note)
            try #require(bytes.findings == pieces.findings, "\(cuts): \(note)")
            #expect(bytes.uninspectable == whole.uninspectable)
            found += whole.findings.count { !$0.decoded.isEmpty }
        }
        #expect(found > 150)
    }
}
