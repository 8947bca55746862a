import Glibc

/// What a byte may be part of, and the scans over bytes that every grammar of the module uses.
///
/// The scans read eight bytes at a time where eight are there; indexes are always within the buffer handed in.
enum Octet {
    static let tab = UInt8(ascii: "\t")
    static let lf = UInt8(ascii: "\n")
    static let cr = UInt8(ascii: "\r")
    static let space = UInt8(ascii: " ")
    static let colon = UInt8(ascii: ":")

    /// `token` of RFC 9110 section 5.6.2.
    static let token: UInt8 = 1
    /// What may stand in a request target: RFC 3986, and what browsers leave as it is in a query (WHATWG URL).
    static let target: UInt8 = 2
    /// A name or an IPv4 address of an authority. Narrower than RFC 3986: no percent, no sub-delimiter.
    static let host: UInt8 = 4

    /// The classes of each byte, spelled out so that the table is data and not made at run time.
    // swift-format-ignore
    static let classes: InlineArray<256, UInt8> = [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 0x00
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // 0x10
        0, 3, 0, 1, 3, 3, 3, 3, 2, 2, 3, 3, 2, 7, 7, 2,  // 0x20
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 2, 0, 2, 0, 2,  // 0x30
        2, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,  // 0x40
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 0, 2, 3, 7,  // 0x50
        3, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,  // 0x60
        7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 2, 3, 2, 3, 0,  // 0x70
        // Nothing beyond ASCII.
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]

    @inline(__always) static func isToken(_ byte: UInt8) -> Bool { classes[Int(byte)] & token != 0 }

    /// The first byte of the range that is not of the class; its end when all are.
    @inline(__always)
    static func span(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, of kind: UInt8) -> Int {
        var at = range.lowerBound
        while at < range.upperBound, classes[Int(bytes[at])] & kind != 0 { at &+= 1 }
        return at
    }

    /// The first byte in `start..<end` that is a control other than HTAB; `end` when there is none.
    // Bounds: sixteen bytes are loaded only where sixteen are left.
    @inline(__always)
    static func firstControl(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var at = start
        while true {
            while at &+ 16 <= end {
                let text = bytes.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
                let found = first(text .< all(0x20) .| text .== all(0x7f))
                at &+= found
                if found < 16 {
                    if bytes[at] != tab { return at }
                    at &+= 1
                }
            }
            while at < end, bytes[at] >= 0x20, bytes[at] != 0x7f { at &+= 1 }
            guard at < end, bytes[at] == tab else { return at }
            at &+= 1
        }
    }

