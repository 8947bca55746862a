import Bytes
import Glibc
import Testing

@testable import DNS
@testable import Gateway
@testable import Loop
@testable import OS
@testable import Policy
@testable import Record

/// Questions by datagrams: judged, answered, remembered and recorded.
@Suite(.serialized) struct NameServerTests {
    private static let address = "192.0.2.1"

    private func knows(_ bench: Bench, _ address: String, _ name: String) throws -> Bool {
        bench.hub.memory.knows(
            client: Bench.loopback, address: try #require(IPAddress(address)), name: try #require(DomainName(name)),
            now: bench.worker.loop.now)
    }

    // MARK: Answers

    @Test func aMissIsAskedAndAHitIsNot() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        let first = try #require(bench.ask(client, Wire.query("a.GOOD.test", id: 7)))
        #expect(first.id == 7 && first.code == 0 && first.addresses == [Self.address] && first.extended == nil)
        #expect(first.question == Wire.name("a.GOOD.test"))
        #expect(resolver.asked == ["a.good.test"])
        #expect(try knows(bench, Self.address, "a.good.test"))
        let second = try #require(bench.ask(client, Wire.query("A.good.TEST", id: 8, edns: 4096)))
        #expect(second.id == 8 && second.addresses == [Self.address] && second.question == Wire.name("A.good.TEST"))
        #expect(resolver.asked.count == 1 && bench.slots == 0)

