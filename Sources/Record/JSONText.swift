import Bytes

// JSON strings (RFC 8259 section 7) written into a buffer, right for any bytes: what is not UTF-8 becomes U+FFFD, and
// control characters, C1 ones included, are escaped so that a record shown on a terminal cannot drive it.

extension Buffer {
    /// Appends the bytes as a JSON string with its quotes.
    mutating func append(quoted bytes: UnsafeRawBufferPointer) {
        append(UInt8(ascii: "\""))
        if isPlainJSON(bytes) { append(bytes) } else { append(escaped: bytes) }
        append(UInt8(ascii: "\""))
    }

    /// Appends the text as a JSON string with its quotes.
    public mutating func append(quoted text: String) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { append(quoted: UnsafeRawBufferPointer($0)) }
        if done == nil {
            var copy = text
            copy.withUTF8 { append(quoted: UnsafeRawBufferPointer($0)) }
        }
    }

    /// Appends a word of ours, known to need no escaping.
    mutating func append(quoted word: StaticString) {
        append(UInt8(ascii: "\""))
        append(word)
        append(UInt8(ascii: "\""))
    }

    mutating func append(quoted endpoint: Endpoint) {
        append(UInt8(ascii: "\""))
        append(endpoint)
        append(UInt8(ascii: "\""))
    }

    private mutating func append(escaped bytes: UnsafeRawBufferPointer) {
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            if byte < 0x80 {
                append(escapedASCII: byte)
                at += 1
                continue
            }
            let length = utf8Length(bytes, at: at)
            if length == 0 {
                append("\u{fffd}")
                at += 1
            } else if length == 2, byte == 0xc2, bytes[at + 1] < 0xa0 {
                append(unicodeEscape: bytes[at + 1])
                at += 2
            } else {
                append(UnsafeRawBufferPointer(rebasing: bytes[at..<at + length]))
                at += length
            }
        }
    }

    private mutating func append(escapedASCII byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 0x0a: append("\\n")
        case 0x0d: append("\\r")
        case 0x09: append("\\t")
        case 0..<0x20, 0x7f: append(unicodeEscape: byte)
        default: append(byte)
        }
    }

    private mutating func append(unicodeEscape byte: UInt8) {
        append("\\u00")
        if byte < 0x10 { append(UInt8(ascii: "0")) }
        append(hexadecimal: UInt64(byte))
    }
}

/// Whether the bytes stand in a JSON string as they are: printable ASCII without `"` and `\`. Eight bytes at a time.
func isPlainJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let count = bytes.count
    guard count >= 8 else {
        for byte in bytes where byte < 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x5c { return false }
        return true
    }
    var at = 0
    while at < count {
        // The last word overlaps the one before it. Bounds: count >= 8, so count - 8 is never negative.
        let word = bytes.loadUnaligned(fromByteOffset: min(at, count - 8), as: UInt64.self)
        if hasSpecial(word) { return false }
        at += 8
    }
    return true
}

/// Whether one of eight bytes is below 0x20, above 0x7e, `"` or `\`. A borrow between bytes can only add an answer where
/// there already was one.
@inline(__always) private func hasSpecial(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let tops: UInt64 = 0x8080_8080_8080_8080
    let quote = word ^ ones &* 0x22
    let slash = word ^ ones &* 0x5c
    let delete = word ^ ones &* 0x7f
    let low = word &- ones &* 0x20
    let found = (low & ~word) | ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash) | ((delete &- ones) & ~delete)
    return (found | word) & tops != 0
}

/// The length of the well-formed UTF-8 sequence (RFC 3629 section 4) that begins with a byte of 0x80 or more, or zero.
func utf8Length(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int {
    let lead = bytes[start]
    let length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2
    guard (0xc2...0xf4).contains(lead), bytes.count - start >= length else { return 0 }
    let second = bytes[start + 1]
    // No overlong form, no surrogate, nothing past U+10FFFF: all told by the second byte.
    let allowed: ClosedRange<UInt8> =
        switch lead {
        case 0xe0: 0xa0...0xbf
        case 0xed: 0x80...0x9f
        case 0xf0: 0x90...0xbf
        case 0xf4: 0x80...0x8f
        default: 0x80...0xbf
        }
    guard allowed.contains(second) else { return 0 }
    for offset in 2..<max(length, 2) where bytes[start + offset] & 0xc0 != 0x80 { return 0 }
    return length
}
