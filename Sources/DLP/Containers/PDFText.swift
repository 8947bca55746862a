/// What the strings of a PDF say: those that operators of a content stream show (ISO 32000-1 section 9.4.3), and those
/// of objects. Strings are taken as they are, or as UTF-16 where they say so; what is shown in the codes of a font is
/// kept for the tables that may come.
struct PDFText {
    private enum Unicode { case unknown, first, none, half(UInt8?) }

    /// Output that one token can give: a separator and a character.
    static let tokenBytesMax = 4

    private var unicode = Unicode.unknown
    private var arrays = 0
    /// The vertical place of the last text matrix, and the operands before the operator, the last of which is the first.
    private var height = 0
    private var operands = (0, 0)
    /// The last that was put was a blank or a line's end.
    private var isApart = true
    private var table = PDFTable()
    private var codes = PDFCodes()

    var tables: [PDFTable.Codes] { table.all }
    /// A table, or text to be read with one, was too long to be kept.
    var isCut: Bool { table.isCut || codes.isCut && !table.all.isEmpty }

    /// A stream or the strings of an object begin.
    mutating func begin() {
        (arrays, unicode, operands) = (0, .unknown, (0, 0))
        table.begin()
    }

    /// A space between two strings of an array is written as a distance of thousandths of the font's size.
    private static let spaceMin = 200

    mutating func read(_ token: PDFLexer.Token, _ lexer: inout PDFLexer, isContent: Bool, _ put: (UInt8) -> Void) {
        if isContent, table.read(token, lexer) { return }
        switch token {
        case .byte(let byte):
            if isContent { codes.add(byte) }
            character(byte, put)
        case .beginString: unicode = .unknown
        case .endString:
            if case .first = unicode { self.put(0xfe, put) }
            if !isContent { apart(0x0a, put) }
        case .beginArray: arrays += 1
        case .endArray: arrays = max(arrays - 1, 0)
        case .number:
            operands = (lexer.number, operands.0)
            if arrays > 0, isContent, lexer.number <= -Self.spaceMin { apart(0x20, put) }
        case .keyword: if isContent { operated(&lexer, put) }
        case .name, .beginDictionary, .endDictionary: break
        }
    }

    /// The next characters of what was shown as the tables have it; false where there are no more.
    mutating func decode(_ put: (UInt8) -> Void) -> Bool { codes.decode(table.all, put) }

    private mutating func operated(_ lexer: inout PDFLexer, _ put: (UInt8) -> Void) {
        switch String(decoding: lexer.word, as: UTF8.self) {
        case "Td", "TD": apart(operands.0 == 0 ? 0x20 : 0x0a, put)
        case "Tm":
            apart(operands.0 == height ? 0x20 : 0x0a, put)
            height = operands.0
        case "T*", "ET", "'", "\"": apart(0x0a, put)
        case "ID": lexer.skipSamples()
        default: break
        }
    }

    /// A separator, if there is something to separate.
    private mutating func apart(_ separator: UInt8, _ put: (UInt8) -> Void) {
        if isApart { return }
        codes.separate()
        put(separator)
        isApart = true
    }

    private mutating func put(_ byte: UInt8, _ put: (UInt8) -> Void) {
        isApart = false
        put(byte)
    }

    /// UTF-16 begins with its mark (section 7.9.2.2).
    private mutating func character(_ byte: UInt8, _ put: (UInt8) -> Void) {
        switch unicode {
        case .unknown where byte == 0xfe: unicode = .first
        case .first where byte == 0xff: unicode = .half(nil)
        case .unknown, .none:
            unicode = .none
            self.put(byte, put)
        case .first:
            unicode = .none
            self.put(0xfe, put)
            self.put(byte, put)
        case .half(nil): unicode = .half(byte)
        case .half(let high?):
            unicode = .half(nil)
            isApart = false
            UTF8Bytes.put(UInt16(high) << 8 | UInt16(byte), put)
        }
    }
}

enum UTF8Bytes {
    /// A unit of UTF-16; halves of pairs show as question marks.
    static func put(_ unit: UInt16, _ put: (UInt8) -> Void) {
        guard let scalar = UnicodeScalar(unit) else { return put(UInt8(ascii: "?")) }
        for byte in UTF8.encode(scalar) ?? .encodedReplacementCharacter { put(byte) }
    }
}
