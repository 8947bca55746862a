/// What follows a backslash outside classes, and the characters that escapes stand for anywhere.
enum SyntaxEscape {
    typealias Node = Syntax.Node

    /// After the backslash, which is at `start`.
    static func read(
        _ parser: inout SyntaxParser, _ flags: SyntaxParser.Flags, from start: Int
    ) throws(Expression.Refusal) -> Node {
        guard let letter = parser.peek() else { return .empty }
        parser.at += 1
        if let type = SyntaxClass.type(letter) { return .byte(type) }
        switch letter {
        case UInt8(ascii: "K"):
            throw refusal(start, #"\K is not supported, expected a look-behind (?<=…) instead"#)
        case UInt8(ascii: "G"): throw refusal(start, #"\G is not supported, expected \b or ^ instead"#)
        case UInt8(ascii: "C"):
            throw refusal(start, #"\C is not supported, expected (?s:.), which is one byte as well"#)
        case UInt8(ascii: "Z"):
            (parser.mindsLastNewline, parser.loose) = (true, true)
            return .empty
        case UInt8(ascii: "b"): return .wordBoundary
        case UInt8(ascii: "B"), UInt8(ascii: "A"), UInt8(ascii: "z"), UInt8(ascii: "E"):
            parser.loose = true
            return .empty
        case UInt8(ascii: "Q"): return quoted(&parser, flags)
        case UInt8(ascii: "R"):
            // It takes both bytes of CR LF and does not give them back.
            parser.loose = true
            return .choice([.sequence([.byte(ByteSet([0x0d])), .byte(ByteSet([0x0a]))]), .byte(SyntaxClass.vertical)])
        case UInt8(ascii: "1")...UInt8(ascii: "9"):
            parser.at -= 1
            return reference(&parser, flags)
        default: break
        }
        if let value = value(&parser, letter, inClass: false) { return .byte(parser.folded(value, flags)) }
        // \X, \p, \g, \k and what is not known.
        parser.unsure = true
        return .anything
    }

    private static func refusal(_ offset: Int, _ message: String) -> Expression.Refusal {
        Expression.Refusal(offset: offset, message: message)
    }

    /// `\Q…\E`. A quantifier after it is for the last character only, so the rest goes on in the sequence.
    private static func quoted(_ parser: inout SyntaxParser, _ flags: SyntaxParser.Flags) -> Node {
        var parts: [Node] = []
        while let byte = parser.peek() {
            if parser.take("\\E") { break }
            parser.at += 1
            parts.append(.byte(parser.folded(byte, flags)))
        }
        if let next = parser.peek(), "*+?{".utf8.contains(next) { parser.unsure = true }
        return .sequence(parts)
    }

    /// A back reference of one digit to a group that is closed; other numbers may be octal.
    private static func reference(_ parser: inout SyntaxParser, _ flags: SyntaxParser.Flags) -> Node {
        guard let number = parser.number(), number < 10, number <= parser.groupsOpened, !flags.caseless else {
            parser.unsure = true
            return .anything
        }
        parser.loose = true
        return parser.group(number)
    }

    /// The character an escape stands for, or none where it stands for more than that.
    static func value(_ parser: inout SyntaxParser, _ letter: UInt8, inClass: Bool) -> UInt8? {
        switch letter {
        case UInt8(ascii: "n"): return 0x0a
        case UInt8(ascii: "r"): return 0x0d
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "f"): return 0x0c
        case UInt8(ascii: "e"): return 0x1b
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            var value = 0
            var digits = 0
            if parser.peek() == UInt8(ascii: "{") { return nil }
            while digits < 2, let nibble = parser.peek().flatMap(Percent.nibble) {
                value = value << 4 | Int(nibble)
                digits += 1
                parser.at += 1
            }
            return UInt8(value)
        default:
            let alphanumeric = letter &- 0x30 < 10 || (letter | 0x20) &- 0x61 < 26
            return alphanumeric ? nil : letter
        }
    }
}
