import Bytes
import Testing

@testable import HTTP

/// A client and a server in memory.
@Suite struct HTTP2ExchangeTests {
    @Test func anExchange() throws {
        let wire = Wire()
        let stream = try wire.ask(get)
        wire.run()
        #expect(wire.atServer.events == ["1 request exchange ended"])
        #expect(wire.atServer.lastHead == "GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        #expect(wire.answer(stream, "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX-A: b\r\n\r\n", ended: false) == nil)
        wire.server.send(stream, Array("hi".utf8))
        wire.server.finish(stream)
        wire.run()
        #expect(wire.atClient.events == ["1 response 200 OK", "1 data", "1 ended", "1 closed"])
        #expect(wire.atClient.lastHead == "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-a: b\r\n\r\n")
        #expect(wire.atServer.events == ["1 request exchange ended", "1 closed"])
        #expect(wire.client.failure == nil && wire.server.failure == nil)
        #expect(!wire.client.isFinished && !wire.server.wantsWrite && !wire.client.wantsWrite)
    }

    /// Both ways at once, through windows that are smaller and larger than the body, with pieces of any size.
    @Test(arguments: [0, 1, 9, 1000, 16_383, 16_384, 16_385, 65_535, 65_536, 1 << 20], [65_535, 1000, 1 << 20])
    func bodies(_ size: Int, _ window: Int) throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = window
        let wire = Wire(client: limits, server: limits, piece: 10_007)
        let body = pattern(size)
        wire.atServer.hook = { event, stream in
            if event.contains("request") { wire.answer(stream, ok, ended: false) }
        }
        let stream = try wire.ask(post, ended: false)
        wire.client.send(stream, body)
        wire.client.finish(stream)
        wire.run()
        wire.server.send(stream, body)
        wire.server.finish(stream)
        wire.run()
        #expect(wire.atServer.content[stream] ?? [] == body)
        #expect(wire.atClient.content[stream] ?? [] == body)
        #expect(wire.atClient.events.last == "1 closed")
        #expect(wire.atServer.events.last == "1 closed")
        #expect(wire.server.queued(stream) == 0)
    }

    /// What is sent piece by piece, each when the last is out.
    @Test func writable() throws {
        let wire = Wire()
        var left = 100
        wire.atServer.hook = { event, stream in
            guard event.contains("writable") else { return }
            left -= 1
            if left > 0 { wire.server.send(stream, pattern(1000)) } else { wire.server.finish(stream) }
        }
        let stream = try wire.ask(get)
        wire.run()
        wire.answer(stream, ok, ended: false)
        wire.server.send(stream, pattern(1000))
        wire.run()
        #expect(wire.atClient.content[stream]?.count == 100_000)
        #expect(wire.atClient.events.last == "1 closed")
    }

    @Test func trailers() throws {
        let wire = Wire()
        let stream = try wire.ask(post, ended: false)
        wire.client.send(stream, [1])
        #expect(wire.client.finish(stream, trailers: "X-Sum: 7\r\nX-B: c\r\n") == nil)
        wire.run()
        wire.answer(stream, ok, ended: false)
        #expect(wire.server.finish(stream, trailers: "grpc-status: 0\r\n\r\n") == nil)
        wire.run()
        #expect(
            wire.atServer.events
                == ["1 request exchange", "1 data", "1 trailers x-sum: 7|x-b: c|", "1 ended", "1 closed"])
        #expect(wire.atClient.events == ["1 response 200 OK", "1 trailers grpc-status: 0|", "1 ended", "1 closed"])
        // What is no line is left out, and the message ends.
        let second = try wire.ask(post, ended: false)
        #expect(wire.client.finish(second, trailers: "no colon\r\n") != nil)
        wire.run()
        #expect(wire.atServer.events.last == "3 ended")
    }

    @Test func interim() throws {
        let wire = Wire()
        let stream = try wire.ask(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", ended: false)
        wire.run()
        #expect(wire.atServer.lastHead.contains("expect: 100-continue\r\n"))
        wire.answer(stream, "HTTP/1.1 100 Continue\r\n\r\n", ended: false)
        wire.answer(stream, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", ended: false)
        #expect(wire.answer(stream, "HTTP/1.1 103 \r\n\r\n", ended: true) != nil)
        wire.run()
        #expect(wire.atClient.events == ["1 response 100 Continue", "1 response 103 "])
        #expect(wire.atClient.lastHead == "HTTP/1.1 103 \r\nlink: x\r\n\r\n")
        wire.client.send(stream, [7])
        wire.client.finish(stream)
        wire.answer(stream, "HTTP/1.1 204 No Content\r\n\r\n")
        #expect(wire.answer(stream, empty) == .malformed("one final response"))
        wire.run()
        #expect(wire.atClient.events.suffix(2) == ["1 response 204  ended", "1 closed"])
        #expect(wire.atServer.content[stream] == [7])
    }

    @Test(arguments: [
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"),
        ("HEAD", ok, "HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", "HTTP/1.1 204 \r\nX: y\r\n\r\n", "HTTP/1.1 204 \r\nx: y\r\n\r\n"),
        ("GET", "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 304 \r\ncontent-length: 5\r\n\r\n"),
        ("GET", "HTTP/1.1 304 \r\n\r\n", "HTTP/1.1 304 \r\n\r\n"),
        ("GET", "HTTP/1.1 404 \r\n\r\n", "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    ]) func noBody(_ method: String, _ response: String, _ shown: String) throws {
        let wire = Wire()
        let stream = try wire.ask("\(method) / HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.run()
        wire.answer(stream, response)
        wire.run()
        #expect(wire.atClient.lastHead == shown)
        #expect(wire.atClient.events.last == "1 closed")
    }

    @Test func connect() throws {
        let wire = Wire()
        let stream = try wire.ask("CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n", ended: false)
        wire.run()
        #expect(wire.atServer.events == ["1 request tunnel"])
        #expect(wire.atServer.lastHead == "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n")
        wire.answer(stream, "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n", ended: false)
        wire.server.send(stream, [1, 2])
        wire.client.send(stream, [3])
        wire.run()
        #expect(wire.atClient.lastHead == "HTTP/1.1 200 OK\r\n\r\n")
        #expect(wire.atClient.content[stream] == [1, 2] && wire.atServer.content[stream] == [3])
        wire.client.finish(stream)
        wire.run()
        wire.server.finish(stream)
        wire.run()
        #expect(wire.atServer.events.suffix(2) == ["1 ended", "1 closed"])
    }

    @Test func webSocket() throws {
        let wire = Wire()
        let head = """
            GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Version: 13\r\nConnection: upgrade\r\n\r\n
            """
        #expect(throws: HTTP2RequestError.noWebSocket) { try wire.ask(head, ended: false) }
        wire.run()
        let stream = try wire.ask(head, ended: false)
        wire.run()
        #expect(wire.atServer.events == ["1 request webSocket"])
        let shown = wire.atServer.lastHead
        let parsed = request(shown)
        #expect(parsed.step == .head(length: shown.utf8.count))
        #expect(parsed.head.upgrade.map { shown[$0] } == "websocket")
        #expect(parsed.head.framing == .none)
        #expect(shown.contains("sec-websocket-version: 13\r\n") && !shown.contains("dGhlIHNhbXBs"))
        let key = try #require(shown.split(separator: "\r\n").first { $0.hasPrefix("sec-websocket-key: ") })
        let accept = string(WebSocketKey.accept(key.dropFirst(19).utf8))
        // What an origin answers that knows no WebSocket, or not this one, opens nothing.
        #expect(wire.answer(stream, ok, ended: false)?.status == 502)
        let upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        #expect(wire.answer(stream, upgrade + "\r\n", ended: false)?.status == 502)
        let wrong = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        #expect(wire.answer(stream, upgrade + wrong, ended: false)?.status == 502)
        let right = "Sec-WebSocket-Accept: \(accept)\r\nSec-WebSocket-Protocol: p\r\n\r\n"
        #expect(wire.answer(stream, upgrade + right, ended: false) == nil)
        wire.server.send(stream, [1])
        wire.client.send(stream, [2])
        wire.run()
        #expect(
            wire.atClient.lastHead == """
                HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r
                sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: p\r\n\r\n
                """)
        #expect(wire.atClient.content[stream] == [1] && wire.atServer.content[stream] == [2])
    }

    /// A refusal is an answer like any other.
    @Test func webSocketRefused() throws {
        let wire = Wire()
        wire.run()
        let stream = try wire.ask(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nConnection: upgrade\r\n\r\n",
            ended: false)
        wire.run()
        wire.answer(stream, "HTTP/1.1 403 Forbidden\r\nContent-Length: 1\r\n\r\n", ended: false)
        wire.server.send(stream, [1])
        wire.server.finish(stream)
        wire.run()
        #expect(wire.atClient.events == ["1 response 403 Forbidden", "1 data", "1 ended"])
        #expect(wire.answer(stream, "HTTP/1.1 101 \r\n\r\n") != nil)
    }

    /// Every exchange of these at once, fed byte by byte and in every two pieces: what is seen is the same.
    @Test func everyCut() throws {
        func play(_ piece: Int) throws -> [[String]] {
            let wire = Wire(piece: piece)
            wire.run()
            wire.atServer.hook = { event, stream in
                guard event.contains("request") else { return }
                if stream == 5 { return wire.server.reset(stream, code: .cancel) }
                wire.answer(stream, "HTTP/1.1 103 \r\nLink: x\r\n\r\n", ended: false)
                wire.answer(stream, ok, ended: false)
                wire.server.send(stream, pattern(300))
                _ = wire.server.finish(stream, trailers: "x-t: 1\r\n")
            }
            for _ in 0..<3 {
                let stream = try wire.ask(post, ended: false)
                wire.client.send(stream, pattern(100))
                _ = wire.client.finish(stream, trailers: "x-s: 1\r\n")
            }
            wire.run()
            return [wire.atServer.events, wire.atClient.events]
        }
        let whole = try play(.max)
        #expect(whole[1].contains("5 reset 8") && whole[1].contains("3 closed"))
        for piece in [1, 2, 3, 5, 8, 9, 10, 13, 100] { #expect(try play(piece) == whole) }
    }
}
