import Bytes
import Testing

@testable import HTTP

/// What a good response is read as.
@Suite struct ResponseTests {
    struct Row: Sendable {
        var start: String
        var fields = ""
        var method = HTTP.Method.get
        var framing = Framing.untilClose
        var keepsAlive = false
        var isInterim = false
    }

    static let length = "Content-Length: 5"
    static let chunked = "Transfer-Encoding: chunked"

    /// RFC 9112 section 6.3, rule by rule.
    static let rows: [Row] = [
        Row(start: "1.1 200 OK"),
        Row(start: "1.1 200 OK", fields: length, framing: .length(5), keepsAlive: true),
        Row(start: "1.1 200 OK", fields: chunked, framing: .chunked, keepsAlive: true),
        Row(start: "1.1 200 OK", fields: length, method: .head, framing: .none, keepsAlive: true),
        Row(start: "1.1 200 OK", fields: chunked, method: .head, framing: .none, keepsAlive: true),
        Row(start: "1.1 200 OK", method: .head, framing: .none, keepsAlive: true),
        Row(start: "1.1 100 Continue", framing: .none, keepsAlive: true, isInterim: true),
        Row(start: "1.1 103 Early Hints", fields: length, framing: .none, keepsAlive: true, isInterim: true),
        Row(start: "1.1 101 Switching Protocols", framing: .none, keepsAlive: true),
        Row(start: "1.1 204 No Content", fields: length, framing: .none, keepsAlive: true),
        Row(start: "1.1 304 Not Modified", fields: length, framing: .none, keepsAlive: true),
        Row(start: "1.1 200 OK", fields: length, method: .connect, framing: .none, keepsAlive: true),
        Row(start: "1.1 200 OK", fields: chunked, method: .connect, framing: .none, keepsAlive: true),
        Row(start: "1.1 403 No", fields: length, method: .connect, framing: .length(5), keepsAlive: true),
        Row(start: "1.1 205 Reset", fields: length, framing: .length(5), keepsAlive: true),
        Row(start: "1.1 999 What", fields: length, framing: .length(5), keepsAlive: true),
        Row(start: "1.1 200", fields: length, framing: .length(5), keepsAlive: true),
        Row(start: "1.1 200 ", fields: length, framing: .length(5), keepsAlive: true),
        Row(start: "1.0 200 OK", fields: length, framing: .length(5)),
        Row(start: "1.0 200 OK", fields: length + "\r\nConnection: Keep-Alive", framing: .length(5), keepsAlive: true),
        Row(start: "1.1 200 OK", fields: length + "\r\nConnection: close", framing: .length(5)),
    ]

    @Test(arguments: rows) func framing(_ row: Row) {
        let text = "HTTP/\(row.start)\r\n\(row.fields.isEmpty ? "" : row.fields + "\r\n")\r\n"
        let bytes = Array(text.utf8)
        let parsed = response(bytes, answering: row.method)
        #expect(parsed.step == .head(length: bytes.count))
        #expect(parsed.head.framing == row.framing)
        #expect(parsed.head.keepsAlive == row.keepsAlive)
        #expect(parsed.head.isInterim == row.isInterim)
        #expect(parsed.head.status == Int(row.start.dropFirst(4).prefix(3)))
        #expect(text[parsed.head.reason] == row.start.dropFirst(8))
        for cuts in (0..<bytes.count).map({ [$0] }) + [Array(0..<bytes.count)] {
            let cut = response(bytes, answering: row.method, cuts: cuts)
            #expect(cut.step == parsed.step)
            #expect(cut.head.fields == parsed.head.fields)
            #expect(cut.head.framing == parsed.head.framing)
        }
    }

    @Test func switching() {
        let text = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes"
        let parsed = response(text)
        #expect(parsed.step == .head(length: text.utf8.count - 6))
        #expect(parsed.head.isInterim == false)
        #expect(parsed.head.upgrade.map { text[$0] } == "websocket")
    }
}
