import Bytes
import DLP
import HTTP
import OS

/// The request body: read out of its framing, inspected, held where it must be, written anew.
extension Session {
    /// Takes body bytes for the phases `hold` and `exchange`; answers how many of `bytes` are dealt with.
    func takeBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let exchange else { return 0 }
        var used = 0
        while phase == .hold || phase == .exchange, !exchange.requestEnded {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            switch exchange.requestBody.step(rest) {
            case .needMore(let consumed):
                return used + consumed
            case .data(let range, let consumed):
                used += consumed
                requestData(exchange, UnsafeRawBufferPointer(rebasing: rest[range]))
            case .end(let consumed):
                used += consumed
                requestEnd(exchange)
            case .reject(let rejection):
                refuse(exchange, malformed: rejection)
                return bytes.count
            }
        }
        return used
    }

    private func requestData(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) {
        exchange.bytesTaken += UInt64(data.count)
        guard exchange.reads.contains(.body) else { return forward(exchange, data) }
        exchange.inspection.feed(.request, data, end: false)
        exchange.noteInspection()
        if exchange.decision.action == .deny { return refuseDenied(exchange) }
        // Nothing is held and nothing needs to be: the bytes go on from where they were read.
        if exchange.held.isEmpty, phase == .exchange, exchange.inspection.releasable(.request) >= exchange.bytesTaken {
            exchange.held.passed(data.count)
            return forward(exchange, data)
        }
        exchange.held.append(data)
        worker.held(data.count)
        release(exchange)
        if phase == .hold, exchange.held.count > exchange.profile.hold { dial(exchange) }
    }

    private func requestEnd(_ exchange: Exchange) {
        if exchange.reads.contains(.body) {
            exchange.requestBody.forEachTrailer { exchange.inspection.scan($0, as: .header) }
            exchange.inspection.feed(.request, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
            exchange.inspection.finish()
            exchange.noteInspection()
            if exchange.decision.action == .deny { return refuseDenied(exchange) }
        }
        exchange.requestEnded = true
        if phase == .hold { return dial(exchange) }
        release(exchange)
        forwardEnd(exchange)
    }

    /// Sends on the held bytes that can no longer be part of a match.
    func release(_ exchange: Exchange) {
        for redaction in exchange.inspection.takeRedactions(.request) { exchange.held.redact(redaction) }
        guard exchange.isSent else { return }
        let free = exchange.held.free(until: exchange.requestEnded ? .max : exchange.inspection.releasable(.request))
        guard !free.isEmpty else { return }
        let count = free.count
        forward(exchange, free)
        exchange.held.released(count)
        worker.released(count)
    }

    private func forward(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) {
        guard let origin, !data.isEmpty else { return }
        exchange.bytesOut += UInt64(data.count)
        do throws(Errno) {
            if exchange.requestBody.isChunked {
                worker.outbox.removeAll()
                Writer.chunk(data, into: &worker.outbox)
                try origin.transport.write(worker.outbox.readable)
                worker.outbox.removeAll()
            } else {
                try origin.transport.write(data)
            }
        } catch {
            originBroke(error)
        }
    }

    /// The end of a chunked body is written only when all of it may go: a cut message must not look whole.
    func forwardEnd(_ exchange: Exchange) {
        phaseDeadline = now + limits.responseTimeout
        guard let origin else { return }
        do throws(Errno) {
            if exchange.requestBody.isChunked {
                worker.outbox.removeAll()
                exchange.requestBody.writeLastChunk(into: &worker.outbox)
                try origin.transport.write(worker.outbox.readable)
                worker.outbox.removeAll()
            }
            _ = try origin.transport.flush()
        } catch {
            originBroke(error)
        }
    }
}
