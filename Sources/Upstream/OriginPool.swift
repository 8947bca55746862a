import Bytes
import Loop
import OS

/// A loop's connections to origin servers: made here, kept here while idle, given out again by route.
public final class OriginPool {
    private unowned(unsafe) let loop: EventLoop
    private var idle: [Route: ContiguousArray<Origin>] = [:]
    /// SO_MARK of the gateway's own connections, so that no rule sends them back here; nil without CAP_NET_ADMIN.
    private let mark: UInt32?
    /// Called with 1 for each connection that is made and with -1 for each that ends.
    public var counted: (Int) -> Void = { _ in }
    /// Called with the milliseconds that each connection took to stand.
    public var connectTook: (Milliseconds) -> Void = { _ in }

    public init(loop: EventLoop, mark: UInt32?) {
        self.loop = loop
        self.mark = mark
    }

    /// An idle connection of this route, the one used last.
    public func reuse(_ route: Route, for user: OriginUser) -> Origin? {
        guard let index = idle.index(forKey: route), let origin = idle.values[index].popLast() else { return nil }
        origin.take(for: user)
        loop.setDeadline(origin, .never)
        return origin
    }

    /// Starts a new connection; `originConnected` or `originFailed` follows unless it stands already.
    public func connect(_ route: Route, for user: OriginUser, timeout: Milliseconds) throws(Errno) -> Origin {
        let socket = try Socket(.stream, for: route.to.address)
        try socket.setNoDelay()
        if let mark { try socket.setMark(mark) }
        if let from = route.from {
            try socket.setTransparent(for: from)
            try socket.setBindWithoutPort()
            try socket.bind(Endpoint(from, 0))
        }
        let stands = try socket.connect(route.to)
        let number = socket.number
        let origin = Origin(
            Transport(socket, connected: stands), route: route, pool: self, connected: stands, now: loop.now)
        try loop.add(origin, descriptor: number)
        counted(1)
        origin.take(for: user)
        if !stands { loop.setDeadline(origin, loop.now + timeout) }
        return origin
    }

    /// Keeps a connection whose exchange ended cleanly, up to `keep` of a route.
    public func park(_ origin: Origin, keep: Int, idleTimeout: Milliseconds) {
        guard !origin.transport.isPeerEnding, !origin.transport.isBacklogged, origin.transport.isDrained() else {
            return origin.close()
        }
        if let index = idle.index(forKey: origin.route) {
            guard idle.values[index].count < keep else { return origin.close() }
            idle.values[index].append(origin)
        } else {
            idle[origin.route] = [origin]
        }
        origin.park()
        loop.setDeadline(origin, loop.now + idleTimeout)
    }

    /// Closes what is idle: at a drain, or when what was verified has changed.
    public func retire() {
        for origins in idle.values { for origin in origins { origin.close() } }
    }

    func forget(_ origin: Origin) {
        guard let index = idle[origin.route]?.firstIndex(where: { $0 === origin }) else { return }
        idle[origin.route]?.remove(at: index)
    }

    func connected(after since: Ticks) { connectTook(loop.now - since) }

    func closed(_ origin: Origin) {
        loop.remove(origin)
        counted(-1)
        // An empty list is kept while a connection of its route is at work, and no longer.
        if idle[origin.route]?.isEmpty == true { idle[origin.route] = nil }
    }
}
