import Bytes
import HTTP
import Policy
import TLS

/// What is spoken: the client's first bytes tell, or its silence.
extension Session {
    /// Looks at the first bytes; takes none of them.
    func detect(_ bytes: UnsafeRawBufferPointer) -> Int {
        settle(Detector.client(bytes, ended: bytes.count >= limits.detectBytes))
        return 0
    }

    /// The client has sent all it ever will.
    func detectEnded() {
        if input.isEmpty {
            leftAfterHandshake()
            phase = .closed
        } else {
            settle(Detector.client(input.readable, ended: true))
        }
    }

    func settle(_ detected: Detected) {
        switch detected {
        case .needMore: break
        case .application(.http2): beginStreams()
        case _ where hasAgreedOnHTTP2: refuseOtherThanAgreed()
        case .http1: phase = .head
        case .serverNameTLS(let hello):
            // TLS inside TLS is not undone again: what is known stays what is known of the outer one.
            if tls == nil { tls = ClientTLS(hello) }
            openTunnel(.tls, serverName: hello.serverName)
        case .malformedTLS: refuseMalformedTLS()
        case .application(let application): openTunnel(application, serverName: nil)
        case .unknown: openTunnel(.tcp, serverName: nil)
        }
    }

    private var hasAgreedOnHTTP2: Bool { isSecure && tls?.facts?.alpn == "h2" }

    /// RFC 9113 section 3.4: what begins otherwise than HTTP/2 was not agreed on.
    private func refuseOtherThanAgreed() {
        let exchange = currentExchange()
        exchange.application = .http2
        exchange.aim(at: target)
        exchange.note(.malformedHTTP)
        refuseTunnel(exchange)
    }

    /// HTTP/2, agreed on by ALPN or known before (RFC 9113 section 3.3).
    private func beginStreams() {
        if isSecure {
            let exchange = currentExchange()
            noteTrust(exchange)
            worker.recycle(exchange)
            self.exchange = nil
        }
        streams = ClientStreams(self)
        phaseDeadline = .never
        phase = .http2
    }

    /// The client waits: in the protocols in which the server speaks first it waits for that.
    func clientSilent() {
        let tunnel = Tunnel()
        tunnel.awaitsServer = true
        open(tunnel, .tcp, serverName: nil)
    }

    /// The client spoke after all, before the server did: what was begun in its place is dropped.
    func clientSpokeFirst() {
        dropOrigin(reset: true)
        tunnel = nil
        if let exchange {
            worker.recycle(exchange)
            self.exchange = nil
        }
        (detectFrom, lastMove) = (now, now)
        phaseDeadline = .never
        phase = .detect
    }

    /// A ClientHello that cannot be read names nothing that could be judged.
    private func refuseMalformedTLS() {
        let exchange = currentExchange()
        exchange.application = .tls
        exchange.aim(at: target)
        exchange.note(.malformedTLS)
        refuseTunnel(exchange)
    }

    private func openTunnel(_ application: Application, serverName: Host?) {
        open(Tunnel(), application, serverName: serverName)
    }

    private func open(_ tunnel: Tunnel, _ application: Application, serverName: Host?) {
        self.tunnel = tunnel
        let exchange = currentExchange()
        exchange.application = application
        exchange.port = target.endpoint?.port ?? target.port ?? 0
        if let serverName {
            if let asked = target.host, asked != serverName { exchange.note(.sniHostMismatch) }
            bind(exchange, to: serverName, by: .sni)
        } else if isSecure, let name = tls?.name {
            bind(exchange, to: name, by: .sni)
        } else {
            bind(exchange, to: target.host, by: .connect)
        }
    }
}
