import Bytes

/// The head of a response, as ranges of the bytes it was parsed from. Kept by its session and reused like `RequestHead`.
///
///     start ──status line──▶ fields ──empty line──▶ settled
///       └────────────┴──────────┴──▶ refused
public struct ResponseHead: ~Copyable, Sendable {
    /// 100...999.
    public internal(set) var status = 0
    public internal(set) var reason = 0..<0
    /// Of HTTP/1: 0 or 1.
    public internal(set) var minorVersion = 1
    public internal(set) var fields = ContiguousArray<Field>()
    /// For the request it answers (RFC 9112 section 6.3).
    public internal(set) var framing = Framing.none
    /// The origin will take another request on the connection.
    public internal(set) var keepsAlive = false
    /// What was changed to (101), or is offered (426): the value of Upgrade where Connection names it.
    public internal(set) var upgrade: Range<Int>?
    /// The codings on the body, in the order they were applied.
    public internal(set) var contentEncodings = ContiguousArray<Range<Int>>()
    /// The bytes the head takes; 0 until it is whole.
    public internal(set) var length = 0

    /// The method of the request that this answers.
    private(set) var answering = Method.other
    var lines = FieldLines()
    private var phase = Phase.start
    private var rejection: Rejection?

    private enum Phase: UInt8 { case start, fields, settled, refused }

    /// 100 Continue and the like: the response proper is still to come. 101 is final for HTTP/1.
    public var isInterim: Bool { status < 200 && status != 101 }

    public init() {}

    /// The server changes to WebSocket (RFC 6455 section 4.2.2).
    public func opensWebSocket(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard status == 101, let upgrade else { return false }
        return Octet.matches(bytes, upgrade, "websocket")
    }

    /// Ready for the next head; what the collections hold of memory stays.
    public mutating func reset() {
        status = 0
        reason = 0..<0
        minorVersion = 1
        fields.removeAll(keepingCapacity: true)
        framing = .none
        keepsAlive = false
        upgrade = nil
        if !contentEncodings.isEmpty { contentEncodings.removeAll(keepingCapacity: true) }
        length = 0
        answering = .other
        lines = FieldLines()
        phase = .start
        rejection = nil
    }

    /// Feeds the bytes of the connection from the first of this head on, as `RequestHead.parse` takes them. Rejections
    /// have the status 502: they are told to the client.
    public mutating func parse(
        _ bytes: UnsafeRawBufferPointer, answering method: Method, limits: Limits
    ) -> HeadStep {
        let end = min(bytes.count, limits.headBytes)
        if phase == .start {
            guard !lines.mustWait(bytes, end: end), let lf = Octet.firstLF(bytes, 0..<end) else {
                lines.scanned = end
                return waiting(bytes, limits)
            }
            answering = method
            if let rejection = takeStatusLine(bytes, 0..<lf) { return refuse(rejection) }
            lines.at = lf + 1
            phase = .fields
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
        return .reject(rejection ?? .malformed("a response"))
    }

    private mutating func waiting(_ bytes: UnsafeRawBufferPointer, _ limits: Limits) -> HeadStep {
        bytes.count < limits.headBytes ? .needMore : refuse(.flood("a smaller head"))
    }

    private mutating func refuse(_ rejection: Rejection) -> HeadStep {
        phase = .refused
        var rejection = rejection
        rejection.status = 502
        self.rejection = rejection
        return .reject(rejection)
    }

    /// `line` ends before its LF. The space before an empty reason may be missing, as many servers have it.
    private mutating func takeStatusLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> Rejection? {
        guard let last = line.last, bytes[last] == Octet.cr else {
            return .ambiguous("CRLF at the end of a line, not LF alone")
        }
        guard line.count >= 13, case .minor(let minor) = Version(bytes, 0..<8), bytes[8] == Octet.space else {
            return .malformed("HTTP/1.1 or HTTP/1.0, a space and three digits")
        }
        minorVersion = minor
        for at in 9..<12 {
            let digit = bytes[at] &- UInt8(ascii: "0")
            guard digit < 10 else { return .malformed("three digits of status") }
            status = status * 10 + Int(digit)
        }
        guard status >= 100 else { return .malformed("a status from 100") }
        guard last > 12 else {
            reason = last..<last
            return nil
        }
        guard bytes[12] == Octet.space else { return .malformed("a space after the status") }
        reason = 13..<last
        let stop = Octet.firstControl(bytes, 13, last)
        guard stop == last else {
            return bytes[stop] == Octet.cr || bytes[stop] == 0
                ? .ambiguous("no CR and no NUL in the reason") : .malformed("no control byte in the reason")
        }
        return nil
    }

    /// RFC 9112 section 6.3, in its order; what it leaves to choice is refused.
    private mutating func settle(_ bytes: UnsafeRawBufferPointer) -> Rejection? {
        if let rejection = lines.settleConnection(bytes, &fields) { return rejection }
        if lines.isChunked, minorVersion == 0 { return .ambiguous("no Transfer-Encoding in HTTP/1.0") }
        if status < 200 || status == 204 || status == 304 || answering == .head || opensTunnel {
            framing = .none
        } else if lines.isChunked {
            framing = .chunked
        } else if let length = lines.length {
            framing = .length(length)
        } else {
            framing = .untilClose
        }
        keepsAlive = !lines.closes && framing != .untilClose && (minorVersion == 1 || lines.keepsAlive)
        upgrade = lines.agreedUpgrade(bytes)
        return contentEncodings.collect(fields, lines.seen, bytes)
    }

    /// CONNECT was answered with a 2xx: what follows is the tunnel.
    private var opensTunnel: Bool { answering == .connect && (200..<300).contains(status) }

    /// Whether Content-Length and Transfer-Encoding, which say what a body would be, may go on although none follows
    /// (RFC 9110 section 8.6, RFC 9112 section 6.1).
    var mayDescribeBody: Bool { status >= 200 && status != 204 && !opensTunnel }
}
