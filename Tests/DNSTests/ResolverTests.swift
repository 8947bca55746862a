import Bytes
import Testing

@testable import DNS

/// A resolver with scripted servers and a clock of its own.
struct World: ~Copyable {
    var core: ResolverCore
    var now = Ticks(milliseconds: 1_000_000)
    var net = ScriptedServers()
    /// Sent and not answered by the script.
    var open: [ScriptedServers.Sent] { net.sent }
    var sent = 0
    var clients: [Finished] = []

    init(
        servers: [ServerAddress] = [serverOne, serverTwo], hosts: String = "", serveStale: Milliseconds = .minutes(60),
        inflight: Int = 4096
    ) {
        var settings = ResolverSettings(
            rules: ForwardingRules(servers: servers), hosts: Hosts(hosts), limits: Limits())
        settings.serveStale = serveStale
        settings.inflightMost = inflight
        settings.cacheBytes = 1 << 20
        core = ResolverCore(settings, random: SeededBits().next)
    }

    mutating func lookup(_ text: String) -> ResolverCore.Lookup {
        let lookup = core.lookup(name(text), now: now)
        act()
        return lookup
    }

    mutating func ask(_ text: String, _ type: RecordType = .a, number: UInt64 = 0) -> ForwarderCore.Start {
        let start = Inquiry(name(text), type).withKey { [now] key in
            core.ask(key, name: name(text), number: number, until: .never, client: nil, now: now)
        }
        act()
        return start
    }

    mutating func find(_ text: String, _ type: RecordType = .a) -> AnswerStore.Hit? {
        Inquiry(name(text), type).withKey { [now] in core.find($0, now: now) }
    }

    mutating func act() {
        let before = net.sent.count
        while let action = core.nextAction() { net.carryOut(action) }
        sent += net.sent.count - before
        while let over = core.takeFinished() { clients.append(over) }
    }

    mutating func reply(
        _ to: ScriptedServers.Sent, flags: UInt16 = 0x8180, _ records: [[UInt8]] = [], soa: Int? = nil
    ) {
        let authorities = soa.map { [Packet.soa(ttl: $0, minimum: $0)] } ?? []
        let bytes = Packet.reply(to: to.query, flags: flags, records: records, authorities: authorities)
        let now = now
        bytes.withUnsafeBytes { core.received($0, on: to.channel, now: now) }
        act()
    }

    /// Answers what was asked last for the type.
    mutating func answer(_ type: RecordType, flags: UInt16 = 0x8180, _ records: [[UInt8]] = [], soa: Int? = nil) {
        guard let index = net.sent.lastIndex(where: { $0.type == type }) else {
            return #expect(Bool(false), "\(type) is not asked")
        }
        reply(net.sent.remove(at: index), flags: flags, records, soa: soa)
    }

    mutating func pass(_ milliseconds: Int64) {
        now = now + Milliseconds(milliseconds)
        core.expired(now: now)
        act()
    }

    /// What the lookup that is over finds.
    mutating func finished() -> Answer? {
        guard let name = core.takeFinishedLookup() else { return nil }
        return core.known(name, now: now)
    }

    mutating func known(_ text: String) -> Answer? { core.known(name(text), now: now) }
}

struct ResolverTests {
    static let v4 = address("192.0.2.1")
    static let v6 = address("2001:db8::1")

    @Test func bothHalvesAreAskedOnceAndRemembered() {
        var world = World()
        var lookups = [world.lookup("a.test"), world.lookup("a.test")]
        #expect(lookups == [.pending, .pending] && world.open.map(\.type) == [.a, .aaaa] && world.sent == 2)
        world.answer(.a, [Packet.a(ttl: 60, "192.0.2.1")])
        var answer = world.finished()
        #expect(answer == nil)
        world.answer(.aaaa, [Packet.aaaa(ttl: 40, "2001:db8::1")])
        let expected = Answer(addresses: [ResolverTests.v4, ResolverTests.v6], ttlSeconds: 40, outcome: .addresses)
        answer = world.finished()
        #expect(answer == expected)
        answer = world.finished()
        #expect(answer == nil)
        world.pass(30_500)
        answer = world.known("a.test")
        #expect(answer?.addresses == expected.addresses && answer?.ttlSeconds == 10)
        world.pass(9_500)
        // A is good for longer: only the other half is asked again.
        lookups = [world.lookup("a.test")]
        #expect(lookups == [.pending] && world.sent == 3)
    }

