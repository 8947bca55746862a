import COpenSSL

/// How we speak to the clients whose connections are read: shared by all loops. The keys of its tickets are its own, so that
/// a client can resume on whichever loop it meets, and not beyond the configuration that made it.
///
/// Sound to share: after `init` the context is only read, by `SSL_new`, which counts its references atomically, and the keys
/// of tickets have a lock.
public final class ServerContext: @unchecked Sendable {
    let context: OpaquePointer
    private let tickets = TicketKeys()

    public init() throws(TrustFault) {
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        guard let context = SSL_CTX_new(TLS_server_method()) else { preconditionFailure("out of memory") }
        guard Manner.take(by: context) else {
            let reason = ErrorQueue.drain()?.text ?? "refuses its settings"
            SSL_CTX_free(context)
            throw TrustFault(path: "OpenSSL", reason: reason)
        }
        // One ticket for one connection: few clients come back with two at once.
        SSL_CTX_set_num_tickets(context, 1)
        // What a client prefers costs it least, unless it has no hardware for AES.
        weir_ctx_prefer_own_ciphers(context)
        SSL_CTX_set_alpn_select_cb(
            context,
            { ssl, out, length, offered, count, _ in
                ServerContext.choose(ssl, out, length, offered, count)
            }, nil)
        tickets.serve(context)
        self.context = context
    }

    /// To be called now and then, and less often than tickets run out (two hours): those of two calls ago are worth nothing.
    public func renewTicketKeys() { tickets.renew() }

    deinit { SSL_CTX_free(context) }

    /// RFC 7301 section 3.2 has a server end the handshake where nothing is common. Then nothing is chosen instead: what
    /// is spoken is found by looking at it.
    private static func choose(
        _ ssl: OpaquePointer?, _ out: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ length: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ count: UInt32
    ) -> Int32 {
        guard let out, let length, let wire = Wire.of(ssl) else { return SSL_TLSEXT_ERR_NOACK }
        let own = wire.pointee.protocols
        var chosen: UnsafeMutablePointer<UInt8>?
        // What is chosen lies in the list of the client, as it does in ours; ours may move.
        let result = own.withUnsafeBufferPointer {
            SSL_select_next_proto(&chosen, length, offered, count, $0.baseAddress, UInt32($0.count))
        }
        guard result == OPENSSL_NPN_NEGOTIATED, !own.isEmpty else { return SSL_TLSEXT_ERR_NOACK }
        out.pointee = UnsafePointer(chosen)
        return SSL_TLSEXT_ERR_OK
    }
}