    /// The first byte in `start..<end` that cannot stand in a request target; `end` when all can.
    // Bounds: sixteen bytes are loaded only where sixteen are left.
    @inline(__always)
    static func targetEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var at = start
        while at &+ 16 <= end {
            let text = bytes.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
            // Beside letters and digits ASCII has these graphics that no target has.
            let quotes = text .== all(UInt8(ascii: "\"")) .| text .== all(UInt8(ascii: "<"))
            let others = text .== all(UInt8(ascii: ">")) .| text .== all(UInt8(ascii: "#"))
            let rest = text .<= all(space) .| text .>= all(0x7f) .| text .== all(UInt8(ascii: "\\"))
            let found = first(quotes .| others .| rest)
            at &+= found
            if found < 16 { return at }
        }
        return span(bytes, at..<end, of: target)
    }

    /// A byte in every lane. The comparisons with a scalar are not compiled to vector instructions.
    @inline(__always)
    static func all(_ byte: UInt8) -> SIMD16<UInt8> { SIMD16(repeating: byte) }

    /// The first byte in `start..<end` that is not of a token; `end` when all are. Quick while names are letters, digits
    /// and hyphens.
    // Bounds: sixteen bytes are loaded only where sixteen are left.
    @inline(never)
    static func tokenEnd(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int {
        var at = start
        while at &+ 16 <= end {
            let text = bytes.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
            let isLetter = (text | all(0x20)) &- all(UInt8(ascii: "a")) .< all(26)
            let isOther = text &- all(UInt8(ascii: "0")) .< all(10) .| text .== all(UInt8(ascii: "-"))
            let found = first(.!(isLetter .| isOther))
            at &+= found
            if found < 16 { break }
        }
        return at < end && bytes[at] == colon ? at : span(bytes, at..<end, of: token)
    }

    /// The first lane that is set; 16 when none is.
    @inline(__always)
    static func first(_ lanes: SIMDMask<SIMD16<Int8>>) -> Int {
        let words = unsafeBitCast(lanes, to: SIMD2<UInt64>.self)
        if words[0] != 0 { return words[0].trailingZeroBitCount / 8 }
        return 8 &+ words[1].trailingZeroBitCount / 8
    }

    @inline(__always)
    static func isEmpty(_ lanes: SIMDMask<SIMD16<Int8>>) -> Bool {
        let words = unsafeBitCast(lanes, to: SIMD2<UInt64>.self)
        return words[0] | words[1] == 0
    }

    /// Eight bytes, the first in the lowest place.
    @inline(__always)
    static func load(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// The first LF of the range.
    static func firstLF(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard let base = bytes.baseAddress, !range.isEmpty,
            let found = memchr(base + range.lowerBound, Int32(lf), range.count)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Whether the range holds exactly `text`.
    static func equal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard let base = bytes.baseAddress, range.count == text.utf8CodeUnitCount else { return false }
        return memcmp(base + range.lowerBound, text.utf8Start, range.count) == 0
    }

    /// Whether the range holds `text`, which is in lower case, in any letter case.
    static func matches(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count where lowered(bytes[range.lowerBound + index]) != text.utf8Start[index] {
            return false
        }
        return true
    }

    /// Whether two ranges hold the same, letter case aside.
    static func matches(_ bytes: UnsafeRawBufferPointer, _ a: Range<Int>, _ b: Range<Int>) -> Bool {
        guard a.count == b.count else { return false }
        for index in 0..<a.count
        where lowered(bytes[a.lowerBound + index]) != lowered(bytes[b.lowerBound + index]) { return false }
        return true
    }

    @inline(__always) static func lowered(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Whether the range, which holds no control, is `keep-alive` in any letter case: what most Connection fields say.
    @inline(__always)
    static func isKeepAlive(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        guard range.count == 10 else { return false }
        let head = bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: UInt64.self)
        let tail = bytes.loadUnaligned(fromByteOffset: range.lowerBound &+ 8, as: UInt16.self)
        // "keep-ali" and "ve" in little-endian order. Without controls only letter case shares a byte but for bit 5.
        return UInt64(littleEndian: head) | 0x2020_2020_2020_2020 == 0x696c_612d_7065_656b
            && UInt16(littleEndian: tail) | 0x2020 == 0x6576
    }

    /// The range without spaces and tabs at its ends.
    @inline(__always)
    static func trimmed(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high, bytes[low] == space || bytes[low] == tab { low &+= 1 }
        while high > low, bytes[high &- 1] == space || bytes[high &- 1] == tab { high &-= 1 }
        return low..<high
    }

    /// The next element of a comma-separated list, trimmed; `rest` loses it. Empty elements are skipped (RFC 9110
    /// section 5.6.1.2). Commas in quotes are not looked for: no list the codec reads has quoted strings.
    static func element(_ bytes: UnsafeRawBufferPointer, _ rest: inout Range<Int>) -> Range<Int>? {
        while !rest.isEmpty {
            var comma = rest.lowerBound
            while comma < rest.upperBound, bytes[comma] != UInt8(ascii: ",") { comma &+= 1 }
            let element = trimmed(bytes, rest.lowerBound..<comma)
            rest = min(comma &+ 1, rest.upperBound)..<rest.upperBound
            if !element.isEmpty { return element }
        }
        return nil
    }
}
