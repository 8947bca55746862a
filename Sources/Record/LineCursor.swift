import Bytes

/// Writes a line into room that was made for it, without asking for room again at each piece: half of the work of a
/// record would be that question.
///
/// Strings come out right for any bytes: what is not UTF-8 becomes U+FFFD, and control characters, C1 ones included, are
/// escaped so that a record shown on a terminal cannot drive it.
struct LineCursor {
    private let start: UnsafeMutablePointer<UInt8>
    private var at: UnsafeMutablePointer<UInt8>
    private let end: UnsafeMutablePointer<UInt8>

    init(_ room: UnsafeMutableRawBufferPointer) {
        let bytes = room.bindMemory(to: UInt8.self)
        guard let base = bytes.baseAddress else { preconditionFailure("a line was given no room") }
        start = base
        at = base
        end = base + bytes.count
    }

    var count: Int { at - start }

    /// Bounds: every write below goes through here, so a bound that was computed too small traps and never overruns.
    @inline(__always) private mutating func take(_ count: Int) -> UnsafeMutablePointer<UInt8> {
        precondition(count <= end - at, "a line outgrew its bound")
        let room = at
        at += count
        return room
    }

    // MARK: Pieces

    @inline(__always) mutating func put(_ byte: UInt8) { take(1).pointee = byte }

    /// A constant: the compiler knows its length and makes it a few moves.
    @inline(__always) mutating func put(_ text: StaticString) {
        take(text.utf8CodeUnitCount).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        UnsafeMutableRawPointer(take(bytes.count)).copyMemory(from: base, byteCount: bytes.count)
    }

    @inline(__always) mutating func put(decimal value: UInt64) {
        if value < 10 { put(UInt8(truncatingIfNeeded: value) &+ UInt8(ascii: "0")) } else { put(digits: value) }
    }

    private mutating func put(digits value: UInt64) {
        var digits = value < 100 ? 2 : value < 1000 ? 3 : value < 10_000 ? 4 : 5
        var bound: UInt64 = 100_000
        while digits > 4, digits < 20, value >= bound {
            digits &+= 1
            bound = bound &* 10
        }
        let room = take(digits)
        var rest = value
        while digits > 0 {
            digits &-= 1
            let quotient = rest / 10
            room[digits] = UInt8(truncatingIfNeeded: rest &- quotient &* 10) &+ UInt8(ascii: "0")
            rest = quotient
        }
    }

    /// `10.0.0.1:80`, the only shape of an address that is worth a way of its own.
    mutating func put(v4 bits: UInt32, port: UInt16) {
        // Bounds: four octets of at most three digits with a separator each; `octet` writes three whatever it keeps.
        precondition(end - at >= 17, "a line outgrew its bound")
        octet(bits >> 24, UInt8(ascii: "."))
        octet(bits >> 16 & 0xff, UInt8(ascii: "."))
        octet(bits >> 8 & 0xff, UInt8(ascii: "."))
        octet(bits & 0xff, UInt8(ascii: ":"))
        put(decimal: UInt64(port))
    }

    @inline(__always) private mutating func octet(_ value: UInt32, _ separator: UInt8) {
        let hundreds = value / 100
        let tens = value / 10 % 10
        at.pointee = UInt8(truncatingIfNeeded: hundreds) &+ UInt8(ascii: "0")
        at += hundreds > 0 ? 1 : 0
        at.pointee = UInt8(truncatingIfNeeded: tens) &+ UInt8(ascii: "0")
        at += value >= 10 ? 1 : 0
        at.pointee = UInt8(truncatingIfNeeded: value % 10) &+ UInt8(ascii: "0")
        at[1] = separator
        at += 2
    }

    mutating func put(_ id: RecordID) {
        let room = take(RecordID.textCount)
        let alphabet = RecordID.alphabet.utf8Start
        // 130 bits in fives: thirteen characters above bit 65, thirteen below, of which the first has a bit of each half.
        var high = id.high >> 1
        for index in stride(from: 12, through: 0, by: -1) {
            room[index] = alphabet[Int(truncatingIfNeeded: high & 31)]
            high >>= 5
        }
        var low = id.low
        for index in stride(from: 25, through: 14, by: -1) {
            room[index] = alphabet[Int(truncatingIfNeeded: low & 31)]
            low >>= 5
        }
        room[13] = alphabet[Int(truncatingIfNeeded: low | id.high << 4) & 31]
    }

    // MARK: JSON strings

    /// The most bytes that a string of `count` bytes takes: every one an escape, and the quotes.
    @inline(__always) static func bound(quoted count: Int) -> Int { 6 * count + 2 }

    mutating func put(quoted bytes: UnsafeRawBufferPointer) {
        put(UInt8(ascii: "\""))
        if isPlainJSON(bytes) { put(bytes) } else { put(escaped: bytes) }
        put(UInt8(ascii: "\""))
    }

    @inline(__always) mutating func put(quoted text: String) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { put(quoted: UnsafeRawBufferPointer($0)) }
        if done == nil {
            var copy = text
            copy.withUTF8 { put(quoted: UnsafeRawBufferPointer($0)) }
        }
    }

    /// A word of ours, known to need no escaping.
    @inline(__always) mutating func put(quoted word: StaticString) {
        put(UInt8(ascii: "\""))
        put(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        put(UInt8(ascii: "\""))
    }

    private mutating func put(escaped bytes: UnsafeRawBufferPointer) {
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte < 0x80 {
                put(escapedASCII: byte)
                index += 1
                continue
            }
            let length = utf8Length(bytes, at: index)
            if length == 0 {
                put("\u{fffd}")
                index += 1
            } else if length == 2, byte == 0xc2, bytes[index + 1] < 0xa0 {
                put(unicodeEscape: bytes[index + 1])
                index += 2
            } else {
                put(UnsafeRawBufferPointer(rebasing: bytes[index..<index + length]))
                index += length
            }
        }
    }

    private mutating func put(escapedASCII byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): put("\\\"")
        case UInt8(ascii: "\\"): put("\\\\")
        case 0x0a: put("\\n")
        case 0x0d: put("\\r")
        case 0x09: put("\\t")
        case 0..<0x20, 0x7f: put(unicodeEscape: byte)
        default: put(byte)
        }
    }

    private mutating func put(unicodeEscape byte: UInt8) {
        put("\\u00")
        for nibble in [byte >> 4, byte & 15] {
            put(nibble < 10 ? nibble + UInt8(ascii: "0") : nibble - 10 + UInt8(ascii: "a"))
        }
    }
}

extension Buffer {
    /// A cursor over room for `bound` bytes; follow with `wrote(cursor.count)`.
    @inline(__always) mutating func cursor(_ bound: Int) -> LineCursor {
        LineCursor(UnsafeMutableRawBufferPointer(rebasing: writable(bound)[..<bound]))
    }

    /// Appends the bytes as a JSON string with its quotes.
    mutating func append(quoted bytes: UnsafeRawBufferPointer) {
        var out = cursor(LineCursor.bound(quoted: bytes.count))
        out.put(quoted: bytes)
        wrote(out.count)
    }

    mutating func append(quoted text: String) {
        var out = cursor(LineCursor.bound(quoted: text.utf8.count))
        out.put(quoted: text)
        wrote(out.count)
    }

    mutating func append(quoted word: StaticString) {
        var out = cursor(LineCursor.bound(quoted: word.utf8CodeUnitCount))
        out.put(quoted: word)
        wrote(out.count)
    }
}
