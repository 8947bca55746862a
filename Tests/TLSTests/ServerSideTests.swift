import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

/// The server's side against the client's, both ours; against other clients it is tested end to end.
struct ServerSideTests {
    /// A client and a server that serves a leaf of `authority`.
    struct Two: ~Copyable {
        var client: TLSSession
        var server: TLSSession
        var toServer = Buffer()
        var toClient = Buffer()
        var heardByServer = Buffer()
        var heardByClient = Buffer()

        init(
            _ world: World, name: String = "served.test", asked: String? = nil, offers: [String] = [],
            serves: [String] = [], resuming: Resumption? = nil
        ) throws {
            let (served, wanted) = (try #require(Host(name)), try #require(Host(asked ?? name)))
            let leaf = try world.authority.leaf(for: served, now: unixNow())
            client = TLSSession(trust: world.trust, name: wanted, alpn: offers, resuming: resuming)
            server = TLSSession(serving: leaf, in: world.context, alpn: serves)
            client.handshake(into: &toServer)
            server.handshake(into: &toClient)
            #expect(toClient.count == 0)
        }

        /// Until neither has more to say, in pieces.
        mutating func settle(piece: Int = .max) {
            while !toServer.isEmpty || !toClient.isEmpty {
                var up = Buffer()
                var down = Buffer()
                swap(&up, &toServer)
                swap(&down, &toClient)
                ServerSideTests.cut(up.readable, piece) { server.receive($0, into: &heardByServer, replies: &toClient) }
                ServerSideTests.cut(down.readable, piece) {
                    client.receive($0, into: &heardByClient, replies: &toServer)
                }
                #expect(ERR_peek_error() == 0)
            }
        }
    }

    /// An authority, its trust, and how clients are spoken to.
    final class World: Sendable {
        let authority: Authority
        let trust: Trust
        let context: ServerContext
        init() throws {
            let folder = AuthorityFolder()
            try folder.make()
            authority = try folder.authority()
            trust = Pair.trust(Array(authority.anchorPEM.utf8))
            context = try ServerContext()
        }
    }

    static func cut(_ bytes: UnsafeRawBufferPointer, _ piece: Int, _ body: (UnsafeRawBufferPointer) -> Void) {
        var at = 0
        while at < bytes.count {
            let end = at + min(piece, bytes.count - at)
            body(UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
            at = end
        }
    }

    static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }

    @Test(arguments: [1, 2, 7, 100, .max]) func bytesGoBothWaysHoweverTheyAreCut(_ piece: Int) throws {
        var two = try Two(try World())
        two.settle(piece: piece)
        #expect(two.client.state == .open && two.server.state == .open)
        #expect(two.client.certificate?.names == "DNS:served.test")
        let (question, answer) = (ServerSideTests.bytes(40_000), ServerSideTests.bytes(70_000))
        question.withUnsafeBytes { two.client.send($0, into: &two.toServer) }
        answer.withUnsafeBytes { two.server.send($0, into: &two.toClient) }
        two.settle(piece: piece)
        #expect(Array(two.heardByServer.readable) == question && Array(two.heardByClient.readable) == answer)
        two.server.close(into: &two.toClient)
        two.settle(piece: piece)
        #expect(two.client.state == .closed && two.server.state == .open)
        two.server.endOfStream()
        #expect(two.server.state == .closed)
    }

    @Test func anAddressIsServedToo() throws {
        var two = try Two(try World(), name: "192.0.2.7")
        two.settle()
        #expect(two.client.state == .open && two.client.certificate?.names == "IP Address:192.0.2.7")
    }

    @Test func aClientThatWantsAnotherNameSaysSo() throws {
        var two = try Two(try World(), name: "served.test", asked: "wanted.test")
        two.settle()
        #expect(two.client.state == .failed(.certificate(.wrongName(names: "DNS:served.test"))))
        guard case .failed(.alert) = two.server.state else { return #expect(Bool(false), "\(two.server.state)") }
        #expect(two.heardByServer.count == 0)
    }

    @Test func aClientThatDoesNotTrustTheAuthoritySaysSo() throws {
        let (world, other) = (try World(), try World())
        var two = try Two(world)
        two.client = TLSSession(trust: other.trust, name: try #require(Host("served.test")))
        two.toServer.removeAll()
        two.client.handshake(into: &two.toServer)
        two.settle()
        // unknown_ca (RFC 8446 section 6.2).
        #expect(two.server.state == .failed(.alert(48)))
    }

    @Test(arguments: [
        (["h2", "http/1.1"], ["http/1.1"], "http/1.1"), (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        (["h2", "http/1.1"], ["http/1.1", "h2"], "h2"), ([], ["http/1.1"], nil), (["dot"], ["http/1.1"], nil),
        (["dot"], [], nil),
    ]) func theProtocolIsOneThatBothKnow(_ offers: [String], _ serves: [String], _ chosen: String?) throws {
        var two = try Two(try World(), offers: offers, serves: serves)
        two.settle()
        #expect(two.client.facts?.alpn == chosen && two.server.facts?.alpn == chosen)
        #expect(two.server.state == .open)
    }

    @Test func aTicketIsGoodForTheNameThatItWasGivenFor() throws {
        let world = try World()
        var first = try Two(world)
        first.settle()
        let ticket = first.client.resumption()
        #expect(ticket != nil && first.server.facts?.isResumed == false)
        var second = try Two(world, resuming: ticket)
        second.settle()
        #expect(second.server.facts?.isResumed == true && second.client.state == .open)
    }

    /// A ticket outlives one renewal of the keys, and is replaced; after two it is worth nothing.
    @Test func ticketKeysAreRenewed() throws {
        let world = try World()
        var first = try Two(world)
        first.settle()
        let ticket = first.client.resumption()
        world.context.renewTicketKeys()
        var second = try Two(world, resuming: ticket)
        second.settle()
        #expect(second.server.facts?.isResumed == true)
        let replaced = second.client.resumption()
        world.context.renewTicketKeys()
        var late = try Two(world, resuming: ticket)
        late.settle()
        #expect(late.server.facts?.isResumed == false && late.client.state == .open)
        var third = try Two(world, resuming: replaced)
        third.settle()
        #expect(third.server.facts?.isResumed == true)
    }

    /// A client that is cut off, or goes mad, at every byte of its side of a handshake.
    @Test func everyChangedByteOfTheClient() throws {
        let world = try World()
        var length = 0
        var at = 0
        repeat {
            var two = try Two(world)
            length = two.toServer.count
            two.toServer.mutableReadable[at] ^= 0x55
            two.settle()
            #expect(two.heardByServer.count == 0)
            at += 1
        } while at < length
    }
}
