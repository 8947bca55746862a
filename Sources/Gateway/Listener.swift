import Bytes
import Config
import Loop
import OS
import Upstream

/// What the sessions of a listener need to know of it.
final class ListenerContext {
    let name: String
    let address: Endpoint
    let intercept: ListenerSettings.Intercept
    /// Upstream connections come from the client's address.
    let usesClientAddress: Bool
    /// It takes questions for names and nothing else.
    let isForNames: Bool

    init(_ settings: ListenerSettings) {
        name = settings.name
        address = settings.address
        intercept = settings.intercept
        usesClientAddress = settings.source == .client
        isForNames = settings.protocol == .dns
    }
}

/// Accepts the connections of one listening socket of one loop, each with a slot for its record.
final class Listener: Handler {
    private let context: ListenerContext
    private unowned(unsafe) let worker: Worker
    private let socket: Socket

    /// After EMFILE: descriptors come back when connections close, so there is no point in asking at once.
    private static let backOff = Milliseconds(100)
    /// Connections in one go before others have their turn.
    private static let acceptsPerTurn = 64

    init(_ context: ListenerContext, worker: Worker) throws(Errno) {
        self.context = context
        self.worker = worker
        socket = try Socket.listen(context.address, .init(transparent: context.intercept == .tproxy))
    }

    func open() throws(Errno) { try worker.loop.add(self, descriptor: socket.number) }

    func close() { worker.loop.remove(self) }

    override func ready(_ events: Readiness) { accept() }
    override func expired() { accept() }
    override func resumed() { accept() }

    private func accept() {
        for _ in 0..<Listener.acceptsPerTurn {
            // Waits for `recordsResumed`: a connection is taken only with a slot for its record.
            guard worker.recorder.reserve() else { return }
            do throws(Errno) {
                guard let accepted = try socket.accept() else { return worker.recorder.release() }
                if !begin(accepted) { worker.recorder.release() }
            } catch {
                worker.recorder.release()
                worker.loop.setDeadline(self, worker.loop.now + Listener.backOff)
                return
            }
        }
        worker.loop.again(self)
    }

    /// Starts a session; false when there is none to start.
    private func begin(_ accepted: consuming Socket.Accepted) -> Bool {
        let peer = accepted.peer
        guard worker.admits(peer.address) else {
            accepted.socket.setResetOnClose()
            worker.countRefusedConnection(from: peer, at: context)
            return true
        }
        if context.isForNames {
            if !beginNames(consume accepted) { worker.hub.leave(peer.address) }
            // Each question will have a slot of its own.
            return false
        }
        guard let session = session(consume accepted) else {
            worker.hub.leave(peer.address)
            return false
        }
        worker.opened()
        session.begin()
        return true
    }

    private func beginNames(_ accepted: consuming Socket.Accepted) -> Bool {
        let peer = accepted.peer
        guard let asked = try? accepted.socket.localEndpoint() else { return false }
        let number = accepted.socket.number
        try? accepted.socket.setNoDelay()
        let stream = NameStream(accepted.socket, from: peer, to: asked, context: context, worker: worker)
        guard (try? worker.loop.add(stream, descriptor: number)) != nil else { return false }
        worker.opened()
        stream.resumed()
        return true
    }

    private func session(_ accepted: consuming Socket.Accepted) -> Session? {
        let peer = accepted.peer
        guard let target = target(of: accepted.socket, peer) else { return nil }
        do throws(Errno) {
            try accepted.socket.setNoDelay()
            let number = accepted.socket.number
            let session = Session(
                Transport(accepted.socket, connected: true), from: peer, to: target, listener: context, worker: worker,
                identity: worker.snapshot.policy.identify(peer.address))
            try worker.loop.add(session, descriptor: number)
            return session
        } catch {
            return nil
        }
    }

    /// Where the client was going: TPROXY leaves it in the socket's own address, redirect in conntrack's memory.
    private func target(of socket: borrowing Socket, _ peer: Endpoint) -> Target? {
        switch context.intercept {
        case .explicit: return Target()
        case .tproxy: return (try? socket.localEndpoint()).flatMap { $0 }.map { Target(endpoint: $0) }
        case .redirect:
            let original = socket.redirectedFrom(v4: peer.address.isV4)
            return (original ?? (try? socket.localEndpoint()).flatMap { $0 }).map { Target(endpoint: $0) }
        }
    }
}
