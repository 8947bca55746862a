import Bytes

/// The first message of a TLS connection, as far as judging needs it: whom the client means to reach, and what it
/// would speak.
///
/// Read from the bytes of the records as they came, however the message is spread over records and reads.
public struct ClientHello: Equatable, Sendable {
    public enum Step: Sendable {
        /// A ClientHello as far as it goes.
        case needMore
        case hello(ClientHello)
        /// Something else than a TLS handshake.
        case notTLS
        /// A TLS handshake that no client in good order begins so. Servers may still read it, so it is refused and
        /// not passed on as something unknown.
        case malformed(StaticString)
    }

    /// The host that the client names (RFC 6066 section 3). An address does not belong there; some clients send one.
    public var serverName: Host?
    /// A server name was sent that no host can have.
    public var hasMalformedServerName = false
    /// The protocols offered by ALPN (RFC 7301), in order, without GREASE.
    public var alpn: [String] = []
    /// The versions offered: those of the extension, else the legacy version alone. Without GREASE (RFC 8701).
    public var versions: [UInt16] = []
    public var legacyVersion: UInt16 = 0
    /// An encrypted ClientHello is inside, or a random stand-in for one: the two cannot be told apart.
    public var hasECH = false

    // What tells one kind of client from another; without GREASE, as they came. Two bytes for each two of the message, and
    // nothing is made of them before somebody asks.

    public var ciphers: [UInt16] = []
    /// The types of all extensions.
    public var extensions: [UInt16] = []
    /// RFC 8446 section 4.2.3; empty as well where the extension cannot be read, which is for the server to refuse.
    public var signatureAlgorithms: [UInt16] = []
    /// The first and the last byte of the first protocol of ALPN, which need not be text.
    var protocolEnds: UInt16?

    /// The newest TLS version offered, such as 0x0304 for TLS 1.3.
    public var highestVersion: UInt16 { versions.max() ?? legacyVersion }

