import COpenSSL

/// A key and a certificate for it, made when a test wants one.
///
/// Sound to share: nothing changes it once it is made, and OpenSSL counts its references atomically.
package final class Identity: @unchecked Sendable {
    package enum Key { case ec, p384, rsa(Int32) }
    package enum Digest { case sha256, sha1 }

    package let key: OpaquePointer
    package let certificate: OpaquePointer
    /// Sent along, from the issuer on.
    package let chain: [Identity]

    /// - Parameters:
    ///   - from, to: the days, counted from today, between which it is valid.
    ///   - extensions: by OpenSSL's number and notation.
    package init(
        _ name: String, names: String? = nil, by issuer: Identity? = nil, chain: [Identity] = [], key: Key = .ec,
        digest: Digest = .sha256, from: Int = -1, to: Int = 30, extensions: [(Int32, String)] = []
    ) {
        guard let made = Identity.makeKey(key), let blank = X509_new() else { preconditionFailure("out of memory") }
        self.key = made
        self.chain = chain
        certificate = blank
        X509_set_version(certificate, 2)
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1..<1 << 40))
        X509_time_adj_ex(X509_getm_notBefore(certificate), Int32(from), 0, nil)
        X509_time_adj_ex(X509_getm_notAfter(certificate), Int32(to), 0, nil)
        X509_NAME_add_entry_by_txt(
            X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, name, Int32(name.utf8.count), -1, 0)
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer?.certificate ?? certificate))
        X509_set_pubkey(certificate, self.key)
        var all = extensions
        if let names { all.append((NID_subject_alt_name, names)) }
        // Of whom an identifier of a key is the hash.
        var context = X509V3_CTX()
        X509V3_set_ctx(&context, issuer?.certificate ?? certificate, certificate, nil, nil, 0)
        for (number, value) in all {
            let one = X509V3_EXT_conf_nid(nil, &context, number, value)
            precondition(X509_add_ext(certificate, one, -1) == 1)
            X509_EXTENSION_free(one)
        }
        let signed = X509_sign(certificate, issuer?.key ?? self.key, digest == .sha1 ? EVP_sha1() : EVP_sha256())
        precondition(signed > 0)
    }

    deinit {
        X509_free(certificate)
        EVP_PKEY_free(key)
    }

    package static func authority(_ name: String, by issuer: Identity? = nil, to: Int = 30) -> Identity {
        Identity(
            name, by: issuer, to: to,
            extensions: [(NID_basic_constraints, "critical,CA:TRUE"), (NID_key_usage, "critical,keyCertSign,cRLSign")])
    }

    /// An authority with all that `openssl verify -x509_strict` asks for.
    package static func strictAuthority(
        _ name: String, by issuer: Identity? = nil, key: Key = .ec, from: Int = -1, to: Int = 30, path: String = ""
    ) -> Identity {
        Identity(
            name, by: issuer, key: key, from: from, to: to,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE" + path), (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"), (NID_authority_key_identifier, "keyid"),
            ])
    }

    private static func makeKey(_ kind: Key) -> OpaquePointer? {
        let context: OpaquePointer?
        switch kind {
        case .ec, .p384:
            let curve = if case .ec = kind { NID_X9_62_prime256v1 } else { NID_secp384r1 }
            context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
            EVP_PKEY_keygen_init(context)
            EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, curve)
        case .rsa(let bits):
            context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil)
            EVP_PKEY_keygen_init(context)
            EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits)
        }
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        EVP_PKEY_keygen(context, &key)
        return key
    }

    package var pem: [UInt8] { Identity.written { PEM_write_bio_X509($0, certificate) } }
    package var keyPEM: [UInt8] { Identity.written { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) } }

    private static func written(_ body: (OpaquePointer?) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        precondition(body(bio) == 1)
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        BIO_read(bio, &bytes, Int32(bytes.count))
        return bytes
    }
}

extension Identity {
    package static let root = authority("Test Root")
    package static let middle = authority("Test Intermediate", by: root)
    package static let otherRoot = authority("Other Root")

    package static func leaf(_ names: String?, key: Key = .ec, digest: Digest = .sha256, from: Int = -1, to: Int = 30)
        -> Identity
    {
        Identity(
            "common.test", names: names, by: middle, chain: [middle], key: key, digest: digest, from: from, to: to)
    }

    package static let good = leaf("DNS:dns.test,DNS:*.wild.test,IP:192.0.2.1,IP:2001:db8::1")
}

extension Identity {
    /// PEM of a list of what this authority takes back, to be replaced in so many days from now.
    package func revocationList(_ revoked: [Identity], next: Int = 7) -> [UInt8] {
        let (list, time) = (X509_CRL_new(), ASN1_TIME_new())
        defer {
            X509_CRL_free(list)
            ASN1_TIME_free(time)
        }
        X509_CRL_set_version(list, 1)
        X509_CRL_set_issuer_name(list, X509_get_subject_name(certificate))
        X509_time_adj_ex(time, Int32(min(next, 0) - 1), 0, nil)
        X509_CRL_set1_lastUpdate(list, time)
        for identity in revoked {
            let one = X509_REVOKED_new()
            X509_REVOKED_set_serialNumber(one, X509_get_serialNumber(identity.certificate))
            X509_REVOKED_set_revocationDate(one, time)
            X509_CRL_add0_revoked(list, one)
        }
        X509_time_adj_ex(time, Int32(next), 0, nil)
        X509_CRL_set1_nextUpdate(list, time)
        X509_CRL_sort(list)
        precondition(X509_CRL_sign(list, key, EVP_sha256()) > 0)
        return Identity.written { PEM_write_bio_X509_CRL($0, list) }
    }

    /// What `signer`, who is or speaks for this authority, says of a certificate (OCSP), for as many days;
    /// with its own certificate if it `names` itself.
    package func statusOf(
        _ identity: Identity, isRevoked: Bool = false, by signer: Identity? = nil, days: Int = 7,
        names isNamed: Bool = false, digest: OpaquePointer? = EVP_sha1()
    ) -> [UInt8] {
        let (basic, from, to) = (OCSP_BASICRESP_new(), ASN1_TIME_new(), ASN1_TIME_new())
        X509_time_adj_ex(from, Int32(min(days, 0) - 1), 0, nil)
        X509_time_adj_ex(to, Int32(days), 0, nil)
        let id = OCSP_cert_to_id(digest, identity.certificate, certificate)
        let status = isRevoked ? V_OCSP_CERTSTATUS_REVOKED : V_OCSP_CERTSTATUS_GOOD
        OCSP_basic_add1_status(basic, id, status, OCSP_REVOKED_STATUS_NOSTATUS, isRevoked ? from : nil, from, to)
        let signer = signer ?? self
        let flags = isNamed ? 0 : UInt(OCSP_NOCERTS)
        precondition(OCSP_basic_sign(basic, signer.certificate, signer.key, EVP_sha256(), nil, flags) == 1)
        let response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic)
        defer {
            OCSP_RESPONSE_free(response)
            OCSP_CERTID_free(id)
            OCSP_BASICRESP_free(basic)
            ASN1_TIME_free(from)
            ASN1_TIME_free(to)
        }
        var bytes = [UInt8](repeating: 0, count: Int(max(0, i2d_OCSP_RESPONSE(response, nil))))
        bytes.withUnsafeMutableBufferPointer { room in
            var start = room.baseAddress
            i2d_OCSP_RESPONSE(response, &start)
        }
        return bytes
    }
}
