import COpenSSL
import Glibc

// How an authority of our own comes to be, and makes room for another.

extension Authority {
    /// Whether the pair is there. One of the two alone is a fault: to make it anew unasked would leave clients with an
    /// authority that signs nothing any more.
    public static func isThere(certificate: String, key: String) throws(AuthorityFault) -> Bool {
        let (hasCertificate, hasKey) = (NewFile.exists(certificate), NewFile.exists(key))
        guard hasCertificate == hasKey else {
            let (present, absent) = hasCertificate ? (certificate, key) : (key, certificate)
            throw AuthorityFault(
                path: absent,
                reason: "not there, though \(present) is: put it back, or make both anew with `weir ca rotate`")
        }
        return hasCertificate
    }

    /// Makes a new authority and writes both files; `now` is unix seconds. Never writes over a file.
    public static func make(certificate: String, key: String, now: Int64) throws(AuthorityFault) {
        guard certificate != key else {
            throw AuthorityFault(path: key, reason: "expected a file for the certificate and another for the key")
        }
        if try isThere(certificate: certificate, key: key) {
            throw AuthorityFault(path: certificate, reason: "is there already, and is not written over")
        }
        ErrorQueue.clear()
        defer { ErrorQueue.clear() }
        let pair = try PrivateKey()
        let root = try root(of: pair, now: now)
        for path in [key, certificate] { try NewFile.makeParent(of: path) }
        // The certificate comes last: where it is, the key is whole. What is not kept in the end is removed.
        var keyFile = try NewFile(key)
        var secret = PEM.secret(pair)
        defer { OPENSSL_cleanse(&secret, secret.count) }
        try keyFile.write(secret, mode: 0o600)
        var certificateFile = try NewFile(certificate)
        try certificateFile.write(Array(PEM.text(root.pointer).utf8), mode: 0o644)
        for path in [key, certificate] { try NewFile.syncParent(of: path) }
        keyFile.keep()
        certificateFile.keep()
    }

    /// Gives the files of the present authority other names, `PATH.YYYYMMDDHHMMSS`, and makes a new one; answers with
    /// these names. A pair that is half there or has expired can be put right so. If no new one can be made, the old
    /// one stays.
    @discardableResult
    public static func rotate(certificate: String, key: String, now: Int64) throws(AuthorityFault) -> [String] {
        let present = [key, certificate].filter(NewFile.exists)
        guard !present.isEmpty else {
            throw AuthorityFault(
                path: certificate, reason: "not there, and so not to be replaced: `weir ca make` makes it")
        }
        let suffix = stamp(now)
        for path in present where NewFile.exists(path + suffix) {
            throw AuthorityFault(path: path + suffix, reason: "is there already, and is not written over")
        }
        var moved: [String] = []
        do throws(AuthorityFault) {
            for path in present {
                guard rename(path, path + suffix) == 0 else { throw AuthorityFault(path: path, doing: "rename") }
                moved.append(path)
            }
            try make(certificate: certificate, key: key, now: now)
        } catch {
            for path in moved { rename(path + suffix, path) }
            throw error
        }
        return moved.map { $0 + suffix }
    }

    /// `.YYYYMMDDHHMMSS`, UTC.
    private static func stamp(_ now: Int64) -> String {
        var (time, calendar) = (time_t(now), tm())
        gmtime_r(&time, &calendar)
        let parts = [
            (calendar.tm_year + 1900, 4), (calendar.tm_mon + 1, 2), (calendar.tm_mday, 2), (calendar.tm_hour, 2),
            (calendar.tm_min, 2), (calendar.tm_sec, 2),
        ]
        return parts.reduce(".") { text, part in
            let digits = String(part.0)
            return text + String(repeating: "0", count: max(0, part.1 - digits.count)) + digits
        }
    }

    private static let day: Int64 = 86_400
    /// Every client must be told of the next one, so it is not soon to be done again.
    private static let lifeDays: Int64 = 3653

    /// A certificate that signs itself, and others that sign nothing.
    private static func root(of pair: borrowing PrivateKey, now: Int64) throws(AuthorityFault) -> Certificate {
        let root = try Certificate(for: pair)
        let serial = try Certificate.randomSerial()
        try root.set(serial: serial)
        // Clocks of clients are slow, and sometimes by hours.
        try root.set(notBefore: now - day, notAfter: now + lifeDays * day)
        try root.addToSubject(NID_organizationName, "Weir")
        // Two gateways have authorities that can be told apart where they are listed.
        let mark = serial.prefix(4).map { String(0x100 | Int($0), radix: 16).dropFirst() }.joined()
        try root.addToSubject(NID_commonName, "Weir egress authority \(mark)")
        try root.set(issuer: root.pointer)
        try root.add(Extension(NID_basic_constraints, "critical,CA:TRUE,pathlen:0"))
        try root.add(Extension(NID_key_usage, "critical,keyCertSign,cRLSign"))
        try root.add(Extension(subjectKey: Certificate.keyIdentifier(of: root.pointer)))
        try root.sign(with: pair)
        return root
    }
}
