/// Where a text stops being JSON as RFC 8259 has it.
struct JSONError: Error, Equatable {
    var offset: Int
}

/// Reads one JSON value from its bytes, strictly and without building a tree: the caller walks the keys of an object and
/// takes or skips each value. Bounded in depth; every answer is a range of the input.
///
/// ```
/// try reader.beginObject()
/// while let key = try reader.nextKey() { … exactly one of text, number, skip … }
/// try reader.end()
/// ```
struct JSONReader {
    /// A string as it stands between its quotes.
    struct Text {
        var bytes: UnsafeRawBufferPointer
        var hasEscapes: Bool

        func equals(_ word: StaticString) -> Bool {
            bytes.elementsEqual(UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount))
        }
    }

    static let depthMax = 32

    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    private var isFirst = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func beginObject() throws(JSONError) {
        skipSpace()
        try expect(UInt8(ascii: "{"))
        isFirst = true
    }

    /// The next key of the object, its colon read; nil at the end of the object.
    mutating func nextKey() throws(JSONError) -> Text? {
        guard try nextMember(until: UInt8(ascii: "}"), isFirst) else { return nil }
        isFirst = false
        return try key()
    }

    /// The value as a string; nil for `null`.
    mutating func text() throws(JSONError) -> Text? {
        skipSpace()
        if peek == UInt8(ascii: "n") {
            try word("null")
            return nil
        }
        return try string()
    }

    /// The value as a whole number that is not negative.
    mutating func number() throws(JSONError) -> Int64 {
        skipSpace()
        let start = at
        var value: Int64 = 0
        while let byte = peek, let digit = decimalDigit(byte) {
            let (tens, over) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(Int64(digit))
            if over || overflow || at > start && value == 0 { throw JSONError(offset: at) }
            value = sum
            at += 1
        }
        if at == start || peek == UInt8(ascii: ".") || peek.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
            throw JSONError(offset: at)
        }
        return value
    }

    /// Reads any value and forgets it.
    mutating func skip() throws(JSONError) { try skip(depth: 1) }

    /// Nothing but space may follow.
    mutating func end() throws(JSONError) {
        skipSpace()
        if at < bytes.count { throw JSONError(offset: at) }
    }

    // MARK: Values

    private mutating func skip(depth: Int) throws(JSONError) {
        if depth > JSONReader.depthMax { throw JSONError(offset: at) }
        skipSpace()
        switch peek {
        case UInt8(ascii: "{"):
            at += 1
            var first = true
            while try nextMember(until: UInt8(ascii: "}"), first) {
                first = false
                _ = try key()
                try skip(depth: depth + 1)
            }
        case UInt8(ascii: "["):
            at += 1
            var first = true
            while try nextMember(until: UInt8(ascii: "]"), first) {
                first = false
                try skip(depth: depth + 1)
            }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        default: try skipNumber()
        }
    }

    /// Whether another member follows; the comma before it is read, and so is the closing bracket.
    private mutating func nextMember(until close: UInt8, _ isFirst: Bool) throws(JSONError) -> Bool {
        skipSpace()
        if peek == close {
            at += 1
            return false
        }
        if !isFirst {
            try expect(UInt8(ascii: ","))
            skipSpace()
        }
        return true
    }

    private mutating func key() throws(JSONError) -> Text {
        let key = try string()
        skipSpace()
        try expect(UInt8(ascii: ":"))
        return key
    }

    private mutating func skipNumber() throws(JSONError) {
        if peek == UInt8(ascii: "-") { at += 1 }
        if peek == UInt8(ascii: "0") { at += 1 } else { try digits() }
        if peek == UInt8(ascii: ".") {
            at += 1
            try digits()
        }
        if peek.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
            at += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { at += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(JSONError) {
        let start = at
        while let byte = peek, decimalDigit(byte) != nil { at += 1 }
        if at == start { throw JSONError(offset: at) }
    }

    private mutating func string() throws(JSONError) -> Text {
        try expect(UInt8(ascii: "\""))
        let start = at
        var hasEscapes = false
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return Text(bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<at - 1]), hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                _ = try escape()
            case 0..<0x20: throw JSONError(offset: at)
            case 0x80...:
                let length = utf8Length(bytes, at: at)
                if length == 0 { throw JSONError(offset: at) }
                at += length
            default: at += 1
            }
        }
        throw JSONError(offset: at)
    }

    // MARK: Escapes

    /// One escape, from its backslash, as the character it stands for.
    private mutating func escape() throws(JSONError) -> Unicode.Scalar {
        at += 1
        guard let byte = peek else { throw JSONError(offset: at) }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw JSONError(offset: at - 1)
        }
    }

    /// Four hexadecimal digits, or a surrogate pair of two such escapes; a surrogate alone is no character.
    private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal4()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xdc00 else { throw JSONError(offset: at) }
        try expect(UInt8(ascii: "\\"))
        try expect(UInt8(ascii: "u"))
        let second = try hexadecimal4()
        guard (0xdc00..<0xe000).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))
        else { throw JSONError(offset: at) }
        return scalar
    }

    private mutating func hexadecimal4() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw JSONError(offset: at)
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    /// A string with its escapes resolved.
    static func decode(_ text: Text) -> String {
        guard text.hasEscapes else { return String(decoding: text.bytes, as: UTF8.self) }
        var reader = JSONReader(text.bytes)
        var scalars = String.UnicodeScalarView()
        var plain = 0
        while reader.at < text.bytes.count {
            guard text.bytes[reader.at] == UInt8(ascii: "\\") else {
                reader.at += 1
                continue
            }
            scalars.append(contentsOf: String(decoding: text.bytes[plain..<reader.at], as: UTF8.self).unicodeScalars)
            guard let scalar = try? reader.escape() else { break }
            scalars.append(scalar)
            plain = reader.at
        }
        scalars.append(contentsOf: String(decoding: text.bytes[plain...], as: UTF8.self).unicodeScalars)
        return String(scalars)
    }

    // MARK: Bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard peek == byte else { throw JSONError(offset: at) }
        at += 1
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let end = at + word.utf8CodeUnitCount
        guard end <= bytes.count,
            Text(bytes: UnsafeRawBufferPointer(rebasing: bytes[at..<end]), hasEscapes: false).equals(word)
        else { throw JSONError(offset: at) }
        at = end
    }
}
