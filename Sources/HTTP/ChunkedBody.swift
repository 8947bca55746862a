import Bytes

/// Decodes a chunked body (RFC 9112 section 7.1) where it lies: data is answered as ranges of the bytes fed.
///
///     size ──CR──▶ sizeEnd ──LF──▶ data ──▶ dataCR ──▶ dataLF ──▶ size …
///      └─';'─▶ extension ─CR─┘      └─size 0─▶ trailer ──empty line──▶ ended
public struct ChunkedBody: Sendable {
    public enum Step: Equatable, Sendable {
        /// All that was fed is used up.
        case needMore(consumed: Int)
        /// Part of a chunk or all of one. `consumed` counts the framing before it, too.
        case data(Range<Int>, consumed: Int)
        /// The body and its trailers end after `consumed` bytes.
        case end(consumed: Int)
        case reject(Rejection)
    }

    private enum State: UInt8 {
        case size, extensionName, extensionValue, token, quoted, escaped, quotedEnd, sizeEnd, data, dataCR, dataLF
        case trailerStart, trailerEnd, trailer, ended, refused
    }

    /// After `end`: what came behind the last chunk.
    public private(set) var trailers = Trailers()

    private var state = State.size
    /// Of the chunk; while its size is read, what was read of it.
    private var remaining: UInt64 = 0
    private var digits = 0
    /// Bytes of the size line so far.
    private var line = 0
    /// Framing beyond what chunks of this size need; pays for chunk extensions and tiny chunks.
    private var excess = 0
    /// The token being read is the name of an extension, so that `=` may follow.
    private var isName = false
    private var rejection: Rejection?
    private let trailerBytesMax: Int
    private let trailerFieldsMax: Int

    /// Each chunk earns this much framing and twice its size; what goes beyond adds up to at most `excessMax`, so that
    /// long extensions on tiny chunks cannot make us read a hundred bytes for one of content (CVE-2023-39326).
    private static let framingEarned = 16
    private static let excessMax = 16 * 1024
    /// A size of 16 hexadecimal digits fills 64 bits.
    private static let digitsMax = 16

    /// A trailer section is bounded as a head is.
    public init(limits: Limits) {
        trailerBytesMax = limits.headBytes
        trailerFieldsMax = limits.headFields
    }

    /// Feeds the bytes of the connection that were not consumed yet.
    public mutating func step(_ bytes: UnsafeRawBufferPointer) -> Step {
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            switch state {
            case .data:
                let end = at + Int(min(remaining, UInt64(bytes.count - at)))
                remaining -= UInt64(end - at)
                if remaining == 0 { state = .dataCR }
                return .data(at..<end, consumed: end)
            case .dataCR:
                guard byte == Octet.cr else { return refuse(.ambiguous("CRLF right after the data of a chunk")) }
                state = .dataLF
            case .dataLF:
                guard byte == Octet.lf else { return refuse(.ambiguous("CRLF right after the data of a chunk")) }
                state = .size
                (digits, line) = (0, 0)
            case .trailer:
                let lf = Octet.firstLF(bytes, at..<bytes.count)
                let end = lf.map { $0 + 1 } ?? bytes.count
                let part = UnsafeRawBufferPointer(rebasing: bytes[at..<end])
                switch trailers.add(part, bytesMax: trailerBytesMax, fieldsMax: trailerFieldsMax) {
                case .incomplete: at = end
                case .reject(let rejection): return refuse(rejection)
                case .end:
                    state = .ended
                    return .end(consumed: end)
                }
                continue
            case .trailerStart:
                // Most bodies have no trailers: nothing is kept then.
                state = byte == Octet.cr ? .trailerEnd : .trailer
                if state == .trailer { continue }
            case .trailerEnd:
                guard byte == Octet.lf else { return refuse(.ambiguous("LF after CR")) }
                state = .ended
                return .end(consumed: at + 1)
            case .ended: return .end(consumed: 0)
            case .refused: return .reject(rejection ?? .malformed("a chunked body"))
            default: if let rejection = takeSizeLine(byte) { return refuse(rejection) }
            }
            at += 1
        }
        return state == .ended ? .end(consumed: 0) : .needMore(consumed: at)
    }

    /// One byte of `1*HEXDIG *( ";" name [ "=" value ] ) CRLF`, in which no space is allowed outside quotes.
    private mutating func takeSizeLine(_ byte: UInt8) -> Rejection? {
        line += 1
        guard excess + line <= ChunkedBody.excessMax + ChunkedBody.framingEarned else {
            return .flood("fewer and shorter chunk extensions")
        }
        switch state {
        case .size:
            if let digit = ChunkedBody.hexadecimal(byte) {
                digits += 1
                guard digits <= ChunkedBody.digitsMax, remaining < 1 << 59 else {
                    return .ambiguous("a chunk size that fits in 63 bits")
                }
                remaining = remaining << 4 | UInt64(digit)
                return nil
            }
            guard digits > 0 else { return .ambiguous("hexadecimal digits alone as a chunk size") }
            return afterElement(byte, "hexadecimal digits alone as a chunk size")
        case .extensionName, .extensionValue:
            if state == .extensionValue, byte == UInt8(ascii: "\"") {
                state = .quoted
                return nil
            }
            guard Octet.isToken(byte) else { return .ambiguous("a token in a chunk extension") }
            isName = state == .extensionName
            state = .token
        case .token:
            if Octet.isToken(byte) { return nil }
            if byte == UInt8(ascii: "="), isName {
                state = .extensionValue
                return nil
            }
            return afterElement(byte, "a token in a chunk extension")
        case .quoted:
            if byte == UInt8(ascii: "\"") { state = .quotedEnd }
            if byte == UInt8(ascii: "\\") { state = .escaped }
            if byte < 0x20, byte != Octet.tab { return .ambiguous("no control byte in a chunk extension") }
            if byte == 0x7f { return .ambiguous("no control byte in a chunk extension") }
        case .escaped:
            guard byte >= 0x20 || byte == Octet.tab, byte != 0x7f else {
                return .ambiguous("no control byte in a chunk extension")
            }
            state = .quoted
        case .quotedEnd: return afterElement(byte, "a semicolon or CRLF after a chunk extension")
        default: return sizeLineEnded(byte)
        }
        return nil
    }

    private mutating func afterElement(_ byte: UInt8, _ expected: StaticString) -> Rejection? {
        switch byte {
        case UInt8(ascii: ";"): state = .extensionName
        case Octet.cr: state = .sizeEnd
        default: return .ambiguous(expected)
        }
        return nil
    }

    private mutating func sizeLineEnded(_ byte: UInt8) -> Rejection? {
        guard byte == Octet.lf else { return .ambiguous("LF after CR") }
        // 2^40 is as good as any larger size here, and twice it does not overflow.
        let earned = ChunkedBody.framingEarned + 2 * Int(min(remaining, 1 << 40))
        excess = max(0, excess + line - earned)
        state = remaining == 0 ? .trailerStart : .data
        return nil
    }

    private mutating func refuse(_ rejection: Rejection) -> Step {
        state = .refused
        self.rejection = rejection
        return .reject(rejection)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        let digit = byte &- UInt8(ascii: "0")
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }
}
