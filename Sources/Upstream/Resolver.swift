import Bytes
import DNS
import Loop
import OS

/// The lookups of one loop: `ResolverCore` decides, this opens the sockets and keeps the time.
///
/// Each try of each question has a socket of its own, on a port of the kernel's choice.
public final class Resolver: Handler {
    private unowned(unsafe) let loop: EventLoop
    private var core: ResolverCore
    private let mark: UInt32?
    private var tries: [Slot: Try] = [:]
    private var waiting: [DomainName: [Token]] = [:]
    /// Answered, and not told yet to who waits.
    private var finished: [DomainName] = []
    /// Called for each token that waited for a name.
    public var wake: (Token) -> Void = { _ in }

    public init(loop: EventLoop, servers: [Endpoint], hosts: HostsFile, limits: Limits, mark: UInt32?) throws(Errno) {
        self.loop = loop
        self.mark = mark
        core = ResolverCore(servers: servers, limits: limits, hosts: hosts)
        super.init()
        try loop.add(self, descriptor: nil)
    }

    /// What can be said of a name without asking anybody.
    public func known(_ name: DomainName) -> Answer? { core.known(name, now: loop.now) }

    /// What is known of a name; if nothing is, `wake` follows for `token` when something is, and never before the return.
    public func lookup(_ name: DomainName, for token: Token) -> ResolverCore.Lookup {
        let lookup = core.lookup(name, now: loop.now)
        if lookup == .pending {
            waiting[name, default: []].append(token)
            work()
            // Where no socket could be opened it is over already. Who asked does not wait yet, and who waits for other
            // names must not be woken in the middle of what this one does.
            if !finished.isEmpty { loop.again(self) }
        }
        return lookup
    }

    /// Ends its sockets: another resolver takes over. Whoever waits asks that one.
    public func close() {
        for (_, asking) in tries { loop.remove(asking) }
        tries.removeAll()
        loop.remove(self)
        for token in waiting.values.joined() { wake(token) }
        waiting.removeAll()
    }

    public override func expired() {
        core.expired(now: loop.now)
        act()
    }

    public override func resumed() { tell() }

    fileprivate func received(_ asking: Try, _ bytes: UnsafeRawBufferPointer) {
        if asking.isStream {
            core.receivedTCP(bytes, slot: asking.slot, now: loop.now)
        } else {
            core.received(bytes, from: asking.server, slot: asking.slot, now: loop.now)
        }
        act()
    }

    fileprivate func failed(_ asking: Try) {
        core.failed(asking.slot, now: loop.now)
        act()
    }

    private func act() {
        work()
        tell()
    }

    private func tell() {
        while let name = finished.popLast() {
            for token in waiting.removeValue(forKey: name) ?? [] { wake(token) }
        }
    }

    /// Carries out what the core wants until it wants nothing more.
    private func work() {
        while let action = core.nextAction() {
            switch action {
            case .sendUDP(let server, let slot, let bytes): ask(server, slot, bytes, .datagram)
            case .sendTCP(let server, let slot, let bytes): ask(server, slot, bytes, .stream)
            case .close(let slot):
                if let asking = tries.removeValue(forKey: slot) { loop.remove(asking) }
            }
        }
        loop.setDeadline(self, core.deadline)
        while let (name, _) = core.takeFinished() { finished.append(name) }
    }

    private func ask(_ server: Endpoint, _ slot: Slot, _ bytes: ContiguousArray<UInt8>, _ kind: Socket.Kind) {
        do throws(Errno) {
            let socket = try Socket(kind, for: server.address)
            if let mark { try socket.setMark(mark) }
            _ = try socket.connect(server)
            let number = socket.number
            let asking = Try(
                socket, server: server, slot: slot, question: bytes, isStream: kind == .stream, resolver: self)
            try loop.add(asking, descriptor: number)
            tries[slot] = asking
        } catch {
            core.failed(slot, now: loop.now)
        }
    }
}

/// One question to one server on one socket.
private final class Try: Handler {
    let server: Endpoint
    let slot: Slot
    let isStream: Bool
    private var transport: Transport
    private var question: ContiguousArray<UInt8>?
    private unowned(unsafe) let resolver: Resolver

    /// In one go: whoever floods the port does not keep the loop from others.
    private static let readsMost = 64

    init(
        _ socket: consuming Socket, server: Endpoint, slot: Slot, question: ContiguousArray<UInt8>, isStream: Bool,
        resolver: Resolver
    ) {
        transport = Transport(socket, connected: false)
        self.server = server
        self.slot = slot
        self.question = question
        self.isStream = isStream
        self.resolver = resolver
    }

    override func ready(_ events: Readiness) {
        transport.note(events)
        do throws(Errno) {
            if let error = transport.socket.takeError() { throw error }
            if transport.isWritable, let question {
                self.question = nil
                // Typed errors do not pass through the array's closure.
                let failure: Errno? = question.withUnsafeBytes { bytes in
                    do throws(Errno) { try transport.write(bytes) } catch { return error }
                    return nil
                }
                if let failure { throw failure }
            }
            _ = try transport.flush()
            // The largest message there is; a resolver asks rarely.
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_537, alignment: 1)
            defer { room.deallocate() }
            for _ in 0..<Try.readsMost where transport.readable && token != .none {
                switch try transport.read(into: room) {
                case .moved(let count):
                    resolver.received(self, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
                case .wouldBlock: return
                // A datagram may be empty.
                case .ended where !isStream: break
                case .ended: return resolver.failed(self)
                }
                // A short read has emptied a stream, but it is any datagram: the next may be the answer.
                if !isStream { transport.note(.readable) }
            }
        } catch {
            if token != .none { resolver.failed(self) }
        }
    }
}
