import COpenSSL

/// The public half of the key of whoever may read whole matches: X25519 (RFC 7748).
public struct SealKey: Hashable, Sendable {
    public struct Failure: Error, Equatable, Sendable {
        public var message: String
    }

    static let length = 32

    let bytes: [UInt8]

    /// As `openssl pkey -pubout` writes it.
    public init(pem: [UInt8]) throws(Failure) {
        guard let key = Self.key(pem, { PEM_read_bio_PUBKEY($0, nil, nil, nil) }) else {
            throw Failure(message: "expected an X25519 public key in PEM")
        }
        defer { EVP_PKEY_free(key) }
        bytes = try Self.publicHalf(key)
    }

    static func key(_ pem: [UInt8], _ read: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
        guard let bio = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else { return nil }
        defer { BIO_free(bio) }
        let key = read(bio)
        ERR_clear_error()
        return key
    }

    static func publicHalf(_ key: OpaquePointer) throws(Failure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: length)
        var count = length
        guard EVP_PKEY_get_id(key) == EVP_PKEY_X25519, EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1,
            count == length
        else { throw Failure(message: "expected an X25519 key, found another kind of key") }
        return bytes
    }
}

/// A sealed text: one line of base64 that only the private half of the key opens.
///
/// ```
/// 1 │ ephemeral public key │ nonce │ AES-256-GCM │ tag
/// 1          32               12        n          16    bytes
/// key = HKDF-SHA256(salt: ephemeral ‖ recipient, ikm: X25519(ephemeral, recipient), info: "weir evidence 1")
/// ```
private enum Envelope {
    static let version: UInt8 = 1
    static let nonceLength = 12
    static let tagLength = 16
    static let overhead = 1 + SealKey.length + nonceLength + tagLength
    private static let info = Array("weir evidence 1".utf8)

    /// HKDF of one block (RFC 5869), from what the two keys share.
    static func key(_ own: OpaquePointer, _ other: [UInt8], ephemeral: [UInt8], recipient: [UInt8]) -> [UInt8]? {
        guard let peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, other, other.count),
            let context = EVP_PKEY_CTX_new(own, nil)
        else { return nil }
        defer {
            EVP_PKEY_free(peer)
            EVP_PKEY_CTX_free(context)
        }
        var shared = [UInt8](repeating: 0, count: SealKey.length)
        var count = shared.count
        // Refuses a peer of small order, with whom nothing would be secret.
        guard EVP_PKEY_derive_init(context) == 1, EVP_PKEY_derive_set_peer(context, peer) == 1,
            EVP_PKEY_derive(context, &shared, &count) == 1
        else { return nil }
        let extracted = Masking.digest(shared, key: ephemeral + recipient)
        return Masking.digest(info + [1], key: extracted)
    }

    /// AES-256-GCM; nil where the tag is not that of the text.
    static func crypt(
        _ text: [UInt8], key: [UInt8], nonce: [UInt8], tag: inout [UInt8], sealing: Bool
    ) -> [UInt8]? {
        guard let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        var out = [UInt8](repeating: 0, count: text.count)
        var (count, rest): (Int32, Int32) = (0, 0)
        guard EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, sealing ? 1 : 0) == 1,
            EVP_CipherUpdate(context, &out, &count, text, Int32(text.count)) == 1
        else { return nil }
        let length = Int32(tagLength)
        if !sealing, EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, length, &tag) != 1 { return nil }
        var last = [UInt8](repeating: 0, count: 16)
        guard EVP_CipherFinal_ex(context, &last, &rest) == 1 else { return nil }
        if sealing, EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, length, &tag) != 1 { return nil }
        return out
    }
}

/// Seals matches of one exchange: the key is agreed on once, and each text has a nonce of its own.
final class Sealer {
    private let key: [UInt8]
    private let ephemeral: [UInt8]
    private var count: UInt64 = 0

    /// Nil where the library has no randomness or memory left.
    init?(to recipient: SealKey) {
        guard let context = EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, nil) else { return nil }
        defer { EVP_PKEY_CTX_free(context) }
        var made: OpaquePointer?
        guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_keygen(context, &made) == 1, let own = made else {
            return nil
        }
        defer { EVP_PKEY_free(own) }
        guard let ephemeral = try? SealKey.publicHalf(own),
            let key = Envelope.key(own, recipient.bytes, ephemeral: ephemeral, recipient: recipient.bytes)
        else { return nil }
        (self.ephemeral, self.key) = (ephemeral, key)
    }

    func seal(_ text: UnsafeRawBufferPointer) -> String? {
        count += 1
        // The key is of this sealer alone, so that a counter never comes twice with it.
        let nonce = [0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * (7 - $0))) }
        var tag = [UInt8](repeating: 0, count: Envelope.tagLength)
        let sealed = Envelope.crypt(Array(text), key: key, nonce: nonce, tag: &tag, sealing: true)
        guard let sealed else { return nil }
        let envelope = [Envelope.version] + ephemeral + nonce + sealed + tag
        var line = [UInt8](repeating: 0, count: (envelope.count + 2) / 3 * 4 + 1)
        let length = EVP_EncodeBlock(&line, envelope, Int32(envelope.count))
        return String(decoding: line.prefix(Int(length)), as: UTF8.self)
    }
}

/// Opens what was sealed: `weir unseal`.
public struct Unsealer {
    private let key: OpaquePointer
    private let recipient: [UInt8]
    private let owner: Owner

    private final class Owner {
        let key: OpaquePointer
        init(_ key: OpaquePointer) { self.key = key }
        deinit { EVP_PKEY_free(key) }
    }

    /// A private key as `openssl genpkey -algorithm X25519` writes it, unencrypted.
    public init(pem: [UInt8]) throws(SealKey.Failure) {
        // No passphrase is asked for.
        guard let key = SealKey.key(pem, { PEM_read_bio_PrivateKey($0, nil, { _, _, _, _ in -1 }, nil) }) else {
            throw SealKey.Failure(message: "expected an X25519 private key in PEM, unencrypted")
        }
        (owner, self.key) = (Owner(key), key)
        recipient = try SealKey.publicHalf(key)
    }

    /// Nil where it was sealed to another key, or is no sealed text.
    public func open(_ line: String) -> [UInt8]? {
        let text = Array(line.utf8)
        guard text.count % 4 == 0, !text.isEmpty else { return nil }
        var envelope = [UInt8](repeating: 0, count: text.count / 4 * 3)
        guard EVP_DecodeBlock(&envelope, text, Int32(clamping: text.count)) == envelope.count else { return nil }
        envelope.removeLast(text.suffix(2).count { $0 == UInt8(ascii: "=") })
        guard envelope.count >= Envelope.overhead, envelope[0] == Envelope.version else { return nil }
        let ephemeral = Array(envelope[1...SealKey.length])
        let rest = envelope[(1 + SealKey.length)...]
        let nonce = Array(rest.prefix(Envelope.nonceLength))
        var tag = Array(rest.suffix(Envelope.tagLength))
        let sealed = Array(rest.dropFirst(Envelope.nonceLength).dropLast(Envelope.tagLength))
        guard let shared = Envelope.key(key, ephemeral, ephemeral: ephemeral, recipient: recipient) else { return nil }
        return withExtendedLifetime(owner) {
            Envelope.crypt(sealed, key: shared, nonce: nonce, tag: &tag, sealing: false)
        }
    }
}
