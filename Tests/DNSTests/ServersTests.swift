import Bytes
import Testing

@testable import DNS

/// Which servers are asked for which names, and what becomes of questions when that changes.
struct ServersTests {
    static let inner = ServerAddress(Endpoint(address("10.96.0.10"), 53))
    static let deep = ServerAddress(Endpoint(address("10.96.0.11"), 53))
    static let rules = ForwardingRules(
        servers: [serverOne],
        zones: [
            .init(suffix: name("local"), servers: [inner]), .init(suffix: name("prod.cluster.local"), servers: [deep]),
            .init(suffix: name("empty.test"), servers: []),
        ])

    @Test(arguments: [
        ("a.test", serverOne), ("local", inner), ("a.local", inner), ("cluster.local", inner),
        ("prod.cluster.local", deep), ("a.prod.cluster.local", deep), ("aprod.cluster.local", inner),
        ("notlocal", serverOne), ("local.test", serverOne),
    ]) func theLongestSuffixWins(_ text: String, _ server: ServerAddress) {
        let world = ForwarderWorld(ServersTests.rules)
        world.ask(text)
        #expect(world.sent.map(\.server) == [server])
        #expect(world.hasZone(text) == (server != serverOne))
    }

    @Test func aLabelThatOnlyLooksLikeASuffixIsNone() {
        let world = ForwarderWorld(ServersTests.rules)
        // One label of the bytes `x`, 5, `local`: no name of the zone `local`.
        let odd: ContiguousArray<UInt8> = [7, 0x78, 5] + "local".utf8 + [0]
        world.ask(Inquiry(name: odd, type: .a))
        #expect(world.sent.map(\.server) == [serverOne])
    }

    @Test func aZoneWithoutServersHasNone() {
        let world = ForwarderWorld(ServersTests.rules)
        #expect(world.ask("a.empty.test") == .failed(.noServers))
    }

    @Test func newRulesAskAnewWhereServersChanged() {
        let world = ForwarderWorld(ServersTests.rules)
        world.ask("a.test", for: 1)
        world.ask("a.local", for: 2)
        var fresh = ServersTests.rules
        fresh.servers = [serverTwo]
        world.core.adopt(fresh, timeout: .seconds(5), inflightMost: 100, now: world.now)
        world.act()
        #expect(world.sent.map(\.server) == [serverOne, ServersTests.inner, serverTwo])
        // The old server's answer is not wanted any more.
        world.reply(world.sent[0])
        #expect(world.finished.isEmpty)
        world.reply(world.sent[1])
        world.reply(world.sent[2])
        #expect(world.finished.map(\.askers) == [[.client(2)], [.client(1)]])
        world.pass(Line.idleMost.count)
        #expect(world.core.serverNumbers[serverOne] == nil && world.core.serverNumbers[serverTwo] != nil)
    }

    @Test func withoutServersWhoWaitsIsTold() {
        let world = ForwarderWorld(ServersTests.rules)
        world.ask("a.test", for: 1)
        world.core.adopt(ForwardingRules(), timeout: .seconds(5), inflightMost: 100, now: world.now)
        world.act()
        #expect(world.outcomes() == ["no resolver is configured"] && world.core.inflight == 0)
    }

    @Test(
        arguments: [
            ("10.96.0.10:53", "10.96.0.10:53"), ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
            ("tls://9.9.9.9:853#DNS.quad9.net", "tls://9.9.9.9:853#dns.quad9.net"),
            ("tls://[2620:fe::fe]:853#dns.quad9.net", "tls://[2620:fe::fe]:853#dns.quad9.net"),
            ("tls://9.9.9.9:853", nil),
            ("tls://9.9.9.9:853#", nil), ("tls://9.9.9.9:853#a#b", nil), ("10.96.0.10", nil), ("10.96.0.10:0", nil),
            ("https://9.9.9.9:853#a", nil), ("", nil),
        ] as [(String, String?)]) func addressesOfServers(_ text: String, _ shown: String?)
    {
        #expect(ServerAddress(text)?.description == shown)
    }

    @Test func failuresAreBoundedAndTheOldestMakesRoom() {
        var memory = FailureMemory(capacity: 3)
        let now = Ticks(milliseconds: 0)
        for index in 0..<5 {
            memory.insert(.silent, for: ForwarderWorld.inquiry("n\(index)"), until: now + .seconds(1))
            #expect(memory.count == min(index + 1, 3))
        }
        let found = (0..<5).map { memory.find(ForwarderWorld.inquiry("n\($0)"), now: now) != nil }
        #expect(found == [false, false, true, true, true])
        #expect(memory.find(ForwarderWorld.inquiry("n4"), now: now + .seconds(1)) == nil)
        memory.removeAll()
        #expect(memory.count == 0 && memory.find(ForwarderWorld.inquiry("n4"), now: now) == nil)
    }
}
