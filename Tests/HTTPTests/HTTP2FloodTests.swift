import Bytes
import Testing

@testable import HTTP

/// What a peer may cost. Each bound is met, and passed by one.
@Suite struct HTTP2FloodTests {
    static let good = section(HTTP2MalformedTests.good)

    static var limits: HTTP2Limits {
        var limits = HTTP2Limits()
        (limits.resetsMost, limits.controlFramesMost, limits.answersMost) = (10, 40, 30)
        return limits
    }

    /// The preface has one SETTINGS, and the tables below leave this many frames.
    static let spare = limits.controlFramesMost - 1

    static let control: [(String, [UInt8])] = [
        ("SETTINGS", frame(.settings, 0, 0)),
        ("PING", frame(.ping, 0, 0, word(1) + word(2))),
        ("PRIORITY", frame(.priority, 0, 1001, word(0) + [0])),
        ("WINDOW_UPDATE", frame(.windowUpdate, 0, 0, word(1))),
        ("a type that nobody knows", frame(.data, 0, 0).enumerated().map { $0.offset == 3 ? 0xaa : $0.element }),
    ]

    @Test(arguments: control.indices) func controlFrames(_ index: Int) {
        for isCut in [false, true] {
            let fed = Fed(Self.limits)
            let (name, bytes) = Self.control[index]
            for _ in 0..<Self.spare {
                #expect(fed.feed(bytes) == nil, "\(name)")
                _ = put(fed.server)
            }
            if isCut { for byte in bytes { fed.feed([byte]) } } else { fed.feed(bytes) }
            expectCalm(fed, .controlFlood, name)
        }
    }

    @Test func entriesOfSettings() {
        let limits = HTTP2Limits()
        func entries(_ count: Int) -> [UInt8] {
            frame(.settings, 0, 0, (0..<count).flatMap { _ in [0xaa, 0xaa] + word(1) })
        }
        let fed = Fed(limits)
        #expect(fed.feed(entries(limits.settingsMost)) == nil)
        fed.feed(entries(limits.settingsMost + 1))
        expectCalm(fed, .controlFlood)
    }

    func expectCalm(_ fed: Fed, _ threat: HTTP2Threat, _ name: String = "") {
        #expect(fed.server.failure == .threat(threat), "\(name)")
        #expect(fed.listener.events.last == "threat \(threat)", "\(name)")
        let last = Frame.all(put(fed.server)).last
        #expect(last?.type == FrameType.goAway.rawValue && last?.code == HTTP2Code.enhanceYourCalm.rawValue, "\(name)")
        #expect(fed.server.isFinished, "\(name)")
        #expect(fed.feed(frame(.ping, 0, 0, word(1) + word(2))) == .threat(threat))
    }

