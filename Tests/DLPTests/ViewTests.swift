import Bytes
import Testing

@testable import DLP

/// Numbers that are encoded within a text: found in whatever cut, through two encodings, and no byte of them leaves.
@Suite struct ViewTests {
    struct Encoding: CustomTestStringConvertible, Sendable {
        var name: String
        /// A text before and after, and what is between them.
        var encode: @Sendable ([UInt8]) -> [UInt8]
        var decoded: String
        /// Of its first bytes so many say nothing.
        var lead = 0
        var testDescription: String { name }
    }

    static let encodings = [
        Encoding(name: "base64", encode: { Pack.base64($0) }, decoded: "base64"),
        Encoding(name: "base64url", encode: { Pack.base64($0, url: true) }, decoded: "base64"),
        Encoding(name: "base64 in lines", encode: { Pack.lines(Pack.base64($0), of: 19) }, decoded: "base64"),
        Encoding(name: "hex", encode: { Array($0.map { Pack.hex($0) }.joined()) }, decoded: "hex"),
        Encoding(name: "utf-16le", encode: { $0.flatMap { [$0, 0] } }, decoded: "utf-16"),
        Encoding(name: "utf-16be", encode: { $0.flatMap { [0, $0] } }, decoded: "utf-16", lead: 1),
        Encoding(name: "utf-32le", encode: { $0.flatMap { [$0, 0, 0, 0] } }, decoded: "utf-16"),
        Encoding(
            name: "percent", encode: { Array($0.map { [UInt8(ascii: "%")] + Pack.hex($0) }.joined()) },
            decoded: "percent"),
        Encoding(
            name: "JSON", encode: { Array($0.map { Array("\\u00".utf8) + Pack.hex($0) }.joined()) }, decoded: "json"),
        Encoding(name: "entities", encode: { Array($0.map { Array("&#\($0);".utf8) }.joined()) }, decoded: "entity"),
        Encoding(
            name: "quoted-printable", encode: { Array($0.map { [UInt8(ascii: "=")] + Pack.hex($0) }.joined()) },
            decoded: "quoted-printable"),
    ]

    static let pan = Array("pan: 4111111111111111;".utf8)

    /// Every cut in two, and pieces of one byte.
    static func same(_ body: [UInt8], _ decoded: [[String]], _ note: Comment) throws {
        let profile = try Make.builtIn(.alert, limits: Make.viewing)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(body)
        let findings = inspection.findings
        #expect(findings.map(\.decoded) == decoded, note)
        #expect(findings.allSatisfy { $0.sensor == "credit-card" }, note)
        for cut in 0...body.count {
            inspection.reset(profile)
            inspection.read(body, cuts: [cut])
            try #require(inspection.findings == findings, "\(note) cut at \(cut)")
            #expect(inspection.uninspectable == nil)
        }
        inspection.reset(profile)
        inspection.read(body, cuts: Array(0...body.count))
        #expect(inspection.findings == findings, note)
    }

    /// Nothing of what carries the number leaves before the verdict.
    static func held(_ before: [UInt8], _ encoded: [UInt8], _ after: [UInt8], lead: Int, _ note: Comment) throws {
        let profile = try Make.builtIn(limits: Make.viewing)
        let inspection = Inspection(scratch: Scratch())
        let body = before + encoded + after
        for cut in 0...body.count {
            for second in [cut, min(cut + 1, body.count), min(cut + 7, body.count)] {
                inspection.reset(profile)
                let sent = StreamTests.forward(inspection, body, cuts: [cut, second])
                try #require(inspection.verdict == .deny, note)
                try #require(sent.count <= before.count + lead, "\(note) cut at \(cut), \(second)")
            }
        }
    }

    @Test(arguments: encodings) func alone(_ e: Encoding) throws {
        let body = Array("one two {\"a\": \"".utf8) + e.encode(Self.pan) + Array("\", \"b\": 12} and then.".utf8)
        try Self.same(body, [[e.decoded]], "\(e.name)")
    }

    @Test(arguments: encodings) func twoDeep(_ outer: Encoding) throws {
        for inner in Self.encodings where outer.decoded != "utf-16" || inner.decoded != "utf-16" {
            let body = Array("x \"".utf8) + outer.encode(inner.encode(Self.pan)) + Array("\" y".utf8)
            try Self.same(body, [[outer.decoded, inner.decoded]], "\(inner.name) in \(outer.name)")
        }
    }

