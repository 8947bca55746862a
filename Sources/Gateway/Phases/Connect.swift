import Bytes
import HTTP
import OS

/// CONNECT on an explicit listener (RFC 9110 section 9.3.6): the tunnel is made here, and what is spoken inside is found by
/// looking, as on any connection.
extension Session {
    func connect(_ exchange: Exchange) {
        guard listener.intercept == .explicit, target.host == nil else {
            exchange.aim(at: target)
            return refuse(exchange, status: 405, "CONNECT is taken by an explicit listener only, and once")
        }
        let text = UnsafeRawBufferPointer(rebasing: exchange.bytes.readable[exchange.head.host])
        guard let host = Host(text), let port = exchange.head.port else {
            return refuse(exchange, malformed: .badHost)
        }
        exchange.port = port
        // Judged as a tunnel now, and by what is spoken in it as soon as that is known.
        exchange.application = .tcp
        tunnelHost = host
        readHead(exchange, to: host)
        bind(exchange, to: host, by: .connect)
    }

    /// Refuses what nothing spoken inside could make allowed.
    func decideConnect(_ exchange: Exchange) {
        if exchange.isDeniedWhateverComes { return refuseDenied(exchange) }
        target = Target(endpoint: nil, host: tunnelHost, port: exchange.port)
        worker.outbox.removeAll()
        worker.outbox.append("HTTP/1.1 200 Connection established\r\n\r\n")
        do throws(Errno) { try transport.write(worker.outbox.readable) } catch { return clientBroke() }
        worker.outbox.removeAll()
        // What is done inside leaves the records; the request for the tunnel is no exchange of its own.
        worker.recycle(exchange)
        self.exchange = nil
        phaseDeadline = .never
        // What CONNECT said of its own connection is not said of what is spoken inside.
        isLast = worker.isDraining
        detectFrom = now
        phase = .detect
    }
}
