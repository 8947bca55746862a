import COpenSSL

/// What is wrong with an index, its key or what it is built from, in words that follow the name of the file.
public struct IndexFault: Error, Equatable, Sendable {
    public var message: String

    public init(_ message: String) { self.message = message }
}

/// The key that an index is built and read with. All that is hashed is hashed with a key derived from it.
public struct IndexKey: Sendable {
    /// HMAC-SHA256 of the file, so that any text will do.
    private let secret: [UInt8]

    /// A shorter key could be guessed; a longer file is hardly one.
    public static let bytesMin = 16
    public static let bytesMax = 4096

    /// `content`: of a key file; line breaks at its end do not count.
    public init(_ content: [UInt8]) throws(IndexFault) {
        var content = content[...]
        while content.last == 0x0a || content.last == 0x0d { content.removeLast() }
        guard (Self.bytesMin...Self.bytesMax).contains(content.count) else {
            throw IndexFault("expected a key of \(Self.bytesMin) to \(Self.bytesMax) bytes, found \(content.count)")
        }
        secret = Self.hmac(Array("weir index key".utf8), Array(content))
    }

    /// Reads a key file.
    public static func read(_ path: String) throws(IndexFault) -> IndexKey {
        try IndexKey(SmallFile.read(path, most: bytesMax + 2))
    }

    func derive(_ use: String) -> [UInt8] { Self.hmac(secret, Array(use.utf8)) }

    func tag(_ bytes: [UInt8]) -> [UInt8] { Array(Self.hmac(derive("tag"), bytes).prefix(16)) }

    func hasher(_ use: String) -> SipHash {
        let bytes = derive(use)
        return bytes.withUnsafeBytes {
            SipHash(
                UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)),
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
    }

    private static func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        _ = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, &length)
        return Array(digest.prefix(32))
    }
}