    @Test(arguments: encodings) func noByteLeaves(_ e: Encoding) throws {
        let number = Array("4111111111111111".utf8)
        try Self.held(Array("one \"".utf8), e.encode(number), Array("\" two three".utf8), lead: e.lead, "\(e.name)")
    }

    @Test(arguments: encodings) func noByteLeavesTwoDeep(_ outer: Encoding) throws {
        let number = Array("4111111111111111".utf8)
        for inner in Self.encodings where outer.decoded != "utf-16" || inner.decoded != "utf-16" {
            let encoded = outer.encode(inner.encode(number))
            let lead = outer.lead + outer.encode([UInt8](repeating: 0, count: inner.lead)).count
            try Self.held(
                Array("x \"".utf8), encoded, Array("\" y z".utf8), lead: lead, "\(inner.name) in \(outer.name)")
        }
    }

    @Test(arguments: [
        // A number whose surroundings are escaped, or which is broken by an escape.
        (#"{"t":"a\n4111111111111111\tb"}"#, [["json"]]),
        (#"{"t":"4111 1111\u00201111 1111"}"#, [["json"]]),
        ("a=1&nr=4111+1111+1111+1111&b=2", [["percent"]]),
        ("a=1&nr=4111%201111%201111%201111&b=2", [["percent"]]),
        ("<p>&#52;111 1111 1111 1111</p>", [["entity"]]),
        ("card=3D4111111111111111=20 paid", [["quoted-printable"]]),
        ("card 41111111=\r\n11111111 paid", [["quoted-printable"]]),
        // Told once where it can be seen as it is.
        (#"{"t":"\\ 4111111111111111 \/"}"#, [[]]),
        (#"{"t":"\"4111111111111111\""}"#, [[]]),
        ("%41 4111111111111111 %42 5555555555554444", [[], []]),
        // Base64 as JSON writes it, and within another string of JSON.
        (#"{"d":"cGFuOiA\/NDExMTExMTExMTExMTExMTs="}"#, [["json", "base64"]]),
        (#"{"d":"cGFuOiA0MTExMTEx\r\nMTExMTExMTExOw=="}"#, [["json", "base64"]]),
        (#"{"d":"\"cGFuOiA0MTExMTExMTExMTExMTExOw==\""}"#, [["base64"]]),
        (#"{"d":"\ncGFuOiA0MTExMTExMTExMTExMTExOw==\n"}"#, [["json", "base64"]]),
    ])
    func found(_ text: String, _ decoded: [[String]]) throws {
        try Self.same(Array(text.utf8), decoded, "\(text)")
    }

    @Test func offsetsAreThoseOfTheViewAndOfTheWire() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn(.alert, limits: Make.viewing))
        inspection.read(Array("data: ".utf8) + Pack.base64(Array("abcdef 4111111111111111".utf8)))
        #expect(inspection.findings.map(\.offset) == [7])
        // The seventh byte begins in the second digit of the third quad.
        #expect(inspection.findings.map(\.rawOffset) == [6 + 9])
    }

    @Test func moreLayersThanAreReadAreToldOf() throws {
        var limits = Make.viewing
        limits.viewDepth = 2
        let profile = try Make.profile(["needle"], limits: limits)
        let inspection = Inspection(scratch: Scratch())
        for (layers, outcome) in [(2, nil), (3, Uninspectable.decompressionBomb)] {
            let text = (0..<layers).reduce(Array("a needle in it".utf8)) { text, _ in Pack.base64(text) }
            inspection.reset(profile)
            inspection.read(text)
            #expect(inspection.uninspectable == outcome)
            #expect(inspection.findings.count == (outcome == nil ? 1 : 0))
        }
    }

    @Test func aReloadChangesThePatterns() throws {
        let inspection = Inspection(scratch: Scratch())
        let text = Pack.base64(Array("a needle and a hook in it".utf8)) + Array(#"\n"#.utf8)
        for patterns in [["needle", "hook", "eye"], ["needle"], ["needle", "hook"]] {
            inspection.reset(try Make.profile(patterns, limits: Make.viewing))
            inspection.read(text)
            #expect(inspection.findings.count == min(patterns.count, 2))
        }
    }

    @Test func aReloadChangesTheDepth() throws {
        let inspection = Inspection(scratch: Scratch())
        let text = Pack.base64(Pack.base64(Array("a needle in it".utf8)))
        for (depth, found) in [(0, 0), (1, 0), (2, 1), (4, 1), (0, 0)] {
            var limits = Limits()
            limits.viewDepth = depth
            inspection.reset(try Make.profile(["needle"], limits: limits))
            inspection.read(text)
            #expect(inspection.findings.count == found, "\(depth)")
            #expect(inspection.uninspectable == (depth == 1 ? .decompressionBomb : nil))
        }
    }

    /// As programs write them: only what must be is escaped.
    @Test(
        arguments: [
            (
                Pack.lines(Array("Dear all, the card of the trip is 4111 1111 1111 1111.".utf8), of: 40, "=\r\n"),
                ["quoted-printable"]
            ),
            (Array(#"{"log":"card\n4111111111111111\nand"}"#.utf8), ["json"]),
            (Array("<a t=\"x&quot;4111111111111111&quot;\">".utf8), []),
            (Array("name=Jean&pan=4111%2D1111%2D1111%2D1111&x=1".utf8), ["percent"]),
            (Array([0xff, 0xfe]) + Array("pan: 4111111111111111".utf8).flatMap { [$0, 0] }, ["utf-16"]),
            (Array([0xfe, 0xff]) + Array("pan: 4111111111111111".utf8).flatMap { [0, $0] }, ["utf-16"]),
            (
                Array("-----BEGIN-----\n".utf8)
                    + Pack.lines(
                        Pack.base64(Array("a letter of some length, and 4111111111111111 in it".utf8)), of: 64, "\n")
                    + Array("\n-----END-----\n".utf8), ["base64"]
            ),
            (Array("data:text/plain;base64,".utf8) + Pack.base64(Array("card=4111111111111111".utf8)), ["base64"]),
        ] as [([UInt8], [String])])
    func written(_ body: [UInt8], _ decoded: [String]) throws {
        try Self.same(body, [decoded], "\(String(decoding: body, as: UTF8.self))")
    }

    /// Within codings of content, which the wire has around all of it.
    @Test(arguments: encodings) func inCodings(_ e: Encoding) throws {
        let number = Array("4111111111111111".utf8)
        let body = Array("one \"".utf8) + e.encode(number) + Array("\" two".utf8)
        let before = 5 + e.lead
        let codings: [(ContentCoding, [UInt8], String)] = [
            (.gzip, Pack.gzip(body), "gzip"), (.br, Pack.br(body), "br"), (.zstd, Pack.zstd(body), "zstd"),
        ]
        let profile = try Make.builtIn(limits: Make.viewing)
        let inspection = Inspection(scratch: Scratch())
        for (coding, coded, label) in codings {
            inspection.reset(profile)
            inspection.read(coded, codings: [coding])
            let findings = inspection.findings
            try #require(findings.map(\.decoded) == [[label, e.decoded]])
            for cut in 0...coded.count {
                inspection.reset(profile)
                let sent = StreamTests.forward(inspection, coded, cuts: [cut], codings: [coding])
                inspection.finish()
                try #require(inspection.findings == findings, "\(label) cut at \(cut)")
                #expect(Self.seen(sent, coding) <= before, "\(label) cut at \(cut)")
            }
        }
    }

    /// Bytes that a receiver can decode of what was sent.
    static func seen(_ sent: [UInt8], _ coding: ContentCoding) -> Int {
        let decoder = Decoder([coding], limits: Limits())
        var seen = [UInt8](repeating: 0, count: 4096)
        var count = 0
        sent.withUnsafeBytes { sent in
            decoder.push(sent, rawEnd: UInt64(sent.count))
            decoder.end()
            while case .bytes(let more) = seen.withUnsafeMutableBytes({ decoder.pull(into: $0) }) { count += more }
        }
        return count
    }

    /// Within files and parts, each of which is a text of its own.
    @Test(arguments: encodings) func inContainers(_ e: Encoding) throws {
        let text = Array("one \"".utf8) + e.encode(Self.pan) + Array("\" two".utf8)
        let profile = try Make.builtIn(limits: Make.viewing)
        let inspection = Inspection(scratch: Scratch())
        for (body, boundary, chain) in [
            (ContainersTests.zip("a", text), "", "zip:a"), (ContainersTests.zip("a", text, method: 0), "", "zip:a"),
            (ContainersTests.multipart(("Content-Disposition: form-data; name=n", text)), "B", "multipart:n"),
        ] {
            var findings: [Finding]?
            for cut in 0...body.count {
                inspection.reset(profile)
                inspection.open(.request, as: .body, codings: [], boundary: Array(boundary.utf8))
                inspection.feed(.request, body[..<cut], end: false)
                inspection.feed(.request, body[cut...], end: true)
                inspection.finish()
                if findings == nil { findings = inspection.findings }
                try #require(inspection.findings == findings, "\(chain) cut at \(cut)")
                #expect(inspection.releasable(.request) < UInt64(body.count))
            }
            #expect(findings?.map(\.decoded) == [[chain, e.decoded]])
        }
    }

    /// What can be overwritten is not denied because it can be seen in another way, too.
    @Test func whatIsPlainIsRedacted() throws {
        let inspection = Inspection(scratch: Scratch())
        let body = Array(#"{"a":"\n","b":"4111111111111111","c":"x\"4111111111111111\"=\r\n"}"#.utf8)
        let expected = Array(#"{"a":"\n","b":"****************","c":"x\"****************\"=\r\n"}"#.utf8)
        for cut in 0...body.count {
            inspection.reset(try Make.builtIn(.redact, limits: Make.viewing))
            #expect(StreamTests.forward(inspection, body, cuts: [cut]) == expected, "cut at \(cut)")
            #expect(inspection.findings.map(\.decoded) == [[], []])
            #expect(inspection.verdict == .redact && inspection.uninspectable == nil)
        }
    }

    @Test func whatIsEncodedIsDeniedWhereItShouldBeRedacted() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn(.redact, limits: Make.viewing))
        let sent = StreamTests.forward(inspection, Array("x ".utf8) + Pack.base64(Self.pan), cuts: [])
        #expect(sent.count < 10 && inspection.verdict == .deny && inspection.uninspectable == .redactImpossible)
    }

    /// Many of them side by side, in any cut.
    @Test func mixtures() throws {
        var limits = Make.viewing
        limits.viewDepth = 8
        let profile = try Make.profile(
            [#"\b\d{16}\b"#, #"key=\w+"#, #"(?m)^id: .*$"#], action: .alert, limits: limits)
        let (whole, pieces) = (Inspection(scratch: Scratch()), Inspection(scratch: Scratch()))
        var dice = Dice(11)
        let words = [
            "id: ", "4111111111111111", "key=x ", "id: 4111111111111111\n", "\\n", " ", "QUJDREVGR0hJSktMTU5PUA",
        ]
        for _ in 0..<1500 {
            var body: [UInt8] = []
            for _ in 0..<dice.below(20) {
                var word = Array(words[dice.below(words.count)].utf8)
                for _ in 0..<dice.below(3) { word = Self.encodings[dice.below(Self.encodings.count)].encode(word) }
                body += word + [UInt8(ascii: " ")]
            }
            whole.reset(profile)
            whole.read(body)
            pieces.reset(profile)
            let cuts = dice.cuts(body.count, most: 12)
            pieces.read(body, cuts: cuts)
            try #require(whole.findings == pieces.findings, "\(String(decoding: body, as: UTF8.self)) \(cuts)")
            #expect(whole.uninspectable == pieces.uninspectable)
        }
    }
}

extension Pack {
    static func base64(_ bytes: [UInt8], url: Bool = false) -> [UInt8] {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        let alphabet = letters + Array((url ? "-_" : "+/").utf8)
        var text: [UInt8] = []
        for from in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[from..<min(from + 3, bytes.count)]
            let value = part.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - part.count))
            for digit in 0..<4 {
                text.append(digit <= part.count ? alphabet[value >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return url ? text.filter { $0 != UInt8(ascii: "=") } : text
    }

    static func hex(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    static func lines(_ text: [UInt8], of length: Int, _ end: String = "\r\n") -> [UInt8] {
        Array(
            stride(from: 0, to: text.count, by: length).map { text[$0..<min($0 + length, text.count)] }
                .joined(separator: Array(end.utf8)))
    }
}
