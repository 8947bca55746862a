import Bytes
import HTTP
import OS

/// CONNECT on an explicit listener (RFC 9110 section 9.3.6): the tunnel is made here, and what is spoken inside is found by
/// looking, as on any connection.
extension Session {
    func connect(_ exchange: Exchange) {
        guard listener.intercept == .explicit, target.host == nil else {
            return refuse(exchange, status: 405, "CONNECT is taken by an explicit listener only, and once")
        }
        let text = UnsafeRawBufferPointer(rebasing: exchange.bytes.readable[exchange.head.host])
        guard let host = Host(text), let port = exchange.head.port else {
            return refuse(exchange, malformed: .badHost)
        }
        target = Target(endpoint: nil, host: host, port: port)
        worker.outbox.removeAll()
        worker.outbox.append("HTTP/1.1 200 Connection established\r\n\r\n")
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { return clientBroke() }
        worker.outbox.removeAll()
        // What is done inside leaves the records; the request for the tunnel is no exchange of its own.
        worker.recycle(exchange)
        self.exchange = nil
        phaseDeadline = .never
        detectFrom = now
        phase = .detect
    }
}
