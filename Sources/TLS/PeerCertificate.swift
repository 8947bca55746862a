import COpenSSL

/// What a record says of the certificate that a peer showed. The peer wrote these texts: they are cut short, and
/// control characters are replaced.
public struct PeerCertificate: Equatable, Sendable {
    /// RFC 4514 form, such as `CN=dns.example,O=Example`.
    public let subject: String
    public let issuer: String
    /// The subject's alternative names, such as `DNS:dns.example, IP Address:192.0.2.1`; empty if there are none.
    public let names: String
    /// UTC, such as `2031-05-01 00:00:00Z`.
    public let notBefore: String
    public let notAfter: String
    /// SHA-256 of the whole certificate, 64 hexadecimal digits.
    public let fingerprint: String

    static let textMax = 256

    init(_ certificate: OpaquePointer) {
        // Extensions that make no sense print nothing, and leave errors.
        defer { ErrorQueue.clear() }
        subject = PeerCertificate.text { weir_print_name($0, X509_get_subject_name(certificate)) }
        issuer = PeerCertificate.text { weir_print_name($0, X509_get_issuer_name(certificate)) }
        names = PeerCertificate.text { bio in
            let index = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1)
            if index >= 0 { X509V3_EXT_print(bio, X509_get_ext(certificate, index), 0, 0) }
        }
        notBefore = PeerCertificate.text {
            ASN1_TIME_print_ex($0, X509_get0_notBefore(certificate), UInt(ASN1_DTFLGS_ISO8601))
        }
        notAfter = PeerCertificate.text {
            ASN1_TIME_print_ex($0, X509_get0_notAfter(certificate), UInt(ASN1_DTFLGS_ISO8601))
        }
        fingerprint = PeerCertificate.fingerprint(of: certificate)
    }

    private static func fingerprint(of certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else { return "" }
        return Hex.text(digest.prefix(Int(length)))
    }

    /// What `body` prints, up to `textMax` bytes of it.
    static func text(_ body: (OpaquePointer) -> Void) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
        defer { BIO_free(bio) }
        body(bio)
        var bytes = [UInt8](repeating: 0, count: textMax)
        let count = Int(max(0, BIO_read(bio, &bytes, Int32(textMax))))
        for index in bytes.indices where bytes[index] < 0x20 || bytes[index] == 0x7f {
            bytes[index] = UInt8(ascii: "?")
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
