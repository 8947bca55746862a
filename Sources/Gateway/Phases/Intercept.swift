import Bytes
import DNS
import OS
import Policy
import TLS
import Upstream

/// TLS of a client that is to be read: it is shown a certificate for the name that it means to reach, and what comes out of
/// the handshake is detected and judged like any connection.
extension Session {
    /// What the ClientHello gives away, whatever is done with it.
    func noteHello(_ exchange: Exchange) {
        guard let tls, tls.handling == .passed else { return }
        // TLS to an address that a rule names needs no name.
        if exchange.name == nil, exchange.decision.rule?.isLearned ?? true { exchange.note(.noSNI) }
        if tls.hello.highestVersion < Session.oldestVersion { exchange.note(.tlsLegacy) }
        if tls.hello.offersKnownECH { exchange.note(.echPresent) }
    }

    /// TLS 1.2. What is older is broken (RFC 8996), and not spoken by us.
    private static let oldestVersion: UInt16 = 0x0303

    /// Whether the connection whose ClientHello has been judged is to be read.
    func intercepts(_ exchange: Exchange) -> Bool {
        guard let tls, !isSecure, exchange.snapshot.authority != nil else { return false }
        guard let name = tls.hello.serverName ?? target.host ?? exchange.dial.map({ .address($0.address) }) else {
            return false
        }
        tls.name = name
        let snapshot = exchange.snapshot
        guard snapshot.inspects(exchange.name, service: exchange.identity.service) else {
            let isOff = snapshot.inspect(service: exchange.identity.service) == .never
            tls.why = isOff ? "tls.inspect" : "tls.passthrough"
            return false
        }
        guard tls.hello.highestVersion >= Session.oldestVersion else {
            tls.why = "version"
            return false
        }
        if mayBypass(exchange), let why = worker.hub.bypass.reason(exchange.service.name, name, now: now) {
            tls.why = why
            return false
        }
        return true
    }

    /// Protect never falls back, and neither does who asked for everything to be read.
    private func mayBypass(_ exchange: Exchange) -> Bool {
        exchange.decision.mode != .protect && exchange.snapshot.inspect(service: exchange.identity.service) == .auto
    }

    /// Refuses what nothing said inside could make allowed; else the client is answered in the server's place.
    func intercept(_ exchange: Exchange) {
        if exchange.isDeniedWhateverComes {
            tls?.handling = .refused
            return refuseTunnel(exchange)
        }
        tunnel = nil
        phase = .mint
        guard let name = tls?.name, let authority = exchange.snapshot.authority else { return refuseTunnel(exchange) }
        let done: @Sendable (Leaf?) -> Void = { [poster = worker.loop.poster, token] leaf in
            poster.post { ($0.handler(token) as? Session)?.minted(leaf) }
        }
        let seconds = worker.wallMicroseconds() / 1_000_000
        if let leaf = worker.hub.leaves.leaf(for: name, by: authority, now: seconds, done: done) { show(leaf) }
    }

    private func minted(_ leaf: Leaf?) {
        guard phase == .mint, let exchange else { return }
        if let leaf {
            show(leaf)
        } else {
            tls?.why = "no certificate"
            tls?.handling = .refused
            refuseTunnel(exchange)
        }
        drive()
    }

    private func show(_ leaf: Leaf) {
        tls?.leaf = leaf
        phase = .handshake
        phaseDeadline = now + limits.headTimeout
    }

    /// The handshake begins, with what the client has sent of it already.
    private func beginHandshake() throws(Errno) {
        guard let exchange, let tls, let leaf = tls.leaf, let context = exchange.snapshot.serverContext else {
            return phase = .closed
        }
        // A client that asks only for what we do not know is given the first of it: the origin will be asked for the same.
        let offered = tls.hello.alpn
        let isHTTP = offered.isEmpty || ClientTLS.protocols.contains(where: offered.contains)
        let alpn = isHTTP ? ClientTLS.protocols : [offered[0]]
        tls.leaf = nil
        var first = Buffer()
        swap(&first, &input)
        try transport.secure(TLSSession(serving: leaf, in: context, alpn: alpn), first: first.readable)
    }

