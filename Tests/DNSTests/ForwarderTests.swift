import Bytes
import Testing

@testable import DNS

/// Who is asked, how often, and what is done with what servers say and do not say.
struct ForwarderTests {
    // MARK: Asking

    @Test func equalQuestionsAreAskedOnceAndAllAreAnswered() {
        let world = ForwarderWorld()
        for number in 0..<3 { #expect(world.ask("a.test", for: UInt64(number)) == .pending) }
        #expect(world.sent.count == 1 && world.core.inflight == 1 && world.core.askersWaiting == 3)
        world.reply(world.sent[0])
        #expect(world.finished.map(\.askers) == [[.client(0), .client(1), .client(2)]])
        #expect(world.outcomes() == ["192.0.2.1"])
        // Twice: nobody is told again.
        world.reply(world.sent[0])
        #expect(world.finished.isEmpty && world.core.inflight == 0 && world.core.askersWaiting == 0)
    }

    @Test func whatChangesTheAnswerIsAnotherQuestion() {
        let world = ForwarderWorld()
        let wire = name("a.test").wire
        let inquiries = [
            Inquiry(name: wire, type: .a), Inquiry(name: wire, type: .aaaa),
            Inquiry(name: wire, type: .a, recordClass: 3),
            Inquiry(name: wire, type: .a, isDNSSECOK: true), Inquiry(name: wire, type: .a, checkingDisabled: true),
            Inquiry(name: name("b.test").wire, type: .a),
        ]
        for inquiry in inquiries { world.ask(inquiry) }
        #expect(world.sent.count == inquiries.count && Set(inquiries).count == inquiries.count)
        #expect(world.sent.map { $0.query[3] & 0x10 } == [0, 0, 0, 0, 0x10, 0])
        // The DO bit stands in the OPT record's flags.
        #expect(world.sent.map { $0.query[$0.query.count - 4] } == [0, 0, 0, 0x80, 0, 0])
    }

    @Test func aServerThatTheQuestionNamesIsAskedForItAlone() {
        let world = ForwarderWorld()
        let chosen = Endpoint(address("192.0.2.53"), 53)
        let inquiry = ForwarderWorld.inquiry("a.test", server: chosen)
        world.ask(inquiry, for: 1)
        world.ask(inquiry, for: 2)
        world.ask(ForwarderWorld.inquiry("a.test"), for: 3)
        #expect(world.sent.map(\.server) == [ServerAddress(chosen), ServerAddress(chosen), serverOne])
        for sent in world.sent { world.reply(sent, flags: 0x8182) }
        // Its failure is not remembered either.
        #expect(world.ask(inquiry, for: 4) == .pending)
        #expect(world.finished.map(\.askers) == [[.client(1)], [.client(2)]])
    }

    @Test func serversThatQuestionsNameAreForgotten() {
        let world = ForwarderWorld()
        for number in 0..<2 * ForwarderCore.namedServersMost {
            let server = Endpoint(IPAddress(v4: 0x0b00_0000 + UInt32(number)), 53)
            #expect(world.ask(ForwarderWorld.inquiry("a.test", server: server)) == .pending)
            world.reply(world.sent[number])
        }
        #expect(world.core.serverNumbers.count <= ForwarderCore.namedServersMost)
        world.pass(Line.idleMost.count)
        world.pass(Line.idleMost.count)
        #expect(world.core.serverNumbers.count == 2 && world.net.open.isEmpty && world.core.deadline == .never)
    }

    @Test func questionsUnderWayAreBounded() {
        let world = ForwarderWorld(inflight: 4)
        for index in 0..<4 { #expect(world.ask("n\(index).test") == .pending) }
        #expect(world.ask("more.test") == .failed(.tooMany))
        // Who joins takes no place, up to a bound.
        for number in 0..<28 { #expect(world.ask("n0.test", for: UInt64(number)) == .pending) }
        #expect(world.ask("n0.test") == .failed(.tooMany))
        world.reply(world.sent[1])
        #expect(world.ask("more.test") == .pending)
    }

    @Test func noClientTakesMoreThanItsShare() {
        let world = ForwarderWorld(inflight: 8)
        let (greedy, other) = (address("10.1.0.1"), address("10.1.0.2"))
        for index in 0..<2 {
            #expect(world.ask(ForwarderWorld.inquiry("n\(index).test"), client: greedy) == .pending)
        }
        #expect(world.ask(ForwarderWorld.inquiry("more.test"), client: greedy) == .failed(.tooMany))
        #expect(world.ask(ForwarderWorld.inquiry("more.test"), client: other) == .pending)
        world.reply(world.sent[0])
        #expect(world.ask(ForwarderWorld.inquiry("again.test"), client: greedy) == .pending)
    }

    @Test func aRefreshDisturbsNobody() {
        let world = ForwarderWorld(inflight: 4)
        let inquiry = ForwarderWorld.inquiry("a.test")
        func refresh(_ inquiry: Inquiry) {
            world.core.refresh(inquiry, now: world.now)
            world.act()
        }
        refresh(inquiry)
        refresh(inquiry)
        #expect(world.sent.count == 1)
        // Whoever comes meanwhile joins it.
        world.ask(inquiry, for: 7)
        world.reply(world.sent[0])
        #expect(world.finished.map(\.askers) == [[.client(7)]])
        for index in 0..<3 { refresh(ForwarderWorld.inquiry("n\(index).test")) }
        // Half of what may be under way is for those who wait.
        #expect(world.core.inflight == 2)
    }

    @Test func whoWaitsNoLongerIsToldAndTheQuestionGoesOn() {
        let world = ForwarderWorld()
        let inquiry = ForwarderWorld.inquiry("a.test")
        world.ask(inquiry, for: 1)
        world.ask(inquiry, for: 2, until: world.now + Milliseconds(300))
        world.ask(inquiry, for: 3)
        #expect(world.core.deadline == world.now + Milliseconds(300))
        world.pass(300)
        #expect(world.finished.map(\.askers) == [[.client(2)]] && world.outcomes() == ["no answer in time"])
        world.reply(world.sent[0])
        #expect(world.finished.map(\.askers) == [[.client(1), .client(3)]] && world.outcomes() == ["192.0.2.1"])
    }

    // MARK: Forgery

    @Test func forgeriesAreIgnored() {
        let world = ForwarderWorld()
        world.ask("abcdefgh.test")
        world.ask("b.test")
        let asked = world.sent[0]
        let good = Packet.reply(to: asked.query, records: [Packet.a("192.0.2.66")])
        var otherId = good
        otherId[0] ^= 0x10
        world.deliver(otherId, on: asked)
        // The right bytes at another port, or at one that is not open.
        world.deliver(good, on: world.sent[1])
        world.receive(good, on: Channel(slot: 99, generation: 0))
        world.receive(good, on: Channel(slot: asked.channel.slot, generation: asked.channel.generation &+ 1))
        var otherName = good
        otherName[13] ^= 0x01
        world.deliver(otherName, on: asked)
        for count in 0..<20 { world.deliver(Array(good.prefix(count)), on: asked) }
        #expect(world.finished.isEmpty && world.sent.count == 2)
        world.reply(asked)
        #expect(world.outcomes() == ["192.0.2.1"])
    }

    @Test func idsPortsAndLettersVary() {
        let world = ForwarderWorld(inflight: 2000)
        for index in 0..<1000 { world.ask("abcdefghijklmnop\(index).test") }
        #expect(Set(world.sent.map(\.id)).count > 980)
        #expect(Set(world.sent.map(\.channel)).count == Server.places && world.net.opened == Server.places)
        let capitals = world.sent.flatMap(\.label).count { $0.isUppercase }
        #expect((7500..<8500).contains(capitals))
        // No two questions share an id on one channel.
        #expect(Set(world.sent.map { "\($0.channel) \($0.id)" }).count == 1000)
    }

    /// A call takes those that leave together; which port they have is chosen anew each time.
    @Test func questionsThatLeaveTogetherShareAPort() {
        let world = ForwarderWorld(inflight: 2000)
        for turn in 0..<100 {
            let before = world.sent.count
            for index in 0..<7 {
                let inquiry = ForwarderWorld.inquiry("n\(turn).m\(index).test")
                #expect(world.core.ask(inquiry, for: .client(0), now: world.now) == .pending)
            }
            world.act()
            #expect(Set(world.sent[before...].map(\.channel)).count == 1 && world.sent.count == before + 7)
        }
        #expect(Set(world.sent.map(\.channel)).count > 40)
    }

    @Test func aPortIsReplacedAfterSomeHundredQuestions() {
        let world = ForwarderWorld()
        var uses: [Channel: Int] = [:]
        for index in 0..<60_000 {
            world.ask("a.test", for: UInt64(index))
            uses[world.sent[0].channel, default: 0] += 1
            world.reply(world.sent[0])
            world.net.sent = []
        }
        #expect(world.net.open.count <= Server.places && world.finished.count == 60_000)
        #expect(uses.values.max().map { $0 <= Line.usesMost.upperBound } == true)
        #expect((120..<300).contains(world.net.opened))
    }

    @Test func aPortThatAForgerFoundIsGivenUpAndItsQuestionsGoOverAStream() {
        let world = ForwarderWorld()
        world.ask("a.test")
        let asked = world.sent[0]
        for id in 0...UInt16(Line.straysMost) where id != asked.id {
            world.deliver([UInt8(id >> 8), UInt8(id & 255)] + asked.query.dropFirst(2), on: asked)
        }
        world.deliver([0, 0], on: asked)
        #expect(world.net.open[asked.channel] == nil)
        #expect(world.sent.count == 2 && world.sent[1].overStream && world.sent[1].server == serverOne)
        world.reply(world.sent[1])
        #expect(world.outcomes() == ["192.0.2.1"])
    }

    @Test func lettersThatComeBackOtherAreAskedForOverAStream() {
        let world = ForwarderWorld(random: { 0b101 })
        world.ask("abc.test")
        #expect(world.sent[0].label == "AbC")
        var forged = Packet.reply(to: world.sent[0].query, records: [Packet.a("192.0.2.66")])
        forged[13] = UInt8(ascii: "a")
        world.deliver(forged, on: world.sent[0])
        #expect(world.finished.isEmpty && world.sent[1].overStream && world.sent[1].label == "AbC")
        world.reply(world.sent[1])
        #expect(world.outcomes() == ["192.0.2.1"])
        // The stream kept them, so it was not the server's way.
        world.ask("abc.test")
        #expect(!world.sent[2].overStream)
    }

    @Test func aServerThatDoesNotKeepLettersIsAskedOverAStreamFromThenOn() {
        let world = ForwarderWorld(random: { 0b101 })
        world.ask("abc.test")
        for index in 0..<2 {
            var folded = Packet.reply(to: world.sent[index].query, records: [Packet.a("192.0.2.1")])
            for at in 13..<16 { folded[at] |= 0x20 }
            world.deliver(folded, on: world.sent[index])
        }
        #expect(world.outcomes() == ["192.0.2.1"])
        world.ask("abc.test")
        #expect(world.sent[2].overStream && world.sent[2].channel == world.sent[1].channel)
    }

    // MARK: Servers that do not answer as they should

    @Test func aSilentServerIsFollowedByTheNextAndLateAnswersCount() {
        let world = ForwarderWorld()
        world.ask("a.test")
        #expect(world.core.deadline == world.now + .seconds(1))
        world.pass(999)
        #expect(world.sent.count == 1)
        world.pass(1)
        #expect(world.sent.map(\.server) == [serverOne, serverTwo])
        // New questions begin with the server that was not silent, and a copy looks after the other.
        world.ask("b.test")
        #expect(world.sent[2...].map(\.server) == [serverTwo, serverOne])
        world.reply(world.sent[0])
        #expect(world.outcomes() == ["192.0.2.1"])
        // It is back.
        world.ask("c.test")
        #expect(world.sent[4...].map(\.server) == [serverOne])
    }

    @Test func aQuestionEndsInTimeAndItsFailureIsRememberedForASecondOrTwo() {
        let world = ForwarderWorld()
        world.ask("a.test")
        var passed: Int64 = 0
        while world.finished.isEmpty, passed <= 5000 {
            let step = (world.core.deadline - world.now).count
            passed += step
            world.pass(step)
        }
        #expect(passed == 5000 && world.sent.count == 5 && world.core.inflight == 0)
        #expect(world.outcomes() == ["no answer from any server in time"])
        world.pass(999)
        #expect(world.ask("a.test") == .failed(.silent))
        #expect(world.ask("b.test") == .pending)
        world.pass(1001)
        #expect(world.ask("a.test") == .pending)
    }

    @Test func aServerThatIsSilentForLongIsLookedAfterLessAndLess() {
        let world = ForwarderWorld()
        var probes: [Int64] = []
        let start = world.now
        for index in 0..<3000 {
            world.ask("n\(index).test")
            for sent in world.sent where sent.server == serverTwo { world.reply(sent) }
            if index > 50, world.sent.contains(where: { $0.server == serverOne }) {
                probes.append((world.now - start).count)
            }
            world.net.sent = []
            world.pass(100)
        }
        let gaps = zip(probes.dropFirst(), probes).map { $0 - $1 }
        #expect(probes.count < 12 && zip(gaps.dropFirst(), gaps).allSatisfy { $0 >= $1 - 100 })
        #expect(gaps.last.map { $0 >= 60_000 } == true)
        // Nobody was kept waiting but who came first.
        #expect(world.finished.count == 3000)
    }

    @Test func aServerThatRecoversIsAskedFirstAgain() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.pass(1000)
        world.reply(world.sent[1])
        world.ask("b.test")
        #expect(world.sent[2...].map(\.server) == [serverTwo, serverOne])
        world.reply(world.sent[2])
        // The probe's own answer goes to nobody, and makes the server well.
        world.reply(world.sent[3])
        #expect(world.outcomes() == ["192.0.2.1", "192.0.2.1"])
        world.ask("c.test")
        #expect(world.sent[4...].map(\.server) == [serverOne])
    }

    @Test func whetherAnAnswerIsExpected() {
        let world = ForwarderWorld(ForwardingRules(servers: [serverOne]))
        #expect(world.expectsAnswer("a.test"))
        world.ask("a.test")
        world.pass(1000)
        #expect(!world.expectsAnswer("a.test"))
        world.reply(world.sent[0])
        #expect(world.expectsAnswer("a.test"))
    }

    @Test func aRefusalAsksTheNextServerAtOnce() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.reply(world.sent[0], flags: 0x8182, [])
        #expect(world.sent.map(\.server) == [serverOne, serverTwo])
        world.reply(world.sent[1], flags: 0x8185, [])
        #expect(world.outcomes() == ["the server refused (REFUSED)"])
        #expect(world.ask("a.test") == .failed(Failure(.unusable, "the server refused (REFUSED)")))
        // A server that answers so is not silent.
        world.ask("b.test")
        #expect(world.sent[2...].map(\.server) == [serverOne])
    }

    @Test func whatIsMalformedAsksTheNextServer() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.reply(world.sent[0], [[0xc0]])
        world.reply(world.sent[1])
        #expect(world.outcomes() == ["192.0.2.1"])
    }

