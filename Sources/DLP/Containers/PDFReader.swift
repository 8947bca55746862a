/// Takes the text and the attached files out of a PDF as it streams past (ISO 32000-1), without its cross-references:
/// objects are read one after the other, and a stream ends where `endstream` is.
///
/// ```
///   objects ─ stream ─▶ line ─▶ packed ─ endstream ─▶ objects      finish: what the tables of fonts make of the text
/// ```
/// What cannot be undone is told at the end, when it is known whether all is encrypted.
final class PDFReader: SteppingReader {
    private enum State { case objects, line(isReturn: Bool), packed, tables, told, dead }
    /// The entry that has begun.
    private enum Open { case none, text, file }

    /// Text goes out when a slice ends, or when there is so much of it.
    private static let outBytes = 2048

    private let budget: ContainerBudget
    private var state = State.objects
    private var open = Open.none
    private var lexer = PDFLexer()
    private var text = PDFText()
    private let out = UnsafeMutableRawBufferPointer.allocate(byteCount: PDFReader.outBytes, alignment: 8)
    private var filled = 0

    private var dictionary = PDFDictionary()
    /// Of the object that is read.
    private var number = 0
    private var names = PDFNames()
    /// Of the stream that is read: nil where its bytes are its content.
    private var filters: PDFFilters?
    private var content = PDFDictionary.Content.none
    private var end = PDFEnd()
    /// Content that has not been looked at, and where it begins if it has not been packed.
    private var pending = UnsafeRawBufferPointer(start: nil, count: 0)
    private var pendingFrom: UInt64 = 0

    var place: UInt64 = 0
    /// Where the slice begins that is read, or the stream within it.
    private var mark: UInt64 = 0
    private var dataFrom: UInt64 = 0

    private var isEncrypted = false
    private var hasCodes = false
    private var isUndecodable = false

    init(_ budget: ContainerBudget) { self.budget = budget }

