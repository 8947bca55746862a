import Bytes
import CLinux
import Glibc
import Synchronization
import Testing

@testable import Loop
@testable import OS

/// Counts what a loop tells it.
private final class Probe: Handler {
    var events: [Readiness] = []
    var expiries: [Ticks] = []
    var resumptions = 0
    var onReady: () -> Void = {}
    var onExpired: () -> Void = {}
    unowned let loop: EventLoop

    init(_ loop: EventLoop) { self.loop = loop }

    override func ready(_ events: Readiness) {
        self.events.append(events)
        onReady()
    }
    override func expired() {
        expiries.append(loop.now)
        onExpired()
    }
    override func resumed() { resumptions += 1 }
}

/// Both ends of a connected pair of sockets.
private func pair() -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends)
    return (ends[0], ends[1])
}

@Suite struct EventLoopTests {
    @Test func tellsReadinessOncePerEdge() throws {
        let loop = try EventLoop()
        loop.longestSleep = 1
        let probe = Probe(loop)
        let (near, far) = pair()
        defer { close(near); close(far) }
        try loop.add(probe, descriptor: near)
        loop.turn()
        #expect(probe.events == [.writable])
        loop.turn()
        #expect(probe.events.count == 1)
        _ = write(far, "x", 1)
        loop.turn()
        #expect(probe.events.count == 2)
        #expect(probe.events[1].contains(.readable))
        close(far)
        loop.turn()
        #expect(probe.events.count == 3)
        #expect(probe.events[2].contains(.peerEnded))
    }

    /// Two descriptors become ready in one turn; the first handler removes the second.
    @Test func anEventNeverMeetsAHandlerThatIsGone() throws {
        let loop = try EventLoop()
        let (a, farA) = pair()
        let (b, farB) = pair()
        defer { for descriptor in [a, farA, b, farB] { close(descriptor) } }
        let first = Probe(loop)
        let second = Probe(loop)
        var calls = 0
        first.onReady = { [unowned loop, unowned second] in
            calls += 1
            loop.remove(second)
        }
        second.onReady = { [unowned loop, unowned first] in
            calls += 1
            loop.remove(first)
        }
        try loop.add(first, descriptor: a)
        try loop.add(second, descriptor: b)
        loop.turn()
        #expect(calls == 1)
    }

    /// A slot that is used again does not answer to the token of its last owner.
    @Test func aTokenOutlivesItsHandlerSafely() throws {
        let loop = try EventLoop()
        let first = Probe(loop)
        try loop.add(first, descriptor: nil)
        let token = first.token
        #expect(loop.handler(token) === first)
        loop.remove(first)
        let second = Probe(loop)
        try loop.add(second, descriptor: nil)
        #expect(loop.handler(token) == nil)
        #expect(loop.handler(second.token) === second)
        #expect(loop.handler(.none) == nil)
    }

    @Test func againRunsInTheNextTurn() throws {
        let loop = try EventLoop()
        loop.longestSleep = 1
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        loop.again(probe)
        #expect(probe.resumptions == 0)
        loop.turn()
        #expect(probe.resumptions == 1)
        loop.turn()
        #expect(probe.resumptions == 1)
    }

    /// A busy handler asks at every event: its turns must not add up.
    @Test func againTwiceIsOneTurn() throws {
        let loop = try EventLoop()
        loop.longestSleep = 1
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        loop.again(probe)
        loop.again(probe)
        loop.turn()
        #expect(probe.resumptions == 1)
        loop.again(probe)
        loop.turn()
        #expect(probe.resumptions == 2)
    }

    /// Other events in the meantime bring it no sooner.
    @Test func aLullIsAMillisecondOrTwo() throws {
        let loop = try EventLoop()
        let (lulled, busy) = (Probe(loop), Probe(loop))
        try loop.add(lulled, descriptor: nil)
        try loop.add(busy, descriptor: nil)
        loop.longestSleep = 0
        let start = Clock.nanoseconds()
        loop.afterLull(lulled)
        loop.afterLull(lulled)
        while lulled.resumptions == 0 {
            loop.again(busy)
            loop.turn()
        }
        #expect(Clock.nanoseconds() - start > 1_000_000)
        #expect(busy.resumptions > 1)
        #expect(lulled.resumptions == 1)
        loop.afterLull(lulled)
        loop.longestSleep = 60_000
        var turns = 0
        while lulled.resumptions == 1, turns < 10 {
            loop.turn()
            turns += 1
        }
        #expect(lulled.resumptions == 2, "no sleep was longer than the lull")
        loop.afterLull(lulled)
        loop.remove(lulled)
        loop.longestSleep = 0
        for _ in 0..<3 { loop.turn() }
        #expect(lulled.resumptions == 2)
    }

    /// A moment in which events gather comes once for each wish, is short, and is not had where a handler waits for its turn.
    @Test func gatheringIsAMoment() throws {
        let loop = try EventLoop()
        loop.longestSleep = 0
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        /// The best of several: the machine may be busy.
        func turn(_ prepare: () -> Void) -> Int64 {
            (0..<50).map { _ in
                prepare()
                let start = Clock.nanoseconds()
                loop.turn()
                return Clock.nanoseconds() - start
            }.min() ?? 0
        }
        let gathering = turn { loop.gather() }
        #expect((10_000..<5_000_000).contains(gathering))
        #expect(turn {} < 10_000)
        #expect(
            turn {
                loop.gather(); loop.again(probe)
            } < 10_000)
    }

    @Test func lettersOfOneThreadKeepTheirOrder() throws {
        let loop = try EventLoop()
        let seen = Mutex<[Int]>([])
        let poster = loop.poster
        let thread = try startThread(named: "poster") {
            for number in 0..<1000 { poster.post { _ in seen.withLock { $0.append(number) } } }
            poster.post { $0.stop() }
        }
        loop.run()
        thread.join()
        #expect(seen.withLock { $0 } == Array(0..<1000))
    }
}

