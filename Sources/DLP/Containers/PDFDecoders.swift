/// ASCIIHexDecode (ISO 32000-1 section 7.4.2).
struct PDFHexadecimal: PDFByteDecoder {
    static let bytesMax = 1

    private var high: UInt8?

    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        if byte == UInt8(ascii: ">") {
            if let high { put(high << 4) }
            return .ended
        }
        guard let digit = Percent.nibble(byte) else { return nil }
        if let high { put(high << 4 | digit) }
        high = high == nil ? digit : nil
        return nil
    }
}

/// ASCII85Decode (section 7.4.3).
struct PDFASCII85: PDFByteDecoder {
    static let bytesMax = 4

    private var digits = 0
    private var value: UInt32 = 0

    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        switch byte {
        case UInt8(ascii: "z") where digits == 0:
            for _ in 0..<4 { put(0) }
        case UInt8(ascii: "!")...UInt8(ascii: "u"):
            add(UInt32(byte - 0x21))
            if digits == 5 { flush(4, put) }
        case UInt8(ascii: "~"):
            // What is missing of the last group counts as its highest digit.
            let given = digits
            while digits > 0, digits < 5 { add(84) }
            flush(max(given - 1, 0), put)
            return .ended
        default: break
        }
        return nil
    }

    private mutating func add(_ digit: UInt32) {
        value = value &* 85 &+ digit
        digits += 1
    }

    private mutating func flush(_ count: Int, _ put: (UInt8) -> Void) {
        for index in 0..<count { put(UInt8(truncatingIfNeeded: value >> UInt32(24 - index * 8))) }
        (value, digits) = (0, 0)
    }
}

/// RunLengthDecode (section 7.4.5).
struct PDFRuns: PDFByteDecoder {
    private enum State { case length, copied(left: Int), repeated(Int) }

    static let bytesMax = 128
    private static let end: UInt8 = 128

    private let budget: ContainerBudget
    private var state = State.length

    init(_ budget: ContainerBudget) { self.budget = budget }

    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        switch state {
        case .length where byte == Self.end: return .ended
        case .length: state = byte < Self.end ? .copied(left: Int(byte) + 1) : .repeated(257 - Int(byte))
        case .copied(let left):
            guard budget.room > 0 else { return .failed(.decompressionBomb) }
            budget.took(1)
            put(byte)
            state = left > 1 ? .copied(left: left - 1) : .length
        case .repeated(let count):
            guard budget.room >= count else { return .failed(.decompressionBomb) }
            budget.took(count)
            for _ in 0..<count { put(byte) }
            state = .length
        }
        return nil
    }
}

/// LZWDecode (section 7.4.4.2): codes of 9 to 12 bits, highest bit first.
struct PDFLZW: PDFByteDecoder {
    private static let codes = 4096
    private static let clear = 256
    private static let end = 257
    private static let first = 258
    static let bytesMax = codes

    private let budget: ContainerBudget
    /// The width grows one code before it must.
    private let early: Int

    /// A string by its code: that of all but its last byte, the last byte, and how many there are.
    private var prefixes = [UInt16](repeating: 0, count: PDFLZW.codes)
    private var lasts = [UInt8](repeating: 0, count: PDFLZW.codes)
    private var lengths = [UInt16](repeating: 1, count: PDFLZW.codes)
    private var next = PDFLZW.first
    private var width = 9
    private var before: Int?
    private var bits = 0
    private var bitCount = 0
    private var string: [UInt8] = []

    init(isEarly: Bool, _ budget: ContainerBudget) {
        (self.budget, early) = (budget, isEarly ? 1 : 0)
        for byte in 0..<256 { lasts[byte] = UInt8(byte) }
        string.reserveCapacity(Self.codes)
    }

    mutating func read(_ byte: UInt8, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        bits = bits << 8 | Int(byte)
        bitCount += 8
        guard bitCount >= width else { return nil }
        bitCount -= width
        let code = bits >> bitCount
        bits &= 1 << bitCount - 1
        switch code {
        case Self.end: return .ended
        case Self.clear: (next, width, before) = (Self.first, 9, nil)
        default: return take(code, put)
        }
        return nil
    }

    private mutating func take(_ code: Int, _ put: (UInt8) -> Void) -> Inflater.Pulled? {
        // The string of the code that is made just now is that of the one before, with its own first byte again.
        let isNew = code == next && before != nil && next < Self.codes
        guard isNew || code < Self.clear || (Self.first..<next).contains(code) else { return .failed(.undecodable) }
        var at = isNew ? before ?? 0 : code
        string.removeAll(keepingCapacity: true)
        for _ in 0..<lengths[at] {
            string.append(lasts[at])
            at = Int(prefixes[at])
        }
        guard let head = string.last else { return .failed(.undecodable) }
        if isNew { string.insert(head, at: 0) }
        guard budget.room >= string.count else { return .failed(.decompressionBomb) }
        budget.took(string.count)
        for byte in string.reversed() { put(byte) }
        if let before, next < Self.codes { add(before, head) }
        before = code
        return nil
    }

    private mutating func add(_ prefix: Int, _ last: UInt8) {
        (prefixes[next], lasts[next], lengths[next]) = (UInt16(prefix), last, lengths[prefix] + 1)
        next += 1
        if next + early >= 1 << width, width < 12 { width += 1 }
    }
}
