/// What the first bytes of a content say that it is.
enum ContainerKind: Equatable {
    case zip, tar, gzip, pdf
    /// Known, and closed to everybody who has no key, or to us.
    case refused(Uninspectable)

    /// So many of the first bytes tell: to the mark of a tar file.
    static let bytesMax = 262

    /// Nil where they say nothing, be it that there are too few.
    init?(_ bytes: UnsafeRawBufferPointer) {
        func begins(_ magic: [UInt8], at: Int = 0) -> Bool {
            at + magic.count <= bytes.count && bytes[at..<at + magic.count].elementsEqual(magic)
        }
        if begins([0x50, 0x4b, 3, 4]) || begins([0x50, 0x4b, 5, 6]) || begins([0x50, 0x4b, 7, 8, 0x50, 0x4b]) {
            self = .zip
        } else if begins([0x1f, 0x8b, 8]) {
            self = .gzip
        } else if Self.isPDF(bytes) {
            self = .pdf
        } else if let known = Self.known.first(where: { begins($0.magic) }) {
            self = .refused(known.outcome)
        } else if begins(Array("ustar".utf8), at: 257) {
            // Last, because it is known last.
            self = .tar
        } else {
            return nil
        }
    }

    var isReadable: Bool { if case .refused = self { false } else { true } }

    /// Nil where there is none.
    func reader(_ budget: ContainerBudget) -> (any ContainerReader)? {
        switch self {
        case .zip: ZipReader(budget)
        case .tar: TarReader(budget)
        case .gzip: GzipReader(budget)
        case .pdf: PDFReader(budget)
        case .refused: nil
        }
    }

    /// Readers of PDF take it from wherever its head is among the first kilobyte; at the front it is sent by everybody.
    private static func isPDF(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var front = bytes
        if front.starts(with: [0xef, 0xbb, 0xbf]) { _ = front.take(3) }
        return front.starts(with: "%PDF-".utf8)
    }

    private static let known: [(magic: [UInt8], outcome: Uninspectable)] = [
        // 7-Zip, RAR, xz and bzip2
        ([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], .undecodable),
        (Array("Rar!\u{1a}\u{7}".utf8), .undecodable),
        ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], .undecodable),
        (Array("BZh".utf8), .undecodable),
        // Files of older Office programs, and of newer ones with a password
        ([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1], .undecodable),
        (Array("-----BEGIN PGP MESSAGE-----".utf8), .encrypted),
        (Array("age-encryption.org/v1".utf8), .encrypted),
        (Array("-----BEGIN AGE ENCRYPTED FILE-----".utf8), .encrypted),
        // `openssl enc`
        (Array("Salted__".utf8), .encrypted),
    ]
}
