import Bytes
import COpenSSL

/// Of one name, the certificates or keys one of which its server must show. It is an exception, for nothing else is then
/// asked of the certificate, and an obligation, for no other certificate will do, whoever signed it.
public struct Pin: Hashable, Sendable {
    public enum Pattern: Hashable, Sendable {
        case host(Host)
        /// Names below this one.
        case below(DomainName)
    }

    public let pattern: Pattern
    public let fingerprints: Set<Fingerprint>

    public init(_ pattern: Pattern, _ fingerprints: Set<Fingerprint>) {
        (self.pattern, self.fingerprints) = (pattern, fingerprints)
    }

    /// SHA-256 of a certificate, or of its SubjectPublicKeyInfo, which outlives the certificate (RFC 7469 section 2.4).
    public struct Fingerprint: Hashable, Sendable {
        fileprivate let bytes: [UInt8]

        fileprivate init(_ bytes: [UInt8]) { self.bytes = bytes }

        /// From 64 hexadecimal digits, as they stand or with a colon behind every second.
        public init?(_ text: String) {
            let pairs = text.split(separator: ":", omittingEmptySubsequences: false)
            let isWhole = pairs.count == 1 || pairs.allSatisfy { $0.utf8.count == 2 }
            let digits = pairs.joined().utf8.map { Hex.value($0) }
            guard isWhole, digits.count == 64, !digits.contains(nil) else { return nil }
            bytes = stride(from: 0, to: 64, by: 2).map { (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0) }
        }
    }
}

extension Pin.Fingerprint {
    static func ofCertificate(_ certificate: OpaquePointer) -> Pin.Fingerprint {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 else { preconditionFailure("out of memory") }
        return Pin.Fingerprint(Array(digest.prefix(Int(count))))
    }

    /// Nil where the key cannot be written down, and so is none.
    static func ofKey(_ certificate: OpaquePointer) -> Pin.Fingerprint? {
        let info = X509_get_X509_PUBKEY(certificate)
        var encoded = [UInt8](repeating: 0, count: Int(max(0, i2d_X509_PUBKEY(info, nil))))
        let count = encoded.withUnsafeMutableBufferPointer { room in
            var start = room.baseAddress
            return room.isEmpty ? 0 : i2d_X509_PUBKEY(info, &start)
        }
        guard count > 0, count == encoded.count else { return nil }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard EVP_Digest(encoded, encoded.count, &digest, &length, EVP_sha256(), nil) == 1 else { return nil }
        return Pin.Fingerprint(Array(digest.prefix(Int(length))))
    }
}

/// All pins, by the name that a server is to have.
struct Pins {
    private var hosts: [Host: Set<Pin.Fingerprint>] = [:]
    /// The longest first: of two that fit it says more.
    private var suffixes: [(below: DomainName, fingerprints: Set<Pin.Fingerprint>)] = []

    init(_ pins: [Pin]) {
        for pin in pins {
            switch pin.pattern {
            case .host(let host): hosts[host, default: []].formUnion(pin.fingerprints)
            case .below(let suffix): suffixes.append((suffix, pin.fingerprints))
            }
        }
        suffixes.sort { $0.below.bytes.count > $1.below.bytes.count }
    }

    /// What the server of this name must show; nil: it is verified like any.
    func of(_ host: Host) -> Set<Pin.Fingerprint>? {
        if let own = hosts[host] { return own }
        guard case .name(let name) = host else { return nil }
        return suffixes.first { name != $0.below && name.isWithin($0.below) }?.fingerprints
    }

    static func allow(_ certificate: OpaquePointer, _ fingerprints: Set<Pin.Fingerprint>) -> Bool {
        if fingerprints.contains(.ofCertificate(certificate)) { return true }
        return Pin.Fingerprint.ofKey(certificate).map(fingerprints.contains) ?? false
    }
}
