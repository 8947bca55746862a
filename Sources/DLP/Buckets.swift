import CLinux

/// Patterns put together by what one pass can look for: eight buckets of three neighbouring bytes, each known by its nibbles,
/// and a few stretches, which are as many bytes of one set together. A pattern is in one of them, or in none where nothing is
/// known of its first bytes.
struct Buckets {
    /// Which of its bits a bucket's key has at each nibble is a product: what it accepts of a byte is every pair of them.
    struct Nibbles: Hashable {
        var low: UInt16 = 0
        var high: UInt16 = 0

        init(_ set: ByteSet) {
            for byte in UInt8.min...UInt8.max where set.contains(byte) {
                low |= 1 << UInt16(byte & 15)
                high |= 1 << UInt16(byte >> 4)
            }
        }

        func union(_ other: Nibbles) -> Nibbles {
            var both = self
            both.low |= other.low
            both.high |= other.high
            return both
        }

        var chance: Double {
            var chance = 0.0
            for byte in UInt8.min...UInt8.max
            where low >> UInt16(byte & 15) & high >> UInt16(byte >> 4) & 1 == 1 { chance += Commonness.of(byte) }
            return min(chance, 1)
        }
    }

    struct Key: Hashable {
        var nibbles: [Nibbles]
        var offset: Int
        /// No match begins after a byte of `edge`.
        var isEdged: Bool

        func union(_ other: Key) -> Key {
            Key(
                nibbles: zip(nibbles, other.nibbles).map { $0.union($1) }, offset: offset,
                isEdged: isEdged && other.isEdged)
        }

        /// Share of the places of text at which it may stand.
        var chance: Double { nibbles.reduce(isEdged ? Buckets.edgeChance : 1) { $0 * $1.chance } }
    }

    struct Bucket {
        var key: Key
        var patterns: [Int]
        var chance: Double
    }

    struct Stretch {
        var set: ByteSet
        var length: Int
        var isEdged: Bool
        /// `edge` is that of words, and every match begins where a word does or ends.
        var isBounded: Bool
        var patterns: [Int]
    }

    private(set) var buckets: [Bucket] = []
    private(set) var stretches: [Stretch] = []
    /// What never stands before a match of most patterns.
    private(set) var edge = ByteSet()
    /// Patterns of which too little is known.
    private(set) var unknown: [Int] = []

    /// Share of the places of text behind a byte that is no letter or digit.
    private static let edgeChance = 0.2
    /// A key that is as common as this is worse than a long stretch, and one as common as that is none.
    private static let commonKey = 0.02
    private static let uselessKey = 0.6
    private static let stretchMin = 8
    private static let offsetMax = 20
    /// Offsets other than 0 in one plan; at each end of a read they are looked at byte by byte.
    private static let offsetsMax = 3
    /// Keys are first put into so many groups, the most that are compared each with each.
    private static let groupsMax = 48

    init(_ expressions: [Expression]) {
        chooseEdge(expressions)
        let offsets = offsets(expressions)
        var keyed: [(pattern: Int, key: Key)] = []
        for (pattern, expression) in expressions.enumerated() {
            let keys = ([0] + offsets).compactMap { key(expression, $0) }
            guard !expression.startsOnly, let best = keys.min(by: { $0.chance < $1.chance }) else {
                unknown.append(pattern)
                continue
            }
            // Digits come together: a key of them stands at every place of a number.
            let isOfNumbers = !best.isEdged && expression.prefix.prefix(3).allSatisfy { $0.isSubset(of: .digits) }
            if best.chance > Self.commonKey || isOfNumbers, let stretch = stretch(expression, pattern) {
                add(stretch)
            } else if best.chance > Self.uselessKey {
                unknown.append(pattern)
            } else {
                keyed.append((pattern, best))
            }
        }
        group(keyed)
    }

    /// Whether too little is known of the first bytes of a match even where it is the only pattern: then PCRE2 reads everything.
    static func isCostly(_ expression: Expression) -> Bool {
        !expression.startsOnly && !Buckets([expression]).unknown.isEmpty
    }

    /// Of the sets that edges are made of the one that serves the most patterns.
    private mutating func chooseEdge(_ expressions: [Expression]) {
        let alphanumeric = SyntaxClass.word.intersection(ByteSet([UInt8(ascii: "_")]).inverted)
        var most = 0
        for set in [SyntaxClass.word, alphanumeric, .digits] {
            let count = expressions.count { set.isSubset(of: $0.refusedBefore) }
            if count > most { (edge, most) = (set, count) }
        }
    }

    private func isEdged(_ expression: Expression) -> Bool {
        !edge.isEmpty && edge.isSubset(of: expression.refusedBefore)
    }

    // MARK: Keys

    /// The places at which the most patterns have a key that is much better than their first bytes.
    private func offsets(_ expressions: [Expression]) -> [Int] {
        var votes = [Int](repeating: 0, count: Self.offsetMax + 1)
        for expression in expressions {
            guard let first = key(expression, 0)?.chance, first > Self.commonKey else { continue }
            let keys = (1...Self.offsetMax).compactMap { key(expression, $0) }
            if let best = keys.min(by: { $0.chance < $1.chance }), best.chance < first / 8 { votes[best.offset] += 1 }
        }
        let ranked = votes.indices.filter { votes[$0] > 0 }.sorted { (votes[$1], $0) < (votes[$0], $1) }
        return Array(ranked.prefix(Self.offsetsMax))
    }

