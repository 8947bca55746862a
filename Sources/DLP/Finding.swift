import Bytes
import COpenSSL

/// One match of a rule: where, at which offset, through which decodings, masked.
public struct Finding: Equatable, Sendable {
    public var sensor: String
    public var rule: String
    /// Of the rule or detector: which form of it has found this.
    public var version: String
    /// As attached to the service.
    public var action: Action
    public var context: Contexts
    /// In the value that was read, after decoding.
    public var offset: UInt64
    /// On the wire: exact where nothing was decoded, else the last known place at or before the match.
    public var rawOffset: UInt64
    public var length: Int
    /// High where no detector says otherwise.
    public var confidence: Confidence
    /// Decodings from the outside in, `gzip` for one.
    public var decoded: [String]
    /// First and last character, the rest masked.
    public var match: String
    /// The masked match among what stands around it, masked as well (`Excerpt`); empty where that is not asked for.
    public var excerpt: String
    /// Keyed, so that two records can be seen to speak of the same secret and neither gives it away.
    public var fingerprint: String
    /// The whole match, for who has the key of `evidence.seal_to`; nil where there is none.
    public var sealed: String?

    /// Of two ways to one match the one with fewer decodings is told.
    static func isPlainer(_ labels: [String], than others: [String]) -> Bool {
        labels.count != others.count ? labels.count < others.count : labels.lexicographicallyPrecedes(others)
    }
}

/// Bytes on the wire to be overwritten with `byte`.
public struct Redaction: Equatable, Sendable {
    public var offset: UInt64
    public var length: Int
    public var byte: UInt8
    /// What lies over the bytes on the wire from the first of them on, as a WebSocket's mask does, the lowest byte first.
    public var mask: UInt32 = 0

    /// What belongs on the wire at an offset behind `offset`.
    public func wireByte(_ at: UInt64) -> UInt8 { byte ^ UInt8(truncatingIfNeeded: mask >> UInt32(8 * (at & 3))) }
}

/// What findings say of a match besides the masked match itself.
public struct EvidenceSpec: Hashable, Sendable {
    /// Bytes before and behind a match that are shown, masked; none: no excerpt.
    public var context: Int
    /// To whom whole matches are sealed.
    public var sealTo: SealKey?

    public static let contextMax = 256

    public init(context: Int = 0, sealTo: SealKey? = nil) { (self.context, self.sealTo) = (context, sealTo) }

    var isNone: Bool { context == 0 && sealTo == nil }
}

/// What a record may say of a matched secret.
enum Masking {
    /// Longer matches are shown as this many characters.
    static let maskedMax = 40
    /// Up to this length the first and last character would say too much.
    static let maskedWhole = 4

    static func mask(_ match: UnsafeRawBufferPointer) -> String {
        let shown = min(match.count, maskedMax)
        guard match.count > maskedWhole, let first = match.first, let last = match.last else {
            return String(repeating: "*", count: shown)
        }
        return printable(first) + String(repeating: "*", count: shown - 2) + printable(last)
    }

    /// For a value of which nothing may be told.
    static func hide(_ match: UnsafeRawBufferPointer) -> String {
        String(repeating: "*", count: min(match.count, maskedMax))
    }

    private static func printable(_ byte: UInt8) -> String {
        (0x21...0x7e).contains(byte) ? String(UnicodeScalar(byte)) : "*"
    }

    /// HMAC-SHA256, its first 16 bytes in hexadecimal.
    static func fingerprint(_ match: UnsafeRawBufferPointer, key: [UInt8]) -> String {
        Hexadecimal.text(digest(Array(match), key: key).prefix(16))
    }

    /// HMAC-SHA256 (RFC 2104).
    static func digest(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        _ = HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, &length)
        return Array(digest.prefix(Int(length)))
    }
}
