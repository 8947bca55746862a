import Bytes
import HTTP
import OS
import Policy
import Record

/// How an exchange or a connection ends: an answer of ours, a cut, a record.
extension Session {
    /// Refuses what is not valid HTTP, whatever the mode.
    func refuse(_ exchange: Exchange, malformed rejection: Rejection) {
        exchange.application = .http
        if exchange.dial == nil { exchange.aim(at: target) }
        exchange.note(rejection.threat)
        isLast = true
        refuse(exchange, status: rejection.status, "\(rejection.message)")
    }

    /// Refuses what policy or a sensor denies; the answer names the record, never the match.
    func refuseDenied(_ exchange: Exchange) {
        exchange.bytesBeforeVerdict = exchange.bytesOut
        refuse(exchange, status: 403, "\(denial(exchange))")
    }

    /// Why it is denied, in words for the client.
    func denial(_ exchange: Exchange) -> StaticString {
        switch exchange.decision.reason {
        case nil: "The request could not be inspected, which this service does not allow"
        case .finding: "A sensor of this service denies what the request carries"
        case .threat: "The request was taken for an attack"
        case .rule: "A rule of this service denies this destination"
        case .violation: "No rule of this service allows this destination"
        }
    }

    /// Answers in the origin's place, and goes on with the connection where its framing is still known.
    func refuse(_ exchange: Exchange, status: Int, _ detail: String) {
        dropOrigin(reset: exchange.isSent && !exchange.requestEnded)
        if exchange.isAnswering { return endCall(exchange, status: status, detail) ? () : cut(exchange) }
        exchange.status = exchange.call == nil ? status : 200
        let unread = !exchange.requestEnded && exchange.head.framing.hasContent
        if unread || clientEnded { isLast = true }
        worker.outbox.removeAll()
        if let call = exchange.call {
            Writer.call(
                call, status: status, detail: detail, event: "\(exchange.id)", close: isLast, into: &worker.outbox)
        } else {
            Writer.problem(
                status: status, detail: detail,
                reason: exchange.action == .deny ? exchange.decision.reason?.label : nil,
                event: "\(exchange.id)", answering: exchange.head, from: exchange.bytes.readable, close: isLast,
                into: &worker.outbox)
        }
        var broken = false
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { broken = true }
        worker.outbox.removeAll()
        finish(exchange)
        phase = broken ? .closed : isLast ? .closing(linger: true) : .head
    }

    /// A call whose answer is under way is still told how it ends, in the trailers. False where it cannot be.
    private func endCall(_ exchange: Exchange, status: Int, _ detail: String) -> Bool {
        guard exchange.call == .native, isStream, exchange.responseBody.isChunked else { return false }
        // What of the answer is in the box already may go.
        defer { worker.outbox.removeAll() }
        Writer.lastChunk(ofCall: status, detail: detail, event: "\(exchange.id)", into: &worker.outbox)
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { return false }
        finish(exchange)
        phase = .closing(linger: true)
        return true
    }

    /// A response is under way and cannot be taken back: the client sees a reset, not an end.
    func cut(_ exchange: Exchange) {
        dropOrigin(reset: true)
        transport.setResetOnClose()
        finish(exchange)
        phase = .closed
    }

    func cutDenied(_ exchange: Exchange) {
        exchange.bytesBeforeVerdict = exchange.bytesIn
        dropOrigin(reset: true)
        if !endCall(exchange, status: 403, "\(denial(exchange))") { cut(exchange) }
    }

    /// The client went away, or was too slow, before its request was whole.
    func abandon(_ exchange: Exchange, as threat: Threat?) {
        if exchange.dial == nil { exchange.aim(at: target) }
        if let threat { exchange.note(threat) }
        dropOrigin(reset: true)
        finish(exchange)
        phase = .closed
    }

    /// A client connection broke.
    func clientBroke() {
        transport.setResetOnClose()
        dropOrigin(reset: true)
        if let exchange {
            if exchange.dial == nil { exchange.aim(at: target) }
            finish(exchange)
        }
        phase = .closed
    }

    /// Writes the record and gives the exchange back.
    func finish(_ exchange: Exchange) {
        worker.released(exchange.held.count)
        worker.append(exchange, of: self)
        hasSlot = false
        recorded += 1
        self.exchange = nil
        worker.recycle(exchange)
        phaseDeadline = .never
    }

    func stepClosing(linger: Bool) throws(Errno) -> Bool {
        guard !transport.isBacklogged else { return false }
        guard linger, !clientEnded else {
            transport.finish()
            phase = .closed
            return true
        }
        if phaseDeadline == .never {
            transport.shutdownWriting()
            phaseDeadline = now + limits.lingerTimeout
            lingerUntil = transport.bytesRead + UInt64(limits.lingerBytes)
        }
        if transport.bytesRead > lingerUntil {
            transport.setResetOnClose()
            phase = .closed
            return true
        }
        return try takeInput()
    }

    /// What the whole connection did, and no exchange of it: a record of its own.
    /// False where there is no room for one.
    func noteThreat(_ threat: Threat) -> Bool {
        guard reserveSlot() else { return false }
        let exchange = currentExchange()
        exchange.application = .http2
        exchange.aim(at: target)
        exchange.note(threat)
        finish(exchange)
        return true
    }

    /// Ends the session: the last thing it does.
    func close() {
        dropOrigin(reset: true)
        streams?.end()
        if exchange == nil, recorded == 0, hasSlot {
            // A connection on which nothing was asked is a session all the same, and no violation.
            let exchange = currentExchange()
            exchange.aim(at: target)
            exchange.isSilent = true
            if case .name(let name)? = tls?.name { (exchange.name, exchange.namedBy) = (name, .sni) }
        }
        if let exchange { finish(exchange) }
        if hasSlot { worker.recorder.release() }
        hasSlot = false
        transport.close()
        if isStream { worker.loop.remove(self) } else { worker.closed(self, from: client) }
    }
}
