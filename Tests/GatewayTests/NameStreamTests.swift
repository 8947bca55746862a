import Bytes
import Glibc
import Testing

@testable import DNS
@testable import Gateway
@testable import Loop
@testable import OS
@testable import Record

/// Questions by connections (RFC 7766).
@Suite(.serialized) struct NameStreamTests {
    private static let address = "192.0.2.1"

    private func query(_ number: Int) -> [UInt8] { framed(Wire.query("n\(number).good.test", id: number)) }

    /// All of what has come is asked before the first is answered, and answers come as they come.
    @Test func manyAtOnce() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let client = try bench.connect()
        #expect(client.send((0..<50).flatMap(query)))
        #expect(bench.turns { resolver.heldCount == 50 })
        #expect(bench.slots == 50)
        resolver.script = { name, _ in name.hasPrefix("n7.") ? .records([Wire.a(Self.address)]) : .held }
        resolver.release()
        #expect(bench.answers(client, 1).map(\.id) == [7])
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        let answers = bench.answers(client, 49)
        #expect(Set(answers.map { Int($0.id) }) == Set(0..<50).subtracting([7]))
        #expect(answers.allSatisfy { $0.addresses == [Self.address] })
        #expect(bench.slots == 0 && bench.sessions.count == 50)
    }

    /// A connection has so many under way and no more; the others are taken when these are answered.
    @Test func moreThanMayBeUnderWay() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let client = try bench.connect()
        #expect(client.send((0..<300).flatMap(query)))
        #expect(bench.turns { resolver.heldCount == 128 })
        bench.turns(10)
        #expect(resolver.heldCount == 128 && bench.slots == 128)
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        #expect(Set(bench.answers(client, 300).map { Int($0.id) }) == Set(0..<300))
        #expect(bench.slots == 0)
    }

    @Test func cutAtEveryByte() throws {
        let resolver = try ScriptedResolver([Wire.a(Self.address)])
        let bench = try Bench.forNames(resolver)
        let whole = query(1) + query(2)
        for cut in 1..<whole.count {
            let client = try bench.connect()
            #expect(client.send(whole[..<cut]))
            bench.turns(2)
            #expect(client.send(whole[cut...]))
            #expect(Set(bench.answers(client, 2).map(\.id)) == [1, 2], "\(cut)")
        }
        let client = try bench.connect()
        for byte in whole {
            #expect(client.send([byte]))
            bench.turns(1)
        }
        #expect(Set(bench.answers(client, 2).map(\.id)) == [1, 2])
        #expect(bench.slots == 0)
    }

    /// A client that has said all it has to say gets its answers, and the end after them.
    @Test func aClientThatEndsItsSide() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let client = try bench.connect()
        #expect(client.send(query(1) + query(2) + query(3).dropLast()))
        client.socket.shutdownWriting()
        #expect(bench.turns { resolver.heldCount == 2 })
        #expect(bench.worker.sessions == 1)
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        #expect(Set(bench.answers(client, 2).map(\.id)) == [1, 2])
        #expect(bench.turns { bench.worker.sessions == 0 })
        #expect(bench.slots == 0)
    }

    @Test(arguments: [true, false])
    func aConnectionThatVanishesWhileItsQuestionIsUnderWay(_ isReset: Bool) throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        do {
            let client = try bench.connect()
            #expect(client.send(query(1)))
            #expect(bench.turns { resolver.heldCount == 1 })
            #expect(bench.slots == 1 && bench.worker.sessions == 1)
            if isReset { client.socket.setResetOnClose() }
        }
        bench.turns()
        if isReset { #expect(bench.worker.sessions == 0) }
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        #expect(bench.turns { bench.slots == 0 && bench.worker.sessions == 0 })
        let records = bench.sessions
        try #require(records.count == 1)
        #expect(records[0].contains(#""dns":{"name":"n1.good.test","type":"A""#))
        // Who had nothing to be told is not remembered to have been told something.
        #expect(records[0].contains("rcode") == !isReset)
        let told = bench.hub.memory.knows(
            client: Bench.loopback, address: try #require(IPAddress(Self.address)), now: bench.worker.loop.now)
        #expect(told == !isReset)
        // The answer is kept for others.
        let other = try bench.asker()
        #expect(bench.ask(other, Wire.query("n1.good.test"))?.addresses == [Self.address])
        #expect(resolver.asked.count == 1)
    }

    @Test func malformedAndFlood() throws {
        let bench = try Bench.forNames(
            try ScriptedResolver([Wire.a(Self.address)]), more: "limits: {dns_queries_per_client: 5}")
        let client = try bench.connect()
        // Of no length, too short for a header, and with bytes behind the question.
        #expect(client.send([0, 0, 0, 3, 1, 2, 3] + framed(Wire.query("n1.good.test", id: 9) + [1])))
        let answers = bench.answers(client, 1)
        #expect(answers.map(\.id) == [9] && answers.map(\.code) == [1])
        #expect(client.send((0..<100).flatMap(query)))
        client.socket.shutdownWriting()
        // No answer is owed for a flood, so that the connection can end.
        #expect(bench.turns { bench.worker.sessions == 0 })
        #expect(bench.slots == 0)
        let records = bench.sessions
        #expect(records.filter { $0.contains("dns_malformed") }.count == 3)
        #expect(records.contains { $0.contains("dns_flood") })
    }

    @Test func whoReadsNoAnswersIsAskedForNoMoreQuestions() throws {
        let resolver = try ScriptedResolver((1...60).map { Wire.a("192.0.2.\($0)") })
        let bench = try Bench.forNames(resolver, more: "limits: {dns_queries_per_client: 1000000}")
        let client = try bench.connect()
        let questions = (0..<100).flatMap { _ in query(1) }
        var (sent, refused) = (0, 0)
        while refused < 50, sent < 20_000_000 {
            if client.send(questions) { (sent, refused) = (sent + questions.count, 0) } else { refused += 1 }
            bench.turns(1)
        }
        // What the sockets' buffers take, and no more.
        #expect(sent < 16_000_000)
        #expect(bench.slots == 0)
    }

    @Test func idleAndHalfQuestionsEnd() throws {
        let bench = try Bench.forNames(
            try ScriptedResolver([]), more: "limits: {head_timeout: 100ms, idle_timeout: 1s}")
        let (idle, half) = (try bench.connect(), try bench.connect())
        #expect(half.send(query(1).dropLast()))
        #expect(bench.turns { bench.worker.sessions == 1 })
        #expect(!idle.send([]) || true)
        #expect(bench.turns { bench.worker.sessions == 0 })
        #expect(bench.sessions.isEmpty && bench.slots == 0)
    }

    @Test func aDrainAnswersWhatIsUnderWayAndTakesNoMore() throws {
        let resolver = try ScriptedResolver.silent()
        let bench = try Bench.forNames(resolver)
        let (idle, busy) = (try bench.connect(), try bench.connect())
        #expect(busy.send(query(1)))
        #expect(bench.turns { resolver.heldCount == 1 })
        bench.worker.drain()
        bench.turns(2)
        #expect(bench.worker.sessions == 1)
        _ = idle.received()
        _ = busy.send(query(2))
        resolver.script = { _, _ in .records([Wire.a(Self.address)]) }
        resolver.release()
        #expect(bench.answers(busy, 1).map(\.id) == [1])
        #expect(bench.turns { bench.worker.sessions == 0 })
        #expect(resolver.asked == ["n1.good.test"] && bench.slots == 0)
    }

    /// A connection that waits for a record's room is woken, and does not ask for it all the time.
    @Test func aQuestionWaitsForRoomForItsRecord() throws {
        let bench = try Bench.forNames(try ScriptedResolver([Wire.a(Self.address)]))
        let client = try bench.connect()
        bench.crowd(true)
        #expect(client.send(query(1) + query(2)))
        client.socket.shutdownWriting()
        bench.turns(4)
        // With nothing to do the loop sleeps as long as it may.
        let before = Clock.now()
        bench.worker.loop.longestSleep = 200
        bench.worker.loop.turn()
        #expect(Clock.now() - before >= Milliseconds(100))
        bench.crowd(false)
        #expect(Set(bench.answers(client, 2).map(\.id)) == [1, 2])
        #expect(bench.turns { bench.worker.sessions == 0 })
        #expect(bench.slots == 0)
    }
}
