/// What matters of an object's dictionary: what its stream is, and how it is packed.
struct PDFDictionary {
    enum Filter: Equatable {
        case flate, hexadecimal, ascii85
        /// Samples of an image, in which there is no text.
        case image
        case unknown

        init(_ name: [UInt8]) {
            self =
                switch String(decoding: name, as: UTF8.self) {
                case "/FlateDecode", "/Fl": .flate
                case "/ASCIIHexDecode", "/AHx": .hexadecimal
                case "/ASCII85Decode", "/A85": .ascii85
                case "/DCTDecode", "/DCT", "/JPXDecode", "/CCITTFaxDecode", "/CCF", "/JBIG2Decode": .image
                default: .unknown
                }
        }
    }

    enum Content { case text, objects, file, none }

    /// Outermost first, as they are undone.
    private(set) var filters: [Filter] = []
    private(set) var content = Content.text
    /// Its text is in codes that only a table says the meaning of.
    private(set) var hasCodes = false
    /// All strings and streams of the file are encrypted (section 7.6.1).
    private(set) var isEncrypted = false
    private(set) var isPredicted = false

    private var depth = 0
    private var arrays = 0
    private var key: [UInt8]?
    /// More filters than this are as good as unknown.
    private static let filtersMax = 8

    mutating func read(_ token: PDFLexer.Token, _ lexer: PDFLexer) {
        switch token {
        case .beginDictionary:
            depth += 1
        case .endDictionary:
            depth = max(depth - 1, 0)
            if depth == 1, arrays == 0 { key = nil }
        case .beginArray: arrays += 1
        case .endArray:
            arrays = max(arrays - 1, 0)
            if depth == 1, arrays == 0 { key = nil }
        case .name: name(lexer.word)
        case .number: number(lexer.number)
        case .keyword, .endString: if depth == 1, arrays == 0 { key = nil }
        case .byte, .beginString: break
        }
    }

    private mutating func name(_ word: [UInt8]) {
        // `/Predictor` is in a dictionary of its own.
        if depth > 1 {
            if word.elementsEqual("/Predictor".utf8) { key = word }
            return
        }
        guard depth == 1 else { return }
        guard let key else {
            named(word)
            return self.key = arrays == 0 ? word : nil
        }
        if key.elementsEqual("/Filter".utf8), filters.count < Self.filtersMax {
            filters.append(Filter(word))
        } else if key.elementsEqual("/Type".utf8) || key.elementsEqual("/Subtype".utf8) {
            typed(word)
        }
        if arrays == 0 { self.key = nil }
    }

    private mutating func named(_ key: [UInt8]) {
        switch String(decoding: key, as: UTF8.self) {
        case "/Encrypt": isEncrypted = true
        case "/ToUnicode": hasCodes = true
        case "/Length1": content = .none
        default: break
        }
    }

    private mutating func typed(_ type: [UInt8]) {
        switch String(decoding: type, as: UTF8.self) {
        case "/Image", "/XRef", "/Type1C", "/CIDFontType0C", "/OpenType": content = .none
        case "/ObjStm": content = .objects
        case "/EmbeddedFile", "/Metadata": content = .file
        case "/Type0": hasCodes = true
        default: break
        }
    }

    private mutating func number(_ value: Int) {
        guard let key else { return }
        if key.elementsEqual("/Predictor".utf8) { isPredicted = isPredicted || value > 1 }
        // In another object, where it cannot be looked up.
        if depth == 1, key.elementsEqual("/Filter".utf8), filters.count < Self.filtersMax { filters.append(.unknown) }
        if arrays == 0 || depth > 1 { self.key = nil }
    }
}