    private func key(_ expression: Expression, _ offset: Int) -> Key? {
        let prefix = expression.prefix
        guard !prefix.isEmpty, offset == 0 || offset + WEIR_KEY <= prefix.count else { return nil }
        let sets = (offset..<offset + WEIR_KEY).map { $0 < prefix.count ? prefix[$0] : .all }
        return Key(nibbles: sets.map(Nibbles.init), offset: offset, isEdged: offset == 0 && isEdged(expression))
    }

    private mutating func group(_ keyed: [(pattern: Int, key: Key)]) {
        var places: [Key: Int] = [:]
        for (pattern, key) in keyed {
            if let place = places[key] {
                buckets[place].patterns.append(pattern)
            } else {
                if buckets.count < Self.groupsMax {
                    places[key] = buckets.count
                    buckets.append(Bucket(key: key, patterns: [pattern], chance: key.chance))
                } else {
                    let place = cheapest(for: key)
                    merge(Bucket(key: key, patterns: [pattern], chance: key.chance), into: place)
                }
            }
        }
        while mergeTwo() {}
    }

    private func cheapest(for key: Key) -> Int {
        let like = buckets.indices.filter { buckets[$0].key.offset == key.offset }
        return like.min { cost(of: buckets[$0], with: key) < cost(of: buckets[$1], with: key) } ?? 0
    }

    /// What both together let through that one of them alone would not.
    private func cost(of bucket: Bucket, with key: Key) -> Double { bucket.key.union(key).chance - bucket.chance }

    private mutating func merge(_ other: Bucket, into place: Int) {
        buckets[place].key = buckets[place].key.union(other.key)
        buckets[place].chance = buckets[place].key.chance
        buckets[place].patterns += other.patterns
    }

    /// Where there are too many, or where the two are found at the same places. False where all can stay.
    private mutating func mergeTwo() -> Bool {
        var best: (cost: Double, first: Int, second: Int)?
        for first in buckets.indices {
            for second in buckets.indices
            where second > first && buckets[first].key.offset == buckets[second].key.offset {
                var cost = cost(of: buckets[first], with: buckets[second].key) - buckets[second].chance
                // What is found behind edges only is not to be looked for everywhere.
                if buckets[first].key.isEdged != buckets[second].key.isEdged { cost += 1 }
                if cost < best?.cost ?? .infinity { best = (cost, first, second) }
            }
        }
        guard let best, best.cost < 0 || buckets.count > WEIR_BUCKETS else { return false }
        merge(buckets[best.second], into: best.first)
        buckets.remove(at: best.second)
        return true
    }

    /// A set, and those of the first sixteen places (bits) where every match of these patterns has one of it: as tell the most.
    static func probe(_ expressions: [Expression]) -> (set: ByteSet, places: UInt16)? {
        let sets = (0..<min(expressions.map(\.prefix.count).min() ?? 0, 16)).map { at in
            expressions.reduce(ByteSet()) { $0.union($1.prefix[at]) }
        }
        var set = ByteSet()
        var best: (set: ByteSet, places: UInt16, chance: Double)?
        for more in sets {
            set = set.union(more)
            let common = (UInt8.min...UInt8.max).reduce(0) { set.contains($1) ? $0 + Commonness.within($1) : $0 }
            var places: UInt16 = 0
            var chance = 1.0
            for at in sets.indices where sets[at].isSubset(of: set) {
                places |= 1 << UInt16(at)
                chance *= min(common, 1)
            }
            if chance < best?.chance ?? 0.9 { best = (set, places, chance) }
        }
        return best.map { ($0.set, $0.places) }
    }

    // MARK: Stretches

    /// The longest stretch of one set that every match begins with.
    private func stretch(_ expression: Expression, _ pattern: Int) -> Stretch? {
        var set = ByteSet()
        var length = 0
        for next in expression.prefix {
            let both = set.union(next)
            // A set this large says nothing.
            if both.count > 96 { break }
            set = both
            length += 1
        }
        guard length >= Self.stretchMin else { return nil }
        return Stretch(
            set: set, length: length, isEdged: isEdged(expression),
            isBounded: edge == SyntaxClass.word && expression.syntax.startsAtBoundary, patterns: [pattern])
    }

    private mutating func add(_ stretch: Stretch) {
        stretches.append(stretch)
        for at in stretches.indices.dropLast()
        where stretches[at].set == stretch.set && stretches[at].isEdged == stretch.isEdged {
            return merge(stretches.count - 1, into: at)
        }
        while stretches.count > WEIR_STRETCHES {
            // Those two whose sets are most alike.
            var best: (cost: Double, first: Int, second: Int)?
            for first in stretches.indices {
                for second in stretches.indices where second > first {
                    let cost = Commonness.of(stretches[first].set.union(stretches[second].set))
                    if cost < best?.cost ?? .infinity { best = (cost, first, second) }
                }
            }
            guard let best else { return }
            merge(best.second, into: best.first)
        }
    }

    private mutating func merge(_ other: Int, into place: Int) {
        stretches[place].set = stretches[place].set.union(stretches[other].set)
        stretches[place].length = min(stretches[place].length, stretches[other].length)
        stretches[place].isEdged = stretches[place].isEdged && stretches[other].isEdged
        stretches[place].isBounded = stretches[place].isBounded && stretches[other].isBounded
        stretches[place].patterns += stretches[other].patterns
        stretches.remove(at: other)
    }
}
