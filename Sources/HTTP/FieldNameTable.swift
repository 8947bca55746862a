/// Finds a `FieldName` by its bytes in any letter case: one multiplication, one slot, one comparison of vectors.
///
/// The key is the length with the first, middle and last byte; the multiplier that gives each name a slot of its own
/// is searched when the table is made, so that adding a name needs no other change.
///
/// The tables are allocated once and never freed: an `InlineArray` in a global would be copied at each look-up.
struct FieldNameTable: @unchecked Sendable {
    /// Bytes that must be readable from the start of a name given to `find`: two vectors.
    static let reach = 32

    private let multiplier: UInt32
    /// 256 slots: the name in each, or `other`.
    private let slots: UnsafeMutablePointer<FieldName>
    /// 64 names: the length of each.
    private let lengths: UnsafeMutablePointer<UInt8>
    /// 64 names: two vectors for each, in lower case and padded with zeros.
    private let texts: UnsafeMutablePointer<SIMD16<UInt8>>
    /// As `texts`: bit 5 where there is a letter, which may come in either case.
    private let cases: UnsafeMutablePointer<SIMD16<UInt8>>
    /// Ones, then zeros: sixteen bytes from `16 - n` keep the first n of a vector.
    private let keeps: UnsafeMutableRawPointer

    static let shared = FieldNameTable()

    private init() {
        slots = .allocate(capacity: 256)
        lengths = .allocate(capacity: 64)
        lengths.initialize(repeating: 0, count: 64)
        texts = .allocate(capacity: 128)
        texts.initialize(repeating: SIMD16(), count: 128)
        cases = .allocate(capacity: 128)
        cases.initialize(repeating: SIMD16(), count: 128)
        keeps = .allocate(byteCount: 32, alignment: 16)
        keeps.storeBytes(of: SIMD16(repeating: 0xff), as: SIMD16<UInt8>.self)
        keeps.storeBytes(of: SIMD16(), toByteOffset: 16, as: SIMD16<UInt8>.self)
        for name in FieldName.allCases where name != .other {
            let text = name.text
            precondition(text.utf8CodeUnitCount < FieldNameTable.reach, "a known field name is under 32 bytes")
            lengths[Int(name.rawValue)] = UInt8(text.utf8CodeUnitCount)
            for index in 0..<text.utf8CodeUnitCount {
                let byte = text.utf8Start[index]
                texts[Int(name.rawValue) * 2 + index / 16][index % 16] = byte
                if byte & 0x40 != 0 { cases[Int(name.rawValue) * 2 + index / 16][index % 16] = 0x20 }
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

    /// The name of `length` bytes at `at`.
    // Bounds: the caller has `reach` readable bytes from `at`, and `length` is 1..<reach.
    @inline(__always)
    func find(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ length: Int) -> FieldName {
        let name = slots[Int(FieldNameTable.slot(bytes, at, length, multiplier))]
        let known = Int(name.rawValue) &* 2
        // Without the lengths a name with NULs behind it would be the name.
        guard Int(lengths[Int(name.rawValue)]) == length, equal(bytes, at, min(length, 16), known),
            length <= 16 || equal(bytes, at &+ 16, length &- 16, known &+ 1)
        else { return .other }
        return name
    }

    /// Whether the first `length` bytes at `at` are those of the vector `known`. What is no letter must be equal.
    @inline(__always)
    private func equal(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ length: Int, _ known: Int) -> Bool {
        let text = bytes.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
        let keep = keeps.loadUnaligned(fromByteOffset: 16 &- length, as: SIMD16<UInt8>.self)
        return Octet.isEmpty(((text | cases[known]) & keep) .!= texts[known])
    }
}

extension FieldName {
    /// The name spelled by `bytes`, in any letter case.
    public init(_ bytes: UnsafeRawBufferPointer) {
        guard (1..<FieldNameTable.reach).contains(bytes.count) else {
            self = .other
            return
        }
        // Copied, so that the table may read whole vectors.
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
