import Bytes
import Testing

@testable import HTTP

/// What a good request is read as.
@Suite struct RequestTests {
    struct Row: CustomStringConvertible, Sendable {
        var description: String { text }
        var text: String
        var form = RequestHead.Form.origin
        var path = "/"
        var authority = "a"
        var host = "a"
        var port: UInt16?
        var isHTTPS = false
    }

    static let targets: [Row] = [
        // RFC 9112 section 3.2, its examples.
        Row(
            text: "GET /where?q=now HTTP/1.1\r\nHost: www.example.org\r\n\r\n", path: "/where?q=now",
            authority: "www.example.org", host: "www.example.org"),
        Row(
            text: "GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1\r\nHost: b\r\n\r\n", form: .absolute,
            path: "/pub/WWW/TheProject.html", authority: "www.example.org", host: "www.example.org"),
        Row(
            text: "CONNECT www.example.com:80 HTTP/1.1\r\nHost: www.example.com\r\n\r\n", form: .authority, path: "",
            authority: "www.example.com:80", host: "www.example.com", port: 80),
        Row(text: "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", form: .asterisk, path: ""),
        Row(
            text: "OPTIONS http://www.example.org:8001 HTTP/1.1\r\nHost: a\r\n\r\n", form: .asterisk, path: "",
            authority: "www.example.org:8001", host: "www.example.org", port: 8001),
        // Others.
        Row(text: "GET //b/c HTTP/1.1\r\nHost: a\r\n\r\n", path: "//b/c"),
        Row(text: "GET HTTP://B HTTP/1.1\r\nHost: a\r\n\r\n", form: .absolute, authority: "B", host: "B"),
        Row(
            text: "GET https://b:443?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", form: .absolute, path: "?x=1",
            authority: "b:443", host: "b", port: 443, isHTTPS: true),
        Row(
            text: "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", authority: "[2001:db8::1]:8080",
            host: "[2001:db8::1]", port: 8080),
        Row(text: "GET / HTTP/1.1\r\nHost:\t[::1] \r\n\r\n", authority: "[::1]", host: "[::1]"),
        Row(text: "GET / HTTP/1.1\r\nHost:a:65535\r\n\r\n", authority: "a:65535", host: "a", port: 65535),
        Row(text: "GET / HTTP/1.1\r\nHost: 0x7f.1.\r\n\r\n", authority: "0x7f.1.", host: "0x7f.1."),
        Row(text: "GET / HTTP/1.0\r\n\r\n", authority: "", host: ""),
        Row(
            text: "GET /%zz?a|b^{c}`[d]'!$&()*+,;=:@-._~ HTTP/1.1\r\nHost: a\r\n\r\n",
            path: "/%zz?a|b^{c}`[d]'!$&()*+,;=:@-._~"),
        Row(text: "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ]

    @Test(arguments: targets) func target(_ row: Row) {
        let parsed = request(row.text)
        #expect(parsed.step == .head(length: row.text.utf8.count))
        #expect(parsed.head.form == row.form)
        #expect(row.text[parsed.head.path] == row.path)
        #expect(row.text[parsed.head.authority] == row.authority)
        #expect(row.text[parsed.head.host] == row.host)
        #expect(parsed.head.port == row.port)
        #expect(parsed.head.isHTTPS == row.isHTTPS)
    }

    @Test(arguments: [
        ("GET", HTTP.Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
        ("OPTIONS", .options), ("TRACE", .trace), ("PATCH", .patch), ("get", .other), ("PROPFIND", .other),
        ("GETS", .other), ("M-SEARCH", .other), ("!#$%&'*+-.^_`|~", .other),
    ])
    func method(_ name: String, _ method: HTTP.Method) {
        let text = "\(name) / HTTP/1.1\r\nHost: a\r\n\r\n"
        let parsed = request(text)
        #expect(parsed.step == .head(length: text.utf8.count))
        #expect(parsed.head.method == method)
        #expect(text[parsed.head.methodRange] == name)
    }

    struct Fact: Sendable {
        var fields: String
        var version = "1.1"
        var method = "POST"
        var framing = Framing.none
        var keepsAlive = true
        var expectsContinue = false
        var upgrade: String?
        var contentEncodings: [String] = []
    }

    static let facts: [Fact] = [
        Fact(fields: ""),
        Fact(fields: "Content-Length: 0", framing: .length(0)),
        Fact(fields: "Content-Length: 5", framing: .length(5)),
        Fact(fields: "content-length:\t 0005 ", framing: .length(5)),
        Fact(fields: "Content-Length: 9223372036854775807", framing: .length(9_223_372_036_854_775_807)),
        Fact(fields: "Content-Length: 5", method: "GET", framing: .length(5)),
        Fact(fields: "Content-Length: 0", method: "TRACE", framing: .length(0)),
        Fact(fields: "Transfer-Encoding: chunked", framing: .chunked),
        Fact(fields: "TRANSFER-ENCODING:Chunked", framing: .chunked),
        Fact(fields: "Connection: close", keepsAlive: false),
        Fact(fields: "Connection: Keep-Alive, CLOSE", keepsAlive: false),
        Fact(fields: "Connection: x\r\nConnection: close", keepsAlive: false),
        Fact(fields: "", version: "1.0", keepsAlive: false),
        Fact(fields: "Connection: keep-alive", version: "1.0"),
        Fact(fields: "Connection: keep-alive, close", version: "1.0", keepsAlive: false),
        Fact(fields: "Proxy-Connection: keep-alive", version: "1.0", keepsAlive: false),
        Fact(fields: "Expect: 100-Continue\r\nContent-Length: 5", framing: .length(5), expectsContinue: true),
        Fact(fields: "Expect: 100-continue\r\nTransfer-Encoding: chunked", framing: .chunked, expectsContinue: true),
        Fact(fields: "Expect: 100-continue"),
        Fact(fields: "Expect: 100-continue\r\nContent-Length: 0", framing: .length(0)),
        Fact(
            fields: "Expect: 100-continue\r\nContent-Length: 5", version: "1.0", framing: .length(5),
            keepsAlive: false),
        Fact(fields: "Upgrade: websocket\r\nConnection: Upgrade", upgrade: "websocket"),
        Fact(fields: "Connection: keep-alive, upgrade\r\nUpgrade: foo/2, websocket", upgrade: "foo/2, websocket"),
        Fact(fields: "Upgrade: websocket"),
        Fact(fields: "Connection: upgrade"),
        Fact(fields: "Connection: upgrade\r\nUpgrade:"),
        Fact(fields: "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk"),
        Fact(fields: "Connection: Upgrade\r\nUpgrade: websocket, H2C"),
        Fact(fields: "Connection: Upgrade\r\nUpgrade: HTTP/2.0"),
        Fact(fields: "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c"),
        Fact(fields: "Connection: Upgrade\r\nUpgrade: websocket", version: "1.0", keepsAlive: false),
        Fact(fields: "Content-Encoding: gzip", contentEncodings: ["gzip"]),
        Fact(
            fields: "Content-Encoding: gzip , ,br\r\nContent-Encoding: zstd", contentEncodings: ["gzip", "br", "zstd"]),
    ]

    @Test(arguments: facts) func whatTheFieldsSay(_ row: Fact) {
        let fields = row.fields.isEmpty ? "" : row.fields + "\r\n"
        let text = "\(row.method) / HTTP/\(row.version)\r\nHost: a\r\n\(fields)\r\n"
        let parsed = request(text)
        #expect(parsed.step == .head(length: text.utf8.count))
        #expect(parsed.head.framing == row.framing)
        #expect(parsed.head.keepsAlive == row.keepsAlive)
        #expect(parsed.head.expectsContinue == row.expectsContinue)
        #expect(parsed.head.upgrade.map { text[$0] } == row.upgrade)
        #expect(parsed.head.contentEncodings.map { text[$0] } == row.contentEncodings)
    }

    @Test func fieldsAreRanges() {
        let text = "GET / HTTP/1.1\r\nhOsT: a\r\nX-Empty:\r\nX-Tab: \t a\tb \t\r\nÜ-no: x\r\n\r\n"
        #expect(request(text).step.rejection?.threat == .malformedHTTP)
        let good = "GET / HTTP/1.1\r\nhOsT: a\r\nX-Empty:\r\nX-Tab: \t a\tb \t\r\nX-Ü:é\r\n\r\n"
            .replacing("X-Ü", with: "X-Obs")
        let fields = request(good).head.fields
        #expect(fields.map { good[$0.name] } == ["hOsT", "X-Empty", "X-Tab", "X-Obs"])
        #expect(fields.map { good[$0.value] } == ["a", "", "a\tb", "é"])
        #expect(fields.map(\.id) == [.host, .other, .other, .other])
    }

    /// What follows a head is not looked at, so that requests may be pipelined.
    @Test func pipelined() {
        let first = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
        let parsed = request(first + "\0\0garbage")
        #expect(parsed.step == .head(length: first.utf8.count))
        #expect(first[parsed.head.path] == "/1")
    }

    @Test func everyKnownNameIsFound() {
        for name in FieldName.allCases where name != .other {
            let lower = name.text.description
            for spelling in [lower, lower.uppercased(), lower.prefix(1).uppercased() + lower.dropFirst()] {
                #expect(exactly(spelling.utf8) { FieldName($0) } == name)
                // In the head, where the table reads whole words, and at its end, where it must not.
                if name == .contentLength || name == .transferEncoding || name == .expect || name == .host { continue }
                let text = "GET / HTTP/1.1\r\nHost: a\r\n\(spelling): x\r\n\(spelling):\r\n\r\n"
                #expect(request(text).head.fields.dropFirst().map(\.id) == [name, name])
            }
            for wrong in [
                "\(lower)x", String(lower.dropLast()), "\r" + lower.dropFirst(),
            ] {
                #expect(exactly(wrong.utf8) { FieldName($0) } != name)
            }
        }
        // A NUL is what the table pads its names with.
        for name in FieldName.allCases where name != .other {
            for count in 1...28 {
                let wrong = name.text.description + String(repeating: "\0", count: count)
                #expect(exactly(wrong.utf8) { FieldName($0) } == .other)
            }
        }
        // CR is a hyphen with another bit 5, which must not pass for letter case.
        #expect(exactly("content\rlength".utf8) { FieldName($0) } == .other)
        #expect(exactly("".utf8) { FieldName($0) } == .other)
        #expect(exactly(String(repeating: "a", count: 33).utf8) { FieldName($0) } == .other)
    }

    /// Every good request of these tables, cut anywhere and byte by byte.
    @Test func everySplitGivesTheSame() {
        let texts =
            Self.targets.map(\.text)
            + Self.facts.map {
                "POST / HTTP/\($0.version)\r\nHost: a\r\n\($0.fields.isEmpty ? "" : $0.fields + "\r\n")\r\n"
            }
        for text in texts.map({ Array($0.utf8) }) {
            let whole = request(text)
            for cuts in (0..<text.count).map({ [$0] }) + [Array(0..<text.count)] {
                let cut = request(text, cuts: cuts)
                #expect(cut.step == whole.step)
                #expect(cut.head.fields == whole.head.fields)
                #expect(cut.head.framing == whole.head.framing)
                #expect(cut.head.path == whole.head.path)
            }
            for cut in 0..<text.count { #expect(request(Array(text.prefix(cut))).step == .needMore) }
        }
    }
}
