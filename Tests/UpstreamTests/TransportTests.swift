import Bytes
import Glibc
import OS
import TLS
import TLSSupport
import Testing

@testable import Upstream

/// A transport over a real connection, and OpenSSL's server at its other end.
struct TransportTests {
    final class Wire {
        var stream: Transport
        let peer: Socket
        let server: Server?
        var heard: [UInt8] = []
        var fault: Errno?
        var isOver = false
        private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)

        init(_ stream: consuming Transport, _ peer: consuming Socket, _ server: Server?) {
            self.stream = stream
            self.peer = peer
            self.server = server
        }

        deinit { room.deallocate() }

        /// Moves bytes until it is so, and not for ever.
        func settle(until isSo: (Wire) -> Bool, line: Int = #line) {
            for _ in 0..<1000 {
                if isSo(self) { return }
                turn()
                // The kernel may deliver to this machine as late as to any other.
                var ends = [pollfd(fd: stream.number, events: Int16(POLLIN), revents: 0)]
                ends.append(pollfd(fd: peer.number, events: Int16(POLLIN), revents: 0))
                poll(&ends, 2, 5)
            }
            #expect(isSo(self), "waited in vain in line \(line)")
        }

        private func turn() {
            stream.note([.readable, .writable])
            do throws(Errno) {
                _ = try stream.flush()
                serve()
                try read()
            } catch {
                fault = error
            }
            serve()
        }

        private func read() throws(Errno) {
            while stream.readable {
                switch try stream.read(into: room) {
                case .moved(let count): heard += room[..<count]
                case .wouldBlock: return
                case .ended:
                    isOver = true
                    return
                }
            }
        }

        private func serve() {
            while case .moved(let count)? = try? peer.receive(into: room) {
                server?.feed(UnsafeRawBufferPointer(rebasing: room[..<count]))
            }
            if let bytes = server?.take() { say(bytes) }
        }

        func say(_ bytes: [UInt8]) {
            bytes.withUnsafeBytes { bytes in _ = try? peer.send(bytes) }
        }

        func write(_ text: String) throws {
            try Array(text.utf8).withUnsafeBytes { try stream.write($0) }
        }
    }

    static let loopback = IPAddress(v4: 0x7f00_0001)
    static let trust = Identity.root.pem.withUnsafeBytes { try? Trust(pem: $0, path: "root") }

    /// Without a server: a connection in the clear.
    static func wire(_ server: Server?, name: String = "dns.test", resuming: Resumption? = nil) throws -> Wire {
        let listener = try Socket.listen(Endpoint(loopback, 0), .init())
        let socket = try Socket(.stream, for: loopback)
        let stands = try socket.connect(try #require(try listener.localEndpoint()))
        guard let accepted = try listener.accept() else { throw Errno.timedOut }
        let (trust, name) = (try #require(trust), try #require(Host(name)))
        var transport = Transport(socket, connected: stands)
        if server != nil { try transport.secure(TLSSession(trust: trust, name: name, resuming: resuming)) }
        return Wire(transport, accepted.socket, server)
    }

    @Test func whatIsWrittenBeforeTheHandshakeArrives() throws {
        let server = Server(.good)
        let wire = try TransportTests.wire(server)
        try wire.write("question")
        #expect(wire.stream.backlogCount > 8 && wire.stream.facts == nil)
        wire.settle { $0.server?.received.count == 8 }
        #expect(server.received == Array("question".utf8) && wire.stream.backlogCount == 0)
        let answer = (0..<20_000).map { UInt8(truncatingIfNeeded: $0) }
        server.write(answer)
        wire.settle { $0.heard.count == 20_000 }
        #expect(wire.heard == answer && wire.fault == nil && !wire.isOver)
        #expect(wire.stream.facts?.version == 0x0304 && wire.stream.certificate?.subject == "CN=common.test")
        wire.stream.finish()
        wire.settle { $0.server?.isClosed == true }
        server.close()
        wire.settle { $0.isOver }
        #expect(wire.fault == nil)
    }

    @Test func aServerOfAnotherNameHearsNothing() throws {
        let server = Server(.good)
        let wire = try TransportTests.wire(server, name: "other.test")
        try wire.write("question")
        wire.settle { $0.fault != nil && server.reason != 0 }
        guard case .certificate(.wrongName) = wire.stream.failure else {
            return #expect(Bool(false), "\(wire.stream.failure as Any)")
        }
        #expect(server.received.isEmpty && server.reason > 1000 && wire.heard.isEmpty)
    }

    @Test func anEndWithoutAWordIsTold() throws {
        let server = Server(.good)
        let wire = try TransportTests.wire(server)
        wire.settle { $0.stream.facts != nil }
        server.write([1, 2, 3])
        wire.settle { $0.heard.count == 3 }
        wire.peer.shutdownWriting()
        wire.settle { $0.fault != nil }
        #expect(wire.fault == .protocolError && wire.stream.failure == .truncated)
    }

    /// Each costs more to read than to send, and none has anything in it.
    @Test func keysThatChangeWithoutEndAreNotFollowed() throws {
        let server = Server(.good)
        let wire = try TransportTests.wire(server)
        wire.settle { $0.stream.facts != nil }
        for _ in 0..<100 { server.renewKeys() }
        server.write([1, 2, 3])
        wire.settle { $0.heard.count == 3 }
        #expect(wire.fault == nil)
        for _ in 0..<5000 { server.renewKeys() }
        wire.settle { $0.fault != nil }
        #expect(wire.stream.failure == .violation("records without content"))
    }

    @Test func aTicketIsGoodForTheNextConnection() throws {
        let server = Server(.good)
        let wire = try TransportTests.wire(server)
        wire.settle { $0.stream.resumption() != nil }
        let other = try TransportTests.wire(Server(like: server), resuming: wire.stream.resumption())
        other.settle { $0.stream.facts != nil }
        #expect(other.stream.facts?.isResumed == true && other.fault == nil)
    }

    @Test func inTheClearItIsTheTransport() throws {
        let wire = try TransportTests.wire(nil)
        try wire.write("question")
        wire.say(Array("answer".utf8))
        wire.settle { $0.heard.count == 6 }
        #expect(wire.heard == Array("answer".utf8) && wire.stream.backlogCount == 0 && wire.stream.facts == nil)
        wire.peer.shutdownWriting()
        wire.settle { $0.isOver }
        #expect(wire.fault == nil)
    }
}
