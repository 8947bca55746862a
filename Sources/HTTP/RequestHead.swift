import Bytes

/// The head of a request, as ranges of the bytes it was parsed from. Kept by its session and reused: after `reset` the
/// next head costs no allocation.
///
///     start ──request line──▶ fields ──empty line──▶ settled
///       └────────────┴───────────┴──▶ refused
public struct RequestHead: ~Copyable, Sendable {
    /// The four forms of a request target (RFC 9112 section 3.2).
    public enum Form: UInt8, Sendable { case origin, absolute, authority, asterisk }

    public internal(set) var method = Method.other
    public internal(set) var methodRange = 0..<0
    /// Of HTTP/1: 0 or 1.
    public internal(set) var minorVersion = 1
    /// `OPTIONS http://host HTTP/1.1` is the asterisk form of that host (RFC 9112 section 3.2.4).
    public internal(set) var form = Form.origin
    /// Path and query; empty for the authority and asterisk forms. An absolute target without a path has "/", and one
    /// with a query alone has "?…", to be read and sent with a "/" in front.
    public internal(set) var path = 0..<0
    /// `host[:port]` of the target, else of the Host field; empty when there is neither, which HTTP/1.0 allows.
    public internal(set) var authority = 0..<0
    /// The host part of the authority, brackets included.
    public internal(set) var host = 0..<0
    /// The port the authority spells out.
    public internal(set) var port: UInt16?
    /// The target is absolute and its scheme is https.
    public internal(set) var isHTTPS = false
    public internal(set) var fields = ContiguousArray<Field>()
    /// Never `untilClose`.
    public internal(set) var framing = Framing.none
    /// The client will send another request on the connection.
    public internal(set) var keepsAlive = false
    /// The client waits for 100 Continue before it sends the body.
    public internal(set) var expectsContinue = false
    /// What the client asks to change to: the value of Upgrade where Connection names it and it is not HTTP/2.
    public internal(set) var upgrade: Range<Int>?
    /// The codings on the body, in the order they were applied.
    public internal(set) var contentEncodings = ContiguousArray<Range<Int>>()
    /// The bytes the head takes, any empty lines before it included; 0 until it is whole.
    public internal(set) var length = 0

    var lines = FieldLines()
    private var phase = Phase.start
    private var skipped = 0
    private var rejection: Rejection?

    private enum Phase: UInt8 { case start, fields, settled, refused }

    public init() {}

    /// Ready for the next head; what the collections hold of memory stays.
    public mutating func reset() {
        method = .other
        methodRange = 0..<0
        minorVersion = 1
        form = .origin
        path = 0..<0
        authority = 0..<0
        host = 0..<0
        port = nil
        isHTTPS = false
        fields.removeAll(keepingCapacity: true)
        framing = .none
        keepsAlive = false
        expectsContinue = false
        upgrade = nil
        if !contentEncodings.isEmpty { contentEncodings.removeAll(keepingCapacity: true) }
        length = 0
        lines = FieldLines()
        phase = .start
        skipped = 0
        rejection = nil
    }

    /// Feeds the bytes of the connection from the first of this head on: the same again after `needMore`, with more
    /// behind them. What follows the head is not looked at.
    public mutating func parse(_ bytes: UnsafeRawBufferPointer, limits: Limits) -> HeadStep {
        let end = min(bytes.count, limits.headBytes)
        if phase == .start {
            if lines.mustWait(bytes, end: end) { return waiting(bytes, limits) }
            while phase == .start {
                guard let lf = Octet.firstLF(bytes, lines.at..<end) else {
                    lines.scanned = end
                    return waiting(bytes, limits)
                }
                if let rejection = takeStart(bytes, lines.at..<lf) { return refuse(rejection) }
                lines.at = lf + 1
            }
        }
        switch phase {
        case .start, .refused: break
        case .settled: return .head(length: length)
        case .fields:
            switch lines.take(bytes, end: end, into: &fields, max: limits.headFields) {
            case .incomplete: return waiting(bytes, limits)
            case .reject(let rejection): return refuse(rejection)
            case .end(let length):
                if let rejection = settle(bytes) { return refuse(rejection) }
                self.length = length
                phase = .settled
                return .head(length: length)
            }
        }
        return .reject(rejection ?? .malformed("a request"))
    }

