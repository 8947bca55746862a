import Bytes
import Loop
import OS
import TLS

/// The idle connections of one route. Kept as long as a connection of the route lives, so that neither taking one nor
/// giving it back has to look for the others.
public final class IdleOrigins {
    public let route: Route
    fileprivate var origins: ContiguousArray<Origin> = []
    /// Connections of this route, busy ones included.
    fileprivate var living = 0

    fileprivate init(_ route: Route) { self.route = route }
}

/// A loop's connections to origin servers: made here, kept here while idle, given out again by route.
public final class OriginPool {
    private unowned(unsafe) let loop: EventLoop
    private var routes: [Route: IdleOrigins] = [:]
    /// SO_MARK of the gateway's own connections, so that no rule sends them back here; nil without CAP_NET_ADMIN.
    private let mark: UInt32?
    /// Who may vouch for servers; nil where no connection goes over TLS.
    public var trust: Trust? { didSet { if trust !== oldValue { retireSecure() } } }
    /// What the last connection of a secure route left for the next.
    private var tickets: [SecureRoute: Resumption] = [:]
    private static let ticketsMost = 4096
    /// Where handshakes are read.
    let room: UnsafeMutableRawBufferPointer
    /// Called with 1 for each connection that is made and with -1 for each that ends.
    public var counted: (Int) -> Void = { _ in }
    /// Called with the milliseconds that each connection took to stand.
    public var connectTook: (Milliseconds) -> Void = { _ in }

    /// - Parameter room: to read into, shared with whoever else reads on the loop.
    public init(loop: EventLoop, mark: UInt32?, room: UnsafeMutableRawBufferPointer) {
        self.loop = loop
        self.mark = mark
        self.room = room
    }

    /// An idle connection of this route, the one used last.
    ///
    /// - Parameter near: the place of the connection that the same client had last, which is most often the one.
    public func reuse(_ route: Route, near: IdleOrigins?, for user: OriginUser) -> Origin? {
        let place = if let near, near.living > 0, near.route == route { near } else { routes[route] }
        guard let origin = place?.origins.popLast() else { return nil }
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
        let place = enter(route)
        // Over TLS it does not stand before the handshake is done, which begins with an event that is sure to come.
        let isReady = stands && route.secure == nil
        let origin = Origin(
            Transport(socket, connected: isReady), place: place, pool: self, connected: isReady, now: loop.now)
        do throws(Errno) { try loop.add(origin, descriptor: number) } catch {
            leave(place)
            throw error
        }
        counted(1)
        origin.take(for: user)
        if !isReady { loop.setDeadline(origin, loop.now + timeout) }
        return origin
    }

    /// Counts a connection to another route: it turned out to speak less than it was asked for.
    public func move(_ origin: Origin, to route: Route) {
        leave(origin.place)
        origin.place = enter(route)
    }

    /// Keeps a connection whose exchange ended cleanly, up to `keep` of a route.
    public func park(_ origin: Origin, keep: Int, idleTimeout: Milliseconds) {
        guard !origin.isStream, !origin.isOutdated, !origin.transport.isPeerEnding, !origin.transport.isBacklogged,
            origin.transport.isDrained(room)
        else {
            return origin.close()
        }
        guard origin.place.origins.count < keep else { return origin.close() }
        origin.place.origins.append(origin)
        origin.park()
        loop.setDeadline(origin, loop.now + idleTimeout)
    }

    /// Closes what is idle: at a drain, or when what was verified has changed.
    public func retire() {
        for place in routes.values { for origin in place.origins { origin.close() } }
    }

    /// What was verified under another configuration is of no more use.
    private func retireSecure() {
        tickets.removeAll()
        for place in routes.values where place.route.secure != nil { for origin in place.origins { origin.close() } }
    }

    /// Keeps what a connection that was used leaves for the next.
    func keepTicket(of origin: Origin) {
        guard let route = origin.place.route.secure, origin.transport.isOpen, !origin.isOutdated,
            let ticket = origin.transport.resumption()
        else { return }
        if tickets.count == OriginPool.ticketsMost { tickets.removeAll() }
        tickets[route] = ticket
    }

    func resumption(of route: SecureRoute) -> Resumption? { tickets[route] }

    func forget(_ origin: Origin) { origin.place.origins.removeAll { $0 === origin } }

    func connected(after since: Ticks) { connectTook(loop.now - since) }

    func closed(_ origin: Origin) {
        loop.remove(origin)
        counted(-1)
        leave(origin.place)
    }

    private func enter(_ route: Route) -> IdleOrigins {
        let place = routes[route] ?? IdleOrigins(route)
        if place.living == 0 { routes[route] = place }
        place.living += 1
        return place
    }

    private func leave(_ place: IdleOrigins) {
        place.living -= 1
        // A place without a connection would be kept for every destination that there ever was.
        if place.living == 0 { routes[place.route] = nil }
    }
}