    @Test(arguments: [(0, 1), (1, 1), (3600, 3600), (3601, 3600), (2_000_000, 3600)])
    func timeToLiveIsClamped(_ ttl: Int, _ expected: UInt32) {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, [Packet.a(ttl: ttl, "192.0.2.1")])
        world.answer(.aaaa, soa: 300)
        let answer = world.finished()
        #expect(answer?.ttlSeconds == expected)
    }

    @Test func denialsAreRememberedAsTheZoneSays() {
        for (flags, outcome) in [(UInt16(0x8183), Answer.Outcome.noSuchName), (0x8180, .noData)] {
            var world = World()
            _ = world.lookup("a.test")
            world.answer(.a, flags: flags, soa: 20)
            world.answer(.aaaa, flags: flags, soa: 20)
            let answer = world.finished()
            #expect(answer == Answer(ttlSeconds: 20, outcome: outcome))
            world.pass(19_999)
            var lookup = world.lookup("a.test")
            #expect(lookup == .known(Answer(ttlSeconds: 1, outcome: outcome)))
            world.pass(1)
            lookup = world.lookup("a.test")
            #expect(lookup == .pending)
        }
    }

    @Test func aLookupEndsInTimeAndItsFailureIsRememberedForASecondOrTwo() {
        var world = World()
        _ = world.lookup("a.test")
        for _ in 0..<5 { world.pass(1000) }
        let failed = Answer(ttlSeconds: 1, outcome: .failed("no answer from any server in time"))
        var answer = world.finished()
        #expect(answer?.outcome == failed.outcome && world.sent == 10)
        world.pass(999)
        answer = world.known("a.test")
        #expect(answer == failed)
        world.pass(1001)
        let lookup = world.lookup("a.test")
        #expect(lookup == .pending)
    }

    @Test func refusalsOfAllServersAreTheReason() {
        var world = World()
        _ = world.lookup("a.test")
        for type in [RecordType.a, .a, .aaaa, .aaaa] { world.answer(type, flags: 0x8185) }
        let answer = world.finished()
        #expect(answer?.outcome == .failed("the server refused (REFUSED)"))
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
        var answer = world.finished()
        #expect(answer == nil)
        world.pass(1)
        answer = world.finished()
        #expect(answer == Answer(addresses: [ResolverTests.v4], ttlSeconds: 5, outcome: .addresses))
        // Nobody waits for that half again while it may be believed, and then as long again.
        world.pass(4_999)
        var lookup = world.lookup("a.test")
        #expect(lookup == .known(Answer(addresses: [ResolverTests.v4], ttlSeconds: 1, outcome: .addresses)))
        world.pass(2_001)
        lookup = world.lookup("a.test")
        #expect(lookup == .pending)
        world.pass(500)
        answer = world.finished()
        #expect(answer?.addresses == [ResolverTests.v4])
    }

    @Test func aNameThatOneHalfDeniesAndTheOtherHasExists() {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.aaaa, flags: 0x8183, soa: 30)
        world.answer(.a, [Packet.a("192.0.2.1")])
        let answer = world.finished()
        #expect(answer?.outcome == .addresses)
    }

    @Test func theHostsGoFirst() {
        var world = World(hosts: "192.0.2.1 a.test\n")
        let lookup = world.lookup("a.test")
        guard case .known(let answer) = lookup else { return #expect(Bool(false)) }
        #expect(answer.addresses == [ResolverTests.v4] && world.sent == 0)
    }

    @Test func lookupsUnderWayAreBounded() {
        var world = World()
        for index in 0..<ResolverCore.lookupsMost {
            let lookup = world.lookup("n\(index).test")
            #expect(lookup == .pending)
        }
        let refused = Answer(ttlSeconds: 1, outcome: .failed("too many lookups under way"))
        var lookup = world.lookup("more.test")
        #expect(lookup == .known(refused))
        for _ in 0..<5 { world.pass(1000) }
        lookup = world.lookup("more.test")
        #expect(lookup == .pending)
    }

    @Test func withoutServersNothingIsPending() {
        var world = World(servers: [])
        let lookup = world.lookup("a.test")
        #expect(lookup == .known(Answer(ttlSeconds: 1, outcome: .failed("no resolver is configured"))))
    }
}

