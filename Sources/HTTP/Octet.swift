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

    /// The classes of each byte.
    static let classes: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0)
        func add(_ members: StaticString, _ kinds: UInt8) {
            for index in 0..<members.utf8CodeUnitCount { table[Int(members.utf8Start[index])] |= kinds }
        }
        add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", token | target | host)
        add("!$&'*+~", token | target)
        add("#", token)
        add("%^`|", token | target)
        add("()/:;=?@,[]{}", target)
        return table
    }()

    @inline(__always) static func isToken(_ byte: UInt8) -> Bool { classes[Int(byte)] & token != 0 }

    /// The first byte of the range that is not of the class; its end when all are.
    @inline(__always)
    static func span(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, of kind: UInt8) -> Int {
        var at = range.lowerBound
        while at < range.upperBound, classes[Int(bytes[at])] & kind != 0 { at &+= 1 }
        return at
    }

    /// The first byte of the range that is a control other than HTAB; its end when there is none.
    // Bounds: eight bytes are loaded only where eight are left of the range.
    @inline(__always)
    static func firstControl(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int {
        var at = range.lowerBound
        while true {
            while at &+ 8 <= range.upperBound {
                let word = load(bytes, at)
                // Per byte, below 0x20 or equal to 0x7f borrows into the top bit, which text beyond ASCII has itself.
                let below = word &- 0x2020_2020_2020_2020
                let delete = (word ^ 0x7f7f_7f7f_7f7f_7f7f) &- ones
                let controls = (below | delete) & ~word & 0x8080_8080_8080_8080
                if controls != 0 {
                    at &+= controls.trailingZeroBitCount / 8
                    break
                }
                at &+= 8
            }
            while at < range.upperBound, bytes[at] >= 0x20, bytes[at] != 0x7f { at &+= 1 }
            guard at < range.upperBound, bytes[at] == tab else { return at }
            at &+= 1
        }
    }

    static let ones: UInt64 = 0x0101_0101_0101_0101

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
