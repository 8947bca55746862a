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
        guard exchange.reads.contains(.body) else {
            _ = forward(exchange, data)
            return
        }
        exchange.feed(.request, data, end: false)
        exchange.noteInspection()
        if exchange.action == .deny { return refuseDenied(exchange) }
        let redactions = exchange.inspection.takeRedactions(.request)
        // Nothing is held, nothing needs to be and nothing is overwritten: the bytes go on from where they were read.
        if exchange.held.isEmpty, redactions.isEmpty, phase == .exchange,
            exchange.inspection.releasable(.request) >= exchange.bytesTaken
        {
            exchange.held.passed(data.count)
            _ = forward(exchange, data)
            return
        }
        exchange.held.append(data)
        worker.held(data.count)
        for redaction in redactions { exchange.held.redact(redaction) }
        guard release(exchange) else { return }
        if phase == .hold, exchange.held.count > exchange.profile.hold {
            dial(exchange)
        } else if exchange.held.count > exchange.holdMost {
            refuse(exchange, malformed: .endlessCoding)
        }
    }

    private func requestEnd(_ exchange: Exchange) {
        if exchange.reads.contains(.header) {
            exchange.requestBody.forEachTrailer { exchange.inspection.scan($0, as: .header) }
        }
        if exchange.reads.contains(.body) {
            exchange.feed(.request, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
        }
        exchange.inspection.finish()
        exchange.noteInspection()
        if exchange.action == .deny { return refuseDenied(exchange) }
        exchange.requestEnded = true
        if phase == .hold { return dial(exchange) }
        if release(exchange) { forwardEnd(exchange) }
    }

    /// Sends on the held bytes that can no longer be part of a match; false when the exchange has ended over it.
    func release(_ exchange: Exchange) -> Bool {
        for redaction in exchange.inspection.takeRedactions(.request) { exchange.held.redact(redaction) }
        guard exchange.isSent else { return true }
        let free = exchange.held.free(until: exchange.requestEnded ? .max : exchange.inspection.releasable(.request))
        guard !free.isEmpty else { return true }
        let count = free.count
        guard forward(exchange, free) else { return false }
        exchange.held.released(count)
        worker.released(count)
        return true
    }

    /// False when the origin does not take the bytes: then the exchange has ended, and is not to be touched again.
    private func forward(_ exchange: Exchange, _ data: UnsafeRawBufferPointer) -> Bool {
        guard let origin, !data.isEmpty else { return true }
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
            return true
        } catch {
            originBroke(error)
            return false
        }
    }

    /// The end of a chunked body is written only when all of it may go: a cut message must not look whole.
    func forwardEnd(_ exchange: Exchange) {
        if !exchange.isAnswering { phaseDeadline = now + limits.responseTimeout }
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