        let records = bench.sessions
        try #require(records.count == 2)
        let dns = #""dns":{"name":"a.good.test","type":"A","rcode":"NOERROR","answers":["192.0.2.1"],"#
        #expect(records[0].contains(dns + #""resolver":"\#(resolver.endpoint)","cached":false}"#))
        #expect(records[0].contains(#""action":"allow","would":"allow","rule":"unknown/0""#))
        #expect(records[0].contains(#""destination":"\#(bench.door)""#) && !records[0].contains("fqdn"))
        #expect(records[1].contains(#""answers":["192.0.2.1"],"cached":true}"#))
        #expect(bench.events.isEmpty)
        let counters = bench.worker.counters
        #expect(counters.queries(action: .allow, column: 0) == 2)
        #expect(counters.sessions(service: 0, application: .dns, action: .allow) == 2)
    }

    @Test func equalQuestionsAreAskedOnce() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let clients = try (1...3).map { try bench.asker(IPAddress(v4: 0x7f00_0000 + UInt32($0))) }
        for (number, client) in clients.enumerated() {
            #expect(client.send(Wire.query(number == 1 ? "B.GOOD.test" : "b.good.test", id: number)))
        }
        #expect(bench.turns { bench.slots == 3 && resolver.heldCount == 1 })
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        for (number, client) in clients.enumerated() {
            let answer = try #require(bench.answer(client))
            #expect(answer.id == number && answer.addresses == [Self.address])
            #expect(answer.question == Wire.name(number == 1 ? "B.GOOD.test" : "b.good.test"))
        }
        #expect(resolver.asked.count == 1 && bench.slots == 0)
        #expect(bench.sessions.count == 3)
    }

    @Test func whatDoesNotExistIsSaidAndKept() throws {
        let resolver = try ScriptedResolver { name, _ in .denial(code: name.hasPrefix("no") ? 3 : 0) }
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        for _ in 0..<2 {
            #expect(bench.ask(client, Wire.query("no.good.test"))?.code == 3)
            let noData = try #require(bench.ask(client, Wire.query("v4.good.test", .aaaa)))
            #expect(noData.code == 0 && noData.addresses.isEmpty)
        }
        #expect(resolver.asked == ["no.good.test", "v4.good.test"])
        let records = bench.sessions
        #expect(records.count == 4)
        #expect(records.filter { $0.contains(#""rcode":"NXDOMAIN","answers":[]"#) }.count == 2)
        #expect(records.filter { $0.contains(#""type":"AAAA","rcode":"NOERROR","answers":[]"#) }.count == 2)
    }

    @Test func aFailureIsSaid() throws {
        let resolver = try ScriptedResolver { _, _ in .denial(code: 2) }
        let bench = try Bench.forNames(resolver, more: "limits: {resolve_timeout: 1s}")
        let client = try bench.asker()
        #expect(client.send(Wire.query("a.good.test", edns: 1232)))
        #expect(bench.turns { bench.worker.counters.queries(action: .allow, column: 2) == 1 })
        let answer = try #require(bench.answer(client))
        #expect(answer.code == 2 && answer.extended != nil && bench.slots == 0)
    }

    @Test func hostsGoFirst() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(
            resolver, dns: ", hosts: [{name: db.good.test, addresses: [10.0.0.5, \"fd00::5\"]}], internal: [good.test]")
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("db.good.test"))?.addresses == ["10.0.0.5"])
        #expect(bench.ask(client, Wire.query("db.good.test", .aaaa))?.addresses == ["fd00::5"])
        #expect(bench.ask(client, Wire.query("db.good.test", .txt))?.code == 0)
        #expect(resolver.asked.isEmpty)
        #expect(try knows(bench, "10.0.0.5", "db.good.test"))
        #expect(bench.sessions.allSatisfy { !$0.contains("cached") && !$0.contains("resolver") })
    }

    /// The client of an explicit listener on all addresses takes an answer only from the one that it asked.
    @Test(arguments: [IPAddress.anyV4, .anyV6])
    func theAddressThatWasAskedAnswers(_ any: IPAddress) throws {
        let bench = try Bench.forNames(try ScriptedResolver([Wire.a(Self.address)]), at: any)
        for host: UInt32 in [1, 2, 77] {
            let server = IPAddress(v4: 0x7f00_0000 + host)
            let client = try bench.asker(IPAddress(v4: 0x7f00_0009), of: server)
            #expect(bench.ask(client, Wire.query("a.good.test"))?.addresses == [Self.address])
        }
        guard any == .anyV6 else { return }
        let six = IPAddress(high: 0, low: 1)
        let client = try bench.asker(six, of: six)
        #expect(bench.ask(client, Wire.query("a.good.test"))?.addresses == [Self.address])
        #expect(try #require(bench.sessions.last).contains(#""destination":"[::1]:\#(bench.door.port)""#))
    }

    @Test func whatIsTooLargeIsTruncated() throws {
        let resolver = try ScriptedResolver((1...60).map { Wire.a("192.0.2.\($0)") })
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        let plain = try #require(bench.ask(client, Wire.query("a.good.test")))
        #expect(plain.isTruncated && plain.addresses.isEmpty)
        let large = try #require(bench.ask(client, Wire.query("a.good.test", edns: 4096)))
        #expect(!large.isTruncated && large.addresses.count == 60)
        let stream = try bench.connect()
        #expect(stream.send(framed(Wire.query("a.good.test"))))
        #expect(bench.answers(stream, 1).first?.addresses.count == 60)
    }

    /// RFC 8767: what is past its time stands in while nobody answers.
    @Test func whatIsStaleStandsIn() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address, ttl: 1)])
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("a.good.test"))?.timesToLive == [1])
        resolver.script = { _, _ in .held }
        let due = bench.worker.loop.now + Milliseconds(2100)
        #expect(bench.turns { bench.worker.loop.now >= due })
        #expect(client.send(Wire.query("a.good.test", edns: 1232)))
        var answer: Response?
        #expect(
            bench.turns {
                answer = client.datagram().flatMap(Response.init)
                return answer != nil
            })
        #expect(answer?.addresses == [Self.address] && answer?.timesToLive == [30] && answer?.extended == 3)
        #expect(try #require(bench.sessions.last).contains(#""cached":"stale"}"#))
        #expect(bench.slots == 0)
    }

    /// The kernel tells that a datagram has left; to be woken by each would be as many turns again.
    @Test func whatLeavesWakesNobody() throws {
        let bench = try Bench.forNames(try ScriptedResolver([Wire.a(Self.address)]))
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("a.good.test")) != nil)
        bench.turns()
        #expect(client.send(Wire.query("a.good.test")))
        bench.worker.loop.longestSleep = 200
        bench.worker.loop.turn()
        #expect(client.datagram() != nil)
        let before = Clock.now()
        bench.worker.loop.longestSleep = 200
        bench.worker.loop.turn()
        #expect(Clock.now() - before >= Milliseconds(100))
    }

    // MARK: Judgement

    @Test(arguments: ["nxdomain", "refused", "192.0.2.53"])
    func whatIsDeniedHasTheOperatorsAnswer(_ choice: String) throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver, dns: ", block_answer: \(choice), block_ttl: 7s")
        let client = try bench.asker()
        let code: UInt16 = choice == "nxdomain" ? 3 : choice == "refused" ? 5 : 0
        let a = try #require(bench.ask(client, Wire.query("a.bad.test", edns: 1232)))
        #expect(a.code == code && a.extended == 15)
        #expect(a.addresses == (code == 0 ? [choice] : []) && a.timesToLive == (code == 0 ? [7] : []))
        let other = try #require(bench.ask(client, Wire.query("a.bad.test", .aaaa)))
        #expect(other.code == code && other.addresses.isEmpty && other.extended == nil)
        #expect(resolver.asked.isEmpty && bench.slots == 0)
        let record = try #require(bench.sessions.first)
        #expect(record.contains(#""action":"deny","would":"deny","rule":null,"reason":"violation""#))
        #expect(try !knows(bench, "192.0.2.53", "a.bad.test"))
        #expect(bench.events.count == 2)
    }

    @Test(
        arguments: [
            (RecordType.null, "dns_null"), (.any, "dns_any"), (.axfr, "dns_zone_transfer"),
            (.ixfr, "dns_zone_transfer"),
        ])
    func abuseIsRefused(_ type: RecordType, _ threat: String) throws {
        let resolver = try ScriptedResolver([])
        let bench = try Bench.forNames(resolver)
        #expect(bench.ask(try bench.asker(), Wire.query("a.good.test", type, edns: 1232))?.code == 5)
        #expect(resolver.asked.isEmpty)
        #expect(try #require(bench.sessions.first).contains(#""reason":"threat","threat":"\#(threat)""#))
    }

    @Test func addressesThatLeadInwardAreTakenOut() throws {
        let resolver = try ScriptedResolver { name, _ in
            .records(name.hasPrefix("only") ? [Wire.a("10.0.0.1")] : [Wire.a("10.0.0.1"), Wire.a(Self.address)])
        }
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("some.good.test"))?.addresses == [Self.address])
        #expect(bench.ask(client, Wire.query("only.good.test"))?.code == 3)
        #expect(try knows(bench, Self.address, "some.good.test"))
        #expect(try !knows(bench, "10.0.0.1", "some.good.test") && !knows(bench, "10.0.0.1", "only.good.test"))
        let records = bench.sessions
        #expect(records.allSatisfy { $0.contains(#""action":"deny""#) && $0.contains(#""threat":"rebinding""#) })
        #expect(records[0].contains(#""answers":["192.0.2.1"]"#) && records[1].contains(#""answers":[]"#))
    }

    /// Monitor lets private addresses by and says so; what is inward for everybody goes nowhere.
    @Test func addressesThatLeadInwardInMonitor() throws {
        let resolver = try ScriptedResolver { name, _ in
            .records([Wire.a(name.hasPrefix("own") ? "127.0.0.1" : "10.0.0.1"), Wire.a(Self.address)])
        }
        let bench = try Bench.forNames(resolver, mode: "monitor")
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("private.good.test"))?.addresses == ["10.0.0.1", Self.address])
        #expect(bench.ask(client, Wire.query("own.good.test"))?.addresses == [Self.address])
        let records = bench.sessions
        #expect(records[0].contains(#""action":"alert","would":"deny""#))
        #expect(records[0].contains(#""threat":"rebinding""#))
        #expect(records[1].contains(#""action":"deny""#) && records[1].contains(#""threat":"inward_address""#))
    }

    @Test func whatASensorFindsInANameIsMasked() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver)
        // In one name, and cut over two.
        for name in ["secret-1234.good.test", "x-secre.good.test", "t-9876.good.test"] {
            _ = bench.ask(try bench.asker(), Wire.query(name))
        }
        #expect(resolver.asked == ["x-secre.good.test"])
        let records = bench.sessions
        try #require(records.count == 3)
        #expect(records[0].contains(#""dns":{"name":"***********.good.test","#))
        #expect(records[0].contains(#""findings":[{"sensor":"word","rule":"word","version":"#))
        #expect(records[0].contains(#""action":"deny","confidence":"high","context":"name""#))
        #expect(records[0].contains(#""reason":"finding""#) && !records[0].contains("1234"))
        #expect(records[2].contains(#""name":"******.good.test""#) && records[2].contains(#""action":"deny""#))
        #expect(bench.events.allSatisfy { !$0.contains("1234") && !$0.contains("9876") })
    }

    @Test func aTunnelIsToldWithItsEvidence() throws {
        let resolver = try ScriptedResolver { _, _ in .denial(code: 3) }
        let bench = try Bench.forNames(resolver, more: "limits: {dns_tunnel_score: 300}")
        let client = try bench.asker()
        var codes: [UInt16] = []
        for number in 0..<20 {
            let label = (0..<50).map {
                "abcdefghijklmnopqrstuvwxyz234567"[($0 * 7 + number * 13 + $0 * $0 * number) % 32]
            }
            let answer = bench.ask(client, Wire.query("\(String(label)).good.test", edns: 1232))
            if answer?.extended == 15 { codes.append(answer?.code ?? 0) }
        }
        #expect(codes.count >= 6 && codes.allSatisfy { $0 == 3 })
        let threats = bench.events.filter { $0.hasPrefix(#"{"kind":"threat""#) }
        try #require(threats.count == 1)
        #expect(threats[0].contains(#""evidence":{"score":"#) && threats[0].contains(#""unique":"#))
        #expect(bench.sessions.filter { $0.contains(#""threat":"dns_"#) }.count == codes.count)
    }

    // MARK: Bad input

    @Test func whatIsNoQuestionIsAThreat() throws {
        let resolver = try ScriptedResolver([])
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        let query = Wire.query("a.good.test")
        #expect(bench.ask(client, Array(query.dropLast()))?.code == 1)
        #expect(bench.ask(client, query + [0])?.code == 1)
        // No header, nothing at all, and a response: answering could go on for ever.
        var response = query
        response[2] |= 0x80
        for bytes in [Array(query[..<11]), [], response] {
            #expect(client.send(bytes))
            #expect(bench.answer(client, turns: 5) == nil)
        }
        #expect(bench.slots == 0 && resolver.asked.isEmpty)
        let records = bench.sessions
        #expect(records.count == 5)
        #expect(records.allSatisfy { $0.contains(#""action":"deny""#) && $0.contains(#""threat":"dns_malformed""#) })
        #expect(records[0].contains(#""dns":{"rcode":"FORMERR","answers":[]}"#) && records[4].contains(#""dns":{}"#))
        // What is only not done here is none.
        var notify = query
        notify[2] = 0x20
        #expect(bench.ask(client, notify)?.code == 4)
        #expect(bench.ask(client, Wire.query("a.good.test", edns: 1232, version: 1))?.code == 16)
        #expect(bench.sessions.dropFirst(5).allSatisfy { !$0.contains("threat") })
    }

    @Test func whatIsLongerThanAnyQuestionIsCutAndMalformed() throws {
        let bench = try Bench.forNames(try ScriptedResolver([]))
        let client = try bench.asker()
        let query = Wire.query("a.good.test")
        #expect(bench.ask(client, query + [UInt8](repeating: 0, count: 5000))?.code == 1)
        #expect(try #require(bench.sessions.first).contains(#""threat":"dns_malformed""#))
    }

    /// One client's flood is told once a second, and harms no other.
    @Test func aFlood() throws {
        let bench = try Bench.forNames(
            try ScriptedResolver([Wire.a(Self.address)]), more: "limits: {dns_queries_per_client: 2}")
        let (flooder, other) = (try bench.asker(), try bench.asker(IPAddress(v4: 0x7f00_0002)))
        for number in 0..<100 { #expect(flooder.send(Wire.query("a.good.test", id: number))) }
        bench.turns(4)
        #expect(bench.ask(other, Wire.query("a.good.test"))?.addresses == [Self.address])
        var answered = 0
        while flooder.datagram() != nil { answered += 1 }
        #expect((1...4).contains(answered))
        let records = bench.sessions
        let floods = records.filter { $0.contains(#""threat":"dns_flood""#) }
        #expect((1...2).contains(floods.count) && floods.allSatisfy { $0.contains(#""action":"deny""#) })
        #expect(records.count == answered + floods.count + 1 && bench.slots == 0)
        // Each is counted, whether told or not.
        let none = Counters.codes.count - 1
        #expect(bench.worker.counters.queries(action: .deny, column: none) == UInt64(100 - answered))
    }

    // MARK: Changes

    @Test func aReloadInTheMiddle() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        #expect(client.send(Wire.query("a.good.test")))
        #expect(bench.turns { resolver.heldCount == 1 })
        // What is under way is answered as it began, by whoever is asked now.
        let next = try ScriptedResolver([Wire.a("192.0.2.9")])
        try bench.reload(Bench.names(bench.door, next, rules: "[]"))
        bench.party = {
            resolver.turn()
            next.turn()
        }
        #expect(bench.answer(client)?.addresses == ["192.0.2.9"])
        #expect(next.asked == ["a.good.test"] && bench.slots == 0)
        #expect(bench.ask(client, Wire.query("a.good.test"))?.code == 3)
        let records = bench.sessions
        #expect(records[0].contains(#""action":"allow""#) && records[1].contains(#""action":"deny""#))
    }

    @Test func theEndOfAWorkerWithQuestionsUnderWay() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let (client, stream) = (try bench.asker(), try bench.connect())
        #expect(client.send(Wire.query("a.good.test")))
        #expect(stream.send(framed(Wire.query("b.good.test"))))
        #expect(bench.turns { resolver.heldCount == 2 })
        #expect(bench.slots == 2)
        bench.worker.end()
        #expect(bench.slots == 0)
        let records = bench.sessions
        #expect(records.count == 2)
        for name in ["a", "b"] {
            #expect(records.contains { $0.contains(#""dns":{"name":"\#(name).good.test","type":"A"}"#) })
        }
    }

    @Test func adrainedWorkerAnswersWhatItHasTaken() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        #expect(client.send(Wire.query("a.good.test")))
        #expect(bench.turns { resolver.heldCount == 1 })
        bench.worker.drain()
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        #expect(bench.answer(client)?.addresses == [Self.address])
        #expect(client.send(Wire.query("a.good.test")))
        #expect(bench.answer(client, turns: 5) == nil)
        #expect(bench.slots == 0)
    }

    // MARK: Aggregation

    @Test func equalQuestionsShareARecord() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver, dns: ", aggregate: 300ms")
        let client = try bench.asker()
        // The first is answered from elsewhere, but with the same.
        for name in ["a.good.test", "a.good.test", "a.good.test", "b.good.test", "a.bad.test", "a.bad.test"] {
            #expect(bench.ask(client, Wire.query(name)) != nil)
        }
        #expect(bench.ask(client, Wire.query("a.good.test", .txt)) != nil)
        // What is denied is told each time; of what waits each kind has a slot.
        #expect(bench.sessions.count == 2 && bench.slots == 3)
        #expect(bench.turns { bench.slots == 0 })
        let records = bench.sessions.dropFirst(2)
        #expect(records.count == 3)
        let shared = records.filter { $0.contains(#""count":3,"dns":{"name":"a.good.test","type":"A""#) }
        #expect(shared.count == 1)
        #expect(records.filter { !$0.contains(#""count":"#) }.count == 2)
        #expect(bench.worker.counters.queries(action: .allow, column: 0) == 5)
        // The next begins anew, and the end writes it.
        #expect(bench.ask(client, Wire.query("a.good.test")) != nil)
        #expect(bench.slots == 1)
        bench.worker.end()
        #expect(bench.slots == 0 && bench.sessions.count == 6)
    }

    /// Under other rules a question is another.
    @Test func equalQuestionsOnBothSidesOfAReload() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver, dns: ", aggregate: 10s")
        let client = try bench.asker()
        #expect(bench.ask(client, Wire.query("a.good.test")) != nil)
        try bench.reload(
            Bench.names(
                bench.door, resolver, dns: ", aggregate: 10s",
                rules: #"[{to: "x.test", action: deny}, {to: "*.test", action: allow}]"#))
        #expect(bench.ask(client, Wire.query("a.good.test")) != nil)
        bench.worker.end()
        let records = bench.sessions
        #expect(records.count == 2)
        for rule in 0...1 {
            #expect(records.contains { $0.contains(#""rule":"unknown/\#(rule)""#) })
        }
    }

    // MARK: Records

    /// While records have no room no question is taken, and none is lost.
    @Test func questionsWaitForRoomForTheirRecords() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver)
        let client = try bench.asker()
        bench.crowd(true)
        #expect(client.send(Wire.query("a.good.test")))
        #expect(bench.answer(client, turns: 5) == nil)
        bench.crowd(false)
        #expect(bench.answer(client)?.addresses == [Self.address])
    }
}

extension String {
    fileprivate subscript(offset: Int) -> Character { self[index(startIndex, offsetBy: offset)] }
}