    /// Reads a ClientHello from the first bytes of a connection. Incremental callers call again with all the bytes
    /// when there are more, and bound them; a step other than `needMore` stays whatever follows.
    public static func read(_ bytes: UnsafeRawBufferPointer) -> Step {
        if let step = readVersion2(bytes) { return step }
        var records = HandshakeRecords(bytes)
        switch records.gather() {
        case .needMore: return .needMore
        case .notTLS: return .notTLS
        case .malformed(let reason): return .malformed(reason)
        case .message(let body): return body.withUnsafeBytes { parse($0) }
        case .messageInPlace(let range): return parse(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    /// The form of SSL 2.0 in which clients of long ago offered TLS, and which servers still take (RFC 5246 appendix
    /// E.2). It can name no host, and RFC 6176 forbids it: nil if the bytes are not that, else that they are refused.
    private static func readVersion2(_ bytes: UnsafeRawBufferPointer) -> Step? {
        var reader = Reader(bytes)
        guard let high = bytes.first, high & 0x80 != 0 else { return nil }
        guard let length = reader.uint16() else { return .needMore }
        guard let type = reader.uint8() else { return .needMore }
        guard type == 1 else { return nil }
        guard let major = reader.uint8() else { return .needMore }
        guard major == 3 else { return nil }
        guard reader.uint8() != nil, let suites = reader.uint16(), let session = reader.uint16(),
            let challenge = reader.uint16()
        else { return .needMore }
        let total = 9 + Int(suites) + Int(session) + Int(challenge)
        return total == Int(length & 0x7fff) && suites % 3 == 0 ? .malformed("SSL 2.0 ClientHello") : nil
    }

    /// Parses the body of the message (RFC 8446 section 4.1.2), whole.
    private static func parse(_ body: UnsafeRawBufferPointer) -> Step {
        var reader = Reader(body)
        var hello = ClientHello()
        guard let version = reader.uint16(), version >> 8 == 3 else { return .malformed("version") }
        hello.legacyVersion = version
        guard reader.skip(32) else { return .malformed("random") }
        guard let session = reader.vector8(), session.count <= 32 else { return .malformed("session id") }
        guard let suites = reader.vector16(), suites.count >= 2, suites.count % 2 == 0 else {
            return .malformed("cipher suites")
        }
        hello.ciphers = values(suites)
        guard let compressions = reader.vector8(), compressions.contains(0) else {
            return .malformed("compression methods")
        }
        // A client of old may end here.
        if !reader.isEmpty {
            guard let extensions = reader.vector16(), reader.isEmpty else { return .malformed("extensions") }
            if let fault = hello.read(extensions: extensions) { return .malformed(fault) }
        }
        if hello.versions.isEmpty { hello.versions = [version] }
        return .hello(hello)
    }

    /// Reads the extensions; answers with what is wrong, if anything is.
    private mutating func read(extensions: UnsafeRawBufferPointer) -> StaticString? {
        var reader = Reader(extensions)
        // 20: browsers send 16 to 18, so that the list is made room for once.
        self.extensions.reserveCapacity(20)
        var seen: Set<UInt16> = []
        while !reader.isEmpty {
            guard let type = reader.uint16(), let data = reader.vector16() else { return "extension" }
            // RFC 8446 section 4.2: no type twice. A second server name would be read by some and not by others.
            guard seen.insert(type).inserted else { return "repeated extension" }
            if !ClientHello.isGrease(type) { self.extensions.append(type) }
            switch type {
            case 0: if !readServerName(data) { return "server_name" }
            case 13: readSignatureAlgorithms(data)
            case 16: if !readALPN(data) { return "application_layer_protocol_negotiation" }
            case 43: if !readVersions(data) { return "supported_versions" }
            case 0xfe0d: hasECH = true
            default: break
            }
        }
        return nil
    }

    /// RFC 6066 section 3: a list of names of which one is a host_name, the only type there is.
    private mutating func readServerName(_ data: UnsafeRawBufferPointer) -> Bool {
        var reader = Reader(data)
        guard var list = reader.vector16(), reader.isEmpty else { return false }
        reader = Reader(list)
        guard reader.uint8() == 0, let name = reader.vector16(), !name.isEmpty, reader.isEmpty else { return false }
        list = name
        // An IPv6 address stands here without the brackets of a URI.
        serverName = IPAddress(list).map { .address($0) } ?? (list.first == UInt8(ascii: "[") ? nil : Host(list))
        hasMalformedServerName = serverName == nil
        return true
    }

    private mutating func readALPN(_ data: UnsafeRawBufferPointer) -> Bool {
        var reader = Reader(data)
        guard let list = reader.vector16(), reader.isEmpty, !list.isEmpty else { return false }
        reader = Reader(list)
        while !reader.isEmpty {
            guard let name = reader.vector8(), !name.isEmpty else { return false }
            let ends = UInt16(name[0]) << 8 | UInt16(name[name.count - 1])
            if name.count == 2, ClientHello.isGrease(ends) { continue }
            if protocolEnds == nil { protocolEnds = ends }
            alpn.append(String(decoding: name, as: UTF8.self))
        }
        return true
    }

    private mutating func readVersions(_ data: UnsafeRawBufferPointer) -> Bool {
        var reader = Reader(data)
        guard let list = reader.vector8(), reader.isEmpty, list.count >= 2, list.count % 2 == 0 else { return false }
        versions = ClientHello.values(list)
        return true
    }

    private mutating func readSignatureAlgorithms(_ data: UnsafeRawBufferPointer) {
        var reader = Reader(data)
        if let list = reader.vector16() { signatureAlgorithms = ClientHello.values(list) }
    }

    /// The numbers in a list of them, without GREASE.
    private static func values(_ list: UnsafeRawBufferPointer) -> [UInt16] {
        var reader = Reader(list)
        var values: [UInt16] = []
        values.reserveCapacity(list.count / 2)
        while let value = reader.uint16() {
            if !isGrease(value) { values.append(value) }
        }
        return values
    }

    /// RFC 8701: values reserved to keep readers tolerant, both bytes alike and ending in `a`.
    private static func isGrease(_ value: UInt16) -> Bool {
        value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
    }
}
