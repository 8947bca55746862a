import COpenSSL

/// What kind of client sent a ClientHello: its JA4, which lists of known software and malware are keyed by. FoxIO defined
/// it, and of their fingerprints this one is under a BSD licence.
///
/// It is made of what a TLS library and its settings decide and not of what a connection does: `t13d1516h2` counts and
/// names, then come digests of the cipher suites and of the extensions with the signature algorithms. Lists are sorted
/// where clients shuffle them, and GREASE (RFC 8701) counts nowhere, for it is random by design.
extension ClientHello {
    public var ja4: String {
        // The name and the protocols are told in front: the same client has the same digest wherever it connects to.
        let others = extensions.filter { $0 != ClientHello.serverNameType && $0 != ClientHello.alpnType }
        let target = extensions.contains(ClientHello.serverNameType) ? "d" : "i"
        let counts = ClientHello.twoDigits(ciphers.count) + ClientHello.twoDigits(extensions.count)
        return "t" + versionCode + target + counts + protocolCode + "_" + ClientHello.digest(ciphers.sorted()) + "_"
            + ClientHello.digest(others.sorted(), signatureAlgorithms)
    }

    private static let serverNameType: UInt16 = 0
    private static let alpnType: UInt16 = 16

    private var versionCode: String {
        switch highestVersion {
        case 0x0304: "13"
        case 0x0303: "12"
        case 0x0302: "11"
        case 0x0301: "10"
        case 0x0300: "s3"
        case 0x0002: "s2"
        default: "00"
        }
    }

    /// The ends of the first protocol; where one of them is no letter or digit, those of its hexadecimal form.
    private var protocolCode: String {
        guard let ends = protocolEnds else { return "00" }
        let (first, last) = (UInt8(ends >> 8), UInt8(ends & 0xff))
        let code =
            ClientHello.isAlphanumeric(first) && ClientHello.isAlphanumeric(last)
            ? [first, last] : [Hex.digit(first >> 4), Hex.digit(last & 15)]
        return String(decoding: code, as: UTF8.self)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func twoDigits(_ count: Int) -> String {
        count < 10 ? "0\(count)" : "\(min(count, 99))"
    }

    /// The first twelve digits of the SHA-256 of a list, to which another may be joined; zeros for an empty one, so that
    /// nobody takes the digest of nothing for that of something.
    private static func digest(_ values: [UInt16], _ joined: [UInt16] = []) -> String {
        if values.isEmpty { return "000000000000" }
        var text: [UInt8] = []
        text.reserveCapacity(5 * (values.count + joined.count))
        append(values, to: &text)
        if !joined.isEmpty {
            text.append(UInt8(ascii: "_"))
            append(joined, to: &text)
        }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        guard EVP_Digest(text, text.count, &digest, nil, EVP_sha256(), nil) == 1 else {
            preconditionFailure("out of memory")
        }
        return Hex.text(digest.prefix(6))
    }

    private static func append(_ values: [UInt16], to text: inout [UInt8]) {
        for (index, value) in values.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            for shift in [12, 8, 4, 0] { text.append(Hex.digit(UInt8(value >> shift & 15))) }
        }
    }
}
