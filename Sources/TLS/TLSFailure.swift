import COpenSSL

/// Why a session is over before its time, in words for whoever runs the gateway.
public enum TLSFailure: Error, Equatable, Sendable {
    /// The peer's certificate was refused.
    case certificate(CertificateFault)
    /// The peer ended the session with this alert (RFC 8446 section 6).
    case alert(UInt8)
    /// The stream ended before the handshake did.
    case closedInHandshake
    /// The stream ended without close_notify: what came last may be missing.
    case truncated
    /// The peer speaks something else.
    case notTLS
    /// The peer speaks no version later than TLS 1.1.
    case oldVersion
    /// The peer broke the protocol, in OpenSSL's words.
    case violation(String)

    /// What the error queue holds after a call that failed. Leaves it empty.
    init(drainingQueueIn isHandshake: Bool) {
        guard let entry = ErrorQueue.drain() else {
            self = .violation("no reason given")
            return
        }
        switch (entry.isTLS, entry.reason) {
        case (true, SSL_AD_REASON_OFFSET..<SSL_AD_REASON_OFFSET + 256):
            self = .alert(UInt8(entry.reason - SSL_AD_REASON_OFFSET))
        case (true, SSL_R_WRONG_VERSION_NUMBER) where isHandshake: self = .notTLS
        case (true, SSL_R_UNSUPPORTED_PROTOCOL): self = .oldVersion
        default: self = .violation(entry.text)
        }
    }
}

/// What is wrong with a certificate.
public enum CertificateFault: Equatable, Sendable {
    case expired(notAfter: String)
    case notYetValid(notBefore: String)
    case selfSigned
    /// The chain ends at a root that is not trusted.
    case unknownAuthority(String)
    /// The issuer is neither trusted nor among the certificates that came: an incomplete chain, or an unknown authority.
    case missingIssuer(String)
    /// Valid for these names only.
    case wrongName(names: String)
    case weakKey
    case weakSignature
    case wrongPurpose
    /// Its issuer, or the issuer of one above it, has taken it back.
    case revoked
    /// It must come with a word of its issuer's (OCSP), and came without.
    case noStaple
    /// Of a name whose certificates are pinned, none of these.
    case notPinned
    /// Anything else, in OpenSSL's words.
    case other(String)

    /// From OpenSSL's verdict and the certificate of the chain that it fell on.
    init(_ verdict: Int32, _ certificate: PeerCertificate?) {
        switch verdict {
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired(notAfter: certificate?.notAfter ?? "")
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid(notBefore: certificate?.notBefore ?? "")
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: self = .unknownAuthority(certificate?.subject ?? "")
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            self = .missingIssuer(certificate?.issuer ?? "")
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            self = .wrongName(names: certificate?.names ?? "")
        case X509_V_ERR_EE_KEY_TOO_SMALL, X509_V_ERR_CA_KEY_TOO_SMALL: self = .weakKey
        case X509_V_ERR_CA_MD_TOO_WEAK: self = .weakSignature
        case X509_V_ERR_INVALID_PURPOSE: self = .wrongPurpose
        case X509_V_ERR_CERT_REVOKED: self = .revoked
        default: self = .other(X509_verify_cert_error_string(Int(verdict)).map { String(cString: $0) } ?? "")
        }
    }
}

extension TLSFailure {
    /// The alert that the peer ended the session with, such as `unknown CA (48)`.
    public var alert: String? {
        if case .alert(let number) = self { "\(TLSFailure.words(number)) (\(number))" } else { nil }
    }

    private static func words(_ alert: UInt8) -> String {
        SSL_alert_desc_string_long(Int32(alert)).map { String(cString: $0) } ?? "unknown"
    }
}

extension TLSFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .certificate(let fault): "the certificate \(fault)"
        case .alert(let number):
            "the peer refused: \(TLSFailure.words(number)) (alert \(number))"
        case .closedInHandshake: "the peer closed the connection in the handshake"
        case .truncated: "the connection ended without close_notify"
        case .notTLS: "the peer does not speak TLS"
        case .oldVersion: "the peer speaks no TLS later than 1.1"
        case .violation(let reason): "the peer broke the protocol: \(reason)"
        }
    }
}

extension CertificateFault: CustomStringConvertible {
    /// What follows "the certificate".
    public var description: String {
        switch self {
        case .expired(let notAfter): "has expired (\(notAfter))"
        case .notYetValid(let notBefore): "is not valid yet (\(notBefore))"
        case .selfSigned: "is self-signed"
        case .unknownAuthority(let name): "comes from an authority that is not trusted (\(name))"
        case .missingIssuer(let name):
            "was issued by \(name), which is neither trusted nor among the certificates that the peer sent"
        case .wrongName(let names): names.isEmpty ? "is for no name at all" : "is for another name (\(names))"
        case .weakKey: "or one above it has a key that is too short"
        case .weakSignature: "or one above it has a signature of a broken kind, such as SHA-1"
        case .wrongPurpose: "is not one for a server"
        case .revoked: "or one above it has been revoked"
        case .noStaple: "must come with its issuer's word that it is good (OCSP), and came without"
        case .notPinned: "is none of those that tls.pins has for this name"
        case .other(let reason): "was refused: \(reason)"
        }
    }
}
