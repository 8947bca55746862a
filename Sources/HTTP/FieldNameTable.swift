/// Finds a `FieldName` by its bytes in any letter case: one multiplication, one slot, one comparison by words.
///
/// The key is the length with the first, middle and last byte; the multiplier that gives each name a slot of its own
/// is searched when the table is made, so that adding a name needs no other change.
///
/// The tables are allocated once and never freed: an `InlineArray` in a global would be copied at each look-up.
struct FieldNameTable: @unchecked Sendable {
    /// The longest known name in words of eight bytes.
    static let words = 4
    /// Bytes that must be readable from the start of a name given to `find`.
    static let reach = 8 * words

    private let multiplier: UInt32
    /// 256 slots: the name in each, or `other`.
    private let slots: UnsafeMutablePointer<FieldName>
    /// 64 names: the length of each.
    private let lengths: UnsafeMutablePointer<UInt8>
    /// 64 names: four words for each, in lower case and padded with zeros.
    private let texts: UnsafeMutablePointer<UInt64>

    static let shared = FieldNameTable()

    private init() {
        slots = .allocate(capacity: 256)
        lengths = .allocate(capacity: 64)
        lengths.initialize(repeating: 0, count: 64)
        texts = .allocate(capacity: 64 * FieldNameTable.words)
        texts.initialize(repeating: 0, count: 64 * FieldNameTable.words)
        for name in FieldName.allCases where name != .other {
            let text = name.text
            precondition(text.utf8CodeUnitCount < FieldNameTable.reach, "a known field name is under 32 bytes")
            lengths[Int(name.rawValue)] = UInt8(text.utf8CodeUnitCount)
            for index in 0..<text.utf8CodeUnitCount {
                let byte = UInt64(text.utf8Start[index])
                texts[Int(name.rawValue) * FieldNameTable.words + index / 8] |= byte << UInt64(index % 8 * 8)
            }
        }
        var multiplier: UInt32 = 0x9e37_79b1
        while !FieldNameTable.fill(slots, multiplier) { multiplier &+= 2 }
        self.multiplier = multiplier
    }

    /// Gives each name its slot; false when two meet in one.
    private static func fill(_ slots: UnsafeMutablePointer<FieldName>, _ multiplier: UInt32) -> Bool {
        slots.initialize(repeating: .other, count: 256)
        for name in FieldName.allCases where name != .other {
            let text = name.text
            let bytes = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
            let slot = Int(slot(bytes, 0, bytes.count, multiplier))
            guard slots[slot] == .other else { return false }
            slots[slot] = name
        }
        return true
    }

    @inline(__always)
    private static func slot(
        _ bytes: UnsafeRawBufferPointer, _ at: Int, _ length: Int, _ multiplier: UInt32
    ) -> UInt8 {
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
        let name = slots[Int(FieldNameTable.slot(bytes, at, length, multiplier))]
        guard Int(lengths[Int(name.rawValue)]) == length else { return .other }
        var (offset, text) = (0, Int(name.rawValue) &* FieldNameTable.words)
        while offset &+ 8 < length {
            guard FieldNameTable.equal(Octet.load(bytes, at &+ offset), texts[text]) else { return .other }
            offset &+= 8
            text &+= 1
        }
        let kept = UInt64.max &>> UInt64(truncatingIfNeeded: 64 &- 8 &* (length &- offset))
        return FieldNameTable.equal(Octet.load(bytes, at &+ offset) & kept, texts[text]) ? name : .other
    }

    /// A letter may come in either case: its bit 5 is set before comparing. What is no letter must be equal.
    @inline(__always)
    private static func equal(_ word: UInt64, _ known: UInt64) -> Bool {
        word | (known & 0x4040_4040_4040_4040) &>> 1 == known
    }
}

extension FieldName {
    /// The name spelled by `bytes`, in any letter case.
    public init(_ bytes: UnsafeRawBufferPointer) {
        guard (1..<FieldNameTable.reach).contains(bytes.count) else {
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