    @Test func emptyData() {
        for empty in [frame(.data, 0, 1), frame(.data, 8, 1, [3, 0, 0, 0])] {
            let fed = Fed(Self.limits)
            fed.feed(frame(.headers, endHeaders, 1, Self.good))
            for _ in 0..<Self.limits.controlFramesMost { #expect(fed.feed(empty) == nil) }
            fed.feed(empty)
            expectCalm(fed, .controlFlood)
        }
    }

    /// A second brings back what a second may cost; data that we send brings back what its windows need.
    @Test func comesBack() throws {
        var limits = Self.limits
        limits.controlFramesPerTickMost = 5
        let fed = Fed(limits)
        let ping = frame(.ping, 0, 0, word(1) + word(2))
        for _ in 0..<Self.spare { _ = fed.answers(to: ping) }
        fed.server.tick()
        for _ in 0..<5 {
            _ = put(fed.server)
            #expect(fed.feed(ping) == nil)
        }
        fed.feed(ping)
        expectCalm(fed, .controlFlood)

        let wire = Wire(server: limits)
        wire.run()
        let stream = try wire.ask(get)
        wire.run()
        wire.answer(stream, ok, ended: false)
        let body = pattern(200_000)
        for _ in 0..<25 {
            wire.server.send(stream, body)
            wire.run()
        }
        #expect(wire.server.failure == nil)
        #expect(wire.atClient.content[stream]?.count == 25 * body.count)
    }

    /// Who reads no answer gets no more of them, long before the bound on what was sent.
    @Test func unreadAnswers() {
        let fed = Fed(Self.limits)
        let ping = frame(.ping, 0, 0, word(1) + word(2))
        for _ in 0..<Self.limits.answersMost { #expect(fed.feed(ping) == nil) }
        fed.feed(ping)
        expectCalm(fed, .controlFlood)
    }

    @Test func rapidReset() {
        let fed = Fed(Self.limits)
        var stream: UInt32 = 1
        for _ in 0..<Self.limits.resetsMost {
            #expect(fed.feed(frame(.headers, 5, stream, Self.good) + frame(.resetStream, 0, stream, word(8))) == nil)
            stream += 2
        }
        fed.feed(frame(.headers, 5, stream, Self.good) + frame(.resetStream, 0, stream, word(8)))
        expectCalm(fed, .rapidReset)
    }

    /// CVE-2025-8671: what the peer sends makes us reset the stream that it opened.
    static let provocations: [(String, @Sendable (UInt32) -> [UInt8])] = [
        ("a malformed head", { frame(.headers, 5, $0, section([("x", "y")])) }),
        (
            "a head that the text has no form for",
            { frame(.headers, 5, $0, section(HTTP2MalformedTests.but(":scheme", "ftp"))) }
        ),
        ("a window of too much", { frame(.headers, 5, $0, good) + frame(.windowUpdate, 0, $0, word(0x7fff_ffff)) }),
        (
            "content beyond the length",
            { frame(.headers, 4, $0, good + section([("content-length", "1")])) + frame(.data, 0, $0, [1, 2]) }
        ),
    ]

    @Test(arguments: provocations.indices) func provokedReset(_ index: Int) {
        let (name, bytes) = Self.provocations[index]
        let fed = Fed(Self.limits)
        var stream: UInt32 = 1
        for _ in 0..<Self.limits.resetsMost {
            #expect(fed.feed(bytes(stream)) == nil, "\(name)")
            _ = put(fed.server)
            stream += 2
        }
        fed.feed(bytes(stream))
        expectCalm(fed, .rapidReset, name)
    }

    /// Resets that we choose are not the peer's; streams that end well make up for others.
    @Test func resetsOfOurOwn() throws {
        let wire = Wire(server: Self.limits)
        wire.run()
        for _ in 0..<100 {
            let stream = try wire.ask(get)
            wire.run()
            wire.server.reset(stream, code: .cancel)
            wire.run()
            let second = try wire.ask(get)
            wire.run()
            wire.answer(second, empty)
            wire.run()
            let third = try wire.ask(get)
            wire.run()
            wire.client.reset(third, code: .cancel)
            wire.run()
        }
        #expect(wire.server.failure == nil && wire.client.failure == nil)
    }

    @Test(arguments: [false, true]) func continuations(_ isCut: Bool) {
        let most = HTTP2Limits().continuationsMost
        for count in [most, most + 1] {
            let fed = Fed()
            var bytes = frame(.headers, endStream, 1, Self.good)
            for at in 1...count {
                bytes += frame(.continuation, at == count ? endHeaders : 0, 1, section([("x", "y")]))
            }
            if isCut { for byte in bytes { fed.feed([byte]) } } else { fed.feed(bytes) }
            if count == most {
                #expect(fed.listener.events == ["1 request exchange ended"])
            } else {
                expectCalm(fed, .continuationFlood)
            }
        }
    }

    /// Empty ones cost us as much.
    @Test func emptyContinuations() {
        let fed = Fed()
        fed.feed(frame(.headers, endStream, 1))
        for _ in 0...HTTP2Limits().continuationsMost { fed.feed(frame(.continuation, 0, 1)) }
        expectCalm(fed, .continuationFlood)
    }

    /// CVE-2016-1544: a large field enters the table once, and a byte each names it again.
    @Test func headerBomb() {
        let value = String(repeating: "v", count: 4000)
        for (times, isBomb) in [(15, false), (16, true), (2000, true)] {
            let fed = Fed()
            let entry = [0x40] + section([("x", value)]).dropFirst()
            fed.feed(
                frame(.headers, 5, 1, Self.good + entry + Array(repeating: 0xbe, count: times)))
            if isBomb {
                expectCalm(fed, .headerBomb)
            } else {
                #expect(fed.listener.events == ["1 request exchange ended"])
            }
        }
    }

    @Test func fieldsMost() {
        let most = HTTP2Limits().fieldsMost
        for count in [most, most + 1] {
            let fed = Fed()
            let crumbs = (4..<count).flatMap { _ in section([("cookie", "a")]) }
            fed.feed(frame(.headers, 5, 1, Self.good + crumbs))
            if count > most { expectCalm(fed, .headerBomb) } else { #expect(fed.server.failure == nil) }
        }
    }

    /// To the byte, and what is within it is a head that HTTP/1 takes.
    @Test func headBytes() {
        for over in [0, 1] {
            let fed = Fed()
            var left =
                HTTP2Limits().headBytes
                - HTTP2MalformedTests.good.reduce(0) { $0 + $1.0.utf8.count + $1.1.utf8.count + 32 }
            var fields: [(String, String)] = []
            while left > 0 {
                let size = min(left, 10_000) < 5000 ? left : min(left, 10_000)
                fields.append(("x", String(repeating: "y", count: size - 33 + (fields.isEmpty ? over : 0))))
                left -= size
            }
            let block = Self.good + section(fields)
            var bytes: [UInt8] = []
            for start in stride(from: 0, to: block.count, by: 16_384) {
                let end = min(start + 16_384, block.count)
                let flags = end == block.count ? endHeaders : 0
                bytes += frame(
                    start == 0 ? .headers : .continuation, flags | (start == 0 ? endStream : 0), 1,
                    Array(block[start..<end]))
            }
            fed.feed(bytes)
            if over > 0 {
                expectCalm(fed, .headerBomb)
            } else {
                #expect(fed.listener.events == ["1 request exchange ended"])
                #expect(request(fed.listener.lastHead).step == .head(length: fed.listener.lastHead.utf8.count))
            }
        }
    }

    @Test func streamsMost() {
        var limits = HTTP2Limits()
        limits.streamsMost = 3
        // Before the client has acknowledged the bound, it is refused; after, it knows better.
        for isKnown in [false, true] {
            let fed = Fed(limits)
            if isKnown { fed.feed(frame(.settings, 1, 0)) }
            for stream in [1, 3, 5] as [UInt32] { fed.feed(frame(.headers, 4, stream, Self.good)) }
            let answers = fed.answers(to: frame(.headers, 4, 7, Self.good))
            #expect(fed.listener.events.count == 3)
            #expect(fed.server.failure == (isKnown ? .violation(.protocolError) : nil))
            #expect(answers.last?.code == (isKnown ? 1 : HTTP2Code.refusedStream.rawValue))
        }
    }

    /// Who asks on and on and reads no answer: what is ready stays bounded, and so do the streams.
    @Test func unreadResponses() {
        let fed = Fed()
        fed.listener.hook = { event, stream in
            guard event.contains("request") else { return }
            exactly(empty.utf8) { _ = fed.server.respond(stream, head: $0, ended: true) }
        }
        fed.feed(frame(.settings, 1, 0))
        var stream: UInt32 = 1
        while fed.server.failure == nil, stream < 200_001 {
            fed.feed(frame(.headers, 5, stream, Self.good))
            stream += 2
        }
        #expect(fed.server.backlog <= HTTP2Limits().backlogBytes + HTTP2Limits().frameBytes)
        let asked = fed.listener.events.filter { $0.contains("request") }.count
        #expect(asked < HTTP2Limits().backlogBytes / 9 + HTTP2Limits().streamsMost)
        _ = put(fed.server)
        #expect(fed.server.failure == .violation(.protocolError) && fed.server.isFinished)
    }

    /// An origin that answers one request again and again.
    @Test func interimFlood() throws {
        let wire = Wire(client: Self.limits)
        _ = try wire.ask(get)
        _ = put(wire.client)
        let hint = frame(.headers, endHeaders, 1, section([(":status", "103")]))
        for _ in 0...Self.limits.controlFramesMost { exactly(hint) { _ = wire.client.receive($0) } }
        #expect(wire.client.failure == .violation(.protocolError))
        let again = Wire(client: Self.limits)
        _ = try again.ask(get)
        _ = put(again.client)
        exactly(frame(.settings, 0, 0)) { _ = again.client.receive($0) }
        for _ in 0...Self.limits.controlFramesMost { exactly(hint) { _ = again.client.receive($0) } }
        #expect(again.client.failure == .threat(.controlFlood))
    }
}
