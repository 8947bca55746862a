import Bytes
import OS
import Upstream

/// A loop's connections of HTTP/2 to servers, by route, and the routes on which it is known not to be spoken.
final class SharedOrigins {
    private unowned(unsafe) let worker: Worker
    private var routes: [Route: [SharedOrigin]] = [:]
    /// Until when a server is taken to speak HTTP/1.1 alone.
    private var plain: [Route: Ticks] = [:]

    private static let plainLasts = Milliseconds.minutes(10)
    /// Beyond that all are forgotten: what a server speaks is found out again.
    private static let plainMost = 4096

    init(_ worker: Worker) { self.worker = worker }

    enum Offer {
        /// A stream. Not `isFresh`: its connection has carried others.
        case stream(Origin, isFresh: Bool)
        /// A connection is being made; the session is told.
        case wait
        /// A connection of its own, by this route.
        case alone(Route)
    }

    /// How an exchange of a session that may speak HTTP/2 reaches its server.
    func offer(_ route: Route, to session: Session, webSocket: Bool) throws(Errno) -> Offer {
        if let until = plain[route], worker.loop.now < until { return .alone(route.withoutHTTP2) }
        for shared in routes[route] ?? [] {
            let isFresh = shared.isFresh
            if let stream = shared.stream(for: session, webSocket: webSocket) {
                return .stream(stream, isFresh: isFresh)
            }
            if shared.isUndecided(webSocket: webSocket) {
                shared.wait(session.token)
                return .wait
            }
            // This server takes no WebSocket in HTTP/2.
            if webSocket, shared.refusesWebSocket { return .alone(route.withoutHTTP2) }
        }
        let shared = SharedOrigin(route, self, worker: worker)
        routes[route, default: []].append(shared)
        shared.wait(session.token)
        try shared.connect()
        return .wait
    }

    /// The server speaks HTTP/1.1: answers the route to it.
    func learnHTTP1(_ route: Route) -> Route {
        if plain.count >= SharedOrigins.plainMost { plain.removeAll() }
        plain[route] = worker.loop.now + SharedOrigins.plainLasts
        return route.withoutHTTP2
    }

    func forget(_ shared: SharedOrigin) {
        guard var list = routes[shared.route] else { return }
        list.removeAll { $0 === shared }
        routes[shared.route] = list.isEmpty ? nil : list
    }

    /// At a drain, or when what was verified has changed: no more streams are opened on what there is.
    func retire() {
        for list in routes.values { for shared in list { shared.retire() } }
    }
}

extension Route {
    /// The client means to speak HTTP/2 with it, or would.
    var maySpeakHTTP2: Bool { hasPriorKnowledge || secure?.alpn.contains("h2") ?? false }

    fileprivate var withoutHTTP2: Route {
        var route = self
        route.hasPriorKnowledge = false
        route.secure?.alpn.removeAll { $0 == "h2" }
        return route
    }
}
