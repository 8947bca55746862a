import Bytes
import Testing

@testable import DNS

/// A resolver with scripted servers and a clock of its own.
struct World {
    struct Sent: Equatable {
        let slot: Slot
        let server: Endpoint
        let query: [UInt8]
        let overTCP: Bool

        var type: RecordType? { query.withUnsafeBytes { try? Question(reading: $0, at: Header.length).type } }
        var hasEDNS: Bool { query[11] == 1 }
    }

    var core: ResolverCore
    var now = Ticks(milliseconds: 1_000_000)
    /// What is open: sent and not closed.
    var open: [Sent] = []
    var sent = 0
    static let servers = [Endpoint(address("10.0.0.1"), 53), Endpoint(address("10.0.0.2"), 53)]

    init(servers: [Endpoint] = World.servers, limits: Limits = Limits(), hosts: String = "", random: UInt64 = 0) {
        core = ResolverCore(servers: servers, limits: limits, hosts: HostsFile(hosts), random: { random })
    }

    mutating func lookup(_ text: String) -> ResolverCore.Lookup {
        defer { act() }
        return core.lookup(name(text), now: now)
    }

    mutating func act() {
        while let action = core.nextAction() {
            switch action {
            case .sendUDP(let server, let slot, let bytes):
                open.append(Sent(slot: slot, server: server, query: Array(bytes), overTCP: false))
                sent += 1
            case .sendTCP(let server, let slot, let bytes):
                #expect(Array(bytes.prefix(2)) == Packet.be16(bytes.count - 2))
                open.append(Sent(slot: slot, server: server, query: Array(bytes.dropFirst(2)), overTCP: true))
                sent += 1
            case .close(let slot):
                #expect(open.contains { $0.slot == slot })
                open.removeAll { $0.slot == slot }
            }
        }
    }

    mutating func reply(
        _ to: Sent, flags: UInt16 = 0x8180, _ records: [[UInt8]] = [], authorities: [[UInt8]] = []
    ) {
        deliver(Packet.reply(to: to.query, flags: flags, records: records, authorities: authorities), to)
    }

    mutating func deliver(_ bytes: [UInt8], _ to: Sent, from: Endpoint? = nil, cut: Int = 7) {
        if to.overTCP {
            let stream = Packet.be16(bytes.count) + bytes
            for start in stride(from: 0, to: stream.count, by: cut) {
                stream[start..<min(start + cut, stream.count)].withUnsafeBytes {
                    core.receivedTCP($0, slot: to.slot, now: now)
                }
            }
        } else {
            bytes.withUnsafeBytes { core.received($0, from: from ?? to.server, slot: to.slot, now: now) }
        }
        act()
    }

    mutating func pass(_ milliseconds: Int64) {
        now = now + Milliseconds(milliseconds)
        core.expired(now: now)
        act()
    }

    /// Answers whatever is open for the type, once.
    mutating func answer(_ type: RecordType, flags: UInt16 = 0x8180, _ records: [[UInt8]] = [], soa: Int? = nil) {
        guard let sent = open.last(where: { $0.type == type }) else {
            return #expect(Bool(false), "\(type) is not asked")
        }
        reply(sent, flags: flags, records, authorities: soa.map { [Packet.soa(ttl: $0, minimum: $0)] } ?? [])
    }

    mutating func finished() -> Answer? { core.takeFinished()?.1 }
}

struct ResolverTests {
    static let v4 = address("192.0.2.1")
    static let v6 = address("2001:db8::1")

    @Test func bothHalvesAreAskedOnceAndRemembered() {
        var world = World()
        #expect(world.lookup("a.test") == .pending)
        #expect(world.lookup("a.test") == .pending)
        #expect(world.open.map(\.type) == [.a, .aaaa] && world.sent == 2)
        #expect(Set(world.open.map(\.slot)).count == 2 && world.open.allSatisfy { $0.server == World.servers[0] })
        world.answer(.a, [Packet.a(ttl: 60, "192.0.2.1")])
        #expect(world.finished() == nil)
        world.answer(.aaaa, [Packet.aaaa(ttl: 40, "2001:db8::1")])
        let expected = Answer(addresses: [ResolverTests.v4, ResolverTests.v6], ttlSeconds: 40, outcome: .addresses)
        #expect(world.finished() == expected)
        #expect(world.finished() == nil && world.open.isEmpty)
        world.pass(30_500)
        guard case .known(let known) = world.lookup("a.test") else { return #expect(Bool(false)) }
        #expect(known.addresses == expected.addresses && known.ttlSeconds == 10)
        world.pass(9_500)
        #expect(world.lookup("a.test") == .pending)
    }

    @Test(arguments: [(0, 1), (1, 1), (3600, 3600), (3601, 3600), (2_000_000, 3600)])
    func timeToLiveIsClamped(_ ttl: Int, _ expected: UInt32) {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, [Packet.a(ttl: ttl, "192.0.2.1")])
        world.answer(.aaaa)
        #expect(world.finished()?.ttlSeconds == expected)
    }

