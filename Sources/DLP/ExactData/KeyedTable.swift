/// Keyed hashes in a file, each with a number or without: a static table of buckets by the first bits of the hash, which
/// holds of each hash the last 40 bits.
///
/// ```
///  starts: buckets + 1 of 32 bits   filter: words of 64   entries, by bucket, hash and number: hash (5), number (4)
/// ```
/// About eight entries a bucket: half a byte for the starts, a byte for the filter, so 6.5 bytes an entry, or 10.5 with its
/// number. Nearly all that is looked up is not there, and the filter, which has three bits of a word for each hash, says so
/// of all but some 5 % of it: one place in memory is looked at, where starts and entries would be two or three more. That a hash
/// which is none of n is taken for one of them has odds of n to 2 to the power of (40 + bits of the bucket), which is 7 in
/// 10^12 for 33 million.
struct KeyedTable: @unchecked Sendable {
    /// Where a table is in its file, as the header says it.
    struct Place: Equatable {
        /// Of the starts.
        var offset: Int
        var count: Int
        var bucketBits: Int
        /// Of the filter.
        var filterWords: Int
        /// Entries have numbers.
        var isNumbered: Bool

        var startsBytes: Int { ((1 << bucketBits) + 1) * 4 }
        var width: Int { isNumbered ? 9 : 5 }
        var byteCount: Int { startsBytes + filterWords * 8 + count * width + KeyedTable.padding }
    }

    /// Instead of more numbers than are worth telling apart.
    static let anyNumber = UInt32.max
    static let hashMask: UInt64 = 1 << 40 - 1
    /// Starts and numbers have 32 bits.
    static let entriesMax = Int(UInt32.max) - 1
    /// No fewer, so that all of a bucket is in one part of what is sorted.
    static let bucketBitsMin = 8
    static let bucketBitsMax = 30
    static let filterWordsMax = 1 << 29
    /// An entry is read as one word, the last too.
    static let padding = 8

    private let filter: HugeMemory
    private let starts: UnsafeRawPointer
    private let entries: UnsafeRawPointer
    private let width: Int
    private let shift: UInt64
    let place: Place

    /// Checks all that lookups rely on: each start lies at or after the one before and within the table.
    ///
    /// Bounds: after this, every read is of `byteCount` bytes from `place.offset`, which lie within `file`.
    init(_ file: UnsafeRawBufferPointer, _ place: Place) throws(IndexFault) {
        let damaged = IndexFault("is damaged: its tables are not what was written")
        guard (Self.bucketBitsMin...Self.bucketBitsMax).contains(place.bucketBits),
            (0...Self.entriesMax).contains(place.count),
            (1...Self.filterWordsMax).contains(place.filterWords), place.offset >= 0, place.offset <= file.count,
            place.byteCount <= file.count - place.offset,
            let base = file.baseAddress
        else { throw damaged }
        self.place = place
        starts = base + place.offset
        let words = starts + place.startsBytes
        filter = HugeMemory(UnsafeRawBufferPointer(start: words, count: place.filterWords * 8))
        entries = words + place.filterWords * 8
        width = place.width
        shift = UInt64(64 - place.bucketBits)
        var before = 0
        for bucket in 0...(1 << place.bucketBits) {
            let start = Self.start(starts, bucket)
            guard start >= before, start <= place.count else { throw damaged }
            before = start
        }
        guard before == place.count else { throw damaged }
    }

    static func bucketBits(forCount count: Int) -> Int {
        var bits = bucketBitsMin
        while bits < bucketBitsMax, count >> bits > 8 { bits += 1 }
        return bits
    }

    /// As many words for the filter as there are bytes for eight entries.
    static func filterWords(forCount count: Int) -> Int { min(count / 8 + 1, filterWordsMax) }

    /// The word of a hash in a filter, and its bits there.
    static func filterPlace(_ hash: UInt64, _ words: Int) -> (word: Int, bits: UInt64) {
        let word = Int(hash.multipliedFullWidth(by: UInt64(words)).high)
        return (word, 1 << (hash & 63) | 1 << (hash >> 6 & 63) | 1 << (hash >> 12 & 63))
    }

    /// The entries of a hash; empty where it is not in the table.
    func find(_ hash: UInt64) -> Range<Int> {
        let (word, bits) = Self.filterPlace(hash, place.filterWords)
        guard filter.word(word) & bits == bits else { return 0..<0 }
        let bucket = Int(hash >> shift)
        let wanted = hash & Self.hashMask
        var low = Self.start(starts, bucket)
        let end = Self.start(starts, bucket + 1)
        // A value of many rows makes a bucket long.
        var high = end
        while high - low > 16 {
            let middle = (low + high) / 2
            if self.hash(middle) < wanted { low = middle + 1 } else { high = middle }
        }
        while low < end, self.hash(low) < wanted { low += 1 }
        var past = low
        while past < end, self.hash(past) == wanted { past += 1 }
        return low..<past
    }

    /// Of an entry of a table with numbers.
    func number(_ entry: Int) -> UInt32 {
        UInt32(littleEndian: (entries + entry * width + 5).loadUnaligned(as: UInt32.self))
    }

    /// Whether one of the entries, which are of one hash, has the number.
    func contains(_ number: UInt32, in range: Range<Int>) -> Bool {
        var (low, high) = (range.lowerBound, range.upperBound)
        while low < high {
            let middle = (low + high) / 2
            if self.number(middle) < number { low = middle + 1 } else { high = middle }
        }
        return low < range.upperBound && self.number(low) == number
    }

    private func hash(_ entry: Int) -> UInt64 {
        UInt64(littleEndian: (entries + entry * width).loadUnaligned(as: UInt64.self)) & Self.hashMask
    }

    private static func start(_ starts: UnsafeRawPointer, _ bucket: Int) -> Int {
        Int(UInt32(littleEndian: (starts + bucket * 4).loadUnaligned(as: UInt32.self)))
    }
}

extension KeyedTable.Place {
    func write(to fields: inout FieldWriter) {
        fields.put(UInt64(offset))
        fields.put(UInt64(count))
        fields.put(UInt8(bucketBits))
        fields.put(UInt64(filterWords))
        fields.put(UInt8(isNumbered ? 1 : 0))
    }

    static func read(from fields: inout FieldReader) throws(IndexFault) -> KeyedTable.Place {
        KeyedTable.Place(
            offset: Int(clamping: try fields.u64()), count: Int(clamping: try fields.u64()),
            bucketBits: Int(try fields.u8()), filterWords: Int(clamping: try fields.u64()),
            isNumbered: try fields.u8() != 0)
    }
}
