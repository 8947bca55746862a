import Bytes
import DLP
import Glibc
import HTTP
import OS

/// Request body up, response down, each side as fast as the other takes it.
extension Session {
    func stepRequest() throws(Errno) -> Bool {
        guard let exchange, let origin else { return false }
        var moved = false
        do throws(Errno) {
            if origin.transport.isBacklogged, origin.transport.isWritable {
                let before = origin.transport.backlogCount
                _ = try origin.transport.flush()
                moved = origin.transport.backlogCount < before
                if moved { lastMove = now }
            }
        } catch {
            originBroke(error)
            return true
        }
        guard phase == .exchange, !exchange.requestEnded else { return moved }
        guard !origin.transport.isBacklogged else { return moved }
        if try takeInput() { return true }
        // Nothing more to take for now: a head that waited for its body goes without it.
        if origin.transport.isQueued {
            do throws(Errno) { _ = try origin.transport.flush() } catch { originBroke(error) }
            return true
        }
        return moved
    }

    func stepResponse() throws(Errno) -> Bool {
        guard phase == .exchange, let exchange, let origin, exchange.isSent else { return false }
        guard !transport.isBacklogged, origin.transport.readable else { return false }
        let room = worker.room
        do throws(Errno) {
            switch try origin.transport.read(into: room) {
            case .moved(0): return true
            case .moved(let count):
                lastMove = now
                takeResponse(exchange, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
                return true
            case .wouldBlock:
                return false
            case .ended:
                responseCut(exchange)
                return true
            }
        } catch {
            originBroke(error)
            return true
        }
    }

    private func takeResponse(_ exchange: Exchange, _ fresh: UnsafeRawBufferPointer) {
        worker.outbox.removeAll()
        if exchange.responseInput.isEmpty {
            let used = readResponse(exchange, fresh)
            if self.exchange === exchange {
                exchange.responseInput.append(UnsafeRawBufferPointer(rebasing: fresh[used...]))
            }
        } else {
            exchange.responseInput.append(fresh)
            let used = readResponse(exchange, exchange.responseInput.readable)
            if self.exchange === exchange { exchange.responseInput.consume(used) }
        }
        guard self.exchange === exchange, flushOutbox() else { return worker.outbox.removeAll() }
        // What came behind a 101 is the first of the new protocol.
        if phase == .tunnel { pushResponseInput(exchange) }
    }

    /// False when the client does not take it: then the exchange has ended, and is not to be touched again.
    private func flushOutbox() -> Bool {
        guard !worker.outbox.isEmpty else { return true }
        defer { worker.outbox.removeAll() }
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch {
            clientBroke()
            return false
        }
        return true
    }

    private func readResponse(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while phase == .exchange, self.exchange === exchange {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            guard exchange.isAnswering else {
                switch exchange.response.parse(rest, answering: exchange.head.method, limits: limits) {
                case .needMore: return used
                case .reject:
                    dropOrigin(reset: true)
                    refuse(exchange, status: 502, "The origin's answer is not valid HTTP/1.1")
                    return bytes.count
                case .head(let length):
                    used += length
                    responseHead(exchange, UnsafeRawBufferPointer(rebasing: rest[..<length]))
                    continue
                }
            }
            switch exchange.responseBody.step(rest) {
            case .needMore(let consumed):
                return used + consumed
            case .data(let range, let consumed):
                used += consumed
                responseData(exchange, UnsafeRawBufferPointer(rebasing: rest[range]))
            case .end(let consumed):
                used += consumed
                responseEnd(exchange, leftOver: bytes.count - used)
            case .reject:
                cut(exchange)
                return bytes.count
            }
        }
        return used
    }

    private func responseHead(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        phaseDeadline = .never
        if exchange.response.isInterim {
            // RFC 9110 section 15.2: an HTTP/1.0 client knows no interim answers; a 100 of ours has already been sent.
            if exchange.head.minorVersion == 1, !(exchange.response.status == 100 && exchange.holds) {
                Writer.response(exchange.response, from: bytes, into: &worker.outbox)
            }
            phaseDeadline = now + limits.responseTimeout
            exchange.response.reset()
            return
        }
        exchange.status = exchange.response.status
        if exchange.response.status == 101 { return upgrade(exchange, bytes) }
        exchange.responseBody = BodyReader(exchange.response.framing, limits: limits)
        // An answer before the end of the request: both go on, and the connection ends with them.
        if !exchange.requestEnded || exchange.responseBody.endsWithConnection { isLast = true }
        exchange.isAnswered = true
        var options = Writer.ResponseOptions()
        options.close = isLast
        options.minorVersion = exchange.head.minorVersion
        // Over QUIC it would not be seen any more.
        options.dropsAltSvc = true
        if listener.intercept == .explicit { options.via = Session.viaName }
        let framing = Writer.response(exchange.response, from: bytes, options: options, into: &worker.outbox)
        if framing == .untilClose { isLast = true }
        exchange.bytesIn += UInt64(worker.outbox.count)
        exchange.isAnswering = true
        exchange.isStreaming = exchange.response.isStream(bytes)
        if exchange.isStreaming, exchange.snapshot !== worker.snapshot {
            judgeAgain(under: worker.snapshot)
            guard phase == .exchange else { return }
        }
        if exchange.readsResponse {
            exchange.openBody(
                .response, exchange.response.fields, from: bytes,
                codings: exchange.response.codings(bytes))
        }
    }

    private func upgrade(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        guard exchange.head.upgrade != nil, exchange.requestEnded else {
            dropOrigin(reset: true)
            return refuse(exchange, status: 502, "The origin switched protocols without being asked to")
        }
        exchange.isAnswered = true
        let webSocket = readableWebSocket(exchange, bytes)
        if webSocket == nil { noteUnread(exchange) }
        if exchange.action == .deny {
            dropOrigin(reset: true)
            return refuseDenied(exchange)
        }
        Writer.response(exchange.response, from: bytes, into: &worker.outbox)
        exchange.isAnswering = true
        if flushOutbox() { becomeTunnel(exchange, webSocket) }
    }

    /// What was agreed on for a WebSocket whose messages the sensors can read.
    private func readableWebSocket(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> WebSocketExtensions? {
        guard exchange.application == .webSocket, exchange.response.opensWebSocket(bytes),
            exchange.reads.contains(.body)
        else { return nil }
        let agreed = WebSocketExtensions(exchange.response, bytes)
        return agreed == .unknown ? nil : agreed
    }

    private func responseData(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) {
        guard exchange.readsResponse else {
            _ = deliver(exchange, data)
            return
        }
        exchange.feed(.response, data, end: false)
        exchange.noteInspection()
        if exchange.action == .deny { return cutDenied(exchange) }
        exchange.heldBack.append(data)
        guard releaseBack(exchange), exchange.heldBack.count > exchange.holdMost else { return }
        exchange.note(Rejection.endlessCoding.threat)
        cut(exchange)
    }

    /// False when the exchange has ended over it.
    private func releaseBack(_ exchange: Exchange) -> Bool {
        for redaction in exchange.inspection.takeRedactions(.response) { exchange.heldBack.redact(redaction) }
        let free = exchange.heldBack.free(until: exchange.inspection.releasable(.response))
        let count = free.count
        guard deliver(exchange, free) else { return false }
        exchange.heldBack.released(count)
        return true
    }

    /// False when the client does not take the bytes: then the exchange has ended, and is not to be touched again.
    private func deliver(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) -> Bool {
        guard !data.isEmpty else { return true }
        exchange.bytesIn += UInt64(data.count)
        if exchange.responseBody.isChunked, exchange.head.minorVersion == 1 {
            Writer.chunk(data, into: &worker.outbox)
            return flushOutbox()
        }
        // A small body is cheaper to copy behind its head than to hand over as a second piece.
        if worker.outbox.count + data.count <= Session.copyBytes {
            worker.outbox.append(data)
            return true
        }
        defer { worker.outbox.removeAll() }
        do throws(Errno) { try transport.write(worker.outbox.readable, data) } catch {
            clientBroke()
            return false
        }
        return true
    }

    private static let copyBytes = 8 * 1024

    private func responseEnd(_ exchange: Exchange, leftOver: Int) {
        if exchange.readsResponse {
            exchange.feed(.response, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
            exchange.noteInspection()
            if exchange.action == .deny { return cutDenied(exchange) }
            guard releaseBack(exchange) else { return }
        }
        if exchange.responseBody.isChunked, exchange.head.minorVersion == 1 {
            exchange.responseBody.writeLastChunk(into: &worker.outbox)
        }
        guard flushOutbox() else { return }
        if exchange.response.keepsAlive, exchange.requestEnded, leftOver == 0,
            !exchange.responseBody.endsWithConnection,
            let origin
        {
            self.origin = nil
            worker.pool.park(origin, keep: limits.idleUpstreams, idleTimeout: limits.idleTimeout)
        } else {
            dropOrigin(reset: !exchange.requestEnded)
        }
        let unread = !exchange.requestEnded
        finish(exchange)
        phase = isLast || clientEnded ? .closing(linger: unread) : .head
    }

    /// The origin's side ended: the end of the body if that is how it ends, else a cut message.
    private func responseCut(_ exchange: Exchange) {
        if exchange.isAnswering, exchange.responseBody.endsWithConnection {
            worker.outbox.removeAll()
            responseEnd(exchange, leftOver: 0)
        } else {
            originBroke(nil)
        }
    }
}

extension ResponseHead {
    /// A response that goes on for as long as both sides like: server-sent events.
    fileprivate func isStream(_ bytes: UnsafeRawBufferPointer) -> Bool {
        fields.contains { $0.id == .contentType && bytes.starts(with: "text/event-stream", at: $0.value) }
    }
}
