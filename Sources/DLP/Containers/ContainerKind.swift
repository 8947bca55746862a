/// What the first bytes of a content say that it is.
enum ContainerKind: Equatable {
    case zip, tar, gzip, pdf
    /// Known, and closed to everybody who has no key, or to us.
    case refused(String, Uninspectable)

    /// So many of the first bytes tell.
    static let bytesMax = 512

    /// Nil where they say nothing, be it that there are too few.
    init?(_ bytes: UnsafeRawBufferPointer) {
        func begins(_ magic: [UInt8], at: Int = 0) -> Bool {
            at + magic.count <= bytes.count && bytes[at..<at + magic.count].elementsEqual(magic)
        }
        if begins([0x50, 0x4b, 3, 4]) || begins([0x50, 0x4b, 5, 6]) || begins([0x50, 0x4b, 7, 8, 0x50, 0x4b]) {
            self = .zip
        } else if begins([0x1f, 0x8b, 8]) {
            self = .gzip
        } else if begins(Array("ustar".utf8), at: 257) {
            self = .tar
        } else if Self.isPDF(bytes) {
            self = .pdf
        } else if let known = Self.known.first(where: { begins($0.magic) }) {
            self = .refused(known.label, known.outcome)
        } else {
            return nil
        }
    }

    /// Readers of PDF take it from wherever its head is among the first kilobyte; at the front it is sent by everybody.
    private static func isPDF(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var front = bytes
        if front.starts(with: [0xef, 0xbb, 0xbf]) { _ = front.take(3) }
        return front.starts(with: "%PDF-".utf8)
    }

    private struct Known {
        var label: String
        var magic: [UInt8]
        var outcome: Uninspectable
    }

    private static let known = [
        Known(label: "7z", magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], outcome: .undecodable),
        Known(label: "rar", magic: Array("Rar!\u{1a}\u{7}".utf8), outcome: .undecodable),
        Known(label: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], outcome: .undecodable),
        Known(label: "bzip2", magic: Array("BZh".utf8), outcome: .undecodable),
        // Files of older Office programs, and of newer ones with a password.
        Known(label: "ole", magic: [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], outcome: .undecodable),
        Known(label: "pgp", magic: Array("-----BEGIN PGP MESSAGE-----".utf8), outcome: .encrypted),
        Known(label: "age", magic: Array("age-encryption.org/v1".utf8), outcome: .encrypted),
        Known(label: "age", magic: Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8), outcome: .encrypted),
        Known(label: "openssl", magic: Array("Salted__".utf8), outcome: .encrypted),
        Known(label: "luks", magic: Array("LUKS".utf8) + [0xba, 0xbe], outcome: .encrypted),
    ]
}
