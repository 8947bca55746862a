import Bytes
import DNS
import Loop
import OS
import TLS

/// A socket to a server that the resolver asks.
class ResolverChannel: Handler {
    let channel: Channel
    fileprivate unowned(unsafe) let resolver: Resolver

    fileprivate init(_ channel: Channel, _ resolver: Resolver) {
        self.channel = channel
        self.resolver = resolver
    }

    /// - Parameter message: behind the two bytes of its length.
    func send(_ message: ContiguousArray<UInt8>) {}
    /// It is about to be closed.
    func finish() {}

    fileprivate static func socket(_ kind: Socket.Kind, to server: Endpoint, mark: UInt32?) throws(Errno) -> Socket {
        let socket = try Socket(kind, for: server.address)
        if let mark { try socket.setMark(mark) }
        return socket
    }
}

/// Questions and answers in datagrams, from a port of the kernel's choice.
final class DatagramChannel: ResolverChannel {
    let socket: Socket

    init(_ channel: Channel, to server: Endpoint, resolver: Resolver, mark: UInt32?) throws(Errno) {
        socket = try ResolverChannel.socket(.datagram, to: server, mark: mark)
        super.init(channel, resolver)
        // From here on the kernel drops what comes from elsewhere.
        _ = try socket.connect(server)
    }

    func open(on loop: EventLoop) throws(Errno) {
        try loop.add(self, descriptor: socket.number, edgeTriggered: false)
    }

    override func send(_ message: ContiguousArray<UInt8>) {
        message.withUnsafeBytes { resolver.send(UnsafeRawBufferPointer(rebasing: $0.dropFirst(2)), by: self) }
    }

    override func ready(_ events: Readiness) { resolver.readable(self) }
}

/// Questions and answers in one connection, each behind its length, answered in any order (RFC 7766); over TLS where the
/// server has a name (RFC 7858).
final class StreamChannel: ResolverChannel {
    private let server: ServerAddress
    private var transport: Transport
    /// Written and not handed to the kernel: the questions of a turn leave in one call.
    private var outbox = Buffer()

    /// In one go: whoever sends without end does not keep the loop from others.
    private static let readsMost = 16

    init(
        _ channel: Channel, to server: ServerAddress, session: consuming TLSSession?, resolver: Resolver,
        mark: UInt32?
    ) throws(Errno) {
        let socket = try ResolverChannel.socket(.stream, to: server.endpoint, mark: mark)
        try socket.setNoDelay()
        let stands = try socket.connect(server.endpoint)
        self.server = server
        transport = Transport(socket, connected: stands)
        super.init(channel, resolver)
        switch consume session {
        case .some(let session): try transport.secure(session)
        case .none: break
        }
    }

    func open(on loop: EventLoop) throws(Errno) { try loop.add(self, descriptor: transport.number) }

    override func finish() {
        if let ticket = transport.resumption() { resolver.keep(ticket, of: server) }
        transport.finish()
    }

    override func send(_ message: ContiguousArray<UInt8>) {
        message.withUnsafeBytes { outbox.append($0) }
        resolver.loop.again(self)
    }

    override func ready(_ events: Readiness) {
        transport.note(events)
        if transport.takeError() != nil { return resolver.failed(self) }
        step()
    }

    /// The end of the turn in which something was sent, or more can be read.
    override func resumed() { step() }

    private func step() {
        do throws(Errno) {
            try flush()
            try read()
        } catch {
            if token != .none { fail() }
        }
    }

    private func fail() {
        switch transport.failure {
        // Messages have their length in front, so an end without close_notify, as many servers leave it, hides nothing.
        case nil, .truncated: resolver.failed(self)
        case .some(let failure): resolver.failed(self, because: "\(server): \(failure)")
        }
    }

    private func flush() throws(Errno) {
        if !outbox.isEmpty {
            try transport.write(outbox.readable)
            outbox.removeAll()
        }
        _ = try transport.flush()
    }

    private func read() throws(Errno) {
        for _ in 0..<StreamChannel.readsMost where transport.readable {
            switch try transport.read(into: resolver.room) {
            case .moved(let count): resolver.received(self, UnsafeRawBufferPointer(rebasing: resolver.room[..<count]))
            case .wouldBlock: return
            case .ended: return resolver.failed(self)
            }
            // What came may have been the reason to close.
            if token == .none { return }
        }
        if transport.readable { resolver.loop.again(self) }
    }
}
