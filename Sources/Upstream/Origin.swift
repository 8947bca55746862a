import Bytes
import Loop
import OS
import TLS

/// Who an origin connection is working for; every call comes on the loop.
open class OriginUser: Handler {
    /// The connection stands, and over TLS the server is who it should be.
    open func originConnected() {}
    /// It did not come to stand, or broke.
    open func originFailed(_ fault: OriginFault) {}
    /// Something can be read or written again.
    open func originReady() {}
}

/// Why there is no connection to an origin server.
public enum OriginFault: Error, Equatable, Sendable {
    case system(Errno)
    /// With the certificate that it showed, if any.
    case tls(TLSFailure, PeerCertificate?)
}

/// What is known of a server that was reached over TLS.
public final class ServerIdentity: Sendable {
    /// What was agreed on; nil where it did not come to that.
    public let facts: TLSSession.Facts?
    public let certificate: PeerCertificate?

    public init(facts: TLSSession.Facts?, certificate: PeerCertificate?) {
        (self.facts, self.certificate) = (facts, certificate)
    }
}

/// Whom a connection over TLS must reach, and what it may speak.
public struct SecureRoute: Hashable, Sendable {
    /// Whom the certificate must name.
    public var name: Host
    /// Offered by ALPN (RFC 7301), the dearest first; empty: none is.
    public var alpn: [String]

    public init(name: Host, alpn: [String]) {
        self.name = name
        self.alpn = alpn
    }
}

/// Where a connection of the pool goes, and as whom.
public struct Route: Hashable, Sendable {
    public var to: Endpoint
    /// The client's address where the listener says `source: client`; then connections are not shared between clients.
    public var from: IPAddress?
    /// Nil: in the clear.
    public var secure: SecureRoute?
    /// In the clear: HTTP/2 is spoken without being agreed on (RFC 9113 section 3.3).
    public var hasPriorKnowledge: Bool

    public init(to: Endpoint, from: IPAddress?, secure: SecureRoute? = nil, hasPriorKnowledge: Bool = false) {
        self.to = to
        self.from = from
        self.secure = secure
        self.hasPriorKnowledge = hasPriorKnowledge
    }

    /// Looked up twice per request: few words for the hash, all fields for equality.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(to.address.low ^ UInt64(to.port) << 48)
        if let from { hasher.combine(from.low) }
    }
}

/// One connection to an origin server: being made, at work for one user, or idle in the pool. Or one stream of a connection
/// that many share, at work until it ends.
public final class Origin: Handler {
    public internal(set) var place: IdleOrigins
    public var transport: Transport
    /// Requests it has carried: more than none, and a silent end may just be the server's idle timeout.
    public private(set) var served = 0
    /// Read once, and not for each request: certificates take some reading. Nil in the clear.
    public private(set) lazy var identity: ServerIdentity? =
        transport.isSecure ? ServerIdentity(facts: transport.facts, certificate: transport.certificate) : nil
    /// Who vouched for it; nil in the clear.
    private(set) var trust: Trust?
    private unowned(unsafe) let pool: OriginPool
    private var user: OriginUser?
    /// One of the streams of a shared connection.
    public let isStream: Bool
    /// The server has said that it did not look at what it was asked: it may be asked again.
    public var wasRefused = false
    private enum State { case connecting(since: Ticks), securing(since: Ticks), busy, idle, closed }
    private var state: State

    init(_ transport: consuming Transport, place: IdleOrigins, pool: OriginPool, connected: Bool, now: Ticks) {
        self.transport = transport
        self.place = place
        self.pool = pool
        isStream = false
        state = connected ? .busy : .connecting(since: now)
    }

    /// A stream on `shared`, for one exchange. Whoever keeps the conduit tells it of what comes by `ready`.
    public init(_ conduit: Conduit, on shared: Origin, for user: OriginUser) {
        transport = Transport(conduit)
        (place, pool) = (shared.place, shared.pool)
        isStream = true
        state = .busy
        super.init()
        self.user = user
        identity = shared.identity
    }

    public var isConnected: Bool {
        switch state {
        case .connecting, .securing: false
        case .busy, .idle, .closed: true
        }
    }

    /// Configured otherwise since it was verified.
    public var isOutdated: Bool { trust != nil && trust !== pool.trust }

    func take(for user: OriginUser) {
        self.user = user
        if case .idle = state { state = .busy }
    }

    func park() {
        if served == 0 { pool.keepTicket(of: self) }
        user = nil
        served += 1
        state = .idle
    }

    /// Ends the connection; with `reset` the server cannot take what it got for whole.
    public func close(reset: Bool = false) {
        if case .closed = state { return }
        if case .idle = state { pool.forget(self) }
        if case .busy = state, served == 0, !isStream { pool.keepTicket(of: self) }
        state = .closed
        user = nil
        if reset { transport.setResetOnClose() } else { transport.finish() }
        transport.close()
        if !isStream { pool.closed(self) }
    }

    /// Works for another from here on.
    public func hand(to user: OriginUser) { self.user = user }

    public override func ready(_ events: Readiness) {
        switch state {
        case .connecting(let since):
            if let error = transport.takeError() {
                fail(.system(error))
            } else if events.contains(.writable) {
                transport.note(events)
                if let secure = place.route.secure {
                    begin(secure, since: since)
                } else {
                    stand(since: since)
                }
            }
        case .securing(let since):
            transport.note(events)
            shake(since: since)
        case .busy:
            transport.note(events)
            user?.originReady()
        case .idle:
            // A server that speaks or leaves while nothing was asked: the connection is of no more use. Tickets are not meant.
            transport.note(events)
            if transport.isPeerEnding || !transport.isDrained(pool.room) { close() }
        case .closed: break
        }
    }

    public override func expired() {
        switch state {
        case .connecting, .securing: fail(.system(.timedOut))
        case .idle: close()
        case .busy, .closed: break
        }
    }

    private func begin(_ route: SecureRoute, since: Ticks) {
        guard let trust = pool.trust else { return fail(.system(.protocolError)) }
        self.trust = trust
        state = .securing(since: since)
        let session = TLSSession(
            trust: trust, name: route.name, alpn: route.alpn, resuming: pool.resumption(of: route))
        do throws(Errno) { try transport.secure(session) } catch { fail(.system(error)) }
    }

    private static let readsMost = 16

    /// Moves the handshake on.
    private func shake(since: Ticks) {
        do throws(Errno) {
            _ = try transport.flush()
            var reads = 0
            while !transport.isOpen, transport.readable {
                reads += 1
                // No handshake is a megabyte.
                if reads > Origin.readsMost { return fail(.system(.protocolError)) }
                switch try transport.read(into: pool.room) {
                case .moved(0): continue
                case .wouldBlock: return
                // Nothing was asked, so there is nothing that it could be an answer to.
                case .moved, .ended: return fail(.system(.protocolError))
                }
            }
        } catch {
            return fail(transport.failure.map { .tls($0, transport.certificate) } ?? .system(error))
        }
        if transport.isOpen { stand(since: since) }
    }

    private func stand(since: Ticks) {
        state = .busy
        pool.connected(after: since)
        user?.originConnected()
    }

    private func fail(_ fault: OriginFault) {
        let user = user
        close()
        user?.originFailed(fault)
    }

    /// What was agreed on by ALPN; nil in the clear, or where the server chose none.
    public var protocolName: String? { identity?.facts?.alpn }
}