    @Test func denialsAreRememberedAsTheZoneSays() {
        for (flags, outcome) in [(UInt16(0x8183), Answer.Outcome.noSuchName), (0x8180, .noData)] {
            var world = World()
            _ = world.lookup("a.test")
            world.answer(.a, flags: flags, soa: 20)
            world.answer(.aaaa, flags: flags, soa: 20)
            #expect(world.finished() == Answer(ttlSeconds: 20, outcome: outcome))
            world.pass(19_999)
            #expect(world.lookup("a.test") == .known(Answer(ttlSeconds: 1, outcome: outcome)))
            world.pass(1)
            #expect(world.lookup("a.test") == .pending)
        }
    }

    @Test func forgeriesAreIgnored() throws {
        var world = World()
        _ = world.lookup("a.test")
        let asked = try #require(world.open.first)
        let good = Packet.reply(to: asked.query, records: [Packet.a("192.0.2.66")])
        var badId = good
        badId[0] ^= 0x10
        world.deliver(badId, asked)
        world.deliver(good, asked, from: World.servers[1])
        world.deliver(good, asked, from: Endpoint(World.servers[0].address, 5353))
        let other = try #require(world.open.last)
        world.deliver(good, other)
        #expect(world.open.count == 2)
        world.reply(asked, [Packet.a("192.0.2.1")])
        // The slot is closed: what comes late finds nothing.
        world.deliver(good, asked)
        world.answer(.aaaa)
        #expect(world.finished()?.addresses == [ResolverTests.v4])
    }

    @Test func aSilentServerIsFollowedByTheNextAndLateAnswersCount() throws {
        var world = World()
        _ = world.lookup("a.test")
        let first = try #require(world.open.first)
        #expect(world.core.deadline == world.now + .seconds(1))
        world.pass(999)
        #expect(world.sent == 2)
        world.pass(1)
        #expect(world.sent == 4 && world.open.suffix(2).allSatisfy { $0.server == World.servers[1] })
        world.reply(first, [Packet.a("192.0.2.1")])
        #expect(world.open.allSatisfy { $0.type == .aaaa })
        world.answer(.aaaa)
        #expect(world.finished()?.addresses == [ResolverTests.v4] && world.open.isEmpty)
        // The next lookup begins with the server that was not silent.
        _ = world.lookup("b.test")
        #expect(world.open.allSatisfy { $0.server == World.servers[1] })
    }

    @Test func aLookupEndsInTimeAndItsFailureIsRememberedForASecondOrTwo() {
        var world = World()
        _ = world.lookup("a.test")
        var passed = 0
        while world.core.deadline != .never {
            let step = (world.core.deadline - world.now).count
            passed += Int(step)
            world.pass(step)
            #expect(passed <= 5000)
        }
        #expect(passed == 5000 && world.open.isEmpty && world.sent == 10)
        let failed = Answer(ttlSeconds: 1, outcome: .failed("no answer from any server in time"))
        #expect(world.finished() == failed)
        world.pass(999)
        #expect(world.lookup("a.test") == .known(failed))
        world.pass(1001)
        #expect(world.lookup("a.test") == .pending)
    }

