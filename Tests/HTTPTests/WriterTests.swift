import Bytes
import Testing

@testable import HTTP

/// What goes on, byte for byte.
@Suite struct WriterTests {
    static let requests: [(String, String)] = [
        // Already canonical.
        (
            "GET /a?b HTTP/1.1\r\nHost: a:80\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n",
            "GET /a?b HTTP/1.1\r\nHost: a:80\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n"
        ),
        // Host comes first, order and letter case stay, space does not.
        (
            "\r\nGET / HTTP/1.1\r\nx-B:  1 \r\nX-a:2\r\nHOST: a\r\nX-c:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nx-B: 1\r\nX-a: 2\r\nX-c: \r\n\r\n"
        ),
        // The target wins over Host (RFC 9112 section 3.2.2).
        (
            "GET http://b:81/x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
            "GET /x HTTP/1.1\r\nHost: b:81\r\nX: y\r\n\r\n"
        ),
        ("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"),
        ("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET /?q HTTP/1.1\r\nHost: b\r\n\r\n"),
        ("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        // The framing has one notation.
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nX: y\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nX: y\r\n\r\n"
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\nTrailer: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"
        ),
        // What is for this connection alone ends here, and what Connection names with it.
        (
            """
            GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-This, accept\r\nKeep-Alive: timeout=5\r\nX-That: 1\r
            TE: trailers\r\nx-thiS: 2\r\nProxy-Connection: keep-alive\r\nAccept: */*\r\nProxy-Authorization: Basic eA==\r
            Via: 1.1 other\r\n\r\n
            """,
            "GET / HTTP/1.1\r\nHost: a\r\nX-That: 1\r\nVia: 1.1 other\r\n\r\n"
        ),
        // Upgrade goes on where it is one, and never to HTTP/2.
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nConnection: upgrade\r\n\r\n"
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        ),
        // What waits for no body, or came in HTTP/1.0, expects nothing (RFC 9110 section 10.1.1).
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"
        ),
    ]

    @Test(arguments: requests) func request(_ text: String, _ expected: String) {
        #expect(forwarded(text) == expected)
        // What was written reads the same and is written the same.
        #expect(forwarded(expected) == expected)
    }

    @Test func requestOptions() {
        var options = Writer.RequestOptions()
        options.keepsExpect = false
        options.keepsUpgrade = false
        options.via = "weir"
        #expect(
            forwarded(
                """
                POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nConnection: upgrade\r\nUpgrade: x\r
                Content-Length: 1\r\n\r\n
                """, options: options)
                == "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nVia: 1.0 weir\r\n\r\n")
        options = Writer.RequestOptions()
        options.destination = Endpoint("[2001:db8::1]:8080")
        #expect(
            forwarded("GET / HTTP/1.0\r\n\r\n", options: options)
                == "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n")
        #expect(forwarded("GET / HTTP/1.0\r\nHost: a\r\n\r\n", options: options) == "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    struct Row: Sendable {
        var text: String
        var expected: String
        var method = HTTP.Method.get
        var close = false
        var minorVersion = 1
        var framing = Framing.length(5)
    }

    static let responses: [Row] = [
        Row(
            text: "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n"),
        Row(
            text:
                "HTTP/1.0 200\r\nContent-Length:5\r\nKeep-Alive: max=1\r\nConnection: keep-alive\r\nUpgrade: h2c\r\n\r\n",
            expected: "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n"),
        Row(
            text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", close: true),
        Row(
            text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", minorVersion: 0),
        Row(
            text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n", framing: .chunked),
        Row(
            text: "HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: x-a, Age\r\nAge: 1\r\nX-B:2\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 5\r\n\r\n"),
        // HTTP/1.0 knows no chunks: the body ends with the connection.
        Row(
            text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", minorVersion: 0, framing: .untilClose),
        Row(
            text: "HTTP/1.1 200 OK\r\n\r\n", expected: "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            framing: .untilClose),
        // What describes a body that is not there goes on only where the RFCs let it.
        Row(
            text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method: .head, framing: .none),
        Row(
            text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            expected: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", method: .head, framing: .none),
        Row(
            text: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", framing: .none),
        Row(
            text: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            expected: "HTTP/1.1 204 No Content\r\n\r\n", framing: .none),
        Row(
            text: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", expected: "HTTP/1.1 200 OK\r\n\r\n",
            method: .connect, framing: .none),
        Row(
            text: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
            expected: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
            close: true, framing: .none),
        Row(
            text: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            expected: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            framing: .none),
        Row(
            text: "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: a\r\nContent-Length: 5\r\n\r\n",
            expected:
                "HTTP/1.1 426 Upgrade Required\r\nUpgrade: a\r\nContent-Length: 5\r\nConnection: upgrade, close\r\n\r\n",
            close: true),
    ]

    @Test(arguments: responses) func response(_ row: Row) {
        var options = Writer.ResponseOptions()
        options.close = row.close
        options.minorVersion = row.minorVersion
        let written = forwardedResponse(row.text, answering: row.method, options: options)
        #expect(written?.text == row.expected)
        #expect(written?.framing == row.framing)
        #expect(forwardedResponse(row.expected, answering: row.method, options: options)?.text == row.expected)
    }

    @Test func responseOptions() {
        var options = Writer.ResponseOptions()
        options.via = "weir"
        options.dropsAltSvc = true
        let text = "HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nContent-Length: 0\r\n\r\n"
        #expect(forwardedResponse(text)?.text == text)
        #expect(
            forwardedResponse(text, options: options)?.text
                == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nVia: 1.1 weir\r\n\r\n")
    }

    @Test func interim() {
        var buffer = Buffer()
        Writer.interim(100, into: &buffer)
        #expect(string(buffer.readable) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test func chunks() {
        var buffer = Buffer()
        for part in ["abc", "", "0123456789abcdef"] { exactly(part.utf8) { Writer.chunk($0, into: &buffer) } }
        Writer.lastChunk(into: &buffer)
        #expect(string(buffer.readable) == "3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")
        #expect(string(decode(Array(buffer.readable)).data) == "abc0123456789abcdef")
    }

    @Test(arguments: [
        ("0\r\n\r\n", "0\r\n\r\n"), ("0;a\r\nA:1\r\nb: 2 \r\n\r\n", "0\r\nA: 1\r\nb: 2\r\n\r\n"),
        ("0\r\nA: 1\r\nb: 2\r\n\r\n", "0\r\nA: 1\r\nb: 2\r\n\r\n"),
    ])
    func trailers(_ text: String, _ expected: String) {
        var body = ChunkedBody(limits: Limits())
        #expect(exactly(text.utf8) { body.step($0) } == .end(consumed: text.utf8.count))
        var buffer = Buffer()
        Writer.lastChunk(body.trailers, into: &buffer)
        #expect(string(buffer.readable) == expected)
    }

    /// Heads that are reused, and a buffer that is, cost no memory after the first.
    @Test func reuseKeepsCapacity() {
        var head = RequestHead()
        let text = Array(Self.requests[0].0.utf8)
        var places: Set<UnsafeRawPointer> = []
        for _ in 0..<3 {
            head.reset()
            #expect(exactly(text) { head.parse($0, limits: Limits()) } == .head(length: text.count))
            head.fields.withUnsafeBytes { places.formUnion([$0.baseAddress].compactMap { $0 }) }
        }
        #expect(places.count == 1)
    }
}
