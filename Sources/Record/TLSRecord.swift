import Bytes

/// What the TLS of a session was, on either side of the gateway: the `tls` object of its record. Nil means unknown.
///
/// It is of the connection: all exchanges on it have the same.
public struct TLSRecord: Sendable {
    /// What was done with it.
    public enum Handling: UInt8, Sendable, CaseIterable {
        case intercepted, passed, refused

        public var label: StaticString {
            switch self {
            case .intercepted: "intercepted"
            case .passed: "passed"
            case .refused: "refused"
            }
        }
    }

    /// Agreed with the client, such as `1.3`.
    public var version: String?
    /// By its standard name, such as `TLS_AES_128_GCM_SHA256`.
    public var cipher: String?
    public var alpn: String?
    /// The name that the client asked for.
    public var sni: String?
    /// Byte ranges of it that a finding overlaps: written as `*`. Where it is the session's name, `maskedFQDN` holds too.
    public var maskedSNI: [Range<Int>]
    /// Which client software it is by the look of its ClientHello.
    public var ja4: String?
    public var handling: Handling
    /// Why it was handled so, such as `tls.passthrough`.
    public var why: String?
    /// What the client said when it ended the handshake, such as `unknown CA (48)`.
    public var alert: String?
    /// Of the certificate that the upstream showed.
    public var issuer: String?
    public var fingerprint: String?
    /// Agreed with the upstream.
    public var upstreamVersion: String?
    /// The upstream was verified by its fingerprint alone (`tls.pins`).
    public var isPinned: Bool

    @inlinable public init(
        version: String? = nil, cipher: String? = nil, alpn: String? = nil, sni: String? = nil,
        maskedSNI: [Range<Int>] = [], ja4: String? = nil, handling: Handling, why: String? = nil, alert: String? = nil,
        issuer: String? = nil, fingerprint: String? = nil, upstreamVersion: String? = nil, isPinned: Bool = false
    ) {
        self.version = version
        self.cipher = cipher
        self.alpn = alpn
        self.sni = sni
        self.maskedSNI = maskedSNI
        self.ja4 = ja4
        self.handling = handling
        self.why = why
        self.alert = alert
        self.issuer = issuer
        self.fingerprint = fingerprint
        self.upstreamVersion = upstreamVersion
        self.isPinned = isPinned
    }

    // Bounds of one line, so that a slot can stand for it. Of a longer text the rest is not written.

    /// Versions, cipher suites, alerts, fingerprints: the longest is a SHA-256 in hexadecimal.
    static let wordBytesMax = 64
    static let whyBytesMax = 128
    /// A host is at most 253 bytes, and a protocol of ALPN at most 255 (RFC 7301 section 3.1).
    static let nameBytesMax = 255
    /// A distinguished name has no bound, and the peer wrote it.
    static let issuerBytesMax = 256

    /// No `tls` object of these facts is longer.
    var bound: Int {
        var strings = 0
        for text in [version, cipher, ja4, alert, fingerprint, upstreamVersion] {
            strings += min(text?.utf8.count ?? 0, TLSRecord.wordBytesMax)
        }
        for text in [alpn, sni] { strings += min(text?.utf8.count ?? 0, TLSRecord.nameBytesMax) }
        strings += min(why?.utf8.count ?? 0, TLSRecord.whyBytesMax)
        strings += min(issuer?.utf8.count ?? 0, TLSRecord.issuerBytesMax)
        return 256 + LineCursor.bound(quoted: strings)
    }
}

/// The `tls` object of a line. It stands among the parties, so that a `LineFrame` has it too, and so have events.
extension LineEncoder {
    mutating func put(_ tls: TLSRecord, into out: inout LineCursor) {
        out.put(",\"tls\":{")
        var start: StaticString = "\""
        put("version", tls.version, TLSRecord.wordBytesMax, &start, into: &out)
        put("cipher", tls.cipher, TLSRecord.wordBytesMax, &start, into: &out)
        put("alpn", tls.alpn, TLSRecord.nameBytesMax, &start, into: &out)
        put("sni", tls.sni, TLSRecord.nameBytesMax, masked: tls.maskedSNI, &start, into: &out)
        put("ja4", tls.ja4, TLSRecord.wordBytesMax, &start, into: &out)
        out.put(start)
        out.put("handling\":")
        out.put(quoted: tls.handling.label)
        start = ",\""
        put("why", tls.why, TLSRecord.whyBytesMax, &start, into: &out)
        put("alert", tls.alert, TLSRecord.wordBytesMax, &start, into: &out)
        put("issuer", tls.issuer, TLSRecord.issuerBytesMax, &start, into: &out)
        put("fingerprint", tls.fingerprint, TLSRecord.wordBytesMax, &start, into: &out)
        put("upstream_version", tls.upstreamVersion, TLSRecord.wordBytesMax, &start, into: &out)
        if tls.isPinned { out.put(",\"pinned\":true") }
        out.put("}")
    }

    /// A field, if it is known. `start` is what stands before the key: a comma as well, behind another.
    private mutating func put(
        _ key: StaticString, _ text: String?, _ most: Int, masked: [Range<Int>] = [], _ start: inout StaticString,
        into out: inout LineCursor
    ) {
        guard var text else { return }
        out.put(start)
        out.put(key)
        out.put("\":")
        text.withUTF8 { put(UnsafeRawBufferPointer($0).cut(most), masked: masked, into: &out) }
        start = ",\""
    }
}
