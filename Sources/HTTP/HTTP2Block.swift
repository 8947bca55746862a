import Bytes

/// The fields of one head or trailer section as they come out of HPACK, checked one by one and kept as lines of
/// HTTP/1.1. `HTTP2Request` and `HTTP2Response` make a head of them.
///
/// The library checks most of this, too; what goes on as text is checked here by the grammar of the HTTP/1 parser.
struct HTTP2Block: ~Copyable {
    enum Kind { case request, response, trailers }

    private(set) var kind = Kind.request
    /// The first thing that is wrong; the rest is decoded for the sake of the table alone.
    private(set) var rejection: Rejection?

    /// Values of pseudo-fields, Host and Content-Length; the ranges below are of these.
    var words = Buffer()
    var method: Range<Int>?
    var scheme: Range<Int>?
    var authority: Range<Int>?
    var path: Range<Int>?
    var protocolName: Range<Int>?
    var status: Range<Int>?
    var host: Range<Int>?
    var length: Range<Int>?

    /// `name: value` CRLF, the fields above left out.
    var lines = Buffer()
    /// The crumbs of Cookie, joined (RFC 9113 section 8.2.3).
    var cookies = Buffer()
    /// What `settle` wrote.
    var text = Buffer()

    private var bytes = 0
    private var fields = 0
    private var hasRegular = false
    private var isWebSocket = false
    /// The head that was written says that content comes in chunks.
    var isChunked = false
    /// The client says itself how its streams share the connection (RFC 9218 section 5).
    private(set) var hasPriority = false

    mutating func begin(_ kind: Kind, isWebSocket: Bool = false) {
        self.kind = kind
        self.isWebSocket = isWebSocket
        rejection = nil
        words.removeAll()
        (method, scheme, authority, path) = (nil, nil, nil, nil)
        (protocolName, status, host, length) = (nil, nil, nil, nil)
        lines.removeAll()
        cookies.removeAll()
        text.removeAll()
        (bytes, fields, hasRegular, hasPriority, isChunked) = (0, 0, false, false, false)
    }

    /// False when the section is larger than the limits allow.
    mutating func take(
        _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ limits: HTTP2Limits
    ) -> Bool {
        // RFC 9113 section 6.5.2; the 32 bytes are more than any line of text needs, so that the text fits, too.
        bytes += name.count + value.count + 32
        fields += 1
        guard bytes <= limits.headBytes, fields <= limits.fieldsMost else { return false }
        if rejection == nil {
            rejection = name.first == Octet.colon ? takePseudo(name, value) : takeField(name, value)
        }
        return true
    }

    /// What the library found.
    mutating func refuse(_ rejection: Rejection) {
        if self.rejection == nil { self.rejection = rejection }
    }

    func word(_ range: Range<Int>?) -> UnsafeRawBufferPointer {
        guard let range else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: words.readable[range])
    }

    func isWord(_ range: Range<Int>?, _ text: StaticString) -> Bool {
        guard let range else { return false }
        return Octet.equal(words.readable, range, text)
    }

    // MARK: - One field

    /// RFC 9113 section 8.3: each once, before all others, and those of this kind alone.
    private mutating func takePseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Rejection? {
        guard !hasRegular else { return .malformed("pseudo-fields in front of the others") }
        let word = keep(value)
        func named(_ text: StaticString) -> Bool { Octet.equal(name, 0..<name.count, text) }
        var isFirst = false
        switch kind {
        case .request:
            if named(":method") {
                isFirst = HTTP2Block.put(word, &method)
            } else if named(":scheme") {
                isFirst = HTTP2Block.put(word, &scheme)
            } else if named(":authority") {
                isFirst = HTTP2Block.put(word, &authority)
            } else if named(":path") {
                isFirst = HTTP2Block.put(word, &path)
            } else if named(":protocol") {
                isFirst = HTTP2Block.put(word, &protocolName)
            }
        case .response: if named(":status") { isFirst = HTTP2Block.put(word, &status) }
        case .trailers: break
        }
        return isFirst ? nil : .malformed("known pseudo-fields, each of them once")
    }

    private mutating func takeField(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Rejection? {
        hasRegular = true
        guard !name.isEmpty, name.allSatisfy({ Octet.isToken($0) && Octet.lowered($0) == $0 }) else {
            return .malformed("field names of token characters in lower case")
        }
        let all = 0..<value.count
        guard Octet.firstControl(value, 0, value.count) == value.count else {
            let hasEnd = value.contains { $0 == Octet.cr || $0 == Octet.lf || $0 == 0 }
            return hasEnd
                ? .ambiguous("no CR, LF or NUL in a field value") : .malformed("no control byte in a field value")
        }
        guard Octet.trimmed(value, all) == all else { return .malformed("no space around a field value") }
        switch FieldName(name) {
        case .connection, .keepAlive, .proxyConnection, .upgrade:
            return .malformed("no field that is for one connection alone")
        case .transferEncoding: return .ambiguous("no Transfer-Encoding in HTTP/2")
        case .te where !Octet.matches(value, all, "trailers"): return .malformed("trailers alone in TE")
        case .host where kind == .request:
            guard HTTP2Block.put(keep(value), &host) else { return .ambiguous("one Host field") }
        case .contentLength where kind != .trailers:
            guard HTTP2Block.put(keep(value), &length) else { return .ambiguous("one Content-Length") }
            guard (1...19).contains(value.count), value.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else {
                return .ambiguous("digits alone in Content-Length, up to 9223372036854775807")
            }
        case .cookie where kind == .request:
            if !cookies.isEmpty { cookies.append("; ") }
            cookies.append(value)
        default:
            // The key and its answer are HTTP/1.1's (RFC 8441 section 5): this end makes its own.
            if isWebSocket || protocolName != nil, HTTP2Block.isHandshake(name) { return nil }
            if Octet.equal(name, 0..<name.count, "priority") { hasPriority = true }
            lines.append(name)
            lines.append(": ")
            lines.append(value)
            lines.append("\r\n")
        }
        return nil
    }

    private static func isHandshake(_ name: UnsafeRawBufferPointer) -> Bool {
        Octet.equal(name, 0..<name.count, "sec-websocket-key")
            || Octet.equal(name, 0..<name.count, "sec-websocket-accept")
    }

    private mutating func keep(_ value: UnsafeRawBufferPointer) -> Range<Int> {
        let start = words.count
        words.append(value)
        return start..<words.count
    }

    /// False where there is a value already.
    private static func put(_ word: Range<Int>, _ place: inout Range<Int>?) -> Bool {
        guard place == nil else { return false }
        place = word
        return true
    }
}