    func stepHandshake() throws(Errno) -> Bool {
        do throws(Errno) {
            if !transport.isSecure {
                try beginHandshake()
                return true
            }
            if transport.isOpen {
                secured()
                return true
            }
            guard transport.readable else { return false }
            let room = worker.room
            switch try transport.read(into: room) {
            case .moved(let count):
                lastMove = now
                // The first request may come with the end of the handshake.
                if count > 0 { input.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])) }
                return true
            case .wouldBlock: return false
            case .ended: handshakeFailed()
            }
        } catch {
            handshakeFailed()
        }
        return true
    }

    private func secured() {
        guard let exchange, let tls else { return }
        tls.settle(transport.facts)
        // What is done inside leaves the records; the handshake is no exchange of its own.
        worker.recycle(exchange)
        self.exchange = nil
        phaseDeadline = .never
        isLast = worker.isDraining
        detectFrom = now
        awaitsName = false
        phase = .detect
    }

    /// The client does not go on: most often because it does not trust our authority.
    func handshakeFailed() {
        guard let exchange, let tls else { return }
        tls.handling = .refused
        let isDistrust = transport.failure?.isDistrust ?? false
        tls.alert = transport.failure?.alert
        tls.why = isDistrust ? Session.untrusted : transport.failure.map { "\($0)" } ?? "handshake"
        if isDistrust { letPass(exchange, why: Session.untrusted) }
        finish(exchange)
        phase = .closed
    }

    private static let untrusted = "untrusted_authority"

    /// Connections of the service to this name that come after this one are not read for a while.
    private func letPass(_ exchange: Exchange, why: String, mayBeChance: Bool = false) {
        guard let name = tls?.name, mayBypass(exchange) else { return }
        worker.hub.bypass.open(exchange.service.name, name, why: why, mayBeChance: mayBeChance, now: now)
    }

    /// A client that leaves without a word after the handshake may have looked at the certificate only then.
    func leftAfterHandshake() {
        guard let tls, tls.handling == .intercepted, recorded == 0, tls.facts?.isResumed == false else { return }
        tls.why = Session.untrusted
        let exchange = currentExchange()
        letPass(exchange, why: Session.untrusted, mayBeChance: true)
        worker.recycle(exchange)
        self.exchange = nil
    }

    /// A client that asks for something trusts us.
    func noteTrust(_ exchange: Exchange) {
        guard recorded == 0, let name = tls?.name, mayBypass(exchange) else { return }
        worker.hub.bypass.trusted(exchange.service.name, name)
    }

    // MARK: Inside

    /// Another name in the request than in the handshake is told; where another owner's domain stands behind it, as a threat.
    func checkFronting(_ exchange: Exchange, _ host: Host) {
        guard let front = tls?.hello.serverName, front != host else { return }
        if case .name(let one) = front, case .name(let other) = host, worker.hub.suffixes.areRelated(one, other) {
            return
        }
        exchange.note(.sniHostMismatch)
    }

    /// How the origin of the exchange is reached, where the client's own connection was over TLS.
    func secureRoute(_ exchange: Exchange) -> SecureRoute? {
        guard isSecure, let tls, let endpoint = exchange.dial else { return nil }
        return tls.route(to: exchange.name.map { .name($0) } ?? .address(endpoint.address))
    }

    /// The origin is not who it should be, or wants what only the client has: the client hears of it, from us.
    func originUntrusted(_ exchange: Exchange, _ failure: TLSFailure, _ certificate: PeerCertificate?) {
        if let certificate { tls?.upstream = ServerIdentity(facts: nil, certificate: certificate) }
        tls?.why = failure.wantsCertificate ? "client_certificate" : "\(failure)"
        if case .certificate = failure { exchange.note(.untrustedUpstream) }
        let host = exchange.name.map { .name($0) } ?? exchange.dial.map { Host.address($0.address) }
        if host == tls?.name, !failure.isFinal {
            letPass(exchange, why: failure.wantsCertificate ? "client_certificate" : "untrusted_upstream")
        }
        if tunnel != nil { return tunnelFailed(exchange) }
        refuse(
            exchange, status: 502,
            failure.wantsCertificate
                ? "The origin wants a certificate, which only the client has"
                : "No connection to the origin over TLS: \(failure)")
    }
}

extension TLSFailure {
    /// Alerts by which clients say that they do not trust a certificate (RFC 8446 section 6.2): bad_certificate,
    /// unsupported_certificate, certificate_revoked, certificate_expired, certificate_unknown, unknown_ca.
    fileprivate var isDistrust: Bool {
        if case .alert(let number) = self { (42...46).contains(number) || number == 48 } else { false }
    }

    /// What the administrator or the issuer said of this certificate, few clients would know.
    fileprivate var isFinal: Bool { self == .certificate(.notPinned) || self == .certificate(.revoked) }

    /// certificate_required, or what servers before TLS 1.3 say where a client shows none (handshake_failure).
    var wantsCertificate: Bool { self == .alert(116) || self == .alert(40) }
}
