import Bytes
import Loop
import OS
import Upstream

/// One connection to a server that many exchanges share, if the server speaks HTTP/2; if not, it is given to the first of
/// those that wait for it.
final class SharedOrigin: OriginUser {
    let route: Route
    private unowned(unsafe) let worker: Worker
    private unowned(unsafe) let pool: SharedOrigins
    private(set) var origin: Origin?
    private lazy var streams = OriginStreams(self, isHTTPS: route.secure != nil, worker: worker)
    /// Sessions that will ask again when it is known what this is.
    private var waiters: [Token] = []

    private enum State {
        case connecting
        /// In the clear: whether the server speaks HTTP/2 shows when it says so.
        case greeting
        case open
        /// Takes no more streams, and is over with the last.
        case retired
        case closed
    }
    private var state = State.connecting
    /// Until then the server must have said what it takes: a WebSocket waits for that.
    private var settingsDue = Ticks.never

    init(_ route: Route, _ pool: SharedOrigins, worker: Worker) {
        (self.route, self.pool, self.worker) = (route, pool, worker)
    }

    /// Throws what keeps it from being tried; `wait` else brings the end of it.
    func connect() throws(Errno) {
        try worker.loop.add(self, descriptor: nil)
        do throws(Errno) {
            origin = try worker.pool.connect(route, for: self, timeout: worker.limits.connectTimeout)
        } catch {
            close()
            throw error
        }
        if origin?.isConnected == true { originConnected() }
    }

    // MARK: For the exchanges

    /// A stream, where there is room for one.
    func stream(for session: Session, webSocket: Bool) -> Origin? {
        guard state == .open, let origin, !origin.isOutdated, streams.hasRoom else { return nil }
        if webSocket, !streams.codec.canOpenWebSocket { return nil }
        isFresh = false
        return streams.open(on: origin, for: session)
    }

    /// It cannot be told yet what this server takes.
    func isUndecided(webSocket: Bool) -> Bool {
        state == .connecting || state == .greeting || webSocket && state == .open && !streams.codec.hasSettings
    }

    func wait(_ token: Token) { waiters.append(token) }

    var refusesWebSocket: Bool {
        state == .open && streams.codec.hasSettings && !streams.codec.canOpenWebSocket
    }

    /// A connection that carried a request before may have come to its end unseen.
    private(set) var isFresh = true

    private func tellWaiters(_ tell: (Session) -> Void) {
        var now: [Token] = []
        swap(&now, &waiters)
        for token in now { if let session = worker.loop.handler(token) as? Session { tell(session) } }
    }

    // MARK: The connection

    override func originConnected() {
        settingsDue = worker.loop.now + worker.limits.connectTimeout
        worker.loop.setDeadline(self, settingsDue)
        if route.hasPriorKnowledge {
            state = .greeting
        } else if origin?.protocolName == "h2" {
            state = .open
        } else {
            return giveAway()
        }
        drive()
    }

    /// HTTP/1.1 after all.
    private func giveAway() {
        guard let origin else { return }
        self.origin = nil
        worker.pool.move(origin, to: pool.learnHTTP1(route))
        var taken = false
        tellWaiters { session in
            if !taken, session.take(origin) { taken = true } else { session.askAgain() }
        }
        if !taken {
            worker.pool.park(origin, keep: worker.limits.idleUpstreams, idleTimeout: worker.limits.idleTimeout)
        }
        close()
    }

    override func originFailed(_ fault: OriginFault) {
        origin = nil
        close()
        tellWaiters { $0.originFailed(fault) }
    }

    override func originReady() { drive() }
    override func resumed() { drive() }

    override func expired() {
        switch state {
        case .greeting: leave()
        case .open where streams.isEmpty || !streams.codec.hasSettings: leave()
        case .connecting, .open, .retired, .closed: break
        }
    }

    private func drive() {
        guard state != .connecting, state != .closed else { return }
        var turns = 0
        do throws(Errno) {
            while state != .closed {
                if origin?.transport.isBacklogged == true { _ = try origin?.transport.flush() }
                let moved = try streams.step()
                if streams.codec.hasSettings { greeted() }
                guard moved, state != .closed else { break }
                turns += 1
                if turns == SharedOrigin.movesPerTurn {
                    worker.loop.again(self)
                    break
                }
            }
        } catch {
            leave()
        }
        if state == .retired, streams.isEmpty { leave() }
        if state == .open {
            let idle = streams.isEmpty ? streams.idleSince + worker.limits.idleTimeout : .never
            worker.loop.setDeadline(self, streams.codec.hasSettings ? idle : settingsDue)
        }
    }

    private static let movesPerTurn = 16

    /// The server has said what it takes.
    private func greeted() {
        if state == .greeting { state = .open }
        guard !waiters.isEmpty else { return }
        // Who takes no stream at all is of no use, and would be asked for ever.
        if streams.isEmpty, !streams.hasRoom {
            tellWaiters { $0.originFailed(.system(.protocolError)) }
        } else {
            tellWaiters { $0.askAgain() }
        }
    }

    /// No more streams are opened here.
    func retire() {
        pool.forget(self)
        if state == .open { state = .retired }
        worker.loop.again(self)
    }

    /// The connection is over, whoever ended it.
    func leave() {
        guard state != .closed else { return }
        let wasGreeting = state == .greeting
        if wasGreeting { _ = pool.learnHTTP1(route) }
        if state != .connecting { streams.sayGoodbye() }
        origin?.close()
        origin = nil
        close()
        streams.end()
        tellWaiters { wasGreeting ? $0.askAgain() : $0.originFailed(.system(.reset)) }
    }

    private func close() {
        state = .closed
        pool.forget(self)
        worker.loop.remove(self)
    }
}
