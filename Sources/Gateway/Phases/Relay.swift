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
        flushOutbox()
        // What came behind a 101 is the first of the new protocol.
        if phase == .tunnel, self.exchange === exchange { pushResponseInput(exchange) }
    }

    private func flushOutbox() {
        guard !worker.outbox.isEmpty else { return }
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { clientBroke() }
        worker.outbox.removeAll()
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
        if listener.intercept == .explicit { options.via = Session.viaName }
        let framing = Writer.response(exchange.response, from: bytes, options: options, into: &worker.outbox)
        if framing == .untilClose { isLast = true }
        exchange.bytesIn += UInt64(worker.outbox.count)
        exchange.isAnswering = true
        exchange.isStreaming = exchange.response.isStream(bytes)
        if exchange.readsResponse {
            exchange.inspection.open(.response, as: .body, codings: exchange.response.codings(bytes))
        }
    }

    private func upgrade(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        guard exchange.head.upgrade != nil, exchange.requestEnded else {
            dropOrigin(reset: true)
            return refuse(exchange, status: 502, "The origin switched protocols without being asked to")
        }
        exchange.isAnswered = true
        noteUnread(exchange)
        if exchange.decision.action == .deny {
            dropOrigin(reset: true)
            return refuseDenied(exchange)
        }
        Writer.response(exchange.response, from: bytes, into: &worker.outbox)
        exchange.isAnswering = true
        flushOutbox()
        becomeTunnel(exchange)
    }

    private func responseData(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) {
        guard exchange.readsResponse else { return deliver(exchange, data) }
        exchange.inspection.feed(.response, data, end: false)
        exchange.noteInspection()
        if exchange.decision.action == .deny { return cutDenied(exchange) }
        exchange.heldBack.append(data)
        releaseBack(exchange)
    }

    private func releaseBack(_ exchange: Exchange) {
        for redaction in exchange.inspection.takeRedactions(.response) { exchange.heldBack.redact(redaction) }
        let free = exchange.heldBack.free(until: exchange.inspection.releasable(.response))
        let count = free.count
        deliver(exchange, free)
        exchange.heldBack.released(count)
    }

    private func deliver(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) {
        guard !data.isEmpty else { return }
        exchange.bytesIn += UInt64(data.count)
        if exchange.responseBody.isChunked, exchange.head.minorVersion == 1 {
            Writer.chunk(data, into: &worker.outbox)
            return flushOutbox()
        }
        // A small body is cheaper to copy behind its head than to hand over as a second piece.
        if worker.outbox.count + data.count <= Session.copyBytes { return worker.outbox.append(data) }
        do throws(Errno) { try transport.write(worker.outbox.readable, data) } catch { clientBroke() }
        worker.outbox.removeAll()
    }

    private static let copyBytes = 8 * 1024

    private func responseEnd(_ exchange: Exchange, leftOver: Int) {
        if exchange.readsResponse {
            exchange.inspection.feed(.response, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
            exchange.noteInspection()
            if exchange.decision.action == .deny { return cutDenied(exchange) }
            releaseBack(exchange)
        }
        if exchange.responseBody.isChunked, exchange.head.minorVersion == 1 {
            exchange.responseBody.writeLastChunk(into: &worker.outbox)
        }
        flushOutbox()
        guard phase == .exchange else { return }
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
        let stream: StaticString = "text/event-stream"
        for field in fields where field.id == .contentType && field.value.count >= stream.utf8CodeUnitCount {
            let start = bytes.baseAddress.map { $0 + field.value.lowerBound }
            return start.map { memcmp($0, stream.utf8Start, stream.utf8CodeUnitCount) == 0 } ?? false
        }
        return false
    }
}
