/// The tokens of PDF (ISO 32000-1 sections 7.2 and 7.3), byte by byte, in objects and in content streams alike.
struct PDFLexer {
    enum Token {
        /// The first three are in `word`.
        case name, number, keyword
        /// One byte of a string, decoded.
        case byte(UInt8)
        case beginString, endString
        case beginArray, endArray, beginDictionary, endDictionary
    }

    private enum State {
        case between, comment, word, literal, escape, continued, octal(digits: Int), hex, less, greater
        /// Samples of an inline image, up to ` EI ` (section 8.9.7).
        case samples(matched: Int)
    }

    /// Names and operators that matter are shorter; what is longer is cut.
    private static let wordBytesMax = 32

    private(set) var word: [UInt8] = []
    private var state = State.between
    /// Parentheses open within a literal string.
    private var depth = 0
    private var pending: UInt8 = 0
    private var isHalf = false

    /// Nil where the byte completes nothing; `taken` is false where it has to be read once more.
    mutating func read(_ byte: UInt8, taken: inout Bool) -> Token? {
        switch state {
        case .between: return begin(byte)
        case .comment: if byte == 0x0a || byte == 0x0d { state = .between }
        case .word:
            guard Self.isRegular(byte) else {
                (state, taken) = (.between, false)
                return kind
            }
            if word.count < Self.wordBytesMax { word.append(byte) }
        case .literal: return literal(byte)
        case .escape: return escaped(byte)
        case .continued:
            state = .literal
            taken = byte == 0x0a
        case .octal(let digits):
            guard digits < 3, (0x30...0x37).contains(byte) else {
                (state, taken) = (.literal, false)
                return .byte(pending)
            }
            pending = pending << 3 | (byte - 0x30)
            state = .octal(digits: digits + 1)
        case .hex: return hexadecimal(byte, &taken)
        case .less:
            if byte == UInt8(ascii: "<") {
                state = .between
                return .beginDictionary
            }
            (state, isHalf, taken) = (.hex, false, false)
            return .beginString
        case .greater:
            state = .between
            if byte == UInt8(ascii: ">") { return .endDictionary }
            taken = false
        case .samples(let matched): skip(byte, matched)
        }
        return nil
    }

    /// What follows are the samples of an inline image.
    mutating func skipSamples() { state = .samples(matched: 0) }

    private mutating func skip(_ byte: UInt8, _ matched: Int) {
        let fits: Bool
        switch matched {
        case 1: fits = byte == UInt8(ascii: "E")
        case 2: fits = byte == UInt8(ascii: "I")
        default: fits = Self.isBlank(byte)
        }
        state = fits && matched == 3 ? .between : .samples(matched: fits ? matched + 1 : Self.isBlank(byte) ? 1 : 0)
    }

    private mutating func begin(_ byte: UInt8) -> Token? {
        switch byte {
        case UInt8(ascii: "%"): state = .comment
        case UInt8(ascii: "("):
            (state, depth) = (.literal, 0)
            return .beginString
        case UInt8(ascii: "<"): state = .less
        case UInt8(ascii: ">"): state = .greater
        case UInt8(ascii: "["): return .beginArray
        case UInt8(ascii: "]"): return .endArray
        case UInt8(ascii: "/"):
            word.removeAll(keepingCapacity: true)
            word.append(byte)
            state = .word
        case _ where Self.isRegular(byte):
            word.removeAll(keepingCapacity: true)
            word.append(byte)
            state = .word
        default: break
        }
        return nil
    }

    private var kind: Token {
        switch word.first ?? 0 {
        case UInt8(ascii: "/"): .name
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."): .number
        default: .keyword
        }
    }

    /// Of the word, 0 where it is none; fractions do not matter to anybody here.
    var number: Int {
        let digits = word.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }.prefix {
            (0x30...0x39).contains($0)
        }
        let value = digits.prefix(9).reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return word.first == UInt8(ascii: "-") ? -value : value
    }

    // MARK: Strings

    private mutating func literal(_ byte: UInt8) -> Token? {
        switch byte {
        case UInt8(ascii: "\\"):
            state = .escape
            return nil
        case UInt8(ascii: "("): depth += 1
        case UInt8(ascii: ")"):
            if depth == 0 {
                state = .between
                return .endString
            }
            depth -= 1
        default: break
        }
        return .byte(byte)
    }

    private mutating func escaped(_ byte: UInt8) -> Token? {
        state = .literal
        switch byte {
        case UInt8(ascii: "n"): return .byte(0x0a)
        case UInt8(ascii: "r"): return .byte(0x0d)
        case UInt8(ascii: "t"): return .byte(0x09)
        case UInt8(ascii: "b"): return .byte(0x08)
        case UInt8(ascii: "f"): return .byte(0x0c)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            pending = byte - 0x30
            state = .octal(digits: 1)
            return nil
        // The string goes on in the next line.
        case 0x0a: return nil
        case 0x0d:
            state = .continued
            return nil
        default: return .byte(byte)
        }
    }

    private mutating func hexadecimal(_ byte: UInt8, _ taken: inout Bool) -> Token? {
        if byte == UInt8(ascii: ">") {
            if isHalf {
                (isHalf, taken) = (false, false)
                return .byte(pending << 4)
            }
            state = .between
            return .endString
        }
        guard let digit = Percent.nibble(byte) else { return nil }
        isHalf.toggle()
        defer { pending = digit }
        return isHalf ? nil : .byte(pending << 4 | digit)
    }

    // MARK: Characters

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 || byte == 0x0c || byte == 0
    }

    private static func isRegular(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "/"), UInt8(ascii: "%"):
            false
        default: !isBlank(byte)
        }
    }
}