@Suite struct DeadlineTests {
    /// Never early, and late by no more than a tick and what a turn takes.
    @Test(arguments: [1, 15, 16, 17, 40, 120] as [Int64])
    func aDeadlineIsKept(_ wait: Int64) throws {
        let loop = try EventLoop()
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        let due = loop.now + Milliseconds(wait)
        loop.setDeadline(probe, due)
        while probe.expiries.isEmpty { loop.turn() }
        #expect(probe.expiries[0] >= due)
    }

    @Test func aDeadlineMovedLaterIsKeptLater() throws {
        let loop = try EventLoop()
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        let due = loop.now + Milliseconds(60)
        loop.setDeadline(probe, loop.now + Milliseconds(5))
        loop.setDeadline(probe, due)
        while probe.expiries.isEmpty { loop.turn() }
        #expect(probe.expiries.count == 1)
        #expect(probe.expiries[0] >= due)
    }

    @Test func aDeadlineMovedEarlierIsKeptEarlier() throws {
        let loop = try EventLoop()
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        loop.setDeadline(probe, loop.now + Milliseconds.seconds(500))
        loop.setDeadline(probe, loop.now + Milliseconds(20))
        while probe.expiries.isEmpty { loop.turn() }
        #expect(probe.expiries.count == 1)
    }

    @Test func aDeadlineThatIsTakenBackDoesNotPass() throws {
        let loop = try EventLoop()
        let probe = Probe(loop)
        let clock = Probe(loop)
        try loop.add(probe, descriptor: nil)
        try loop.add(clock, descriptor: nil)
        loop.setDeadline(probe, loop.now + Milliseconds(10))
        loop.setDeadline(probe, .never)
        loop.setDeadline(clock, loop.now + Milliseconds(60))
        while clock.expiries.isEmpty { loop.turn() }
        #expect(probe.expiries.isEmpty)
    }

    /// A handler that sets its next deadline while it is told of the last one.
    @Test func aDeadlineMayBeSetFromWithinAnother() throws {
        let loop = try EventLoop()
        let probe = Probe(loop)
        try loop.add(probe, descriptor: nil)
        probe.onExpired = { [unowned loop, unowned probe] in loop.setDeadline(probe, loop.now + Milliseconds(10)) }
        loop.setDeadline(probe, loop.now + Milliseconds(10))
        while probe.expiries.count < 3 { loop.turn() }
        #expect(probe.expiries[1] - probe.expiries[0] >= Milliseconds(10))
        #expect(probe.expiries[2] - probe.expiries[1] >= Milliseconds(10))
    }

    /// Random deadlines over a simulated clock against what they should be, beyond the wheel's horizon too.
    @Test func theWheelLosesNothing() throws {
        let loop = try EventLoop()
        var random = SystemRandomNumberGenerator()
        var wheel = TimerWheel(now: Ticks(milliseconds: 0))
        var probes: [Token: Probe] = [:]
        for _ in 0..<500 {
            let probe = Probe(loop)
            try loop.add(probe, descriptor: nil)
            probe.deadline = Ticks(milliseconds: Int64.random(in: 1...400_000, using: &random))
            wheel.arm(probe)
            probes[probe.token] = probe
        }
        var due: ContiguousArray<Token> = []
        var fired = 0
        for now in stride(from: Int64(0), through: 401_000, by: 37) {
            let now = Ticks(milliseconds: now)
            while let tick = wheel.take(dueBy: now, into: &due) {
                for token in due {
                    guard let probe = probes[token], probe.armed == tick else { continue }
                    probe.armed = .max
                    if probe.deadline <= now {
                        #expect(now - probe.deadline <= Milliseconds(16 + 37))
                        fired += 1
                    } else {
                        wheel.arm(probe)
                    }
                }
                due.removeAll()
            }
        }
        #expect(fired == 500)
        #expect(wheel.sleep(from: Ticks(milliseconds: 401_000)) == .max)
    }
}

@Suite struct SocketTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func aConnectionCarriesBytesBothWays(_ host: String) throws {
        let address = try #require(IPAddress(host))
        let listener = try Socket.listen(Endpoint(address, 0), .init())
        let bound = try #require(try listener.localEndpoint())
        #expect(bound.address == address)
        let client = try Socket(.stream, for: address)
        _ = try client.connect(bound)
        var accepted: Socket?
        while accepted == nil {
            if let taken = try listener.accept() { accepted = consume taken.socket }
        }
        guard let server = accepted.take() else { return }
        let sent = Array("hello".utf8)
        #expect(try sent.withUnsafeBytes { try client.send($0) } == .moved(5))
        var room = [UInt8](repeating: 0, count: 16)
        var got = IO.wouldBlock
        while got == .wouldBlock { got = try room.withUnsafeMutableBytes { try server.receive(into: $0) } }
        #expect(got == .moved(5))
        #expect(Array(room[..<5]) == sent)
        client.shutdownWriting()
        got = .wouldBlock
        while got == .wouldBlock { got = try room.withUnsafeMutableBytes { try server.receive(into: $0) } }
        #expect(got == .ended)
    }

    @Test func aRefusedConnectionSaysSo() throws {
        let address = try #require(IPAddress("127.0.0.1"))
        let listener = try Socket.listen(Endpoint(address, 0), .init())
        let bound = try #require(try listener.localEndpoint())
        _ = consume listener
        let client = try Socket(.stream, for: address)
        do throws(Errno) {
            if try !client.connect(bound) { #expect(client.takeError()?.code == ECONNREFUSED) }
        } catch {
            #expect(error.code == ECONNREFUSED)
        }
    }
}
