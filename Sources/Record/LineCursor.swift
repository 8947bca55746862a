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
        var room = take(digits) + digits
        var rest = value
        while rest >= 10 {
            let quotient = rest / 100
            room -= 2
            LineCursor.pair(rest &- quotient &* 100, room)
            rest = quotient
        }
        // A number of an odd count of digits has its first left.
        if digits & 1 == 1 { (room - 1).pointee = UInt8(truncatingIfNeeded: rest) &+ UInt8(ascii: "0") }
    }

    /// The two digits of a number below 100.
    @inline(__always) private static func pair(_ value: UInt64, _ room: UnsafeMutablePointer<UInt8>) {
        let tens = (value &* 103) >> 10
        room[0] = UInt8(truncatingIfNeeded: tens) &+ UInt8(ascii: "0")
        room[1] = UInt8(truncatingIfNeeded: value &- tens &* 10) &+ UInt8(ascii: "0")
    }

    /// `10.0.0.1:80`, the only shape of an address that is worth a way of its own.
    mutating func put(v4 bits: UInt32, port: UInt16) {
        // Bounds: four octets of at most three digits with a separator each, and one digit of the port.
        precondition(end - at >= 17, "a line outgrew its bound")
        octet(bits >> 24, UInt8(ascii: "."))
        octet(bits >> 16 & 0xff, UInt8(ascii: "."))
        octet(bits >> 8 & 0xff, UInt8(ascii: "."))
        octet(bits & 0xff, UInt8(ascii: ":"))
        put(decimal: UInt64(port))
    }

    @inline(__always) private mutating func octet(_ value: UInt32, _ separator: UInt8) {
        var rest = UInt64(value)
        if rest >= 100 {
            let hundreds: UInt64 = rest >= 200 ? 2 : 1
            at.pointee = UInt8(truncatingIfNeeded: hundreds) &+ UInt8(ascii: "0")
            rest &-= hundreds &* 100
            LineCursor.pair(rest, at + 1)
            at += 3
        } else if rest >= 10 {
            LineCursor.pair(rest, at)
            at += 2
        } else {
            at.pointee = UInt8(truncatingIfNeeded: rest) &+ UInt8(ascii: "0")
            at += 1
        }
        at.pointee = separator
        at += 1
    }

    mutating func put(_ id: RecordID) {
        let room = take(RecordID.textCount)
        let alphabet = RecordID.alphabet.utf8Start
        // 130 bits in fives: thirteen characters above bit 65, thirteen below, of which the first has a bit of each half.
        var high = id.high >> 1
        var low = id.low
        var index = 12
        while index >= 0 {
            room[index] = alphabet[Int(truncatingIfNeeded: high & 31)]
            high >>= 5
            // The thirteenth of the lower ones is written for nothing, and rightly below.
            room[index &+ 13] = alphabet[Int(truncatingIfNeeded: low & 31)]
            low >>= 5
            index &-= 1
        }
        room[13] = alphabet[Int(truncatingIfNeeded: id.low >> 60 | id.high << 4 & 16)]
    }

    // MARK: JSON strings

    /// The most bytes that a string of `count` bytes takes: every one an escape, and the quotes.
    @inline(__always) static func bound(quoted count: Int) -> Int { 6 * count + 2 }

    mutating func put(quoted bytes: UnsafeRawBufferPointer) {
        if isPlainJSON(bytes), let base = bytes.baseAddress {
            put(quoted: base, bytes.count)
        } else {
            put(UInt8(ascii: "\""))
            put(escaped: bytes)
            put(UInt8(ascii: "\""))
        }
    }

    @inline(__always) private mutating func put(quoted base: UnsafeRawPointer, _ count: Int) {
        let room = take(count &+ 2)
        room[0] = UInt8(ascii: "\"")
        UnsafeMutableRawPointer(room + 1).copyMemory(from: base, byteCount: count)
        room[count &+ 1] = UInt8(ascii: "\"")
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
        put(quoted: UnsafeRawPointer(word.utf8Start), word.utf8CodeUnitCount)
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

    public mutating func append(quoted text: String) {
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
