import CLinux

/// Three bytes that every match of a pattern has at one place near its start, for all patterns of a list that have such:
/// one pass over a value, however many patterns there are, finds where each could begin.
struct Keys {
    struct Entry {
        let hash: UInt32
        /// The three bytes, the first one lowest.
        let three: UInt32
        /// Index of the lane, and where the bytes stand in its matches.
        let lane: Int32
        let offset: Int32
    }

    /// 65536 bits: which hashes there are.
    let known: UnsafeBufferPointer<UInt64>
    /// In the order of their hashes.
    let entries: UnsafeBufferPointer<Entry>
    /// By the upper twelve bits of a hash: its first entry.
    let index: UnsafeBufferPointer<Int32>

    var isEmpty: Bool { entries.isEmpty }

    static let wordsOfKnown = 1024
    private static let indexBits: UInt32 = 12

    static var none: Keys {
        Keys(
            known: UnsafeBufferPointer(start: nil, count: 0), entries: UnsafeBufferPointer(start: nil, count: 0),
            index: UnsafeBufferPointer(start: nil, count: 0))
    }

    /// The caller frees it.
    static func allocate(_ all: [Entry]) -> Keys {
        if all.isEmpty { return none }
        let sorted = all.sorted { $0.hash < $1.hash }
        let known = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: wordsOfKnown)
        known.initialize(repeating: 0)
        let size = 1 << Int(indexBits)
        let index = UnsafeMutableBufferPointer<Int32>.allocate(capacity: size)
        index.initialize(repeating: Int32(sorted.count))
        for (at, entry) in sorted.enumerated().reversed() {
            known[Int(entry.hash >> 6)] |= 1 << UInt64(entry.hash & 63)
            index[Int(entry.hash >> (16 - indexBits))] = Int32(at)
        }
        let entries = UnsafeMutableBufferPointer<Entry>.allocate(capacity: sorted.count)
        _ = entries.initialize(from: sorted)
        return Keys(
            known: UnsafeBufferPointer(known), entries: UnsafeBufferPointer(entries), index: UnsafeBufferPointer(index))
    }

    func free() {
        known.deallocate()
        entries.deallocate()
        index.deallocate()
    }

    /// The entries of three bytes.
    @inline(__always)
    func forEach(_ three: UInt32, _ body: (Entry) -> Void) {
        let hash = weir_key_hash(three)
        let part = hash >> (16 - Keys.indexBits)
        var at = Int(index[Int(part)])
        while at < entries.count, entries[at].hash >> (16 - Keys.indexBits) == part {
            if entries[at].three == three { body(entries[at]) }
            at += 1
        }
    }
}

// MARK: - Choosing

extension Keys {
    /// More ways to spell one key would fill the table.
    private static let spellingsMax = 512
    /// Share of the places of ordinary text at which a key may stand by chance: more is better left to the masks.
    private static let chanceMax = 0.001
    /// The pass costs about as much as a dozen masks.
    private static let patternsMin = 12

    /// The keys of the patterns that have one, by their index; none where they are too few for a pass of their own.
    static func keys(of expressions: [Expression]) -> [[Entry]] {
        let keys = expressions.indices.map { key(of: expressions[$0], lane: $0) }
        return keys.count { !$0.isEmpty } < patternsMin ? keys.map { _ in [] } : keys
    }

    /// The rarest three neighbouring bytes of a pattern's prefix, in all their spellings; empty where none are rare.
    private static func key(of expression: Expression, lane: Int) -> [Entry] {
        let prefix = expression.prefix
        guard prefix.count >= 3, !expression.startsOnly else { return [] }
        var best: (offset: Int, chance: Double)?
        for offset in 0...prefix.count - 3 {
            let sets = prefix[offset..<offset + 3]
            guard sets.allSatisfy({ !$0.isEmpty }), sets.reduce(1, { $0 * $1.count }) <= spellingsMax else { continue }
            let chance = sets.reduce(1.0) { $0 * self.chance($1) }
            if chance < best?.chance ?? chanceMax { best = (offset, chance) }
        }
        guard let best else { return [] }
        func bytes(_ at: Int) -> [UInt32] {
            (UInt8.min...UInt8.max).filter { prefix[best.offset + at].contains($0) }.map(UInt32.init)
        }
        let (first, second, third) = (bytes(0), bytes(1), bytes(2))
        return first.flatMap { a in
            second.flatMap { b in
                third.map { c in
                    let three = a | b << 8 | c << 16
                    return Entry(
                        hash: weir_key_hash(three), three: three, lane: Int32(lane), offset: Int32(best.offset))
                }
            }
        }
    }

    /// How often a byte of the set stands in text and JSON, roughly.
    private static func chance(_ set: ByteSet) -> Double {
        var chance = 0.0
        for byte in UInt8.min...UInt8.max where set.contains(byte) {
            switch byte {
            case UInt8(ascii: "e"), UInt8(ascii: "t"), UInt8(ascii: "a"), UInt8(ascii: " "): chance += 0.08
            case UInt8(ascii: "a")...UInt8(ascii: "z"): chance += 0.035
            case UInt8(ascii: "0")...UInt8(ascii: "9"): chance += 0.02
            case UInt8(ascii: "\""), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: ","):
                chance += 0.03
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): chance += 0.008
            default: chance += 0.003
            }
        }
        return min(chance, 1)
    }
}
