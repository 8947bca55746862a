import Bytes
import Testing

@testable import DNS
@testable import Gateway
@testable import Loop
@testable import OS
@testable import Policy
@testable import Record

/// What stands of a question that is asked again and again: it changes what an answer costs and nothing else.
@Suite(.serialized) struct NameStandingsTests {
    private static let address = "192.0.2.1"
    private static func loopback(_ host: UInt32) -> IPAddress { IPAddress(v4: 0x7f00_0000 + host) }

    /// The pods `one` and `two` are of a service that may ask for good.test, the pod `three` of one that may not; sensors
    /// read no names.
    private static func configuration(
        _ door: Endpoint, _ resolver: ScriptedResolver, good: String = "allow", more: String = ""
    ) -> String {
        """
        listeners: [{name: names, address: "\(door)", intercept: explicit, protocol: dns}]
        dns: {resolvers: ["\(resolver.endpoint)"]\(more)}
        services:
          - {name: unknown, mode: protect}
          - {name: app, mode: protect, rules: [{to: "*.good.test", action: \(good)}]}
          - {name: other, mode: monitor, rules: [{to: a.bad.test, action: allow}]}
        identity:
          pods:
            - {addresses: [127.0.0.1], service: app, pod: one}
            - {addresses: [127.0.0.2], service: app, pod: two}
            - {addresses: [127.0.0.3], service: other, pod: three}
        """
    }

    private func bench(_ resolver: ScriptedResolver, more: String = "") throws -> Bench {
        let bench = try Bench { NameStandingsTests.configuration($0, resolver, more: more) }
        bench.party = { resolver.turn() }
        return bench
    }

