/// Character classes, as PCRE2 has them in its default tables (the "C" locale) without UTF and UCP.
enum SyntaxClass {
    static let word = ByteSet(0x30...0x39).union(ByteSet(0x41...0x5a)).union(ByteSet(0x61...0x7a)).union(
        ByteSet([0x5f]))
    static let space = ByteSet(0x09...0x0d).union(ByteSet([0x20]))
    static let horizontal = ByteSet([0x09, 0x20, 0xa0])
    static let vertical = ByteSet(0x0a...0x0d).union(ByteSet([0x85]))

    /// `\d` and its like; none for other letters.
    static func type(_ letter: UInt8) -> ByteSet? {
        switch letter {
        case UInt8(ascii: "d"): .digits
        case UInt8(ascii: "D"): ByteSet.digits.inverted
        case UInt8(ascii: "w"): word
        case UInt8(ascii: "W"): word.inverted
        case UInt8(ascii: "s"): space
        case UInt8(ascii: "S"): space.inverted
        case UInt8(ascii: "h"): horizontal
        case UInt8(ascii: "H"): horizontal.inverted
        case UInt8(ascii: "v"): vertical
        case UInt8(ascii: "V"): vertical.inverted
        case UInt8(ascii: "N"): ByteSet([0x0a]).inverted
        default: nil
        }
    }

    /// After the opening bracket, to after the closing one.
    static func read(_ parser: inout SyntaxParser, _ flags: SyntaxParser.Flags) -> ByteSet {
        let negated = parser.take("^")
        var set = ByteSet()
        var first = true
        var quoted = false
        while let byte = parser.peek() {
            if quoted {
                if parser.take("\\E") {
                    quoted = false
                } else {
                    // A range may end in quoted text; that is nobody's habit.
                    if byte == UInt8(ascii: "-") { parser.unsure = true }
                    parser.at += 1
                    set = set.union(parser.folded(byte, flags))
                }
                continue
            }
            if byte == UInt8(ascii: "]") && !first {
                parser.at += 1
                return negated ? set.inverted : set
            }
            if parser.take("\\Q") {
                quoted = true
                // Whether `]` may still come first as text is PCRE2's to say.
                if first { parser.unsure = true }
                continue
            }
            if parser.take("\\E") {
                if first { parser.unsure = true }
                continue
            }
            first = false
            if let named = posix(&parser) {
                set = set.union(named)
                continue
            }
            guard let low = member(&parser, &set) else { continue }
            guard parser.peek() == UInt8(ascii: "-"), let next = parser.peek(1), next != UInt8(ascii: "]") else {
                set = set.union(parser.folded(low, flags))
                continue
            }
            parser.at += 1
            if parser.sees("\\Q") || parser.sees("\\E") || parser.sees("[:") { parser.unsure = true }
            guard let high = member(&parser, &set), high >= low else {
                // `[a-\d]`: the hyphen is text.
                set = set.union(parser.folded(low, flags)).union(ByteSet([UInt8(ascii: "-")]))
                continue
            }
            for value in low...high { set = set.union(parser.folded(value, flags)) }
        }
        parser.unsure = true
        return .all
    }

    /// One byte, or a type that goes into `set` at once.
    private static func member(_ parser: inout SyntaxParser, _ set: inout ByteSet) -> UInt8? {
        guard let byte = parser.peek() else { return nil }
        parser.at += 1
        guard byte == UInt8(ascii: "\\"), let escaped = parser.peek() else { return byte }
        parser.at += 1
        if let type = type(escaped) {
            set = set.union(type)
            return nil
        }
        if escaped == UInt8(ascii: "b") { return 0x08 }
        if escaped == UInt8(ascii: "p") || escaped == UInt8(ascii: "P") {
            parser.unsure = true
            return nil
        }
        if let value = SyntaxEscape.value(&parser, escaped, inClass: true) { return value }
        parser.unsure = true
        return nil
    }

    /// `[:digit:]`, in a class.
    private static func posix(_ parser: inout SyntaxParser) -> ByteSet? {
        guard parser.sees("[:") else { return nil }
        let start = parser.at
        parser.at += 2
        parser.loose = true
        let negated = parser.take("^")
        let name = parser.source[parser.at...].prefix { ($0 | 0x20) &- 0x61 < 26 }
        parser.at += name.count
        guard parser.take(":]") else {
            parser.at = start
            return nil
        }
        let lower = ByteSet(0x61...0x7a)
        let upper = ByteSet(0x41...0x5a)
        let set: ByteSet
        switch String(decoding: name, as: UTF8.self) {
        case "digit": set = .digits
        case "word": set = word
        case "space": set = space
        case "alpha", "lower", "upper": set = lower.union(upper)
        case "alnum": set = lower.union(upper).union(.digits)
        case "xdigit": set = ByteSet(0x41...0x46).union(ByteSet(0x61...0x66)).union(.digits)
        default: set = .all
        }
        // The complement of a set that is too large would be too small.
        return negated ? .all : set
    }
}
