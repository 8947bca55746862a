import Glibc

/// The percent-decoded view of a url (RFC 3986 section 2.1), with `+` as a space in its query, as forms are sent.
enum Percent {
    static func isCoded(_ value: UnsafeRawBufferPointer) -> Bool {
        guard let base = value.baseAddress else { return false }
        return memchr(base, 0x25, value.count) != nil || memchr(base, 0x2b, value.count) != nil
    }

    /// False where the view is what was sent.
    static func decode(_ value: UnsafeRawBufferPointer, into view: inout [UInt8]) -> Bool {
        view.removeAll(keepingCapacity: true)
        var at = 0
        var query = false
        var changed = false
        while at < value.count {
            var byte = value[at]
            if byte == UInt8(ascii: "?") { query = true }
            if byte == UInt8(ascii: "+"), query {
                byte = UInt8(ascii: " ")
                changed = true
            } else if byte == UInt8(ascii: "%"), at + 2 < value.count, let high = nibble(value[at + 1]),
                let low = nibble(value[at + 2])
            {
                byte = high << 4 | low
                at += 2
                changed = true
            }
            view.append(byte)
            at += 1
        }
        return changed
    }

    static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
