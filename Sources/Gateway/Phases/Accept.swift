import Bytes
import Policy

/// A connection has been taken.
extension Session {
    func begin() {
        if listener.intercept == .explicit {
            // A proxy's client speaks HTTP/1 to it.
            phase = .head
        } else if let endpoint = target.endpoint, worker.isOwnListener(endpoint) {
            let exchange = currentExchange()
            exchange.aim(at: target)
            exchange.note(.gatewayLoop)
            refuseTunnel(exchange)
        }
        drive()
    }
}
