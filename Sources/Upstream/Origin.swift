import Bytes
import Loop
import OS

/// Who an origin connection is working for; every call comes on the loop.
open class OriginUser: Handler {
    /// The connection stands.
    open func originConnected() {}
    /// It did not come to stand, or broke.
    open func originFailed(_ error: Errno) {}
    /// Something can be read or written again.
    open func originReady() {}
}

/// Where a connection of the pool goes, and as whom.
public struct Route: Hashable, Sendable {
    public var to: Endpoint
    /// The client's address where the listener says `source: client`; then connections are not shared between clients.
    public var from: IPAddress?

    public init(to: Endpoint, from: IPAddress?) {
        self.to = to
        self.from = from
    }

    /// Looked up twice per request: few words for the hash, all fields for equality.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(to.address.low ^ UInt64(to.port) << 48)
        if let from { hasher.combine(from.low) }
    }
}

/// One connection to an origin server: being made, at work for one user, or idle in the pool.
public final class Origin: Handler {
    public let place: IdleOrigins
    public var transport: Transport
    /// Requests it has carried: more than none, and a silent end may just be the server's idle timeout.
    public private(set) var served = 0
    private unowned(unsafe) let pool: OriginPool
    private var user: OriginUser?
    private enum State { case connecting(since: Ticks), busy, idle, closed }
    private var state: State

    init(_ transport: consuming Transport, place: IdleOrigins, pool: OriginPool, connected: Bool, now: Ticks) {
        self.transport = transport
        self.place = place
        self.pool = pool
        state = connected ? .busy : .connecting(since: now)
    }

    public var isConnected: Bool {
        if case .connecting = state { return false }
        return true
    }

    func take(for user: OriginUser) {
        self.user = user
        if case .idle = state { state = .busy }
    }

    func park() {
        user = nil
        served += 1
        state = .idle
    }

    /// Ends the connection; with `reset` the server cannot take what it got for whole.
    public func close(reset: Bool = false) {
        if case .closed = state { return }
        if case .idle = state { pool.forget(self) }
        state = .closed
        user = nil
        if reset { transport.socket.setResetOnClose() }
        pool.closed(self)
    }

    public override func ready(_ events: Readiness) {
        switch state {
        case .connecting(let since):
            if let error = transport.socket.takeError() {
                fail(error)
            } else if events.contains(.writable) {
                transport.note(events)
                state = .busy
                pool.connected(after: since)
                user?.originConnected()
            }
        case .busy:
            transport.note(events)
            user?.originReady()
        case .idle:
            // A server that speaks or leaves while nothing was asked: the connection is of no more use.
            if !events.isDisjoint(with: [.readable, .peerEnded, .broken]) { close() }
        case .closed: break
        }
    }

    public override func expired() {
        switch state {
        case .connecting: fail(.timedOut)
        case .idle: close()
        case .busy, .closed: break
        }
    }

    private func fail(_ error: Errno) {
        let user = user
        close()
        user?.originFailed(error)
    }
}
