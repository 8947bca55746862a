import Bytes
import HTTP

/// The head of a request: read whole, strictly, and only then judged.
extension Session {
    func takeHead(_ bytes: UnsafeRawBufferPointer) -> Int {
        // A stream has one request; what comes behind it is none.
        if isStream, recorded > 0 {
            phase = .closing(linger: false)
            return bytes.count
        }
        guard reserveSlot() else {
            phase = .slot
            return 0
        }
        let exchange = currentExchange()
        switch exchange.head.parse(bytes, limits: limits) {
        case .needMore:
            if phaseDeadline == .never { phaseDeadline = now + limits.headTimeout }
            return 0
        case .reject(let rejection):
            exchange.bytes.append(bytes)
            refuse(exchange, malformed: rejection)
            return bytes.count
        case .head(let length):
            phaseDeadline = .never
            exchange.bytes.append(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
            if worker.isDraining || !exchange.head.keepsAlive { isLast = true }
            judge(exchange)
            return length
        }
    }

    /// Finishing must never wait for a record, so the slot for it is taken before the work is.
    func reserveSlot() -> Bool {
        if hasSlot { return true }
        hasSlot = worker.recorder.reserve()
        if !hasSlot { worker.waitForSlot(token) }
        return hasSlot
    }
}
