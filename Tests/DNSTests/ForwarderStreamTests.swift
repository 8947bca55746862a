import Bytes
import Testing

@testable import DNS

/// Questions over one stream to a server, and over TLS.
struct ForwarderStreamTests {
    /// A world in which a question was truncated, and goes over a stream.
    static func world(_ count: Int = 1) -> ForwarderWorld {
        let world = ForwarderWorld()
        for index in 0..<count { world.ask("n\(index).test", for: UInt64(index)) }
        for sent in world.sent { world.reply(sent, flags: 0x8380, []) }
        world.net.sent.removeFirst(count)
        return world
    }

    @Test func truncatedAnswersAreAskedForOverAStreamCutAnywhere() {
        let records = (1...30).map { Packet.a("192.0.2.\($0)") }
        let length = 2 + Packet.reply(to: ForwarderStreamTests.world().sent[0].query, records: records).count
        for cut in 1...length {
            let world = ForwarderStreamTests.world()
            #expect(world.sent[0].overStream && world.sent[0].server == serverOne)
            world.deliver(Packet.reply(to: world.sent[0].query, records: records), on: world.sent[0], cut: cut)
            guard case .answer(let answer, let server) = world.finished.first?.outcome else {
                return #expect(Bool(false), "cut at \(cut)")
            }
            #expect(answer.addresses.count == 30 && server == serverOne.endpoint)
        }
    }

    @Test(arguments: [1, 5, 1000]) func oneStreamCarriesAllAndTheirAnswersInAnyOrder(_ cut: Int) {
        let world = ForwarderStreamTests.world(20)
        #expect(Set(world.sent.map(\.channel)).count == 1 && Set(world.sent.map(\.id)).count == 20)
        let stream = world.sent.reversed().flatMap { sent in
            let reply = Packet.reply(to: sent.query, records: [Packet.a("192.0.2.\(sent.label.dropFirst())")])
            return Packet.be16(reply.count) + reply
        }
        world.receive(stream, on: world.sent[0].channel, cut: cut)
        #expect(world.finished.map(\.askers) == (0..<20).reversed().map { [.client($0)] })
        #expect(world.outcomes() == (0..<20).reversed().map { "192.0.2.\($0)" })
    }

    @Test func aStreamThatEndsAfterAnAnswerIsOpenedAgain() {
        let world = ForwarderStreamTests.world(3)
        world.reply(world.sent[1])
        world.fail(world.sent[0].channel)
        #expect(world.outcomes() == ["192.0.2.1"] && world.sent.count == 5)
        #expect(world.sent[3...].allSatisfy { $0.overStream && $0.server == serverOne })
        #expect(world.sent[3].channel == world.sent[4].channel && world.sent[3].channel != world.sent[0].channel)
        for sent in world.sent[3...] { world.reply(sent) }
        #expect(world.outcomes() == ["192.0.2.1", "192.0.2.1"])
    }

    @Test func aStreamThatEndsBeforeItsFirstAnswerAsksTheNextServer() {
        let world = ForwarderStreamTests.world()
        world.receive([0, 200, 1, 2, 3], on: world.sent[0].channel)
        world.fail(world.sent[0].channel)
        #expect(world.sent[1].server == serverTwo && !world.sent[1].overStream)
        world.reply(world.sent[1])
        #expect(world.outcomes() == ["192.0.2.1"])
    }

    @Test func aStreamWithAnotherAnswerAsksTheNextServer() {
        let world = ForwarderStreamTests.world()
        var other = Packet.reply(to: world.sent[0].query, records: [])
        other[13] ^= 1
        world.deliver(other, on: world.sent[0])
        #expect(world.sent[1].server == serverTwo)
    }

    @Test func truncatedOnAStreamIsNoAnswer() {
        let world = ForwarderStreamTests.world()
        world.reply(world.sent[0], flags: 0x8380)
        #expect(world.sent[1].server == serverTwo && world.finished.isEmpty)
    }

    @Test func aStreamOnWhichNothingComesIsNotUsedAgain() {
        let world = ForwarderStreamTests.world()
        world.pass(ForwarderCore.streamPatience.count)
        let silent = world.sent[0].channel
        #expect(world.sent[1].server == serverTwo)
        world.ask("b.test")
        for sent in world.sent where sent.label.lowercased() == "b" && sent.server == serverOne && !sent.overStream {
            world.reply(sent, flags: 0x8380, [])
        }
        #expect(world.sent.contains { $0.overStream && $0.server == serverTwo } == false)
        #expect(world.sent.allSatisfy { !$0.overStream || $0.label.lowercased() != "b" || $0.channel != silent })
        // What it answers at last still counts.
        world.reply(world.sent[0])
        #expect(world.outcomes() == ["192.0.2.1"] && world.net.open[silent] == nil)
    }

    @Test func aStreamOfWhatWasNotAskedIsClosed() {
        let world = ForwarderStreamTests.world()
        for _ in 0...Line.streamStraysMost { world.receive([0, 2, 0, 0], on: world.sent[0].channel) }
        #expect(world.net.open[world.sent[0].channel] == nil && world.sent[1].server == serverTwo)
    }

    // MARK: TLS

    static let secure = ServerAddress(Endpoint(address("9.9.9.9"), 853), tlsName: name("dns.quad9.net"))

    @Test func aServerWithANameIsAskedOverTLSOnly() {
        let world = ForwarderWorld(ForwardingRules(servers: [ForwarderStreamTests.secure]))
        for index in 0..<3 { world.ask("\(String(repeating: "a", count: 10 * index + 1)).test") }
        #expect(world.sent.allSatisfy { $0.overStream && $0.server == ForwarderStreamTests.secure })
        #expect(world.net.opened == 1)
        // RFC 8467: one size for all.
        #expect(world.sent.allSatisfy { $0.query.count == 128 })
        #expect(world.sent.allSatisfy { query in query.query.withUnsafeBytes { (try? Message($0)) != nil } })
        world.reply(world.sent[0])
        #expect(world.outcomes() == ["192.0.2.1"])
    }

    @Test func aCertificateThatDoesNotFitIsTheReason() {
        let world = ForwarderWorld(ForwardingRules(servers: [ForwarderStreamTests.secure]))
        world.ask("a.test")
        world.fail(world.sent[0].channel, because: "the certificate is for another name")
        #expect(world.outcomes() == ["the certificate is for another name"])
        #expect(world.core.inflight == 0)
    }
}
