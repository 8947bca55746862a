import Glibc

/// What stands where an escape could begin.
enum Escape: Equatable {
    case none
    /// More must come before that can be said.
    case open
    case byte(UInt8, length: Int)
    case scalar(UInt32, length: Int)
    /// Nothing is meant by it.
    case nothing(length: Int)

    static func utf8(_ value: UInt32) -> Unicode.UTF8.EncodedScalar {
        UTF8.encode(Unicode.Scalar(value) ?? "\u{fffd}") ?? UTF8.encodedReplacementCharacter
    }
}

/// The ways in which single characters are written within a text, each by the byte with which it begins.
enum EscapeKind: UInt8, CaseIterable {
    /// `%`: RFC 3986 section 2.1, and in forms `+` for a space.
    case percent = 0x25
    /// The backslash of strings in JSON (RFC 8259 section 7), and in JavaScript.
    case json = 0x5c
    /// `&` of XML and HTML.
    case entity = 0x26
    /// `=`: RFC 2045 section 6.7.
    case quotedPrintable = 0x3d

    var label: String {
        switch self {
        case .percent: "percent"
        case .json: "json"
        case .entity: "entity"
        case .quotedPrintable: "quoted-printable"
        }
    }

    /// What these bytes, which begin with that one, begin with. Longer than 12 bytes none is.
    func read(_ bytes: UnsafeRawBufferPointer) -> Escape {
        switch self {
        case .percent: Self.hex(bytes, from: 1, digits: 2) { .byte(UInt8(truncatingIfNeeded: $0), length: 3) }
        case .json: Self.readJSON(bytes)
        case .entity: Self.readEntity(bytes)
        case .quotedPrintable: Self.readQuotedPrintable(bytes)
        }
    }

    private static func hex(
        _ bytes: UnsafeRawBufferPointer, from: Int, digits: Int, _ made: (UInt32) -> Escape
    ) -> Escape {
        var value: UInt32 = 0
        for at in from..<from + digits {
            if at == bytes.count { return .open }
            guard let digit = Percent.nibble(bytes[at]) else { return .none }
            value = value << 4 | UInt32(digit)
        }
        return made(value)
    }

    private static func readJSON(_ bytes: UnsafeRawBufferPointer) -> Escape {
        guard bytes.count > 1 else { return .open }
        switch bytes[1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return .byte(bytes[1], length: 2)
        case UInt8(ascii: "b"): return .byte(8, length: 2)
        case UInt8(ascii: "t"): return .byte(9, length: 2)
        case UInt8(ascii: "n"): return .byte(10, length: 2)
        case UInt8(ascii: "f"): return .byte(12, length: 2)
        case UInt8(ascii: "r"): return .byte(13, length: 2)
        case UInt8(ascii: "x"): return hex(bytes, from: 2, digits: 2) { .scalar($0, length: 4) }
        case UInt8(ascii: "u"):
            let escape = hex(bytes, from: 2, digits: 4) { .scalar($0, length: 6) }
            guard case .scalar(let high, _) = escape, (0xd800...0xdbff).contains(high) else { return escape }
            return readPair(bytes, high)
        default: return .none
        }
    }

    /// Two escapes make one character beyond the first plane.
    private static func readPair(_ bytes: UnsafeRawBufferPointer, _ high: UInt32) -> Escape {
        for (at, byte) in [(6, UInt8(ascii: "\\")), (7, UInt8(ascii: "u"))] {
            if at == bytes.count { return .open }
            if bytes[at] != byte { return .scalar(high, length: 6) }
        }
        let escape = hex(bytes, from: 8, digits: 4) { low in
            (0xdc00...0xdfff).contains(low)
                ? .scalar(0x10000 + (high & 0x3ff) << 10 + low & 0x3ff, length: 12) : .scalar(high, length: 6)
        }
        return escape == .none ? .scalar(high, length: 6) : escape
    }

    private static let names: [(name: [UInt8], scalar: UInt32)] = [
        ("amp", 0x26), ("lt", 0x3c), ("gt", 0x3e), ("quot", 0x22), ("apos", 0x27), ("nbsp", 0xa0), ("sol", 0x2f),
        ("plus", 0x2b), ("equals", 0x3d), ("hyphen", 0x2010), ("colon", 0x3a), ("period", 0x2e), ("commat", 0x40),
        ("lowbar", 0x5f), ("Tab", 9), ("NewLine", 10),
    ].map { (Array($0.utf8), $1) }

    private static func readEntity(_ bytes: UnsafeRawBufferPointer) -> Escape {
        guard bytes.count > 1 else { return .open }
        if bytes[1] == UInt8(ascii: "#") { return readReference(bytes) }
        let end = UInt8(ascii: ";")
        for (name, scalar) in names {
            let length = name.count + 2
            let given = bytes.dropFirst().prefix(name.count)
            guard name.starts(with: given) else { continue }
            if bytes.count < length { return .open }
            if bytes[length - 1] == end { return .scalar(scalar, length: length) }
        }
        return .none
    }

    /// `&#52;` or `&#x34;`, of seven digits at most.
    private static func readReference(_ bytes: UnsafeRawBufferPointer) -> Escape {
        guard bytes.count > 2 else { return .open }
        let isHex = bytes[2] | 0x20 == UInt8(ascii: "x")
        let from = isHex ? 3 : 2
        var value: UInt32 = 0
        for at in from...from + 7 {
            if at == bytes.count { return .open }
            if bytes[at] == UInt8(ascii: ";") { return at == from ? .none : .scalar(value, length: at + 1) }
            guard let digit = Percent.nibble(bytes[at]), isHex || digit < 10, at < from + 7 else { return .none }
            value = value * (isHex ? 16 : 10) + UInt32(digit)
        }
        return .none
    }

    private static func readQuotedPrintable(_ bytes: UnsafeRawBufferPointer) -> Escape {
        guard bytes.count > 1 else { return .open }
        if bytes[1] == UInt8(ascii: "\n") { return .nothing(length: 2) }
        if bytes[1] == UInt8(ascii: "\r") {
            guard bytes.count > 2 else { return .open }
            return bytes[2] == UInt8(ascii: "\n") ? .nothing(length: 3) : .none
        }
        return hex(bytes, from: 1, digits: 2) { .byte(UInt8(truncatingIfNeeded: $0), length: 3) }
    }
}