    /// The line `line` without its LF: an empty one before the head, or the request line.
    private mutating func takeStart(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Rejection? {
        guard let last = line.last, bytes[last] == Octet.cr else {
            return .ambiguous("CRLF at the end of a line, not LF alone")
        }
        guard line.count > 1 else {
            // RFC 9112 section 2.2: some clients end a body with a CRLF too many.
            skipped += 1
            return skipped > RequestHead.emptyLinesMax ? .malformed("a request line after a few empty lines") : nil
        }
        phase = .fields
        return takeRequestLine(bytes, line.lowerBound..<last)
    }

    /// Empty lines that may come before a request.
    static let emptyLinesMax = 4

    private mutating func waiting(_ bytes: UnsafeRawBufferPointer, _ limits: Limits) -> HeadStep {
        guard bytes.count >= limits.headBytes else { return .needMore }
        if phase == .start { return refuse(.flood("a shorter request target", status: 414)) }
        return refuse(.flood("a smaller head"))
    }

    private mutating func refuse(_ rejection: Rejection) -> HeadStep {
        phase = .refused
        self.rejection = rejection
        return .reject(rejection)
    }

    /// What the fields mean together, once all are there.
    private mutating func settle(_ bytes: UnsafeRawBufferPointer) -> Rejection? {
        if let rejection = lines.settleConnection(bytes, &fields) { return rejection }
        if lines.isChunked {
            // RFC 9112 section 6.1: whoever answers in 1.0 may not know the coding, and would see another message.
            guard minorVersion == 1 else { return .ambiguous("no Transfer-Encoding in HTTP/1.0") }
            framing = .chunked
        } else if let length = lines.length {
            framing = .length(length)
        }
        if method == .connect || method == .trace, framing != .none, framing != .length(0) {
            return .ambiguous("no content in CONNECT and TRACE")
        }
        if authority.isEmpty, let named = lines.host { take(named) }
        if lines.host == nil, minorVersion == 1 { return .malformed("a Host field in HTTP/1.1") }
        keepsAlive = !lines.closes && (minorVersion == 1 || lines.keepsAlive)
        expectsContinue = lines.expectsContinue && minorVersion == 1 && framing != .none && framing != .length(0)
        upgrade = minorVersion == 1 ? lines.agreedUpgrade(bytes) : nil
        return contentEncodings.collect(fields, lines.seen, bytes)
    }

    mutating func take(_ named: Authority) {
        authority = named.whole
        host = named.host
        port = named.port
    }

    /// The client asks to change to WebSocket (RFC 6455 section 4.1).
    public func asksForWebSocket(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard method == .get, let upgrade else { return false }
        return Octet.matches(bytes, upgrade, "websocket")
    }

    /// TE says that the client reads trailers (RFC 9110 section 10.1.4).
    func takesTrailers(_ bytes: UnsafeRawBufferPointer) -> Bool {
        for field in fields where field.id == .te {
            var rest = field.value
            while let element = Octet.element(bytes, &rest) {
                if Octet.matches(bytes, element, "trailers") { return true }
            }
        }
        return false
    }
}

extension ContiguousArray<Range<Int>> {
    /// More codings than this on one body are refused; decoding ends long before.
    static var codingsMax: Int { 16 }

    /// Fills with the elements of the Content-Encoding fields.
    mutating func collect(
        _ fields: ContiguousArray<Field>, _ seen: FieldNames, _ bytes: UnsafeRawBufferPointer
    ) -> Rejection? {
        guard seen.has(.contentEncoding) else { return nil }
        for field in fields where field.id == .contentEncoding {
            var rest = field.value
            while let coding = Octet.element(bytes, &rest) {
                guard Octet.span(bytes, coding, of: Octet.token) == coding.upperBound else {
                    return .malformed("tokens in Content-Encoding")
                }
                guard count < ContiguousArray.codingsMax else { return .flood("fewer content codings") }
                append(coding)
            }
        }
        return nil
    }
}
