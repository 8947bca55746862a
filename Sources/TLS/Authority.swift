import Bytes
import COpenSSL

/// Signs certificates for the names whose connections are intercepted. Clients must trust it, or who issued it.
///
/// Sound to share: after `init` all of it is only read; OpenSSL locks what it keeps of a key between signatures.
public final class Authority: @unchecked Sendable {
    /// Of the certificate that issues.
    public let facts: PeerCertificate
    /// Of the one that clients must trust: the root at the end of the chain if it is in the file, else the one that issues.
    public let anchor: PeerCertificate
    public let anchorPEM: String
    /// All certificates of the file, the one that issues first.
    public let chainPEM: String

    private let path: String
    private let certificates: CertificateStack
    private let key: PrivateKey
    private let form: LeafForm
    /// Unix seconds, both included.
    private let valid: ClosedRange<Int64>

    /// Reads an authority from its two PEM files; all that would make clients refuse its certificates is a fault.
    public convenience init(certificate path: String, key keyPath: String) throws(AuthorityFault) {
        guard try Authority.isThere(certificate: path, key: keyPath) else {
            throw AuthorityFault(
                path: path, reason: "neither it nor its key \(keyPath) is there: `weir ca make` makes them")
        }
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        let certificates = try AuthorityFiles.certificates(path)
        let key = try AuthorityFiles.key(keyPath)
        guard X509_check_private_key(certificates[0], key.pointer) == 1 else {
            throw AuthorityFault(path: keyPath, reason: "not the key of the first certificate in \(path)")
        }
        try AuthorityCheck(path: path).check(certificates)
        try self.init(certificates, key, path: path)
    }

    private init(
        _ certificates: consuming CertificateStack, _ key: consuming PrivateKey, path: String
    ) throws(AuthorityFault) {
        let (issuer, last) = (certificates[0], certificates[certificates.count - 1])
        guard let start = Certificate.seconds(X509_get0_notBefore(issuer)),
            let end = Certificate.seconds(X509_get0_notAfter(issuer)), start <= end
        else { throw AuthorityFault(path: path, reason: "has no times between which it is valid") }
        valid = start...end
        facts = PeerCertificate(issuer)
        let isRooted = X509_self_signed(last, 1) == 1
        anchor = isRooted ? PeerCertificate(last) : facts
        anchorPEM = PEM.text(isRooted ? last : issuer)
        chainPEM = (0..<certificates.count).map { PEM.text(certificates[$0]) }.joined()
        // A client that trusts the root has it, and one that does not is not helped.
        let chain = CertificateStack()
        for index in 0..<(isRooted ? certificates.count - 1 : certificates.count) { chain.append(certificates[index]) }
        form = try LeafForm(issuer: issuer, chain: chain)
        self.path = path
        self.certificates = certificates
        self.key = key
    }

    // MARK: - Certificates

    private static let day: Int64 = 86_400
    /// Long enough that few are minted twice, short enough that one which gets about is soon worth nothing.
    private static let leafDays: Int64 = 7
    /// ub-common-name of RFC 5280 appendix A.1.
    private static let commonNameMax = 64

    /// A certificate for exactly this name, valid from `now` (unix seconds).
    public func leaf(for name: Host, now: Int64) throws(AuthorityFault) -> Leaf {
        guard now >= valid.lowerBound else { throw AuthorityCheck(path: path).notYetValid(facts) }
        guard now <= valid.upperBound else { throw AuthorityCheck(path: path).expired(facts) }
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        let leaf = try Certificate(for: form.key)
        try leaf.set(serial: Certificate.randomSerial())
        // Clocks of clients are slow, and sometimes by hours.
        let end = min(now + Authority.leafDays * Authority.day, valid.upperBound)
        try leaf.set(notBefore: max(now - Authority.day, valid.lowerBound), notAfter: end)
        try leaf.set(issuer: certificates[0])
        let isNamed = try writeSubject(of: leaf, name)
        try leaf.add(alternativeName: name, isCritical: !isNamed)
        for one in form.extensions { try leaf.add(one) }
        try leaf.sign(with: key)
        // A day before a week's end; sooner near the end of the authority, whose certificates are shorter.
        return Leaf(name, expires: end - (end - now) / Authority.leafDays, leaf, form)
    }

    /// Puts the name where old tools show it, if it has room there.
    private func writeSubject(of leaf: borrowing Certificate, _ name: Host) throws(AuthorityFault) -> Bool {
        let text =
            switch name {
            case .name(let name): name.description
            case .address(let address): address.description
            }
        guard text.utf8.count <= Authority.commonNameMax else { return false }
        try leaf.addToSubject(NID_commonName, text)
        return true
    }
}
