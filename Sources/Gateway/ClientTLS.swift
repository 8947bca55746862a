import Bytes
import Record
import TLS
import Upstream

/// The TLS of one client connection: what its ClientHello said, what was done with it and why.
final class ClientTLS {
    let hello: ClientHello
    /// How the records call the client and the name that it asked for: made once for all of them.
    private let ja4: String
    private let serverName: String?
    /// Whose certificate it is shown.
    var name: Host?
    /// Of that name, until the handshake begins.
    var leaf: Leaf?
    var handling = TLSRecord.Handling.passed
    var why: String?
    /// What the client ended the handshake with.
    var alert: String?
    /// What was agreed on with the client; nil before the handshake is done.
    private(set) var facts: TLSSession.Facts?
    /// Of the server that was reached last, over TLS of ours.
    var upstream: ServerIdentity?
    private var lastRoute: SecureRoute?

    init(_ hello: ClientHello) {
        self.hello = hello
        (ja4, serverName) = (hello.ja4, hello.serverName.map { "\($0)" })
    }

    /// For one stream of a connection: what is found out of its origin is its own.
    init(like other: ClientTLS) {
        (hello, ja4, serverName) = (other.hello, other.ja4, other.serverName)
        (name, handling, why, facts) = (other.name, other.handling, other.why, other.facts)
    }

    func settle(_ facts: TLSSession.Facts?) {
        self.facts = facts
        handling = .intercepted
    }

    /// How an origin of this name is reached. It is offered what the client offered of what we speak, in its order; of what
    /// we do not, what was chosen with us.
    func route(to name: Host) -> SecureRoute {
        if let lastRoute, lastRoute.name == name { return lastRoute }
        let chosen = facts?.alpn.map { [$0] } ?? []
        let isHTTP = chosen.contains(where: ClientTLS.protocols.contains)
        let route = SecureRoute(name: name, alpn: isHTTP ? hello.alpn.filter(ClientTLS.protocols.contains) : chosen)
        lastRoute = route
        return route
    }

    /// What we speak; the client's own preference decides between them.
    static let protocols = ["h2", "http/1.1"]

    /// What is written of it. A connection that is denied has not been let pass.
    func record(denied: Bool) -> TLSRecord {
        TLSRecord(
            version: facts.map { ClientTLS.text($0.version) }, cipher: facts?.cipher, alpn: facts?.alpn,
            sni: serverName, ja4: ja4,
            handling: denied && handling == .passed ? .refused : handling, why: why, alert: alert,
            issuer: upstream?.certificate?.issuer, fingerprint: upstream?.certificate?.fingerprint,
            upstreamVersion: upstream?.facts.map { ClientTLS.text($0.version) },
            isPinned: upstream?.facts?.isPinned ?? false)
    }

    private static func text(_ version: UInt16) -> String {
        switch version {
        case 0x0304: "1.3"
        case 0x0303: "1.2"
        default: "0x" + String(version, radix: 16)
        }
    }
}