/// Clients of the DNS server and the gateway's own lookups: one store, one question.
struct SharedAnswersTests {
    @Test func whatAClientWasToldIsWhatTheGatewayOpens() {
        var world = World()
        for type in AddressLookup.types { _ = world.ask("a.test", type) }
        world.answer(.a, [Packet.a("192.0.2.1")])
        world.answer(.aaaa, soa: 60)
        #expect(world.clients.count == 2)
        let answer = world.known("a.test")
        #expect(answer?.addresses == [ResolverTests.v4])
    }

    @Test func aClientAndALookupShareAQuestion() {
        var world = World()
        _ = world.lookup("a.test")
        let start = world.ask("a.test", number: 7)
        #expect(start == .pending && world.sent == 2)
        world.answer(.a, [Packet.a("192.0.2.1")])
        #expect(world.clients.map { $0.askers.contains(.client(7)) } == [true])
        let hit = world.find("a.test")
        #expect(hit?.answer.addresses == [ResolverTests.v4])
        world.answer(.aaaa, soa: 60)
        let answer = world.finished()
        #expect(answer?.addresses == [ResolverTests.v4])
    }

    @Test func whatANamedServerAnswersIsNotKept() {
        var world = World()
        let inquiry = ForwarderWorld.inquiry("a.test", server: Endpoint(address("192.0.2.53"), 53))
        let now = world.now
        _ = inquiry.withKey { world.core.ask($0, name: nil, number: 1, until: .never, client: nil, now: now) }
        world.act()
        world.answer(.a, [Packet.a("192.0.2.1")])
        #expect(world.clients.count == 1 && world.core.cachedAnswers == 0)
    }

    @Test func aStaleAnswerServesWhereNobodyAnswers() {
        var world = World()
        _ = world.lookup("a.test")
        world.answer(.a, [Packet.a(ttl: 10, "192.0.2.1")])
        world.answer(.aaaa, soa: 10)
        _ = world.finished()
        world.pass(10_000)
        let lookup = world.lookup("a.test")
        #expect(lookup == .pending)
        world.pass(1_799)
        var answer = world.finished()
        #expect(answer == nil)
        world.pass(1)
        answer = world.finished()
        #expect(answer?.addresses == [ResolverTests.v4])
    }

    @Test func aFreshAnswerReplacesAStaleOne() {
        var world = World()
        _ = world.ask("a.test")
        world.answer(.a, [Packet.a(ttl: 10, "192.0.2.1")])
        world.pass(11_000)
        var hit = world.find("a.test")
        #expect(hit?.isStale == true)
        let now = world.now
        Inquiry(name("a.test"), .a).withKey { world.core.refresh($0, now: now) }
        world.act()
        world.answer(.a, [Packet.a(ttl: 10, "192.0.2.2")])
        hit = world.find("a.test")
        #expect(hit?.isStale == false && hit?.answer.addresses == [address("192.0.2.2")])
        // Nobody waited for it.
        #expect(world.clients.count == 1)
    }

    @Test func newSettingsKeepAnswersWhereServersAndHostsStay() {
        var world = World()
        _ = world.ask("a.test")
        world.answer(.a, [Packet.a(ttl: 600, "192.0.2.1")])
        var settings = ResolverSettings(
            rules: ForwardingRules(servers: [serverOne, serverTwo]), hosts: Hosts(), limits: Limits())
        settings.serveStale = .minutes(60)
        settings.cacheBytes = 1 << 20
        world.core.adopt(settings, now: world.now)
        #expect(world.core.cachedAnswers == 1)
        // What is kept may be of a name that hosts have from now on.
        settings.hosts.set(name("a.test"), [ResolverTests.v6])
        world.core.adopt(settings, now: world.now)
        #expect(world.core.cachedAnswers == 0)
        let answer = world.known("a.test")
        #expect(answer?.addresses == [ResolverTests.v6])
        _ = world.ask("b.test")
        world.answer(.a, [Packet.a(ttl: 600, "192.0.2.1")])
        #expect(world.core.cachedAnswers == 1)
        settings.rules.servers = [serverTwo]
        world.core.adopt(settings, now: world.now)
        #expect(world.core.cachedAnswers == 0)
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
