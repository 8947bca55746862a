import Bytes
import Testing

@testable import HTTP

/// What RFC 9113 section 8 forbids, rule by rule. A bad head resets its stream and no other, is told once, and nothing
/// of it is shown.
@Suite struct HTTP2MalformedTests {
    struct Row: CustomStringConvertible, Sendable {
        var description: String { rule }
        var rule: String
        var fields: [(String, String)]
        var ends = true

        init(_ rule: String, _ fields: [(String, String)], ends: Bool = true) {
            (self.rule, self.fields, self.ends) = (rule, fields, ends)
        }

        /// A good request with more fields.
        init(_ rule: String, with more: (String, String)...) { self.init(rule, HTTP2MalformedTests.good + more) }
    }

    static let good = [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/")]

    static func but(_ name: String, _ value: String?) -> [(String, String)] {
        good.compactMap { $0.0 == name ? value.map { (name, $0) } : $0 }
    }

    static func connect(_ more: (String, String)...) -> [(String, String)] { [(":method", "CONNECT")] + more }

    static func webSocket(_ protocolName: String = "websocket") -> [(String, String)] {
        [
            (":method", "CONNECT"), (":protocol", protocolName), (":scheme", "https"), (":authority", "a"),
            (":path", "/"),
        ]
    }

    static let rows: [Row] = [
        // Section 8.2: names and values.
        Row("a name in upper case", with: ("X-A", "b")),
        Row("an empty name", with: ("", "b")),
        Row("a space in a name", with: ("x a", "b")),
        Row("a colon in a name", with: ("x:a", "b")),
        Row("a control in a name", with: ("x\u{7f}", "b")),
        Row("a line in a name", with: ("x\r\ny", "b")),
        Row("a name beyond ASCII", with: ("xé", "b")),
        Row("CRLF in a value", with: ("x", "a\r\nhost: b")),
        Row("LF in a value", with: ("x", "a\nb")),
        Row("CR in a value", with: ("x", "a\rb")),
        Row("NUL in a value", with: ("x", "a\0b")),
        Row("another control in a value", with: ("x", "a\u{1}b")),
        Row("DEL in a value", with: ("x", "a\u{7f}")),
        Row("space before a value", with: ("x", " a")),
        Row("space behind a value", with: ("x", "a ")),
        Row("a tab behind a value", with: ("x", "a\t")),
        Row("CRLF in a cookie", with: ("cookie", "a\r\nb")),
        // Section 8.2.2: for one connection.
        Row("Connection", with: ("connection", "close")),
        Row("Keep-Alive", with: ("keep-alive", "timeout=5")),
        Row("Proxy-Connection", with: ("proxy-connection", "close")),
        Row("Transfer-Encoding", with: ("transfer-encoding", "chunked")),
        Row("Upgrade", with: ("upgrade", "websocket")),
        Row("TE that is more than trailers", with: ("te", "trailers, deflate")),
        Row("an empty TE", with: ("te", "")),
        // Section 8.3: pseudo-fields.
        Row("a pseudo-field behind the others", good.prefix(3) + [("x", "y"), (":path", "/")]),
        Row("an unknown pseudo-field", good + [(":x", "y")]),
        Row("a response's pseudo-field", good + [(":status", "200")]),
        Row("two :path", good + [(":path", "/")]),
        Row("two :method", good + [(":method", "GET")]),
        Row("two :authority", good + [(":authority", "a")]),
        Row("two :scheme", good + [(":scheme", "https")]),
        Row("no :method", but(":method", nil)),
        Row("no :scheme", but(":scheme", nil)),
        Row("no :path", but(":path", nil)),
        Row("neither :authority nor Host", but(":authority", nil)),
        Row("no field at all", []),
        // Section 8.3.1: their values.
        Row("an empty :method", but(":method", "")),
        Row("a :method with a space", but(":method", "GET /x")),
        Row("a :method with a line", but(":method", "GET\r\n")),
        Row("another :scheme", but(":scheme", "ftp")),
        Row("an empty :path", but(":path", "")),
        Row("a :path with a space", but(":path", "/ HTTP/1.1")),
        Row("a :path with a line", but(":path", "/\r\nhost: b")),
        Row("a :path with a NUL", but(":path", "/\0")),
        Row("a :path with a fragment", but(":path", "/#a")),
        Row("a :path beyond ASCII", but(":path", "/é")),
        Row("an absolute :path", but(":path", "http://b/")),
        Row("a relative :path", but(":path", "a")),
        Row("* without OPTIONS", but(":path", "*")),
        Row("an empty :authority", but(":authority", "")),
        Row("user information", but(":authority", "u@a")),
        Row("an :authority with a space", but(":authority", "a b")),
        Row("an :authority with a path", but(":authority", "a/b")),
        Row("port 0", but(":authority", "a:0")),
        Row("a Host that says something else", with: ("host", "b")),
        Row("a Host with another port", with: ("host", "a:443")),
        Row("two Host fields", with: ("host", "a"), ("host", "a")),
        Row("a bad Host alone", but(":authority", nil) + [("host", "u@a")]),
        // Section 8.1.1: length.
        Row("two Content-Length", good + [("content-length", "1"), ("content-length", "1")], ends: false),
        Row("a list in Content-Length", good + [("content-length", "1, 1")], ends: false),
        Row("a sign in Content-Length", good + [("content-length", "+1")], ends: false),
        Row("a negative Content-Length", good + [("content-length", "-1")], ends: false),
        Row("an empty Content-Length", good + [("content-length", "")], ends: false),
        Row("a huge Content-Length", good + [("content-length", "99999999999999999999")], ends: false),
        Row("no content of a length", with: ("content-length", "1")),
        // Section 8.5 and RFC 8441: CONNECT.
        Row("CONNECT with :path", connect((":authority", "a:1"), (":path", "/")), ends: false),
        Row("CONNECT with :scheme", connect((":authority", "a:1"), (":scheme", "https")), ends: false),
        Row("CONNECT without :authority", connect(("host", "a:1")), ends: false),
        Row("CONNECT without a port", connect((":authority", "a")), ends: false),
        Row("CONNECT with a length", connect((":authority", "a:1"), ("content-length", "5")), ends: false),
        Row("CONNECT that has ended", connect((":authority", "a:1"))),
        Row("another Host in CONNECT", connect((":authority", "a:1"), ("host", "b:1")), ends: false),
        Row(":protocol without CONNECT", good + [(":protocol", "websocket")], ends: false),
        Row("an unknown :protocol", webSocket("connect-udp"), ends: false),
        Row("WebSocket with a length", webSocket() + [("content-length", "5")], ends: false),
        Row("WebSocket that has ended", webSocket()),
        Row("WebSocket without :path", webSocket().dropLast(), ends: false),
    ]

    @Test(arguments: rows) func request(_ row: Row) {
        let fed = Fed()
        let flags = endHeaders | (row.ends ? endStream : 0)
        let frames = fed.answers(to: frame(.headers, flags, 1, section(row.fields)))
        #expect(frames.map(\.type) == [FrameType.resetStream.rawValue])
        #expect(frames.first?.code == HTTP2Code.protocolError.rawValue)
        #expect(fed.listener.events.count == 1)
        #expect(fed.listener.events.first?.hasPrefix("1 malformed ") == true)
        // The next one is served, and the table of HPACK has kept in step.
        fed.feed(
            frame(
                .headers, endHeaders | endStream, 3, [0x40] + section([("x-b", "c")]).dropFirst() + section(Self.good)))
        #expect(fed.listener.events.last?.hasPrefix("3 malformed ") == true)
        fed.feed(frame(.headers, endHeaders | endStream, 5, section(Self.good) + [0xbe]))
        #expect(fed.listener.events.last == "5 request exchange ended")
        #expect(fed.listener.lastHead.hasSuffix("host: a\r\nx-b: c\r\n\r\n"))
    }

    struct Good: CustomStringConvertible, Sendable {
        var description: String { text }
        var fields: [(String, String)]
        var ends = true
        var text: String
    }

    static let requests: [Good] = [
        Good(fields: good, text: "GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        Good(fields: but(":authority", nil) + [("host", "b:81")], text: "GET / HTTP/1.1\r\nhost: b:81\r\n\r\n"),
        Good(fields: good + [("host", "A")], text: "GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
        Good(
            fields: good + [("cookie", "a=1"), ("x", ""), ("cookie", "b=2"), ("cookie", "c=3")],
            text: "GET / HTTP/1.1\r\nhost: a\r\nx: \r\ncookie: a=1; b=2; c=3\r\n\r\n"),
        Good(fields: good + [("te", "trailers")], text: "GET / HTTP/1.1\r\nhost: a\r\nte: trailers\r\n\r\n"),
        Good(fields: good, ends: false, text: "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"),
        Good(
            fields: good + [("content-length", "007")], ends: false,
            text: "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 007\r\n\r\n"),
        Good(fields: good + [("content-length", "0")], text: "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        Good(fields: but(":method", "POST"), text: "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        Good(
            fields: [(":method", "OPTIONS"), (":scheme", "http"), (":authority", "[::1]:8080"), (":path", "*")],
            text: "OPTIONS * HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n"),
        Good(fields: but(":path", "//x?a|b%00"), text: "GET //x?a|b%00 HTTP/1.1\r\nhost: a\r\n\r\n"),
        Good(fields: good + [("x", "é\t1, \"2\"")], text: "GET / HTTP/1.1\r\nhost: a\r\nx: é\t1, \"2\"\r\n\r\n"),
        Good(
            fields: connect((":authority", "b:443"), ("x", "y")), ends: false,
            text: "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\nx: y\r\n\r\n"),
    ]

    @Test(arguments: requests) func shown(_ row: Good) {
        let fed = Fed()
        fed.feed(frame(.headers, endHeaders | (row.ends ? endStream : 0), 1, section(row.fields)))
        #expect(fed.listener.lastHead == row.text)
        #expect(HTTPTests.request(row.text).step == .head(length: row.text.utf8.count))
    }

    static let answers: [Row] = [
        Row("no :status", [("x", "y")]),
        Row("two :status", [(":status", "200"), (":status", "200")]),
        Row(":status behind the others", [("x", "y"), (":status", "200")]),
        Row("a :status of two digits", [(":status", "20")]),
        Row("a :status of four digits", [(":status", "2000")]),
        Row("a :status of letters", [(":status", "2x0")]),
        Row("a :status below 100", [(":status", "099")]),
        Row("101", [(":status", "101")], ends: false),
        Row("an interim response that ends", [(":status", "103")]),
        Row("a request's pseudo-field", [(":status", "200"), (":path", "/")]),
        Row("Transfer-Encoding", [(":status", "200"), ("transfer-encoding", "chunked")]),
        Row("Connection", [(":status", "200"), ("connection", "close")]),
        Row("Upgrade", [(":status", "200"), ("upgrade", "x")]),
        Row("a line in a value", [(":status", "200"), ("x", "a\nb")]),
        Row("a name in upper case", [(":status", "200"), ("X", "y")]),
        Row("two lengths", [(":status", "200"), ("content-length", "1"), ("content-length", "1")], ends: false),
        Row("no content of a length", [(":status", "200"), ("content-length", "1")]),
    ]

    @Test(arguments: answers) func response(_ row: Row) throws {
        let wire = Wire()
        _ = try wire.ask(get)
        _ = put(wire.client)
        let flags = endHeaders | (row.ends ? endStream : 0)
        exactly(frame(.settings, 0, 0) + frame(.headers, flags, 1, section(row.fields))) { _ = wire.client.receive($0) }
        let resets = Frame.all(put(wire.client)).filter { $0.type == FrameType.resetStream.rawValue }
        #expect(resets.map(\.code) == [HTTP2Code.protocolError.rawValue])
        #expect(wire.atClient.events.count == 1)
        #expect(wire.atClient.events.first?.hasPrefix("1 malformed ") == true)
        #expect(wire.client.failure == nil)
    }

    struct Late: CustomStringConvertible, Sendable {
        var description: String { rule }
        var rule: String
        var more: [UInt8]
        /// The events behind `request`.
        var events: [String]
    }

    /// What comes behind a head with a length of 3.
    static let later: [Late] = [
        Late(rule: "as long as it says", more: frame(.data, endStream, 1, [1, 2, 3]), events: ["1 data", "1 ended"]),
        Late(
            rule: "too long", more: frame(.data, 0, 1, [1, 2, 3]) + frame(.data, 0, 1, [4]),
            events: ["1 data", "1 malformed content of the length that is said"]),
        Late(
            rule: "too short", more: frame(.data, endStream, 1, [1, 2]),
            events: ["1 data", "1 malformed content of the length that is said"]),
        Late(
            rule: "a pseudo-field in the trailers",
            more: frame(.data, 0, 1, [1, 2, 3]) + frame(.headers, 5, 1, section([(":path", "/")])),
            events: ["1 data", "1 malformed a head by RFC 9113 section 8"]),
        Late(
            rule: "a line in the trailers",
            more: frame(.data, 0, 1, [1, 2, 3]) + frame(.headers, 5, 1, section([("x", "a\r\nb")])),
            events: ["1 data", "1 malformed no CR, LF or NUL in a field value"]),
        Late(
            rule: "Transfer-Encoding in the trailers",
            more: frame(.data, 0, 1, [1, 2, 3]) + frame(.headers, 5, 1, section([("transfer-encoding", "chunked")])),
            events: ["1 data", "1 malformed a head by RFC 9113 section 8"]),
        Late(
            rule: "trailers that do not end",
            more: frame(.data, 0, 1, [1, 2, 3]) + frame(.headers, 4, 1, section([("x", "y")])),
            events: ["1 data", "1 malformed a head by RFC 9113 section 8"]),
        Late(
            rule: "trailers before all of the content",
            more: frame(.headers, 5, 1, section([("x", "y")])),
            events: ["1 malformed a head by RFC 9113 section 8"]),
        Late(
            rule: "padding is not content", more: frame(.data, 9, 1, [2, 1, 2, 3, 0, 0]), events: ["1 data", "1 ended"]),
        Late(rule: "reset", more: frame(.resetStream, 0, 1, word(8)), events: ["1 reset 8"]),
    ]

    @Test(arguments: later) func afterTheHead(_ row: Late) {
        for isCut in [false, true] {
            let fed = Fed()
            let head = Self.but(":method", "POST") + [("content-length", "3")]
            let bytes = frame(.headers, endHeaders, 1, section(head)) + row.more
            if isCut { for byte in bytes { fed.feed([byte]) } } else { fed.feed(bytes) }
            #expect(fed.listener.events == ["1 request exchange"] + row.events)
            #expect(fed.server.failure == nil)
        }
    }

    /// Errors that end the connection.
    static let fatal: [(String, [UInt8], HTTP2Failure)] = [
        ("a frame too large", [0x00, 0x40, 0x01, 0, 0, 0, 0, 0, 1], .violation(.frameSizeError)),
        ("a PING of 7 bytes", frame(.ping, 0, 0, [1, 2, 3, 4, 5, 6, 7]), .violation(.frameSizeError)),
        ("a PING on a stream", frame(.ping, 0, 1, word(0) + word(0)), .violation(.protocolError)),
        ("DATA on stream 0", frame(.data, 0, 0, [1]), .violation(.protocolError)),
        ("DATA on an idle stream", frame(.data, 0, 1, [1]), .violation(.protocolError)),
        ("a stream of the server's", frame(.headers, 5, 2, section(good)), .violation(.protocolError)),
        ("PUSH_PROMISE", frame(.pushPromise, 4, 1, word(2)), .violation(.protocolError)),
        ("CONTINUATION alone", frame(.continuation, 4, 1), .violation(.protocolError)),
        (
            "a frame within a head", frame(.headers, 1, 1) + frame(.ping, 0, 0, word(0) + word(0)),
            .violation(.protocolError)
        ),
        ("HPACK of no table entry", frame(.headers, 5, 1, [0xff, 0x40]), .violation(.compressionError)),
        (
            "a window of nothing", frame(.headers, 5, 1, section(good)) + frame(.windowUpdate, 0, 1, word(0)),
            .violation(.protocolError)
        ),
        ("a window of too much", frame(.windowUpdate, 0, 0, word(0x7fff_ffff)), .violation(.flowControlError)),
    ]

    @Test(arguments: fatal.indices) func connection(_ index: Int) {
        let (rule, bytes, failure) = Self.fatal[index]
        let fed = Fed()
        #expect(fed.feed(bytes) == failure, "\(rule)")
        let frames = Frame.all(put(fed.server))
        #expect(frames.last?.type == FrameType.goAway.rawValue, "\(rule)")
        #expect(fed.server.isFinished, "\(rule)")
    }

    @Test func noPreface() {
        let listener = Listener()
        let server = HTTP2Connection(role: .server, user: listener)
        let failure = exactly("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8) { server.receive($0) }
        #expect(failure == .badPreface)
        _ = put(server)
        #expect(server.isFinished && listener.events.isEmpty)
    }
}
