import Bytes
import Testing

@testable import Record

@Suite struct JSONReaderTests {
    @Test(arguments: [
        "{}", "[]", " { \"a\" : [ 1 , 2.5e-3 , -0 , true , false , null , \"x\" ] } ",
        #""\u00e9\ud83c\udf89\"\\\/\b\f\n\r\t""#,
        "0", "-1", "10", "1E+2", "\"é\"", String(repeating: "[", count: 31) + String(repeating: "]", count: 31),
    ])
    func accepted(_ text: String) { #expect(isJSON(text)) }

    @Test(arguments: [
        "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}",
        "{\"a\":1 \"b\":2}",
        "01", "+1", "1.", ".5", "1e", "-", "0x1", "NaN", "tru", "nul", "True", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"",
        "\"\\ud800\"", "\"\\ud800x\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "[] []", "1 2",
        String(repeating: "[", count: 33) + String(repeating: "]", count: 33),
    ])
    func refused(_ text: String) { #expect(!isJSON(text)) }

    @Test(arguments: [[0x22, 0xff, 0x22], [0x22, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22]] as [[UInt8]])
    func notUTF8(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            #expect(throws: JSONError.self) { try reader.skip() }
        }
    }

    @Test(arguments: [
        ("plain", "plain"), (#"a\"b\\c\/d"#, "a\"b\\c/d"), (#"\u00e9t\u00E9"#, "été"), (#"\ud83c\udf89!"#, "🎉!"),
        (#"\b\f\n\r\t"#, "\u{8}\u{c}\n\r\t"), (#"x\u0000y"#, "x\0y"), ("é\\n", "é\n"),
    ])
    func decoding(_ written: String, _ expected: String) throws {
        let decoded = try withBytes("\"\(written)\"") { bytes in
            Result {
                var reader = JSONReader(bytes)
                return try reader.text().map(JSONReader.decode)
            }
        }.get()
        #expect(decoded == expected)
    }

    @Test(
        arguments: [
            ("0", 0), ("1834", 1834), ("9223372036854775807", Int64.max), ("9223372036854775808", nil), ("-1", nil),
            ("00", nil), ("1.0", nil), ("1e2", nil), ("", nil), ("\"1\"", nil),
        ] as [(String, Int64?)])
    func numbers(_ text: String, _ expected: Int64?) {
        let number = withBytes(text) { bytes in
            var reader = JSONReader(bytes)
            return try? reader.number()
        }
        #expect(number == expected)
    }

    /// What we write we read back, whatever the bytes.
    @Test func everyStringComesBack() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var text = Buffer()
            bytes.withUnsafeBytes { text.append(quoted: $0) }
            var reader = JSONReader(text.readable)
            let back = try #require(try reader.text())
            try reader.end()
            #expect(JSONReader.decode(back) == String(decoding: bytes, as: UTF8.self) || bytes.contains { $0 >= 0x80 })
        }
    }

    // MARK: Lines

    private var line: String {
        var record = SessionRecord.sample(
            3,
            findings: [FindingRecord(sensor: "s\"", rule: "r", action: .deny, context: "body", offset: 1, match: "é")])
        record.fqdn = DomainName("example.com")
        record.dialed = endpoint("[2001:db8::1]:443")
        return String(record.line().dropLast())
    }

    @Test func aLineIsReadBack() throws {
        let session = try #require(withBytes(line) { SessionLine($0) })
        #expect(session.id == RecordID(high: 0, low: 3))
        #expect(session.start == someTime)
        #expect(session.duration == 1834)
        #expect(session.service == "dh157.default")
        #expect(session.pod == "dh157")
        #expect(session.mode == .monitor)
        #expect(session.address == IPAddress("2001:db8::1"))
        #expect(session.fqdn == "example.com")
        #expect(session.application == .http)
        #expect(session.action == .allow)
    }

    /// Every truncation is an error, and none reads past its end.
    @Test func everyTruncationIsRefused() {
        let bytes = Array(line.utf8)
        for count in 0..<bytes.count {
            // A copy of just that size, so that a sanitizer sees a read beyond.
            let part = Array(bytes[..<count])
            #expect(part.withUnsafeBytes { SessionLine($0) } == nil, "\(count)")
        }
    }

    /// Any byte replaced by any other is read or refused, never a crash.
    @Test func everyByteChanged() {
        let bytes = Array(line.utf8)
        for index in bytes.indices {
            for byte: UInt8 in [
                0, 0x0a, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x2d, 0x30, 0x39, 0x65, 0x80, 0xff,
            ] {
                var changed = bytes
                changed[index] = byte
                _ = changed.withUnsafeBytes { SessionLine($0) }
            }
        }
    }

    @Test func noise() {
        var random = SystemRandomNumberGenerator()
        let alphabet = Array(#"{}[]":,\u0123456789abcdefntrls -+.eE"#.utf8) + [0xc3, 0xa9, 0xff]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
            }
            bytes.withUnsafeBytes { bytes in
                var reader = JSONReader(bytes)
                _ = try? reader.skip()
            }
        }
    }

    @Test(arguments: [
        ("\"kind\":\"session\"", "\"kind\":\"other\""), ("\"mode\":\"monitor\"", "\"mode\":\"x\""),
        ("\"application\":\"HTTP\"", "\"application\":\"HTTP9\""),
        ("\"action\":\"allow\",\"would\"", "\"action\":1,\"would\""),
        ("2026-11-21T", "2026-11-41T"), ("\"id\":\"0000", "\"id\":\"000"), ("\"service\":\"dh157.default\",", ""),
        ("\"duration_us\":1834", "\"duration_us\":-1"), ("{\"kind\"", "[{\"kind\""),
    ])
    func otherLinesAreRefused(_ old: String, _ new: String) {
        let text = replacing(line, old, new)
        #expect(text != line)
        #expect(withBytes(text) { SessionLine($0) } == nil)
    }

    /// Fields of a later version are passed over.
    @Test func unknownFieldsAreSkipped() {
        let text = replacing(line, "{\"kind\"", "{\"future\":{\"a\":[1,{}]},\"kind\"")
        #expect(withBytes(text) { SessionLine($0) } != nil)
    }
}

/// Replaces the first occurrence.
func replacing(_ text: String, _ old: String, _ new: String) -> String {
    let bytes = Array(text.utf8)
    let wanted = Array(old.utf8)
    guard
        let start = bytes.indices.first(where: { bytes[$0...].starts(with: wanted) })
    else { return text }
    return String(decoding: bytes[..<start] + Array(new.utf8) + bytes[(start + wanted.count)...], as: UTF8.self)
}
