import Bytes
import Testing

@testable import HTTP

/// Windows, resets, the end of a connection, and what may be called when.
@Suite struct HTTP2FlowTests {
    /// A stream whose content nobody takes stops at its window; its siblings go on, and the connection's credit is back.
    @Test func heldStream() throws {
        let wire = Wire()
        wire.run()
        let window = HTTP2Limits().streamWindowBytes
        wire.atServer.consumes = false
        let held = try wire.ask(post, ended: false)
        wire.client.send(held, pattern(3 * window))
        wire.run()
        #expect(wire.atServer.content[held]?.count == window)
        #expect(wire.client.queued(held) == 2 * window)
        wire.atServer.consumes = true
        let body = pattern(window)
        for _ in 0..<100 {
            let stream = try wire.ask(post, ended: false)
            wire.client.send(stream, body)
            wire.client.finish(stream)
            wire.run()
            #expect(wire.atServer.content[stream]?.count == window)
            wire.answer(stream, empty)
            wire.run()
        }
        // Part of it, then all.
        wire.atServer.consumes = false
        wire.server.consumed(held, window / 2)
        wire.run()
        #expect(wire.atServer.content[held]?.count == window + window / 2)
        wire.atServer.consumes = true
        wire.server.consumed(held, window)
        wire.run()
        #expect(wire.atServer.content[held] == pattern(3 * window))
        #expect(wire.client.queued(held) == 0)
    }

