/// An IPv4 or IPv6 address as one 128-bit value. An IPv4 address is kept in its IPv4-mapped form (RFC 4291 section
/// 2.5.5.2), so that `10.0.0.1` and `::ffff:10.0.0.1` are the same address to every table and comparison.
public struct IPAddress: Hashable, Sendable, Comparable {
    public var high: UInt64
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// From the 32 bits of an IPv4 address in host byte order.
    @inlinable public init(v4 bits: UInt32) {
        self.init(high: 0, low: 0x0000_ffff_0000_0000 | UInt64(bits))
    }

    @inlinable public var isV4: Bool { high == 0 && low >> 32 == 0xffff }

    /// The 32 bits of an IPv4 address in host byte order; meaningless unless `isV4`.
    @inlinable public var v4Bits: UInt32 { UInt32(truncatingIfNeeded: low) }

    @inlinable public static func < (a: IPAddress, b: IPAddress) -> Bool {
        a.high != b.high ? a.high < b.high : a.low < b.low
    }

    public static let anyV4 = IPAddress(v4: 0)
    public static let anyV6 = IPAddress(high: 0, low: 0)
}

// MARK: - Text

extension IPAddress {
    /// Parses the canonical notations only: dotted quad without leading zeros, and RFC 4291 text without a zone.
    /// Other notations that resolvers accept (octal, hexadecimal, fewer parts) are the business of whoever reads a host.
    public init?(_ text: some StringProtocol) {
        var copy = String(text)
        let parsed = copy.withUTF8 { IPAddress(UnsafeRawBufferPointer($0)) }
        guard let parsed else { return nil }
        self = parsed
    }

    public init?(_ text: UnsafeRawBufferPointer) {
        if let v4 = IPAddress.dottedQuad(text) {
            self.init(v4: v4)
        } else if let v6 = IPAddress.groups(text) {
            self = v6
        } else {
            return nil
        }
    }

    private static func dottedQuad(_ text: UnsafeRawBufferPointer) -> UInt32? {
        guard (7...15).contains(text.count) else { return nil }
        var bits: UInt32 = 0
        var part: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in text {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, dots < 3 else { return nil }
                bits = bits << 8 | part
                (part, digits, dots) = (0, 0, dots + 1)
            } else {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                if digits > 0 && part == 0 { return nil }
                part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                if part > 255 { return nil }
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return bits << 8 | part
    }

    private static func groups(_ text: UnsafeRawBufferPointer) -> IPAddress? {
        guard (2...45).contains(text.count) else { return nil }
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var compressed = false
        var at = 0
        func add(_ group: UInt16) { compressed ? tail.append(group) : head.append(group) }
        if text[0] == UInt8(ascii: ":") {
            guard text[1] == UInt8(ascii: ":") else { return nil }
            compressed = true
            at = 2
        }
        while at < text.count {
            let start = at
            var value: UInt32 = 0
            while at < text.count, let digit = hexDigit(text[at]) {
                value = value << 4 | UInt32(digit)
                at += 1
                if at - start > 4 { return nil }
            }
            if at < text.count, text[at] == UInt8(ascii: ".") {
                // The last 32 bits may be written as a dotted quad.
                guard let quad = dottedQuad(UnsafeRawBufferPointer(rebasing: text[start...])) else { return nil }
                add(UInt16(quad >> 16))
                add(UInt16(quad & 0xffff))
                at = text.count
                break
            }
            guard at > start else { return nil }
            add(UInt16(value))
            if at == text.count { break }
            guard text[at] == UInt8(ascii: ":") else { return nil }
            at += 1
            guard at < text.count else { return nil }
            if text[at] == UInt8(ascii: ":") {
                if compressed { return nil }
                compressed = true
                at += 1
            }
        }
        let count = head.count + tail.count
        guard compressed ? count < 8 : count == 8 else { return nil }
        let all = head + Array(repeating: 0, count: 8 - count) + tail
        let high = all[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = all[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return IPAddress(high: high, low: low)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical text: dotted quad, or RFC 5952.
    public var description: String {
        var buffer = Buffer()
        buffer.append(self)
        return String(decoding: buffer.readable, as: UTF8.self)
    }
}

extension Buffer {
    /// Appends the canonical text of an address: dotted quad, or RFC 5952.
    public mutating func append(_ address: IPAddress) {
        if address.isV4 {
            let bits = address.v4Bits
            for shift in stride(from: UInt32(24), through: 8, by: -8) {
                append(decimal: UInt64(bits >> shift & 0xff))
                append(UInt8(ascii: "."))
            }
            append(decimal: UInt64(bits & 0xff))
            return
        }
        func group(_ index: Int) -> UInt64 {
            (index < 4 ? address.high >> (48 - 16 * UInt64(index)) : address.low >> (112 - 16 * UInt64(index))) & 0xffff
        }
        // RFC 5952 section 4.2: the longest run of two or more zero groups is compressed, the first of equals.
        var best = 0..<0
        var index = 0
        while index < 8 {
            var end = index
            while end < 8, group(end) == 0 { end += 1 }
            if end - index > max(best.count, 1) { best = index..<end }
            index = max(end, index + 1)
        }
        index = 0
        while index < 8 {
            if !best.isEmpty, index == best.lowerBound {
                append("::")
                index = best.upperBound
                continue
            }
            if index > 0, index != best.upperBound { append(UInt8(ascii: ":")) }
            append(hexadecimal: group(index))
            index += 1
        }
    }
}
