import COpenSSL

/// How we speak TLS, to clients and to servers. Said here in full, so that the system's openssl.cnf weakens nothing.
enum Manner {
    /// The intermediate profile of Mozilla's server-side recommendations, less what has no forward secrecy or no AEAD.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20"
    private static let groups = "X25519:P-256:P-384"
    /// 112 bits: RSA from 2048 bits, nothing signed with SHA-1 (SSL_CTX_set_security_level(3)).
    private static let securityLevel: Int32 = 2

    /// False where this OpenSSL refuses it.
    static func take(by context: OpaquePointer) -> Bool {
        SSL_CTX_set_security_level(context, securityLevel)
        guard weir_ctx_set_versions(context, TLS1_2_VERSION, TLS1_3_VERSION) == 1,
            SSL_CTX_set_cipher_list(context, ciphers) == 1, weir_ctx_set_groups(context, groups) == 1
        else { return false }
        weir_ctx_no_renegotiation(context)
        // Idle connections give their 16 KiB buffers back; a call that must be repeated brings its bytes from elsewhere.
        weir_ctx_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        // Who wants to resume keeps a `Resumption`; a cache of all loops would be a lock of all loops.
        weir_ctx_set_session_cache(context, Int(SSL_SESS_CACHE_OFF))
        return true
    }
}
