import Bytes

/// `host [":" port]` of a Host field or a request target (RFC 3986 section 3.2), without user information.
///
/// A name is letters, digits, `-`, `_` and dots; an address beyond IPv4 is in brackets and has no zone. Nothing else
/// can be dialled, so nothing else is let into a log or onto another server.
struct Authority: Equatable, Sendable {
    var whole: Range<Int>
    /// Brackets included.
    var host: Range<Int>
    var port: UInt16?

    static let empty = Authority(whole: 0..<0, host: 0..<0, port: nil)

    init?(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        guard !range.isEmpty else { return nil }
        var end: Int
        if bytes[range.lowerBound] == UInt8(ascii: "[") {
            end = range.lowerBound
            while end < range.upperBound, bytes[end] != UInt8(ascii: "]") { end += 1 }
            guard end < range.upperBound,
                Bytes.Host(UnsafeRawBufferPointer(rebasing: bytes[range.lowerBound...end])) != nil
            else { return nil }
            end += 1
        } else {
            end = Octet.span(bytes, range, of: Octet.host)
            // 253 is the longest name, and it may end in a dot.
            guard end > range.lowerBound, end - range.lowerBound <= 254 else { return nil }
        }
        var port: UInt16?
        if end < range.upperBound {
            guard bytes[end] == Octet.colon,
                let number = Authority.port(bytes, end + 1..<range.upperBound)
            else { return nil }
            port = number
        }
        self.init(whole: range, host: range.lowerBound..<end, port: port)
    }

    private init(whole: Range<Int>, host: Range<Int>, port: UInt16?) {
        self.whole = whole
        self.host = host
        self.port = port
    }

    /// One to five digits, 1...65535.
    private static func port(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt16? {
        guard (1...5).contains(range.count) else { return nil }
        var value: UInt32 = 0
        for at in range {
            let digit = bytes[at] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + UInt32(digit)
        }
        guard value > 0 else { return nil }
        return UInt16(exactly: value)
    }
}