    deinit { out.deallocate() }

    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch state {
        case .objects:
            if let step = flush() { return step }
            if input.isEmpty { return .starved }
            readObjects(&input)
            return nil
        case .line(let isReturn): return line(&input, isReturn)
        case .packed:
            if let step = readContent() { return step }
            return give(&input)
        case .tables, .told, .dead:
            _ = input.take(input.count)
            return .starved
        }
    }

    func finish() -> ContainerStep {
        switch state {
        case .objects, .line, .packed:
            note()
            let isWhole = if case .objects = state { true } else { false }
            state = isEncrypted ? .told : .tables
            return isWhole ? finish() : .failed(.truncated)
        case .tables:
            // Of the whole file.
            mark = 0
            while case .tables = state, isRoomy { if !text.decode(put) { state = .told } }
            return flush() ?? finish()
        case .told:
            state = .dead
            if isEncrypted { return .failed(.encrypted) }
            let lacksTable = hasCodes && text.tables.isEmpty
            return isUndecodable || lacksTable || text.isCut ? .failed(.undecodable) : finish()
        case .dead:
            if open == .none { return .starved }
            open = .none
            return .end
        }
    }

    // MARK: Output

    private var isRoomy: Bool { filled + PDFText.tokenBytesMax <= out.count }

    private func put(_ byte: UInt8) {
        out[filled] = byte
        filled += 1
    }

    /// The text that has come out.
    private func flush() -> ContainerStep? {
        if filled == 0 { return nil }
        if let step = opened(.text, "pdf") { return step }
        defer { filled = 0 }
        return .bytes(UnsafeRawBufferPointer(rebasing: out[..<filled]), at: mark, plain: false)
    }

    /// All text is one entry, but for the files in between.
    private func opened(_ kind: Open, _ label: String) -> ContainerStep? {
        if open == kind { return nil }
        if open != .none { return closed() }
        guard budget.enter() else { return bomb() }
        open = kind
        return .begin(ContainerEntry(label: label))
    }

    private func closed() -> ContainerStep {
        open = .none
        return .end
    }

    private func bomb() -> ContainerStep {
        (state, filled) = (.dead, 0)
        return .failed(.decompressionBomb)
    }

    // MARK: Objects

    private func readObjects(_ input: inout UnsafeRawBufferPointer) {
        let used = Int(place % UInt64(Stage.sliceBytes))
        mark = place - UInt64(used)
        var at = 0
        while case .objects = state, at < min(Stage.sliceBytes - used, input.count), isRoomy {
            var taken = true
            if let token = lexer.read(input[at], taken: &taken) { object(token) }
            if taken { at += 1 }
        }
        _ = input.take(at)
    }

    private func object(_ token: PDFLexer.Token) {
        text.read(token, &lexer, isContent: false, put)
        dictionary.read(token, lexer)
        guard case .keyword = token else { return }
        switch String(decoding: lexer.word, as: UTF8.self) {
        case "obj", "trailer":
            number = dictionary.numbers.0
            dictionary = PDFDictionary(names)
        case "endobj", "startxref":
            note()
            if !dictionary.names.isEmpty { names.add(dictionary.names, of: number) }
        case "stream":
            note()
            state = .line(isReturn: false)
        default: break
        }
    }

    private func note() {
        isEncrypted = isEncrypted || dictionary.isEncrypted
        hasCodes = hasCodes || dictionary.hasCodes
    }

    // MARK: Streams

    /// A carriage return and a line feed, or one of them (section 7.3.8.1).
    private func line(_ input: inout UnsafeRawBufferPointer, _ isReturn: Bool) -> ContainerStep? {
        guard let byte = input.first else { return .starved }
        if byte == 0x0d, !isReturn {
            _ = input.take(1)
            state = .line(isReturn: true)
            return nil
        }
        dataFrom = place + UInt64(input.take(byte == 0x0a ? 1 : 0).count)
        beginStream()
        return nil
    }

    private func beginStream() {
        state = .packed
        (end, filters, lexer) = (PDFEnd(), nil, PDFLexer())
        text.begin()
        content = dictionary.filters.contains(.image) ? .none : dictionary.content
        if content == .none || dictionary.filters.isEmpty { return }
        filters = PDFFilters(dictionary.filters, dictionary.parameters, budget)
        if filters == nil { fail() }
    }

    private func fail() {
        isUndecodable = true
        content = .none
    }

    /// All that comes out of what the stream was given.
    private func readContent() -> ContainerStep? {
        while true {
            if !pending.isEmpty {
                if let step = content == .file ? file() : readText() { return step }
                continue
            }
            guard content != .none, let filters else { break }
            switch filters.pull() {
            case .bytes(let run): pending = run
            case .starved: return flush()
            case .ended: content = .none
            case .failed(.decompressionBomb): return bomb()
            case .failed: fail()
            }
        }
        return flush()
    }

    private func readText() -> ContainerStep? {
        let isContent = content == .text
        while isRoomy, let byte = pending.first {
            var taken = true
            if let token = lexer.read(byte, taken: &taken) { text.read(token, &lexer, isContent: isContent, put) }
            if taken { _ = pending.take(1) }
        }
        return isRoomy ? nil : flush()
    }

    /// The end of a stream is one of its last word, too.
    private func endWord(isContent: Bool) {
        var taken = true
        if let token = lexer.read(0x0a, taken: &taken) { text.read(token, &lexer, isContent: isContent, put) }
    }

    private func file() -> ContainerStep? {
        if let step = opened(.file, "pdf:file") { return step }
        defer { pending = UnsafeRawBufferPointer(start: nil, count: 0) }
        return .bytes(pending, at: filters == nil ? pendingFrom : mark, plain: filters == nil)
    }

    private func give(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if input.isEmpty && !end.isFound { return .starved }
        if end.isFound {
            if content != .none, filters?.isUnderWay == true { isUndecodable = true }
            endWord(isContent: dictionary.content == .text)
            (state, lexer, dictionary) = (.objects, PDFLexer(), PDFDictionary(names))
            text.begin()
            return open == .file ? closed() : nil
        }
        let used = Int(place % UInt64(Stage.sliceBytes))
        mark = max(place - UInt64(used), dataFrom)
        var slice = UnsafeRawBufferPointer(rebasing: input.prefix(Stage.sliceBytes - used))
        let given = slice.count
        let (run, back) = end.next(&slice)
        let count = input.take(given - slice.count).count
        if content == .none { return nil }
        pendingFrom = place + UInt64(count) - UInt64(back)
        if let filters { filters.give(run) } else { pending = run }
        return nil
    }
}

/// Looks for the end of a stream; what is held back is the front of the word itself.
struct PDFEnd {
    private static let word: StaticString = "endstream"
    /// Of `endstre` the last letter could be the first of the word.
    private static let couldBegin = 7

    private var matched = 0

    var isFound: Bool { matched == Self.word.utf8CodeUnitCount }

    /// Content at the front of what was held back and of `input`, and how far behind the end of what was taken it begins.
    mutating func next(_ input: inout UnsafeRawBufferPointer) -> (run: UnsafeRawBufferPointer, back: Int) {
        if matched == 0 {
            let run = input.take(input.length(before: Self.word.utf8Start[0]))
            if !run.isEmpty { return (run, run.count) }
        }
        while !isFound, let byte = input.first {
            guard byte == Self.word.utf8Start[matched] else { break }
            matched += 1
            _ = input.take(1)
        }
        if isFound || input.isEmpty { return (UnsafeRawBufferPointer(start: nil, count: 0), 0) }
        let (before, kept) = (matched, matched == Self.couldBegin ? 1 : 0)
        matched = kept
        return (UnsafeRawBufferPointer(start: Self.word.utf8Start, count: before - kept), before)
    }
}
