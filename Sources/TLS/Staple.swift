import COpenSSL

/// What an issuer says of a certificate, as its server hands it on in the handshake (OCSP, RFC 6066 section 8).
///
/// Most servers have none, and nobody is asked in its place. One that says "revoked" counts however old it is, as a list
/// does; one that cannot be read, or that somebody else signed, is none.
enum Staple {
    /// Has servers send theirs, and refuses whom it speaks against.
    static func ask(by context: OpaquePointer) {
        weir_ctx_ask_status(context) { ssl, _ in Staple.judge(ssl) }
    }

    private enum Status { case good, revoked }

    /// After the chain was verified, and before anything is said to the server. Zero ends the handshake.
    private static func judge(_ ssl: OpaquePointer?) -> Int32 {
        defer { ErrorQueue.clear() }
        guard let ssl, let wire = Wire.of(ssl), wire.pointee.pinned == nil, SSL_session_reused(ssl) == 0,
            let leaf = SSL_get0_peer_certificate(ssl)
        else { return 1 }
        let fault: CertificateFault
        switch status(of: leaf, ssl) {
        case .good: return 1
        case .revoked: fault = .revoked
        // "Must staple" (RFC 7633): who stole the key would leave it out.
        case nil where weir_must_staple(leaf) == 1: fault = .noStaple
        case nil: return 1
        }
        wire.pointee.refusal = (fault, PeerCertificate(leaf))
        return 0
    }

    private static func status(of leaf: OpaquePointer, _ ssl: OpaquePointer) -> Status? {
        var start: UnsafePointer<UInt8>?
        let count = weir_get_status(ssl, &start)
        guard count > 0, let response = d2i_OCSP_RESPONSE(nil, &start, count) else { return nil }
        defer { OCSP_RESPONSE_free(response) }
        guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
            let basic = OCSP_response_get1_basic(response)
        else { return nil }
        defer { OCSP_BASICRESP_free(basic) }
        let above = CertificateStack()
        if let chain = SSL_get0_verified_chain(ssl) {
            for index in 0..<weir_chain_count(chain) where index > 0 { above.append(weir_chain_at(chain, index)) }
        }
        // One that is trusted as it stands has no issuer that we know of.
        guard above.count > 0 else { return nil }
        // Signed by who vouches for the certificate, or by whom its issuer has named for that.
        let flags = UInt(OCSP_TRUSTOTHER | OCSP_PARTIAL_CHAIN)
        let store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl))
        guard OCSP_basic_verify(basic, above.pointer, store, flags) == 1 else { return nil }
        for index in 0..<OCSP_resp_count(basic) {
            let one = OCSP_resp_get0(basic, index)
            if weir_status_is_about(one, leaf, above[0]) == 1 { return status(one) }
        }
        return nil
    }

    /// Clocks differ, in seconds.
    private static let skew = 300

    private static func status(_ one: OpaquePointer?) -> Status? {
        var since: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
        var until: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
        switch OCSP_single_get0_status(one, nil, nil, &since, &until) {
        case V_OCSP_CERTSTATUS_REVOKED: return .revoked
        case V_OCSP_CERTSTATUS_GOOD: return OCSP_check_validity(since, until, skew, -1) == 1 ? .good : nil
        default: return nil
        }
    }
}
