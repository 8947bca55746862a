import COpenSSL

/// Whether clients would take what these certificates issue.
struct AuthorityCheck {
    let path: String

    /// 112 bits: RSA from 2048 bits, as in `Trust`.
    private static let securityBitsMin: Int32 = 112

    /// The first must be one that may issue, the others must lead up from it.
    func check(_ certificates: borrowing CertificateStack) throws(AuthorityFault) {
        for index in 0..<certificates.count {
            let one = certificates[index]
            let facts = PeerCertificate(one)
            if index == 0 { try mayIssue(one) } else { try issued(certificates, index) }
            // Zero is a time that cannot be read, which is not valid either.
            if X509_cmp_current_time(X509_get0_notBefore(one)) >= 0 { throw notYetValid(facts) }
            if X509_cmp_current_time(X509_get0_notAfter(one)) <= 0 { throw expired(facts) }
        }
    }

    func notYetValid(_ facts: PeerCertificate) -> AuthorityFault {
        fault("\(facts.subject) is not valid yet (\(facts.notBefore))")
    }

    func expired(_ facts: PeerCertificate) -> AuthorityFault {
        fault("\(facts.subject) has expired (\(facts.notAfter))")
    }

    private func fault(_ reason: String) -> AuthorityFault { AuthorityFault(path: path, reason: reason) }

    private func mayIssue(_ certificate: OpaquePointer) throws(AuthorityFault) {
        let flags = X509_get_extension_flags(certificate)
        guard flags & UInt32(EXFLAG_INVALID) == 0 else { throw fault("the first certificate makes no sense") }
        guard flags & UInt32(EXFLAG_CA) != 0 else {
            throw fault("the first certificate is not one of an authority: expected basicConstraints with CA:TRUE")
        }
        // Without the extension all is allowed, and the number has all bits set.
        guard X509_get_key_usage(certificate) & UInt32(KU_KEY_CERT_SIGN) != 0 else {
            throw fault("the first certificate may not sign others: expected keyUsage with keyCertSign")
        }
        guard X509_get_extended_key_usage(certificate) & UInt32(XKU_SSL_SERVER | XKU_ANYEKU) != 0 else {
            throw fault("the first certificate may not issue for servers: expected extendedKeyUsage with serverAuth")
        }
        guard X509_NAME_entry_count(X509_get_subject_name(certificate)) > 0 else {
            throw fault("the first certificate has no subject, by which what it issues would name it")
        }
        let key = X509_get0_pubkey(certificate)
        let kind = EVP_PKEY_get_base_id(key)
        guard kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC,
            EVP_PKEY_get_security_bits(key) >= AuthorityCheck.securityBitsMin
        else { throw fault("the first certificate's key is of no use: expected RSA of 2048 bits or more, or EC") }
    }

    private func issued(_ certificates: borrowing CertificateStack, _ index: Int) throws(AuthorityFault) {
        let (issuer, issued) = (certificates[index], certificates[index - 1])
        guard X509_check_issued(issuer, issued) == X509_V_OK, X509_verify(issued, X509_get0_pubkey(issuer)) == 1 else {
            throw fault(
                "certificate \(index + 1) (\(PeerCertificate(issuer).subject)) did not issue the one before it "
                    + "(\(PeerCertificate(issued).subject)): expected the issuing one first, then each one's issuer")
        }
        let most = X509_get_pathlen(issuer)
        guard most < 0 || most >= index else {
            throw fault(
                "certificate \(index + 1) (\(PeerCertificate(issuer).subject)) allows \(most) below it that issue, found "
                    + "\(index)")
        }
    }
}