    /// Asks until the answer is hot and what there is to find out was found.
    private func warm(_ bench: Bench, _ host: UInt32 = 1, _ name: String = "a.good.test", _ type: RecordType = .a)
        throws
    {
        let client = try bench.asker(Self.loopback(host))
        for _ in 0..<8 { #expect(bench.ask(client, Wire.query(name, type)) != nil) }
    }

    /// Whether the next question of a client would be answered by what stands.
    private func stands(_ bench: Bench, _ host: UInt32, _ name: String = "a.good.test") throws -> Bool {
        let names = try #require(bench.worker.names)
        let context = try #require(bench.worker.nameDoors.first?.context)
        let wire = Wire.name(name)
        return wire.withUnsafeBytes { wire in
            guard let hit = bench.worker.resolver.find(QuestionKey(name: wire, type: .a)) else { return false }
            return names.standings.find(
                hit, for: Self.loopback(host), to: bench.door, at: context, bench.worker.snapshot) != nil
        }
    }

    /// A line without what is one question's own.
    private func common(_ line: String) -> String {
        line.replacing(/"id":"[^"]*","time":"[^"]*","duration_us":[0-9]+/, with: "")
            .replacing(/(?<client>"client":"127.0.0.[0-9]):[0-9]+"/) { $0.client }
    }

    @Test func itsLinesReadAsOthersDo() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try bench(resolver)
        try warm(bench)
        #expect(try stands(bench, 1))
        let client = try bench.asker(Self.loopback(1))
        let plain = try #require(bench.ask(client, Wire.query("A.good.test", id: 77)))
        #expect(plain.id == 77 && plain.addresses == [Self.address] && plain.question == Wire.name("A.good.test"))
        #expect(bench.ask(client, Wire.query("a.good.test", edns: 1232))?.addresses == [Self.address])
        let stream = try bench.connect()
        #expect(stream.send(framed(Wire.query("a.good.test", id: 78))))
        #expect(bench.answers(stream, 1).map(\.id) == [78])

        let records = bench.sessions
        try #require(records.count == 11)
        // The first was asked for; of the others that without EDNS are all alike.
        #expect(Set((records[1...8] + [records[10]]).map(common)).count == 1)
        #expect(records[9].contains(#""bytes_out":40,"#) && records[9].contains(#""bytes_in":56,"#))
        #expect(Set(records.map { $0.prefix(50) }).count == 11)
        #expect(resolver.asked.count == 1 && bench.slots == 0)
        #expect(bench.worker.counters.queries(action: .allow, column: 0) == 11)
        let service = bench.worker.serviceNumbers[1]
        #expect(bench.worker.counters.sessions(service: service, application: .dns, action: .allow) == 11)
    }

    /// Another pod of the service has lines and a memory of its own, and another service is judged by itself.
    @Test func isForOneService() throws {
        let bench = try bench(try ScriptedResolver([Wire.a(Self.address)]))
        try warm(bench)
        try warm(bench, 2)
        #expect(try stands(bench, 2))
        let third = try bench.asker(Self.loopback(3))
        #expect(bench.ask(third, Wire.query("a.good.test"))?.addresses == [Self.address])
        try warm(bench, 3, "a.bad.test")
        #expect(try !stands(bench, 3))
        let records = bench.sessions
        #expect(records.filter { $0.contains(#""pod":"one""#) && $0.contains(#""client":"127.0.0.1:"#) }.count == 8)
        #expect(records.filter { $0.contains(#""pod":"two""#) && $0.contains(#""client":"127.0.0.2:"#) }.count == 8)
        #expect(records.filter { $0.contains(#""pod":"three""#) && $0.contains(#""action":"alert""#) }.count == 1)
        let address = try #require(IPAddress(Self.address))
        let name = try #require(DomainName("a.good.test"))
        for host: UInt32 in 1...4 {
            let knows = bench.hub.memory.knows(
                client: Self.loopback(host), address: address, name: name, now: bench.worker.loop.now)
            #expect(knows == (host < 4))
        }
    }

    /// Each answer is remembered, whatever became of the memory of those before.
    @Test func isRemembered() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench { Self.configuration($0, resolver) + "\nlimits: {dns_memory: 1024}" }
        bench.party = { resolver.turn() }
        try warm(bench)
        #expect(try stands(bench, 1))
        let (address, name) = (try #require(IPAddress(Self.address)), try #require(DomainName("a.good.test")))
        func knows() -> Bool {
            bench.hub.memory.knows(
                client: Self.loopback(1), address: address, name: name, now: bench.worker.loop.now)
        }
        #expect(knows())
        let now = bench.worker.loop.now + .seconds(1)
        for number in 0..<100_000 where number % 100 != 0 || knows() {
            bench.hub.memory.remember(
                client: IPAddress(v4: 0x0a00_0000 + UInt32(number)), address: address, name: name,
                until: now + .seconds(600), now: now)
        }
        #expect(!knows())
        #expect(bench.ask(try bench.asker(), Wire.query("a.good.test")) != nil)
        #expect(knows())
    }

    /// What is known of a client's lines shortens those of its other names too, and says nothing of an earlier configuration.
    @Test func linesOfOtherNamesReadAsOthersDo() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address, ttl: 0)])
        let bench = try bench(resolver)
        let (one, two) = (try bench.asker(Self.loopback(1)), try bench.asker(Self.loopback(2)))
        for name in ["a.good.test", "b.good.test", "c.good.test"] {
            #expect(bench.ask(one, Wire.query(name))?.addresses == [Self.address])
        }
        #expect(bench.ask(two, Wire.query("d.good.test"))?.addresses == [Self.address])
        #expect(bench.ask(one, Wire.query("a.bad.test"))?.code == 3)
        let moved = Self.configuration(bench.door, resolver).replacing(
            "service: app, pod: one", with: "service: app, pod: new")
        try bench.reload(moved)
        #expect(bench.ask(one, Wire.query("e.good.test"))?.addresses == [Self.address])

        let records = bench.sessions
        try #require(records.count == 6)
        let alike = records[0...2].enumerated().map {
            common($1).replacing("\(["a", "b", "c"][$0]).good.test", with: "x")
        }
        #expect(Set(alike).count == 1)
        #expect(records[2].contains(#""pod":"one""#) && records[2].contains(#""name":"c.good.test""#))
        #expect(records[3].contains(#""pod":"two","mode":"protect","client":"127.0.0.2:"#))
        #expect(records[4].contains(#""action":"deny""#) && records[4].contains(#""pod":"one""#))
        #expect(records[5].contains(#""pod":"new""#) && records[5].contains(#""rule":"app/0""#))
        #expect(Set(records.map { $0.prefix(50) }).count == 6)
        #expect(bench.slots == 0)
    }

    @Test func endsWithTheConfiguration() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try bench(resolver)
        try warm(bench)
        try bench.reload(Self.configuration(bench.door, resolver, good: "deny"))
        #expect(try !stands(bench, 1))
        let client = try bench.asker(Self.loopback(1))
        #expect(bench.ask(client, Wire.query("a.good.test"))?.code == 3)
        try bench.reload(Self.configuration(bench.door, resolver))
        #expect(bench.ask(client, Wire.query("a.good.test"))?.addresses == [Self.address])
        try warm(bench)
        #expect(try stands(bench, 1))
        // Hosts go before what was kept.
        try bench.reload(
            Self.configuration(
                bench.door, resolver, more: ", hosts: [{name: a.good.test, addresses: [192.0.2.99]}]"))
        #expect(bench.ask(client, Wire.query("a.good.test"))?.addresses == ["192.0.2.99"])
        #expect(resolver.asked.count == 1)
    }

    @Test func endsWithTheAnswer() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address, ttl: 2)])
        let bench = try bench(resolver)
        try warm(bench)
        #expect(try stands(bench, 1))
        resolver.script = { _, _ in .records([Wire.a("192.0.2.2", ttl: 60)]) }
        let due = bench.worker.loop.now + Milliseconds(3100)
        #expect(bench.turns { bench.worker.loop.now >= due })
        #expect(bench.ask(try bench.asker(Self.loopback(1)), Wire.query("a.good.test"))?.addresses == ["192.0.2.2"])
        try warm(bench)
        #expect(try stands(bench, 1))
    }

    /// Where each question has to be looked at there is nothing to keep.
    @Test(arguments: [", aggregate: 60s", ""]) func isNotKept(_ more: String) throws {
        let resolver = try ScriptedResolver { name, _ in
            .records([Wire.a(name.hasPrefix("in") ? "10.0.0.1" : Self.address)])
        }
        let bench = try bench(resolver, more: more)
        try warm(bench, 1, "in.good.test")
        #expect(try !stands(bench, 1, "in.good.test"))
        try warm(bench, 1, "a.bad.test")
        #expect(try !stands(bench, 1, "a.bad.test"))
        try warm(bench)
        #expect(try stands(bench, 1) == more.isEmpty)
    }

    /// A flood of what stands is a flood.
    @Test func ratesHold() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench {
            Self.configuration($0, resolver) + "\nlimits: {dns_queries_per_client: 20}"
        }
        bench.party = { resolver.turn() }
        try warm(bench)
        let client = try bench.asker(Self.loopback(1))
        for number in 0..<100 { #expect(client.send(Wire.query("a.good.test", id: number))) }
        bench.turns(4)
        var answered = 0
        while client.datagram() != nil { answered += 1 }
        #expect((5...40).contains(answered) && bench.slots == 0)
        #expect(bench.sessions.contains { $0.contains("dns_flood") })
    }
}