    @Test func aRefusalAsksTheNextServerAtOnce() {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, flags: 0x8182)
        #expect(world.open.last?.server == World.servers[1])
        world.answer(.a, flags: 0x8185)
        world.answer(.aaaa, flags: 0x8182)
        world.answer(.aaaa, flags: 0x8182)
        #expect(world.finished()?.outcome == .failed("the server refused (REFUSED)") && world.open.isEmpty)
    }

    @Test func sendingThatFailsAsksTheNextServer() throws {
        var world = World()
        _ = world.lookup("a.test")
        for _ in 0..<4 {
            let slot = try #require(world.open.first?.slot)
            world.core.failed(slot, now: world.now)
            world.act()
        }
        #expect(world.finished()?.outcome == .failed("no connection to 10.0.0.2:53"))
    }

    @Test(arguments: [1, 2, 3, 7, 1000]) func truncatedAnswersAreAskedForOverTCP(_ cut: Int) throws {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, flags: 0x8380)
        let tcp = try #require(world.open.last)
        #expect(tcp.overTCP && tcp.type == .a && tcp.server == World.servers[0] && world.open.count == 2)
        let records = (1...200).map { Packet.a("192.0.2.\($0)") }
        world.deliver(Packet.reply(to: tcp.query, records: records), tcp, cut: cut)
        world.answer(.aaaa)
        #expect(world.finished()?.addresses.count == 200 && world.open.isEmpty)
    }

    @Test func aStreamWithAnotherAnswerHasFailed() throws {
        var world = World(servers: [World.servers[0]])
        _ = world.lookup("a.test")
        world.answer(.a, flags: 0x8380)
        let tcp = try #require(world.open.last)
        world.deliver([0, 0, 0], tcp)
        world.answer(.aaaa)
        #expect(world.finished()?.outcome == .failed("the server answered another question"))
    }

    @Test func lettersAreMixedAndAnAnswerWithOthersIsAskedAgainOverTCP() throws {
        var world = World(random: 0b101)
        _ = world.lookup("abc.test")
        let asked = try #require(world.open.first)
        #expect(Array(asked.query[12..<16]) == Array("\u{3}AbC".utf8))
        var bytes = Packet.reply(to: asked.query, records: [Packet.a("192.0.2.66")])
        bytes[13] = UInt8(ascii: "a")
        world.deliver(bytes, asked)
        let again = try #require(world.open.last)
        #expect(again.overTCP && Array(again.query[12..<16]) == Array("\u{3}abc".utf8))
        world.reply(again, [Packet.a("192.0.2.1")])
        world.answer(.aaaa)
        #expect(world.finished()?.addresses == [ResolverTests.v4])
    }

    @Test func aServerWithoutEDNSIsAskedPlainly() throws {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, flags: 0x8181)
        let plain = try #require(world.open.last)
        #expect(!plain.hasEDNS && plain.server == World.servers[0])
        world.reply(plain, [Packet.a("192.0.2.1")])
        world.answer(.aaaa)
        #expect(world.finished()?.addresses == [ResolverTests.v4])
    }

    @Test func triesAreBounded() {
        var world = World(servers: [World.servers[0]])
        _ = world.lookup("a.test")
        for _ in 0..<100 {
            for sent in world.open where !sent.overTCP { world.reply(sent, flags: 0x8380) }
            for sent in world.open where sent.overTCP { world.reply(sent, flags: 0x8181) }
        }
        #expect(world.sent <= 2 * ResolverCore.attemptsMax)
        world.pass(5000)
        #expect(world.finished() != nil && world.open.isEmpty)
    }

    @Test func aHalfThatStaysSilentDoesNotHoldTheOtherUp() {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, [Packet.a(ttl: 600, "192.0.2.1")])
        world.pass(199)
        #expect(world.sent == 2)
        world.pass(1)
        #expect(world.sent == 3 && world.open.last?.type == .aaaa)
        world.pass(299)
        #expect(world.finished() == nil)
        world.pass(1)
        #expect(world.finished() == Answer(addresses: [ResolverTests.v4], ttlSeconds: 5, outcome: .addresses))
        #expect(world.open.isEmpty)
    }

    @Test func aNameThatOneHalfDeniesAndTheOtherHasExists() {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.aaaa, flags: 0x8183, soa: 30)
        world.answer(.a, [Packet.a("192.0.2.1")])
        #expect(world.finished()?.outcome == .addresses)
    }

    @Test func theHostsFileGoesFirst() {
        var world = World(hosts: "192.0.2.1 a.test\n")
        guard case .known(let answer) = world.lookup("a.test") else { return #expect(Bool(false)) }
        #expect(answer.addresses == [ResolverTests.v4] && world.sent == 0)
    }

    @Test func lookupsUnderWayAreBounded() {
        var world = World()
        for index in 0..<ResolverCore.inquiriesMax { #expect(world.lookup("n\(index).test") == .pending) }
        let refused = Answer(ttlSeconds: 1, outcome: .failed("too many lookups under way"))
        #expect(world.lookup("more.test") == .known(refused))
        world.pass(5000)
        #expect(world.open.isEmpty && world.lookup("more.test") == .pending)
    }

    @Test func withoutServersNothingIsPending() {
        var world = World(servers: [])
        #expect(world.lookup("a.test") == .known(Answer(ttlSeconds: 1, outcome: .failed("no resolver is configured"))))
    }
}

struct AnswerCacheTests {
    static let answer = Answer(ttlSeconds: 1, outcome: .noData)

    @Test func atItsBoundTheOldestMakesRoom() {
        var cache = AnswerCache(capacity: 3)
        let now = Ticks(milliseconds: 0)
        for index in 0..<5 {
            cache.insert(AnswerCacheTests.answer, for: name("n\(index)"), until: now + .seconds(9), now: now)
            #expect(cache.count == min(index + 1, 3))
        }
        #expect((0..<5).map { cache.find(name("n\($0)"), now: now) != nil } == [false, false, true, true, true])
    }

    @Test func oneThatHasExpiredMakesRoomBeforeTheOldest() {
        var cache = AnswerCache(capacity: 3)
        let now = Ticks(milliseconds: 0)
        for (index, life) in [9, 1, 9].enumerated() {
            cache.insert(AnswerCacheTests.answer, for: name("n\(index)"), until: now + .seconds(Int64(life)), now: now)
        }
        let later = now + .seconds(2)
        cache.insert(AnswerCacheTests.answer, for: name("n3"), until: later + .seconds(9), now: later)
        #expect((0..<4).map { cache.find(name("n\($0)"), now: later) != nil } == [true, false, true, true])
    }

    @Test func aNameLearnedAgainKeepsOnePlace() {
        var cache = AnswerCache(capacity: 2)
        let now = Ticks(milliseconds: 0)
        for life in 1...5 {
            cache.insert(AnswerCacheTests.answer, for: name("n"), until: now + .seconds(Int64(life)), now: now)
        }
        #expect(cache.count == 1 && cache.find(name("n"), now: now)?.ttlSeconds == 5)
    }
}
