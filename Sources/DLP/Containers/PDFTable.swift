/// Tables of a PDF that say which characters the codes of a font stand for (ToUnicode, ISO 32000-1 section 9.10.3).
struct PDFTable {
    private enum Mode { case none, characters, ranges }

    /// More fonts than this, or larger ones, are of documents that no one sends in a form; what is left out is told.
    private static let tablesMax = 64
    private static let codesMax = 8192
    /// A code or a character; longer ones are ligatures, of which the first is enough.
    private static let stringBytesMax = 4

    struct Codes {
        var characters: [UInt32: UInt16] = [:]
        /// Bytes of the longest code.
        var width = 1
    }

    private(set) var all: [Codes] = []
    private(set) var isCut = false
    private var table = Codes()
    private var isOpen = false
    private var mode = Mode.none
    private var inArray = false
    private var string: [UInt8] = []
    private var operands: [[UInt8]] = []

    mutating func begin() { (isOpen, mode, inArray) = (false, .none, false) }

    /// True within a table, where strings are not shown.
    mutating func read(_ token: PDFLexer.Token, _ lexer: PDFLexer) -> Bool {
        switch token {
        case .keyword where !isOpen:
            guard lexer.word.elementsEqual("begincmap".utf8) else { return false }
            isOpen = true
            table = Codes()
        case _ where !isOpen: return false
        case .keyword: operated(String(decoding: lexer.word, as: UTF8.self))
        case .beginString: string.removeAll(keepingCapacity: true)
        case .byte(let byte): if string.count < Self.stringBytesMax { string.append(byte) }
        case .endString:
            operands.append(string)
            assign()
        case .beginArray: inArray = true
        case .endArray:
            inArray = false
            operands.removeAll(keepingCapacity: true)
        case .name, .number, .beginDictionary, .endDictionary: break
        }
        return true
    }

    private mutating func operated(_ word: String) {
        operands.removeAll(keepingCapacity: true)
        switch word {
        case "beginbfchar": mode = .characters
        case "beginbfrange": mode = .ranges
        case "endcmap":
            isOpen = false
            if all.count == Self.tablesMax { isCut = true } else if !table.characters.isEmpty { all.append(table) }
        default: mode = .none
        }
    }

    private mutating func assign() {
        switch (mode, operands.count) {
        case (.none, _): break
        case (.characters, 2): set(operands[0], 0, operands[1], 0)
        // One character for each code from the first on.
        case (.ranges, 3) where inArray:
            set(operands[0], 0, operands[2], 0)
            operands[0] = Self.next(operands[0])
            operands.removeLast()
            return
        case (.ranges, 3): range()
        default: return
        }
        operands.removeAll(keepingCapacity: true)
    }

    private mutating func range() {
        let (from, to) = (Self.key(operands[0]), Self.key(operands[1]))
        guard from <= to else { return }
        for step in 0...min(to - from, UInt32(Self.codesMax)) { set(operands[0], step, operands[2], step) }
    }

    private mutating func set(_ code: [UInt8], _ codeStep: UInt32, _ character: [UInt8], _ step: UInt32) {
        guard (1...2).contains(code.count), character.count >= 2 else { return }
        if table.characters.count >= Self.codesMax { return isCut = true }
        let unit = UInt32(character[0]) << 8 | UInt32(character[1])
        table.width = max(table.width, code.count)
        table.characters[Self.key(code) &+ codeStep] = UInt16(truncatingIfNeeded: unit &+ step)
    }

    private static func next(_ code: [UInt8]) -> [UInt8] {
        guard let last = code.last else { return code }
        return code.dropLast() + [last &+ 1]
    }

    /// Codes of one byte and of two are different ones.
    static func key(_ code: some Collection<UInt8>) -> UInt32 {
        code.reduce(UInt32(code.count) << 16) { $0 & 0xff_0000 | ($0 << 8 | UInt32($1)) & 0xffff }
    }
}

/// What was shown, in the codes of its fonts, to be read with each table once all are known: which font a string is in
/// is told by objects that may come later, and a wrong table gives text that says nothing.
struct PDFCodes {
    /// A hundred pages of text.
    static let unitsMax = 256 * 1024
    private static let separator: UInt16 = 0x100

    private var units: [UInt16] = []
    private(set) var isCut = false
    private var at = 0
    private var tableIndex = 0
    private var isApart = true

    mutating func add(_ byte: UInt8) { append(UInt16(byte)) }
    mutating func separate() { append(Self.separator) }

    private mutating func append(_ unit: UInt16) {
        if units.count < Self.unitsMax { units.append(unit) } else { isCut = true }
    }

    /// The next characters of the text as the tables have it; false at its end.
    mutating func decode(_ tables: [PDFTable.Codes], _ put: (UInt8) -> Void) -> Bool {
        guard tableIndex < tables.count else { return false }
        let width = tables[tableIndex].width
        guard at < units.count else {
            (at, tableIndex) = (0, tableIndex + 1)
            separated(put)
            return true
        }
        let code = units[at..<min(at + width, units.count)].prefix { $0 != Self.separator }
        let key = PDFTable.key(code.map { UInt8(truncatingIfNeeded: $0) })
        if code.count == width, let unit = tables[tableIndex].characters[key] {
            UTF8Bytes.put(unit, put)
            isApart = false
        } else {
            separated(put)
        }
        at += max(code.count, 1)
        return true
    }

    private mutating func separated(_ put: (UInt8) -> Void) {
        if !isApart { put(0x0a) }
        isApart = true
    }
}