    @Test func aSocketThatFailsAsksTheNextServer() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.fail(world.sent[0].channel)
        world.fail(world.sent[1].channel)
        #expect(world.outcomes() == ["no connection to 10.0.0.2:53"] && world.net.open.isEmpty)
        #expect(world.sent.map(\.server) == [serverOne, serverTwo])
    }

    @Test func aServerWithoutEDNSIsAskedPlainlyFromThenOn() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.reply(world.sent[0], flags: 0x8181, [])
        #expect(!world.sent[1].hasEDNS && world.sent[1].server == serverOne && !world.sent[1].overStream)
        world.reply(world.sent[1])
        #expect(world.outcomes() == ["192.0.2.1"])
        world.ask("b.test")
        #expect(!world.sent[2].hasEDNS)
        world.reply(world.sent[2])
        world.pass(ForwarderCore.weaknessTime.count)
        world.ask("c.test")
        #expect(world.sent[3].hasEDNS)
    }

    @Test func triesAreBounded() {
        let world = ForwarderWorld(ForwardingRules(servers: [serverOne]))
        world.ask("a.test")
        for _ in 0..<100 {
            for sent in world.sent { world.reply(sent, flags: sent.overStream ? 0x8181 : 0x8380, []) }
        }
        #expect(world.sent.count <= ForwarderCore.attemptsMost)
        world.pass(5000)
        #expect(world.finished.count == 1 && world.core.inflight == 0)
    }

    @Test func withoutServersNothingIsPending() {
        let world = ForwarderWorld(ForwardingRules())
        #expect(world.ask("a.test") == .failed(.noServers))
    }

    @Test func socketsThatAreNotUsedAreClosed() {
        let world = ForwarderWorld()
        world.ask("a.test")
        world.reply(world.sent[0])
        world.pass(Line.idleMost.count - 1)
        #expect(world.net.open.count == 1)
        world.pass(1)
        #expect(world.net.open.isEmpty)
        world.pass(Line.idleMost.count)
        #expect(world.core.deadline == .never)
    }
}
