import Bytes
import HTTP

/// Every wait of a session has a deadline; each is one of `limits`.
extension Session {
    /// Sets the deadline of what is waited for now.
    func keepTime() { worker.loop.setDeadline(self, min(deadline, exchange?.openDue ?? .never)) }

    private var deadline: Ticks {
        switch phase {
        case .detect:
            if phaseDeadline != .never { return phaseDeadline }
            if input.isEmpty { return detectFrom + (awaitsName ? limits.headTimeout : limits.detectTimeout) }
            // A trickle of bytes puts the end off no further than that of a head.
            return min(lastMove + limits.detectTimeout, detectFrom + limits.headTimeout)
        case .head where transport.isBacklogged: return lastMove + limits.writeTimeout
        case .head: return phaseDeadline != .never ? phaseDeadline : lastMove + limits.idleTimeout
        case .handshake: return phaseDeadline
        case .http2:
            if transport.isBacklogged { return lastMove + limits.writeTimeout }
            return streams?.deadline ?? .never
        // Woken by the minter, the recorder, the resolver and the origin, which keep their own time.
        case .mint, .slot, .resolve, .dial, .closed: return .never
        case .hold: return rateDeadline
        case .exchange:
            if let exchange, mustKeepRate(exchange) { return rateDeadline }
            if transport.isBacklogged { return lastMove + limits.writeTimeout }
            return phaseDeadline != .never ? phaseDeadline : lastMove + limits.streamIdleTimeout
        case .tunnel:
            if let exchange, awaitsTail(exchange) {
                return lastMove + limits.holdTimeout
            }
            // One side is gone and the other takes nothing: there is no one to wait for.
            if transport.isBroken || origin?.transport.isBroken == true { return lastMove + limits.writeTimeout }
            return lastMove + (tunnel?.awaitsServer == true ? limits.idleTimeout : limits.tunnelIdleTimeout)
        case .closing: return phaseDeadline != .never ? phaseDeadline : lastMove + limits.writeTimeout
        }
    }

    /// A call of gRPC goes on for as long as both sides like, and one that is open says little at times.
    private func mustKeepRate(_ exchange: Exchange) -> Bool {
        !exchange.requestEnded && exchange.application != .grpc
    }

    /// Something of a tunnel is held that a silence may set free.
    private func awaitsTail(_ exchange: Exchange) -> Bool {
        !(exchange.held.isEmpty && exchange.heldBack.isEmpty) && tunnel?.tailWaited != true
    }

    private var rateDeadline: Ticks { (exchange?.rateMark.at ?? now) + limits.bodyGrace }

    /// The deadline has passed.
    func timeUp() {
        if let exchange, exchange.openDue <= now {
            exchange.openDue = .never
            worker.append(exchange, of: self, as: .open)
        }
        // Moved later by what happened since it was set.
        guard deadline <= now else { return }
        switch phase {
        case .detect:
            if phaseDeadline != .never {
                tooSlow()
            } else if input.isEmpty {
                clientSilent()
            } else if Detector.mayBecomeReadable(input.readable) {
                // Half a request line must not become an unread tunnel by waiting.
                phaseDeadline = detectFrom + limits.headTimeout
                if phaseDeadline <= now { tooSlow() }
            } else {
                settle(Detector.client(input.readable, ended: true))
            }
        case .handshake: handshakeFailed()
        // Who does not take what is for it is not waited for; who asks for nothing is bidden farewell.
        case .http2: if transport.isBacklogged { clientBroke() } else { streams?.leave() }
        case .head:
            if transport.isBacklogged { return clientBroke() }
            if exchange == nil || input.isEmpty { phase = .closed } else { tooSlow() }
        case .hold: checkRate()
        case .exchange:
            if let exchange, mustKeepRate(exchange) {
                checkRate()
            } else if let exchange {
                dropOrigin(reset: true)
                refuse(exchange, status: 504, "The origin did not answer in time")
            }
        case .tunnel:
            guard let exchange else { return }
            if awaitsTail(exchange) {
                tailWaitedLongEnough(exchange)
            } else {
                tunnelEnded(exchange)
            }
        case .closing: phase = .closed
        case .mint, .slot, .resolve, .dial, .closed: break
        }
    }

    /// A head that does not end, or a prefix that stays ambiguous: refused in every mode.
    private func tooSlow() {
        let exchange = currentExchange()
        exchange.bytes.append(input.readable)
        refuse(exchange, malformed: .tooSlow)
    }

    /// A body has to keep `body_min_rate`, unless it is the origin that does not take it.
    private func checkRate() {
        guard let exchange else { return }
        let elapsed = now - exchange.rateMark.at
        let taken = exchange.bytesTaken - exchange.rateMark.bytes
        // Not slow is who is not read: the origin takes no more, or `hold_total` is reached.
        let blocked = origin?.transport.isBacklogged ?? waitsForHold
        if blocked || taken * 1000 >= UInt64(limits.bodyMinRate) * UInt64(max(1, elapsed.count)) {
            exchange.rateMark = (exchange.bytesTaken, now)
            if origin != nil, blocked, lastMove + limits.writeTimeout <= now { originBroke(nil) }
        } else {
            refuse(exchange, malformed: .tooSlow)
        }
    }
}

extension Rejection {
    static let tooSlow = Rejection(status: 408, threat: .slowRequest, message: "The request did not arrive in time")
    static let noHost = Rejection(status: 400, threat: .malformedHTTP, message: "The request names no host")
    static let endlessCoding = Rejection(
        status: 400, threat: .malformedHTTP, message: "The coding of the body holds too much that is no content")
    static let badHost = Rejection(
        status: 400, threat: .malformedHTTP, message: "The host of the request is neither a name nor an address")
}
