import COpenSSL

/// The other end: OpenSSL's server over its own memory BIOs.
package final class Server {
    package struct Options {
        package var versions: ClosedRange<Int32>
        package var alpn: StaticString?
        /// SSL_VERIFY_ flags, to ask the client for a certificate.
        package var verify: Int32
        /// Plaintext in a record at most; with tickets made larger than that.
        package var fragment: Int?
        /// What its issuer says of its certificate.
        package var staple: [UInt8]?

        package init(
            versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION, alpn: StaticString? = nil,
            verify: Int32 = SSL_VERIFY_NONE, fragment: Int? = nil, staple: [UInt8]? = nil
        ) {
            (self.versions, self.alpn, self.verify) = (versions, alpn, verify)
            (self.fragment, self.staple) = (fragment, staple)
        }
    }

    private let context: OpaquePointer?
    package private(set) var ssl: OpaquePointer?
    private let input = BIO_new(BIO_s_mem())
    private let output = BIO_new(BIO_s_mem())
    package private(set) var received: [UInt8] = []
    /// The last error, as OpenSSL's reason.
    package private(set) var reason: Int32 = 0
    package private(set) var isClosed = false

    package convenience init(_ identity: Identity, _ options: Options = Options()) {
        let context = Server.context(identity, options)
        defer { SSL_CTX_free(context) }
        self.init(context: context, options)
    }

    /// One more connection to the same server, which then takes the tickets it gave before.
    package convenience init(like other: Server) { self.init(context: other.context, Options()) }

    /// Shows this certificate, with its key and chain, whatever it had before.
    package func show(certificate: OpaquePointer, key: OpaquePointer, chain: OpaquePointer) {
        precondition(SSL_use_cert_and_key(ssl, certificate, key, chain, 1) == 1)
    }

    private init(context: OpaquePointer?, _ options: Options) {
        SSL_CTX_up_ref(context)
        self.context = context
        ssl = SSL_new(context)
        SSL_set_bio(ssl, input, output)
        SSL_set_accept_state(ssl)
        if let staple = options.staple {
            let copy = CRYPTO_memdup(staple, staple.count, #file, #line)
            SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_STATUS_REQ_OCSP_RESP, staple.count, copy)
        }
        if let fragment = options.fragment { SSL_ctrl(ssl, SSL_CTRL_SET_MAX_SEND_FRAGMENT, fragment, nil) }
    }

    deinit {
        SSL_free(ssl)
        SSL_CTX_free(context)
        ERR_clear_error()
    }

    private static let sendsStaple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { _, _ in
        SSL_TLSEXT_ERR_OK
    }

    private static func context(_ identity: Identity, _ options: Options) -> OpaquePointer? {
        let context = SSL_CTX_new(TLS_server_method())
        // Weak certificates and old versions must be possible here.
        SSL_CTX_set_security_level(context, 0)
        SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0")
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(options.versions.lowerBound), nil)
        SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(options.versions.upperBound), nil)
        precondition(SSL_CTX_use_certificate(context, identity.certificate) == 1)
        precondition(SSL_CTX_use_PrivateKey(context, identity.key) == 1)
        for link in identity.chain {
            X509_up_ref(link.certificate)
            SSL_CTX_ctrl(context, SSL_CTRL_EXTRA_CHAIN_CERT, 0, UnsafeMutableRawPointer(link.certificate))
        }
        SSL_CTX_set_verify(context, options.verify, nil)
        if let alpn = options.alpn {
            SSL_CTX_set_alpn_select_cb(
                context,
                { _, chosen, count, _, _, text in
                    let text = text?.assumingMemoryBound(to: UInt8.self)
                    chosen?.pointee = UnsafePointer(text)
                    count?.pointee = UInt8(text.map { OPENSSL_strnlen($0, 255) } ?? 0)
                    return SSL_TLSEXT_ERR_OK
                }, UnsafeMutableRawPointer(mutating: alpn.utf8Start))
        }
        if options.staple != nil {
            // It is set on the connection.
            SSL_CTX_callback_ctrl(
                context, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB,
                unsafeBitCast(sendsStaple, to: (@convention(c) () -> Void).self))
        }
        if options.fragment != nil {
            SSL_CTX_set_session_ticket_cb(
                context,
                { ssl, _ in
                    SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), Array(repeating: 7, count: 1500), 1500)
                },
                { _, _, _, _, _, _ in SSL_TICKET_RETURN_USE }, nil)
        }
        return context
    }

    /// Takes bytes from the client and does what follows from them.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        if !bytes.isEmpty { BIO_write(input, bytes.baseAddress, Int32(bytes.count)) }
        step()
    }

    package func step() {
        defer { ERR_clear_error() }
        ERR_clear_error()
        if SSL_is_init_finished(ssl) == 0, SSL_do_handshake(ssl) != 1 { return note() }
        var room = [UInt8](repeating: 0, count: 20_000)
        while true {
            let count = SSL_read(ssl, &room, Int32(room.count))
            guard count > 0 else {
                if SSL_get_error(ssl, count) == SSL_ERROR_ZERO_RETURN { isClosed = true }
                return note()
            }
            received += room.prefix(Int(count))
        }
    }

    private func note() {
        let code = ERR_peek_error()
        if code != 0 { reason = ERR_GET_REASON(code) }
    }

    package func write(_ bytes: [UInt8]) {
        if !bytes.isEmpty { SSL_write(ssl, bytes, Int32(bytes.count)) }
        ERR_clear_error()
    }

    /// TLS 1.3: from here on with other keys, which the client has to do after it.
    package func renewKeys() {
        SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
        SSL_do_handshake(ssl)
        ERR_clear_error()
    }

    package func close() {
        SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// What is to go to the client.
    package func take() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(output))
        if !bytes.isEmpty { BIO_read(output, &bytes, Int32(bytes.count)) }
        return bytes
    }

    package var isResumed: Bool { SSL_session_reused(ssl) == 1 }

    package var serverName: String? {
        SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name).map { String(cString: $0) }
    }
}
