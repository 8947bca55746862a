import Bytes
import DNS
import Glibc
import Loop
import OS
import TLS
import TLSSupport
import Testing

@testable import Upstream

/// The resolver and a server that is asked over TLS (RFC 7858), in one thread and over real connections.
struct ResolverOverTLSTests {
    /// Answers every question for A with 192.0.2.7, every other with nothing.
    final class Resolving {
        final class Connection {
            let socket: Socket
            let session: Server
            var answered = 0
            var isOver = false

            init(_ socket: consuming Socket, _ session: Server) {
                self.socket = socket
                self.session = session
            }
        }

        let listener: Socket
        private let template: Server
        private(set) var connections: [Connection] = []
        private(set) var questions = 0
        /// Ends each connection when it has given so many answers, without a word.
        var answersMost = Int.max

        init(_ listener: consuming Socket, _ identity: Identity) {
            self.listener = listener
            template = Server(identity)
        }

        func turn() {
            while let accepted = try? listener.accept() {
                connections.append(Connection(accepted.socket, Server(like: template)))
            }
            for connection in connections where !connection.isOver { serve(connection) }
        }

        private func serve(_ connection: Connection) {
            var room = [UInt8](repeating: 0, count: 8192)
            room.withUnsafeMutableBytes { room in
                while case .moved(let count)? = try? connection.socket.receive(into: room) {
                    connection.session.feed(UnsafeRawBufferPointer(rebasing: room[..<count]))
                }
            }
            let stream = connection.session.received
            var (at, index) = (0, 0)
            while at + 2 <= stream.count {
                let end = at + 2 + Int(stream[at]) << 8 + Int(stream[at + 1])
                guard end <= stream.count else { break }
                if index >= connection.answered { answer(stream[(at + 2)..<end], on: connection) }
                (at, index) = (end, index + 1)
            }
            let bytes = connection.session.take()
            bytes.withUnsafeBytes { bytes in _ = try? connection.socket.send(bytes) }
            if connection.answered >= answersMost {
                connection.socket.shutdownWriting()
                connection.isOver = true
            }
        }

        private func answer(_ query: ArraySlice<UInt8>, on connection: Connection) {
            let query = Array(query)
            guard var end = query[12...].firstIndex(of: 0) else { return }
            end += 5
            let isA = query[end - 3] == 1
            var reply = Array(query[..<2]) + [0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0] + Array(query[12..<end])
            if isA { reply += [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 7] }
            connection.session.write([UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply)
            connection.answered += 1
            questions += 1
        }
    }

    /// One name after the other, each looked up when the one before it is known.
    static func outcomes(
        of names: [String], from server: Resolving, name: String = "dns.test", trust: Trust? = TransportTests.trust
    ) throws -> [Answer?] {
        let loop = try EventLoop()
        loop.longestSleep = 5
        let endpoint = try #require(try server.listener.localEndpoint())
        let address = ServerAddress(endpoint, tlsName: DomainName(name))
        let resolver = try Resolver(
            loop: loop,
            settings: ResolverSettings(rules: ForwardingRules(servers: [address]), hosts: Hosts(), limits: Limits()),
            mark: nil)
        resolver.trust = trust
        defer { resolver.close() }
        var woken = 0
        resolver.wake = { _ in woken += 1 }
        return try names.map { text in
            let name = try #require(DomainName(text))
            (_, woken) = (resolver.lookup(name, for: .none), 0)
            for _ in 0..<2000 where woken == 0 {
                loop.turn()
                server.turn()
            }
            return resolver.known(name)
        }
    }

    static func server(_ identity: Identity = .good) throws -> Resolving {
        Resolving(try Socket.listen(Endpoint(TransportTests.loopback, 0), .init()), identity)
    }

    @Test func namesAreAskedOverOneConnection() throws {
        let server = try ResolverOverTLSTests.server()
        let answers = try ResolverOverTLSTests.outcomes(of: ["a.test", "b.test", "c.test"], from: server)
        for answer in answers { #expect(answer?.addresses == [IPAddress(v4: 0xc000_0207)]) }
        #expect(server.connections.count == 1 && server.questions == 6)
        #expect(server.connections.first?.session.serverName == "dns.test")
    }

    /// What is asked is padded to whole blocks (RFC 8467 section 4.1), so that its length tells little.
    @Test func questionsArePadded() throws {
        let server = try ResolverOverTLSTests.server()
        _ = try ResolverOverTLSTests.outcomes(of: ["a.test", "a-much-longer-name.test"], from: server)
        #expect(server.questions == 4)
        #expect(server.connections.first?.session.received.count == 4 * (2 + 128))
    }

    @Test func aServerThatEndsIsAskedAgainWithItsTicket() throws {
        let server = try ResolverOverTLSTests.server()
        server.answersMost = 2
        let answers = try ResolverOverTLSTests.outcomes(of: ["a.test", "b.test", "c.test"], from: server)
        for answer in answers { #expect(answer?.outcome == .addresses) }
        #expect(server.connections.map(\.session.isResumed) == [false, true, true])
    }

    @Test func whoIsNotVerifiedHearsNoQuestion() throws {
        let server = try ResolverOverTLSTests.server()
        let answer = try ResolverOverTLSTests.outcomes(of: ["a.test"], from: server, name: "other.test")[0]
        guard case .failed(let reason) = answer?.outcome else { return #expect(Bool(false), "\(answer as Any)") }
        #expect(reason.contains("#other.test: the certificate is for another name"))
        #expect(!server.connections.isEmpty && server.connections.allSatisfy(\.session.received.isEmpty))
    }

    @Test func withoutTrustNobodyIsAsked() throws {
        let server = try ResolverOverTLSTests.server()
        let answer = try ResolverOverTLSTests.outcomes(of: ["a.test"], from: server, trust: nil)[0]
        guard case .failed(let reason) = answer?.outcome else { return #expect(Bool(false), "\(answer as Any)") }
        #expect(reason.contains("no authority is trusted"))
        #expect(server.connections.isEmpty)
    }
}
