/// Finds a `FieldName` by its bytes in any letter case: one multiplication, one slot, one comparison by words.
///
/// The key is the length with the first, middle and last byte; the multiplier that gives each name a slot of its own
/// is searched when the table is made, so that adding a name needs no other change.
struct FieldNameTable {
    /// The longest known name in words of eight bytes.
    static let words = 4
    /// Bytes that must be readable from the start of a name given to `find`.
    static let reach = 8 * words

    private var multiplier: UInt32 = 0x9e37_79b1
    private var slots = InlineArray<256, UInt8>(repeating: 0)
    private var lengths = InlineArray<64, UInt8>(repeating: 0)
    /// Four words for each name, in lower case and padded with zeros.
    private var texts = InlineArray<256, UInt64>(repeating: 0)

    static let shared = FieldNameTable()

    private init() {
        for name in FieldName.allCases where name != .other {
            let text = name.text
            precondition(text.utf8CodeUnitCount <= FieldNameTable.reach, "a known field name is at most 32 bytes")
            lengths[Int(name.rawValue)] = UInt8(text.utf8CodeUnitCount)
            for index in 0..<text.utf8CodeUnitCount {
                let byte = UInt64(text.utf8Start[index])
                texts[Int(name.rawValue) * FieldNameTable.words + index / 8] |= byte << UInt64(index % 8 * 8)
            }
        }
        while !fill() { multiplier &+= 2 }
    }

    /// Gives each name its slot; false when two meet in one.
    private mutating func fill() -> Bool {
        slots = InlineArray(repeating: 0)
        for name in FieldName.allCases where name != .other {
            let text = name.text
            let bytes = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            let slot = Int(slot(bytes, 0, bytes.count))
            guard slots[slot] == 0 else { return false }
            slots[slot] = name.rawValue
        }
        return true
    }

    @inline(__always)
    private func slot(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ length: Int) -> UInt8 {
        let key =
            UInt32(bytes[at]) &<< 8 | UInt32(bytes[at &+ length / 2]) &<< 16 | UInt32(bytes[at &+ length &- 1]) &<< 24
        // Bit 5 is the letter case.
        let hash = ((key | 0x2020_2000) &+ UInt32(truncatingIfNeeded: length)) &* multiplier
        return UInt8(truncatingIfNeeded: hash &>> 24)
    }

    /// The name of `length` bytes, at least one, at `at`.
    // Bounds: the caller has `reach` readable bytes from `at`, and `length` is at most `reach`.
    @inline(__always)
    func find(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ length: Int) -> FieldName {
        let candidate = slots[Int(slot(bytes, at, length))]
        guard Int(lengths[Int(candidate & 63)]) == length else { return .other }
        var (offset, text) = (0, Int(candidate & 63) &* FieldNameTable.words)
        while offset < length {
            // A letter may come in either case: its bit 5 is set before comparing. What is no letter must be equal.
            let known = texts[text & 255]
            var word = Octet.load(bytes, at &+ offset)
            if length &- offset < 8 { word &= UInt64.max &>> UInt64(64 &- 8 &* (length &- offset)) }
            guard word | (known & 0x4040_4040_4040_4040) &>> 1 == known else { return .other }
            offset &+= 8
            text &+= 1
        }
        return FieldName(rawValue: candidate) ?? .other
    }
}

extension FieldName {
    /// The name spelled by `bytes`, in any letter case.
    public init(_ bytes: UnsafeRawBufferPointer) {
        guard (1...FieldNameTable.reach).contains(bytes.count) else {
            self = .other
            return
        }
        // Copied, so that the table may read whole words.
        var padded = InlineArray<4, UInt64>(repeating: 0)
        var span = padded.mutableSpan
        self = span.withUnsafeMutableBytes { room in
            room.copyMemory(from: bytes)
            return FieldNameTable.shared.find(UnsafeRawBufferPointer(room), 0, bytes.count)
        }
    }

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.init(UnsafeRawBufferPointer(rebasing: bytes[range]))
    }
}
