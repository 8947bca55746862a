/// What matters of an object's dictionary: what its stream is, and how it is packed.
struct PDFDictionary {
    enum Filter: Equatable {
        case flate, lzw, runs, hexadecimal, ascii85
        /// Samples of an image, in which there is no text.
        case image
        case unknown

        init(_ name: [UInt8]) {
            self =
                switch String(decoding: name, as: UTF8.self) {
                case "/FlateDecode", "/Fl": .flate
                case "/LZWDecode", "/LZW": .lzw
                case "/RunLengthDecode", "/RL": .runs
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
    /// Of the filters, in the same order.
    private(set) var parameters: [PDFParameters] = []
    /// Names beside a dictionary: an object that other objects may have their filters in.
    private(set) var names: [Filter] = []
    private(set) var content = Content.text
    /// Its text is in codes that only a table says the meaning of.
    private(set) var hasCodes = false
    /// All strings and streams of the file are encrypted (section 7.6.1).
    private(set) var isEncrypted = false

    private var depth = 0
    private var arrays = 0
    private var key: [UInt8]?
    /// In the dictionary of a filter.
    private var parameter: [UInt8]?
    /// The last two numbers, the first of which says the object when `R` follows.
    private(set) var numbers = (0, 0)
    private let objects: PDFNames
    /// More filters than this are as good as unknown.
    private static let filtersMax = 8

    init(_ objects: PDFNames = PDFNames()) { self.objects = objects }

    mutating func read(_ token: PDFLexer.Token, _ lexer: PDFLexer) {
        switch token {
        case .beginDictionary:
            depth += 1
            if depth == 2, isOfFilters { add(PDFParameters()) }
        case .endDictionary:
            depth = max(depth - 1, 0)
            if depth == 1, arrays == 0 { key = nil }
        case .beginArray: arrays += 1
        case .endArray:
            arrays = max(arrays - 1, 0)
            if depth == 1, arrays == 0 { key = nil }
        case .name: name(lexer.word)
        case .number: number(lexer.number)
        case .keyword: keyword(lexer.word)
        case .endString: if depth == 1, arrays == 0 { key = nil }
        case .byte, .beginString: break
        }
    }

    private var isOfFilters: Bool {
        key.map { $0.elementsEqual("/DecodeParms".utf8) || $0.elementsEqual("/DP".utf8) } ?? false
    }

    private mutating func add(_ more: PDFParameters) {
        if parameters.count < Self.filtersMax { parameters.append(more) }
    }

    private mutating func name(_ word: [UInt8]) {
        if depth > 1 { return parameter = depth == 2 ? word : nil }
        if depth == 0 {
            if names.count < Self.filtersMax { names.append(Filter(word)) }
            return
        }
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
        numbers = (numbers.1, value)
        if depth == 2, isOfFilters, let parameter, !parameters.isEmpty {
            parameters[parameters.count - 1].set(parameter, value)
            self.parameter = nil
        }
        // What may refer to another object is known by the word behind it.
        if depth == 1, arrays == 0, let key, !key.elementsEqual("/Filter".utf8), !isOfFilters { self.key = nil }
    }

    private mutating func keyword(_ word: [UInt8]) {
        let refers = word.elementsEqual("R".utf8)
        if depth == 2, isOfFilters, refers, !parameters.isEmpty { parameters[parameters.count - 1].isElsewhere = true }
        guard depth == 1 else { return }
        if let key, key.elementsEqual("/Filter".utf8), refers {
            // One that is not known yet is nearly always this; its first bytes say whether it is.
            let named = objects.filters(of: numbers.0) ?? [.flate]
            filters.append(contentsOf: named.prefix(Self.filtersMax - filters.count))
        } else if isOfFilters {
            // Or `null`.
            add(PDFParameters(isElsewhere: refers))
        }
        if arrays == 0 { key = nil }
    }
}

/// Objects that are names of filters, alone or in an array, which streams may refer to.
struct PDFNames {
    private static let objectsMax = 64

    private var objects: [Int: [PDFDictionary.Filter]] = [:]

    func filters(of object: Int) -> [PDFDictionary.Filter]? { objects[object] }

    mutating func add(_ filters: [PDFDictionary.Filter], of object: Int) {
        if objects.count < Self.objectsMax { objects[object] = filters }
    }
}
