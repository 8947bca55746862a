import Bytes

/// Reads the field lines of a head or of a trailer section (RFC 9112 section 5) and notes what they say of the message.
///
/// A line is judged when it is whole, and every line once, so that neither the verdict nor the work depends on how the
/// bytes were cut into reads.
///
///     line ──name──▶ ':' ──OWS──▶ value ──CRLF──▶ noted ──▶ line, until an empty one
struct FieldLines: Sendable {
    enum Step { case incomplete, end(Int), reject(Rejection) }

    /// Where the first line begins that was not taken yet.
    var at = 0
    /// No LF is in `at..<scanned`.
    var scanned = 0

    /// Names that occurred.
    private(set) var seen = FieldNames()
    private(set) var length: UInt64?
    private(set) var isChunked = false
    private(set) var host: Authority?
    private(set) var upgrade: Range<Int>?
    private(set) var expectsContinue = false
    /// The first Connection field that says more than `keep-alive`.
    var firstConnection: Int?
    /// Connection options (RFC 9110 section 7.6.1).
    var closes = false
    var keepsAlive = false
    var upgrades = false
    /// Known names that Connection nominates; the others are marked in the field itself.
    var nominated = FieldNames()

    /// Whether nothing can have changed since the last attempt: no line has ended since.
    @inline(__always)
    mutating func mustWait(_ bytes: UnsafeRawBufferPointer, end: Int) -> Bool {
        guard scanned > at, Octet.firstLF(bytes, scanned..<end) == nil else { return false }
        scanned = end
        return true
    }

    /// Takes the lines in `at..<end` of the same growing bytes as before. `end` is at most `limits.headBytes`.
    mutating func take(
        _ bytes: UnsafeRawBufferPointer, end: Int, into fields: inout ContiguousArray<Field>, max: Int
    ) -> Step {
        if mustWait(bytes, end: end) { return .incomplete }
        let table = FieldNameTable.shared
        while at < end {
            let start = at
            if start &+ 1 < end, bytes[start] == Octet.cr, bytes[start &+ 1] == Octet.lf {
                at = start &+ 2
                return .end(at)
            }
            let (id, colon) = FieldLines.name(bytes, start..<end, table)
            guard colon < end, colon > start, bytes[colon] == Octet.colon else {
                return lineWithoutName(bytes, start: start, stop: colon, end: end)
            }
            var value = colon &+ 1
            var isCanonical = value &+ 1 < end && bytes[value] == Octet.space && bytes[value &+ 1] > Octet.space
            if isCanonical {
                value &+= 1
            } else {
                while value < end, bytes[value] == Octet.space || bytes[value] == Octet.tab { value &+= 1 }
            }
            let stop = Octet.firstControl(bytes, value, end)
            guard stop &+ 1 < end, bytes[stop] == Octet.cr, bytes[stop &+ 1] == Octet.lf else {
                return lineWithoutEnd(bytes, stop: stop, end: end)
            }
            var valueEnd = stop
            // The byte before is at least the colon.
            while bytes[valueEnd &- 1] <= Octet.space, valueEnd > value {
                valueEnd &-= 1
                isCanonical = false
            }
            var field = Field(id: id, name: start..<colon, value: value..<valueEnd)
            field.isCanonical = isCanonical
            if id.rawValue &- 1 < FieldName.lastActive.rawValue,
                let rejection = note(&field, bytes, index: fields.count)
            {
                return .reject(rejection)
            }
            seen.formUnion(FieldNames(id))
            guard fields.count < max else { return .reject(.flood("fewer fields in a head")) }
            fields.append(field)
            at = stop &+ 2
        }
        scanned = end
        return .incomplete
    }

    /// The name at the start of the range and where it stops, which is at a colon if it is well formed.
    @inline(__always)
    private static func name(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ table: FieldNameTable
    ) -> (FieldName, Int) {
        let start = range.lowerBound
        // Bounds: the table reads within its reach of the start.
        if start &+ FieldNameTable.reach <= range.upperBound {
            var length = 0
            while length < FieldNameTable.reach {
                let text = bytes.loadUnaligned(fromByteOffset: start &+ length, as: SIMD16<UInt8>.self)
                let found = Octet.first(text .== Octet.all(Octet.colon))
                length &+= found
                if found < 16 { break }
            }
            if length > 0, length < FieldNameTable.reach {
                let id = table.find(bytes, start, length)
                if id != .other { return (id, start &+ length) }
            }
            return (.other, Octet.tokenEnd(bytes, start, range.upperBound))
        }
        return nameNearEnd(bytes, range)
    }

