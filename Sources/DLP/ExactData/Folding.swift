extension Alike {
    /// Words of letters in lower case and without accents, a blank between two: `Jean-Élie O'Neill` is `jean elie oneill`.
    /// Nil where it is too long. Bytes that are no UTF-8, and letters of other scripts, stay as they are.
    static func name(_ bytes: UnsafeRawBufferPointer, _ room: ValueRoom) -> Int? {
        var count = 0
        var wasBlank = true
        var at = 0
        while at < bytes.count {
            let byte = bytes[at]
            if isLetter(byte) {
                guard count < ColumnType.nameMax else { return nil }
                room[count] = byte | 0x20
                count += 1
                wasBlank = false
                at += 1
            } else if byte < 0x80 {
                // An apostrophe is within a word, whatever stands for it; so are digits between words.
                if byte != UInt8(ascii: "'"), !wasBlank {
                    guard count < ColumnType.nameMax else { return nil }
                    room[count] = 0x20
                    count += 1
                    wasBlank = true
                }
                at += 1
            } else {
                guard count + 4 <= ColumnType.nameMax else { return nil }
                let (length, letters) = fold(bytes, at)
                for index in 0..<4 where letters >> UInt32(24 - index * 8) & 0xff != 0 {
                    room[count] = UInt8(truncatingIfNeeded: letters >> UInt32(24 - index * 8))
                    count += 1
                    wasBlank = false
                }
                at += length
            }
        }
        return wasBlank && count > 0 ? count - 1 : count
    }

    /// Bytes of the character, and what stands for it: up to four bytes, the first on top, no byte where there is a zero.
    private static func fold(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> (length: Int, letters: UInt32) {
        let first = bytes[at]
        guard at + 1 < bytes.count, bytes[at + 1] & 0xc0 == 0x80 else { return (1, UInt32(first) << 24) }
        if first & 0xe0 == 0xc0 {
            let scalar = UInt32(first & 0x1f) << 6 | UInt32(bytes[at + 1] & 0x3f)
            // Combining accents stand for nothing.
            if (0x300..<0x370).contains(scalar) { return (2, 0) }
            let known = latin(scalar)
            return (2, known == 0 ? UInt32(first) << 24 | UInt32(bytes[at + 1]) << 16 : known)
        }
        // U+2019, the apostrophe of typesetters.
        if first == 0xe2, at + 2 < bytes.count, bytes[at + 1] == 0x80, bytes[at + 2] == 0x99 { return (3, 0) }
        return (1, UInt32(first) << 24)
    }

    /// The letters for one of Latin-1 or Latin Extended-A (U+00C0 to U+017F); 0 for any other.
    private static func latin(_ scalar: UInt32) -> UInt32 {
        switch scalar {
        case 0xc6, 0xe6: return pair("a", "e")
        case 0xde, 0xfe: return pair("t", "h")
        case 0xdf: return pair("s", "s")
        case 0x132, 0x133: return pair("i", "j")
        case 0x152, 0x153: return pair("o", "e")
        case 0xd7, 0xf7: return 0
        default: break
        }
        let scalar = scalar >= 0xe0 && scalar < 0xff ? scalar - 0x20 : scalar
        for (last, letter) in letters where scalar <= last { return scalar < 0xc0 ? 0 : UInt32(letter.value) << 24 }
        return 0
    }

    /// What stands up to which scalar, from U+00C0 on; U+00E0 to U+00FE as 32 below.
    private static let letters: [(UInt32, Unicode.Scalar)] = [
        (0xc6, "a"), (0xc7, "c"), (0xcb, "e"), (0xcf, "i"), (0xd0, "d"), (0xd1, "n"), (0xd8, "o"), (0xdc, "u"),
        (0xff, "y"), (0x105, "a"), (0x10d, "c"), (0x111, "d"), (0x11b, "e"), (0x123, "g"), (0x127, "h"), (0x131, "i"),
        (0x135, "j"), (0x138, "k"), (0x142, "l"), (0x14b, "n"), (0x151, "o"), (0x159, "r"), (0x161, "s"), (0x167, "t"),
        (0x173, "u"), (0x175, "w"), (0x178, "y"), (0x17e, "z"), (0x17f, "s"),
    ]

    private static func pair(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt32 {
        first.value << 24 | second.value << 16
    }
}
