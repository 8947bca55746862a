import Bytes

// What may stand in a JSON string (RFC 8259 section 7), found quickly.

/// Whether the bytes stand in a JSON string as they are: printable ASCII without `"` and `\`. Eight bytes at a time.
func isPlainJSON(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let count = bytes.count
    if count < 4 {
        for byte in bytes where byte < 0x20 || byte >= 0x7f || byte == 0x22 || byte == 0x5c { return false }
        return true
    }
    if count < 8 {
        // Two halves of a word, which overlap.
        let front = bytes.loadUnaligned(as: UInt32.self)
        let back = bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
        return !hasSpecial(UInt64(front) << 32 | UInt64(back))
    }
    // The last word overlaps the one before it. Bounds: count >= 8, so neither load begins before or ends after.
    if hasSpecial(bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)) { return false }
    var at = 0
    while at < count - 8 {
        if hasSpecial(bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)) { return false }
        at &+= 8
    }
    return true
}

/// Whether one of eight bytes is below 0x20, above 0x7e, `"` or `\`. Each term sets the top bit of such a byte, and of
/// another byte only by a borrow or carry from such a one.
@inline(__always) private func hasSpecial(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let control = word &- ones &* 0x20
    let quote = (word ^ ones &* 0x22) &- ones
    let slash = (word ^ ones &* 0x5c) &- ones
    let delete = word &+ ones
    return (control | quote | slash | delete | word) & (ones &* 0x80) != 0
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