    /// As `name`, where the table has no room to look.
    @inline(never)
    private static func nameNearEnd(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> (FieldName, Int) {
        let stop = Octet.tokenEnd(bytes, range.lowerBound, range.upperBound)
        guard stop < range.upperBound, bytes[stop] == Octet.colon else { return (.other, stop) }
        return (FieldName(bytes, range.lowerBound..<stop), stop)
    }

    /// What is wrong with a line that has no `name:`.
    private mutating func lineWithoutName(
        _ bytes: UnsafeRawBufferPointer, start: Int, stop: Int, end: Int
    ) -> Step {
        guard let lf = Octet.firstLF(bytes, start..<end) else {
            scanned = end
            return .incomplete
        }
        switch bytes[stop] {
        case Octet.lf: return .reject(.ambiguous("CRLF at the end of a line, not LF alone"))
        case Octet.cr where lf != stop + 1: return .reject(.ambiguous("LF after CR"))
        case Octet.space, Octet.tab:
            if stop == start {
                return .reject(.ambiguous("a field name at the start of a line, not the folding of another"))
            }
            return .reject(.ambiguous("no space between a field name and its colon"))
        case 0: return .reject(.ambiguous("no NUL in a head"))
        case Octet.colon: return .reject(.malformed("a field name before the colon"))
        default: return .reject(.malformed("a field name of token characters and a colon"))
        }
    }

    /// What is wrong with a value that a control byte ends.
    private mutating func lineWithoutEnd(_ bytes: UnsafeRawBufferPointer, stop: Int, end: Int) -> Step {
        guard Octet.firstLF(bytes, at..<end) != nil, stop < end else {
            scanned = end
            return .incomplete
        }
        switch bytes[stop] {
        case Octet.lf: return .reject(.ambiguous("CRLF at the end of a line, not LF alone"))
        case Octet.cr: return .reject(.ambiguous("LF after CR"))
        case 0: return .reject(.ambiguous("no NUL in a head"))
        default: return .reject(.malformed("no control byte in a field value"))
        }
    }

    // MARK: - What the fields say

    private mutating func note(_ field: inout Field, _ bytes: UnsafeRawBufferPointer, index: Int) -> Rejection? {
        switch field.id {
        case .host:
            guard host == nil else { return .ambiguous("one Host field") }
            host = Authority(bytes, field.value)
            if host == nil { return .malformed("a host and an optional port in Host") }
        case .contentLength:
            guard length == nil, !isChunked else { return .ambiguous("one Content-Length, or Transfer-Encoding alone") }
            guard let digits = FieldLines.length(bytes, field.value) else {
                return .ambiguous("digits alone in Content-Length, up to 9223372036854775807")
            }
            length = digits.value
            // Leading zeros are left behind: the canonical form has none.
            if digits.start != field.value.lowerBound {
                field = Field(id: .contentLength, name: field.name, value: digits.start..<field.value.upperBound)
            }
        case .transferEncoding:
            guard !isChunked, length == nil else {
                return .ambiguous("one Transfer-Encoding, or Content-Length alone")
            }
            guard Octet.matches(bytes, field.value, "chunked") else { return FieldLines.refusal(bytes, field.value) }
            isChunked = true
            if !Octet.equal(bytes, field.value, "chunked") { field.isCanonical = false }
        case .connection:
            if Octet.isKeepAlive(bytes, field.value) {
                keepsAlive = true
            } else {
                firstConnection = firstConnection ?? index
            }
        case .upgrade:
            // Several lines are a list; one protocol is all that an exchange can change to.
            upgrade = seen.has(.upgrade) ? 0..<0 : field.value
        case .expect:
            guard Octet.matches(bytes, field.value, "100-continue") else {
                return Rejection(status: 417, threat: .malformedHTTP, message: "100-continue, or no Expect")
            }
            expectsContinue = true
        default: break
        }
        return nil
    }

    /// 1*DIGIT up to `Int64.max`, and where it starts without leading zeros.
    private static func length(
        _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> (value: UInt64, start: Int)? {
        guard (1...19).contains(range.count) else { return nil }
        var value: UInt64 = 0
        var start = range.lowerBound
        for at in range {
            let digit = bytes[at] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            if value == 0, at > range.lowerBound { start = at }
            value = value &* 10 &+ UInt64(digit)
        }
        return value <= UInt64(Int64.max) ? (value, start) : nil
    }

    /// A coding we do not know in front of chunked is 501 (RFC 9112 section 6.1); all else would end the body at a
    /// place that parsers disagree about.
    private static func refusal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Rejection {
        var rest = range
        var last: Range<Int>?
        var others = 0
        while let coding = Octet.element(bytes, &rest) {
            if let before = last {
                guard Octet.span(bytes, before, of: Octet.token) == before.upperBound,
                    !Octet.matches(bytes, before, "chunked"), !Octet.matches(bytes, before, "identity")
                else { return .ambiguous("chunked as the only transfer coding") }
                others += 1
            }
            last = coding
        }
        guard others > 0, let last, Octet.matches(bytes, last, "chunked") else {
            return .ambiguous("chunked as the last transfer coding")
        }
        return Rejection(status: 501, threat: .requestSmuggling, message: "chunked as the only transfer coding")
    }
}
