import Bytes
import HTTP
import OS
import Upstream

/// A connection to the origin: an idle one of the same route, a stream of one that many share, or a new one.
extension Session {
    func dial(_ exchange: Exchange) {
        guard let endpoint = exchange.dial else { return }
        var route = Route(
            to: endpoint, from: listener.usesClientAddress ? client.address : nil, secure: secureRoute(exchange),
            hasPriorKnowledge: hasPriorKnowledge)
        if route.maySpeakHTTP2 {
            do throws(Errno) {
                switch try worker.shared.offer(route, to: self, webSocket: exchange.head.upgrade != nil) {
                case .stream(let stream, let isFresh):
                    origin = stream
                    exchange.isReused = !isFresh
                    return sendHead()
                case .wait: return phase = .dial
                case .alone(let other): route = other
                }
            } catch {
                return dialFailed(.system(error))
            }
        }
        if tunnel == nil, !exchange.isRetry, let idle = worker.pool.reuse(route, near: place, for: self) {
            origin = idle
            place = idle.place
            exchange.isReused = true
            return sendHead()
        }
        exchange.isReused = false
        do throws(Errno) {
            let fresh = try worker.pool.connect(route, for: self, timeout: limits.connectTimeout)
            origin = fresh
            place = fresh.place
            phase = .dial
        } catch {
            dialFailed(.system(error))
        }
    }

    /// Who speaks HTTP/2 in the clear without a word knows that the server does.
    private var hasPriorKnowledge: Bool {
        isStream && !isSecure && (listener.intercept != .explicit || target.host != nil)
    }

    func dialFailed(_ fault: OriginFault) {
        guard let exchange else { return }
        phaseDeadline = .never
        guard case .system(let error) = fault else {
            if case .tls(let failure, let certificate) = fault { originUntrusted(exchange, failure, certificate) }
            return
        }
        if tunnel != nil { return tunnelFailed(exchange) }
        let timedOut = error == .timedOut
        refuse(
            exchange, status: timedOut ? 504 : 502,
            timedOut ? "The origin did not accept a connection in time" : "The origin could not be reached: \(error)")
    }

    /// The connection stands: the head goes out, with what has been released of the body.
    func sendHead() {
        guard let exchange, let origin else { return }
        if let tls { tls.upstream = origin.identity }
        if tunnel != nil { return startTunnel(exchange) }
        phase = .exchange
        exchange.isSent = true
        worker.counters.addLatency(microseconds: worker.microseconds() - exchange.startTicks)
        worker.outbox.removeAll()
        var options = Writer.RequestOptions()
        options.keepsExpect = !exchange.holds
        options.destination = exchange.dial
        options.keepsTrailers = origin.isStream
        if listener.intercept == .explicit { options.via = Session.viaName }
        Writer.request(exchange.head, from: exchange.bytes.readable, options: options, into: &worker.outbox)
        exchange.bytesOut += UInt64(worker.outbox.count)
        do throws(Errno) {
            // With a body behind it the head waits for it, so that both leave in one call.
            if !exchange.head.framing.hasContent {
                try origin.transport.write(worker.outbox.readable)
            } else {
                origin.transport.queue(worker.outbox.readable)
            }
            worker.outbox.removeAll()
        } catch {
            worker.outbox.removeAll()
            return originBroke(error)
        }
        if !exchange.head.framing.hasContent {
            phaseDeadline = now + limits.responseTimeout
        } else {
            guard release(exchange) else { return }
            if exchange.requestEnded { forwardEnd(exchange) }
        }
    }

    /// The origin went away or answered what is no answer.
    func originBroke(_ error: Errno?) {
        guard let exchange else { return }
        let wasRefused = origin?.wasRefused ?? false
        let stale = exchange.isReused && !exchange.isAnswering && exchange.responseInput.isEmpty
        // In TLS 1.3 a server says only after the handshake that it wanted a certificate.
        let refusal = exchange.isAnswering ? nil : origin?.transport.lastFailure()
        dropOrigin(reset: true)
        if let refusal, refusal.wantsCertificate { return originUntrusted(exchange, refusal, nil) }
        if tunnel != nil { return tunnelEnded(exchange) }
        // RFC 9112 section 9.3.1: a request that can be repeated is, once, when an idle connection turns out to be over.
        // So is one that the server has not looked at (RFC 9113 section 8.7).
        let mayRepeat = stale && exchange.head.method.isIdempotent || wasRefused && !exchange.isRetry
        if mayRepeat, !exchange.isAnswering, !exchange.head.framing.hasContent {
            exchange.isRetry = true
            exchange.isSent = false
            return dial(exchange)
        }
        if exchange.isAnswering {
            cut(exchange)
        } else {
            refuse(exchange, status: 502, "The origin closed the connection without an answer")
        }
    }

    /// What Via calls us. An interception proxy adds none: it is not a proxy that anyone chose (RFC 9110 section 3.7).
    static let viaName: StaticString = "weir"

    func dropOrigin(reset: Bool) {
        origin?.close(reset: reset)
        origin = nil
    }
}