    /// A long message does not keep a short one waiting, in either direction.
    @Test func fairShares() throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 16 << 20
        let wire = Wire(client: limits, server: limits)
        wire.run()
        let long = try wire.ask(post, ended: false)
        let short = try wire.ask(post, ended: false)
        wire.run()
        let body = pattern(4 << 20)
        for (connection, listener) in [(wire.client, wire.atServer), (wire.server, wire.atClient)] {
            if connection.role == .server { for stream in [long, short] { wire.answer(stream, ok, ended: false) } }
            connection.send(long, body)
            connection.send(short, pattern(100_000))
            let bytes = put(connection, atMost: 400_000)
            exactly(bytes) { _ = (connection === wire.client ? wire.server : wire.client).receive($0) }
            #expect(listener.content[short]?.count == 100_000)
            wire.run()
            #expect(listener.content[long] == body)
        }
    }

    /// What comes for a stream that we have reset takes nothing from the connection.
    @Test func resetGivesCreditBack() throws {
        let wire = Wire()
        wire.run()
        let window = HTTP2Limits().streamWindowBytes
        let body = pattern(window)
        for _ in 0..<100 {
            let stream = try wire.ask(post, ended: false)
            wire.client.send(stream, body)
            wire.move(wire.client, wire.server)
            wire.server.reset(stream, code: .cancel)
            wire.run()
        }
        #expect(wire.client.failure == nil && wire.server.failure == nil)
        let stream = try wire.ask(post, ended: false)
        wire.client.send(stream, pattern(10 * window))
        wire.run()
        #expect(wire.atServer.content[stream]?.count == 10 * window)
    }

    /// The output is as long as it was asked for, and one frame more at most.
    @Test func outputIsBounded() throws {
        let wire = Wire()
        wire.run()
        let stream = try wire.ask(post, ended: false)
        wire.client.send(stream, pattern(60_000))
        wire.client.finish(stream)
        var sizes: [Int] = []
        while wire.client.wantsWrite {
            let bytes = put(wire.client, atMost: 20_000)
            sizes.append(bytes.count)
            exactly(bytes) { _ = wire.server.receive($0) }
            if bytes.isEmpty { break }
        }
        #expect(sizes.allSatisfy { $0 <= 20_000 + 16_384 + 9 } && sizes.count > 1)
        #expect(wire.atServer.content[stream] == pattern(60_000))
    }

    @Test func resets() throws {
        let wire = Wire()
        wire.run()
        // By the client, by the server before and after its answer, and of streams that are gone.
        let first = try wire.ask(post, ended: false)
        wire.run()
        wire.client.reset(first, code: .cancel)
        wire.run()
        #expect(wire.atServer.events == ["1 request exchange", "1 reset 8"])
        #expect(wire.atClient.events == [])
        let second = try wire.ask(get)
        wire.run()
        wire.answer(second, ok, ended: false)
        wire.server.send(second, pattern(10))
        wire.run()
        wire.server.reset(second, code: .internalError)
        wire.run()
        #expect(wire.atClient.events == ["3 response 200 OK", "3 data", "3 reset 2"])
        wire.server.send(second, [1])
        wire.server.consumed(second, 10)
        wire.server.reset(second, code: .cancel)
        #expect(wire.answer(second, empty) == nil)
        wire.client.finish(second)
        wire.run()
        #expect(wire.atClient.events.count == 3)
        // A request that never left.
        let third = try wire.ask(get)
        wire.client.reset(third, code: .cancel)
        wire.run()
        #expect(wire.server.failure == nil && wire.client.failure == nil)
    }

    /// An answer that needs no more of the request: it arrives whole, then the client is told to stop.
    @Test func answeredEarly() throws {
        var limits = HTTP2Limits()
        limits.streamWindowBytes = 1000
        let wire = Wire(client: limits)
        wire.run()
        let stream = try wire.ask(post, ended: false)
        wire.client.send(stream, pattern(1_000_000))
        wire.run()
        wire.answer(stream, "HTTP/1.1 413 \r\nContent-Length: 5000\r\n\r\n", ended: false)
        wire.server.send(stream, pattern(5000))
        wire.server.finish(stream)
        wire.server.reset(stream, code: .noError)
        wire.run()
        #expect(wire.atClient.content[stream] == pattern(5000))
        #expect(
            wire.atClient.events == ["1 response 413 Content Too Large", "1 data", "1 ended", "1 reset 0"])
        let second = try wire.ask(post, ended: false)
        wire.run()
        wire.answer(second, empty)
        wire.server.reset(second, code: .noError)
        wire.run()
        #expect(wire.atClient.events.suffix(2) == ["3 response 200 OK ended", "3 reset 0"])
    }

    /// First the notice; what the client had under way is served; then the last stream is said.
    @Test func goAway() throws {
        let wire = Wire()
        wire.run()
        let early = try wire.ask(get)
        wire.run()
        wire.server.goAway()
        let crossing = try wire.ask(get)
        let fromServer = put(wire.server)
        wire.move(wire.client, wire.server)
        exactly(fromServer) { _ = wire.client.receive($0) }
        #expect(wire.atClient.events == ["goaway 2147483647 0"])
        #expect(!wire.client.canOpenStream)
        #expect(throws: HTTP2RequestError.goingAway) { try wire.ask(get) }
        wire.run()
        #expect(wire.atClient.events.last == "goaway 3 0")
        for stream in [early, crossing] { wire.answer(stream, empty) }
        wire.run()
        #expect(wire.atClient.events.filter { $0.hasSuffix("closed") } == ["1 closed", "3 closed"])
        #expect(wire.server.isFinished && wire.client.isFinished)
        #expect(wire.server.failure == nil && wire.client.failure == nil)
    }

    /// Called again it does not wait; streams beyond the last may be tried elsewhere.
    @Test func goAwayAtOnce() throws {
        let wire = Wire()
        wire.run()
        wire.server.goAway()
        wire.server.goAway()
        let fromServer = put(wire.server)
        _ = try wire.ask(get)
        _ = put(wire.client)
        exactly(fromServer) { _ = wire.client.receive($0) }
        #expect(wire.atClient.events == ["goaway 2147483647 0", "goaway 0 0", "1 reset 7"])
        wire.run()
        #expect(wire.client.isFinished)
    }

    @Test func clientGoesAway() throws {
        let wire = Wire()
        wire.run()
        let stream = try wire.ask(get)
        wire.run()
        wire.client.goAway()
        wire.run()
        #expect(wire.atServer.events.last == "goaway 0 0")
        #expect(throws: HTTP2RequestError.goingAway) { try wire.ask(get) }
        wire.answer(stream, empty)
        wire.run()
        #expect(wire.client.isFinished && wire.server.isFinished)
    }

    @Test func terminate() throws {
        let wire = Wire()
        wire.run()
        _ = try wire.ask(get)
        wire.run()
        wire.server.terminate(.internalError)
        wire.run()
        #expect(wire.atClient.events == ["goaway 1 2"])
        #expect(wire.server.failure == .terminated && wire.server.isFinished)
    }

    @Test func ping() {
        let wire = Wire()
        wire.client.ping(0x0102_0304_0506_0708)
        wire.run()
        #expect(wire.atClient.events == ["pong \(0x0102_0304_0506_0708 as UInt64)"])
    }

    @Test func streamsOfThePeer() throws {
        var limits = HTTP2Limits()
        limits.streamsMost = 2
        let wire = Wire(server: limits)
        wire.run()
        let first = try wire.ask(get)
        _ = try wire.ask(get)
        #expect(!wire.client.canOpenStream)
        #expect(throws: HTTP2RequestError.full) { try wire.ask(get) }
        wire.run()
        wire.answer(first, empty)
        wire.run()
        #expect(wire.client.canOpenStream)
        _ = try wire.ask(get)
        wire.run()
        #expect(wire.atServer.events.last == "5 request exchange ended")
    }

    /// What is told first (RFC 9113 section 3.4 and 6.5.2).
    @Test func settings() {
        func settings(_ role: HTTP2Role) -> [UInt32: UInt32] {
            let listener = Listener()
            let frames = Frame.all(put(HTTP2Connection(role: role, user: listener)))
            #expect(frames.map(\.type) == [FrameType.settings.rawValue, FrameType.windowUpdate.rawValue])
            #expect(frames[1].payload == word(16 * 1024 * 1024 - 65_535))
            let entries = frames[0].payload
            return stride(from: 0, to: entries.count, by: 6).reduce(into: [:]) { all, at in
                let value = entries[at + 2..<at + 6].reduce(0) { $0 << 8 | UInt32($1) }
                all[UInt32(entries[at]) << 8 | UInt32(entries[at + 1])] = value
            }
        }
        #expect(settings(.server) == [1: 4096, 3: 128, 4: 131_072, 5: 16_384, 6: 65_536, 8: 1, 9: 1])
        #expect(settings(.client) == [1: 4096, 2: 0, 3: 0, 4: 131_072, 5: 16_384, 6: 65_536])
    }

    /// Every verb may be used from within every event.
    @Test func verbsWithinEvents() throws {
        let wire = Wire(piece: 7)
        wire.atServer.hook = { event, stream in
            if event.contains("request") {
                wire.answer(stream, ok, ended: false)
                wire.server.send(stream, pattern(100))
                wire.server.ping(1)
                if stream == 5 { wire.server.reset(stream, code: .cancel) } else { wire.server.finish(stream) }
            }
            if event.contains("closed") { wire.server.reset(stream, code: .cancel) }
        }
        var left = 5
        wire.atClient.hook = { event, stream in
            guard event.contains("closed") || event.contains("reset"), left > 0 else { return }
            left -= 1
            _ = try? wire.ask(get)
        }
        _ = try wire.ask(get)
        wire.run()
        #expect(left == 0)
        #expect(
            wire.atClient.events.filter { $0.contains("closed") } == [
                "1 closed", "3 closed", "7 closed", "9 closed", "11 closed",
            ])
        #expect(wire.client.failure == nil && wire.server.failure == nil)
    }

    /// What is for one connection stays behind; the rest goes through, in order.
    @Test func translation() throws {
        let wire = Wire()
        wire.run()
        let stream = try wire.ask(
            """
            POST /p?q HTTP/1.1\r\nHost: A.b:81\r\nX-One: 1\r\nConnection: keep-alive, x-two\r\nX-Two: 2\r
            Keep-Alive: 5\r\nTE: gzip, trailers\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r
            Cookie: a=1; b=2\r\nx-three:3 \r\n\r\n
            """, ended: false)
        wire.run()
        #expect(
            wire.atServer.lastHead == """
                POST /p?q HTTP/1.1\r\nhost: A.b:81\r\ntransfer-encoding: chunked\r\nx-one: 1\r\nx-three: 3\r
                te: trailers\r\ncookie: a=1; b=2\r\n\r\n
                """)
        wire.answer(
            stream,
            "HTTP/1.1 299 Odd\r\nConnection: x-a\r\nX-A: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: 1\r\n\r\n",
            ended: false)
        wire.run()
        #expect(
            wire.atClient.lastHead
                == "HTTP/1.1 299 \r\ntransfer-encoding: chunked\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n")
        // What is no head of HTTP/1.1 is no head.
        for text in [
            "", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n\r\n", get + get, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            #expect(throws: HTTP2RequestError.self) { try wire.ask(text) }
        }
        #expect(throws: HTTP2RequestError.self) {
            try wire.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        }
        let next = try wire.ask(get)
        wire.run()
        #expect(wire.answer(next, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n") != nil)
        for text in [
            "", "HTTP/1.1 200 OK\r\n", empty + empty, "HTTP/1.1 101 \r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        ] {
            #expect(wire.answer(next, text) != nil)
        }
        #expect(wire.answer(next, empty) == nil)
    }

    @Test func webSocketKeys() {
        // RFC 6455 section 1.3 and RFC 3174 section 7.3.
        #expect(string(WebSocketKey.accept("dGhlIHNhbXBsZSBub25jZQ==".utf8)) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(WebSocketKey.sha1(Array("abc".utf8)).prefix(4) == [0xa9, 0x99, 0x3e, 0x36])
        let long = WebSocketKey.sha1(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8))
        #expect(long.prefix(4) == [0x84, 0x98, 0x3e, 0x44])
        #expect(
            WebSocketKey.sha1(Array(repeating: UInt8(ascii: "a"), count: 1000)).prefix(4) == [0x29, 0x1e, 0x9a, 0x6c])
        #expect(string(WebSocketKey.base64(Array("f".utf8))) == "Zg==")
        #expect(string(WebSocketKey.base64(Array("fo".utf8))) == "Zm8=")
        #expect(string(WebSocketKey.base64(Array("foo".utf8))) == "Zm9v")
        #expect(WebSocketKey.random().count == 24 && WebSocketKey.random() != WebSocketKey.random())
    }
}
