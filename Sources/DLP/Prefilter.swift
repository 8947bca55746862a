import CLinux

/// Finds, for all patterns of a list, the starts that are worth asking PCRE2 about: 64 at a time, by the sets of bytes
/// that the first positions of a match can have.
///
/// Each distinct set becomes one mask of bits over the value (bit i: byte i is in the set), made with vector
/// instructions once for all patterns; so does each length of a run of one set, folded from its mask in log2 steps. A
/// pattern's candidates are then the AND of shifted masks. A start that is refused here could not have matched.
struct Prefilter: Sendable {
    /// What one mask says of a position: that `length` bytes from there on are all in a set.
    struct Strip: Sendable, Equatable {
        /// Index of the set, and of the strip of length 1 it is folded from.
        var set: Int
        var length: Int
    }

    /// `length` positions from `offset` on are all in class `mask`, which `strip` says of the first of them.
    struct Run: Sendable {
        var mask: Int
        var offset: Int
        var length: Int
        var strip: Int
    }

    /// Of one pattern; empty where it cannot be filtered.
    struct Plan: Sendable {
        var runs: [Run] = []
        /// Positions that the plan looks at.
        var length = 0
        /// Mask of the bytes that must not stand before a start.
        var refusedBefore: Int?
    }

    private(set) var classes: [weir_byte_class] = []
    /// Those of the classes first, in their order.
    private(set) var strips: [Strip] = []
    private(set) var plans: [Plan] = []
    private var sets: [ByteSet] = []

    /// Masks for one value cost about as much as reading it; more than this many would cost more than they save.
    static let classesMax = 12
    /// A set this large says nothing.
    private static let wide = 128
    private static let rangesMax = 6
    /// `Masks` has one bit for each.
    private static let stripsMax = 64

    /// None: the pattern is found another way.
    init(_ expressions: [Expression?]) {
        for expression in expressions { plans.append(expression.map { plan($0) } ?? Plan()) }
        strips = sets.indices.map { Strip(set: $0, length: 1) }
        for plan in plans.indices { plans[plan].runs = plans[plan].runs.compactMap { cast($0) } }
    }

    /// The run with its strip; none where there is no room for one, and the others have to do.
    private mutating func cast(_ run: Run) -> Run? {
        var run = run
        let strip = Strip(set: run.mask, length: run.length)
        if let known = strips.firstIndex(of: strip) {
            run.strip = known
            return run
        }
        guard strips.count < Self.stripsMax else { return nil }
        run.strip = strips.count
        strips.append(strip)
        return run
    }

    private mutating func plan(_ expression: Expression) -> Plan {
        var plan = Plan()
        let prefix = expression.prefix
        var at = 0
        while at < prefix.count {
            let set = prefix[at].ranges.count == 1 && prefix[at].isSubset(of: .digits) ? .digits : prefix[at]
            var length = 1
            while at + length < prefix.count, same(prefix[at + length], set) { length += 1 }
            if let mask = mask(set) { plan.runs.append(Run(mask: mask, offset: at, length: length, strip: mask)) }
            at += length
        }
        // The longest run of the smallest set first: it is the one that most often ends the work.
        plan.runs.sort { weight($0) > weight($1) }
        if !plan.runs.isEmpty, !expression.refusedBefore.isEmpty {
            plan.refusedBefore = mask(expression.refusedBefore, exact: true)
        }
        plan.length = plan.runs.map { $0.offset + $0.length }.max() ?? 0
        return plan
    }

    /// Sets of digits are one class: telling them apart is left to PCRE2.
    private func same(_ other: ByteSet, _ set: ByteSet) -> Bool {
        other == set || (set == .digits && other.isSubset(of: .digits))
    }

    private func weight(_ run: Run) -> Int { run.length * 256 / (sets[run.mask].count + 8) }

    /// `exact`: a larger set will not do, because it is what is refused.
    private mutating func mask(_ set: ByteSet, exact: Bool = false) -> Int? {
        if let known = sets.firstIndex(of: set) { return known }
        if set.isSubset(of: .digits), set != .digits, !exact { return mask(.digits) }
        let ranges = set.ranges
        guard set.count < Self.wide, !set.isEmpty, ranges.count <= Self.rangesMax, sets.count < Self.classesMax
        else { return nil }
        var made = weir_byte_class()
        for range in ranges { weir_byte_class_add(&made, range.lowerBound, range.upperBound) }
        sets.append(set)
        classes.append(made)
        return sets.count - 1
    }
}
