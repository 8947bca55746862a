/// What one protocol says to the first bytes of a stream. `maybe` turns into one of the others as bytes are added;
/// the others stay.
enum Guess: Equatable {
    case no, maybe, yes

    /// Whether the bytes begin with a text.
    static func prefix(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Guess {
        let text = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard zip(bytes, text).allSatisfy({ $0 == $1 }) else { return .no }
        return bytes.count >= text.count ? .yes : .maybe
    }
}

extension UnsafeRawBufferPointer {
    /// The byte at an offset, or nil where there is none yet.
    func byte(_ offset: Int) -> UInt8? { offset < count ? self[offset] : nil }

    /// The big-endian integer of `width` bytes at an offset, as far as it is there.
    func integer(_ offset: Int, _ width: Int) -> Int? {
        guard offset + width <= count else { return nil }
        return self[offset..<offset + width].reduce(0) { $0 << 8 | Int($1) }
    }

    /// Whether the bytes are a word, in any letter case. The word is given in upper case.
    func isWord(_ word: StaticString) -> Bool {
        guard count == word.utf8CodeUnitCount else { return false }
        let word = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return zip(self, word).allSatisfy { Ascii.upper($0) == $1 }
    }
}

/// Classes of ASCII.
enum Ascii {
    static func upper(_ byte: UInt8) -> UInt8 { byte &- UInt8(ascii: "a") < 26 ? byte & ~0x20 : byte }
    static func isUpper(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "A") < 26 }
    static func isLower(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "a") < 26 }
    static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    static func isAlphanumeric(_ byte: UInt8) -> Bool { isDigit(byte) || isUpper(upper(byte)) }
    static func isPrintable(_ byte: UInt8) -> Bool { (0x20...0x7e).contains(byte) }
    /// Space, tab, line feed, vertical tab, form feed, carriage return.
    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    /// A character of a token (RFC 9110 section 5.6.2).
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "|"),
            UInt8(ascii: "~"):
            true
        default: isAlphanumeric(byte)
        }
    }
}
