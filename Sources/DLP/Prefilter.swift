import CLinux
import Glibc

/// Finds, for all patterns of a list, the starts that are worth asking PCRE2 about: 64 at a time, by the sets of bytes
/// that the first positions of a match can have.
///
/// Each distinct set becomes one mask of bits over the value (bit i: byte i is in the set), made with vector
/// instructions once for all patterns. A pattern's candidates are then the AND of shifted masks; a run of one set is
/// folded in log2 steps. A start that is refused here could not have matched.
struct Prefilter: Sendable {
    /// `length` positions from `offset` on are all in class `mask`.
    struct Run: Sendable {
        var mask: Int
        var offset: Int
        var length: Int
    }

    /// Of one pattern; empty where it cannot be filtered.
    struct Plan: Sendable {
        var runs: [Run] = []
        /// Positions that the plan looks at.
        var length = 0
    }

    private(set) var classes: [weir_byte_class] = []
    private(set) var plans: [Plan] = []
    private var sets: [ByteSet] = []

    /// Masks for one value cost about as much as reading it; more than this many would cost more than they save.
    static let classesMax = 12
    /// A set this large says nothing.
    private static let wide = 128
    private static let rangesMax = 6

    init(_ expressions: [Expression]) {
        for expression in expressions { plans.append(plan(expression.prefix)) }
    }

    private mutating func plan(_ prefix: [ByteSet]) -> Plan {
        var plan = Plan()
        var at = 0
        while at < prefix.count {
            let set = prefix[at].ranges.count == 1 && prefix[at].isSubset(of: .digits) ? .digits : prefix[at]
            var length = 1
            while at + length < prefix.count, same(prefix[at + length], set) { length += 1 }
            if let mask = mask(set) { plan.runs.append(Run(mask: mask, offset: at, length: length)) }
            at += length
        }
        // The longest run of the smallest set first: it is the one that most often ends the work.
        plan.runs.sort { weight($0) > weight($1) }
        plan.length = plan.runs.map { $0.offset + $0.length }.max() ?? 0
        return plan
    }

    /// Sets of digits are one class: telling them apart is left to PCRE2.
    private func same(_ other: ByteSet, _ set: ByteSet) -> Bool {
        other == set || (set == .digits && other.isSubset(of: .digits))
    }

    private func weight(_ run: Run) -> Int { run.length * 256 / (sets[run.mask].count + 8) }

    private mutating func mask(_ set: ByteSet) -> Int? {
        if let known = sets.firstIndex(of: set) { return known }
        if set.isSubset(of: .digits), set != .digits { return mask(.digits) }
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

/// The masks of one window, each made when the first pattern asks for it.
final class Masks {
    private var words: UnsafeMutablePointer<UInt64>
    private var capacity = 0
    /// Words of one mask: all of the window, and one after it.
    private var stride = 0
    private var made: UInt64 = 0
    private var window: Window?
    private let tail: UnsafeMutablePointer<UInt8>

    init() {
        words = .allocate(capacity: 0)
        tail = .allocate(capacity: 64)
        tail.initialize(repeating: 0, count: 64)
    }

    deinit {
        words.deallocate()
        tail.deallocate()
    }

    func begin(_ window: Window) {
        self.window = window
        made = 0
        stride = (window.count + 63) / 64 + 1
        let needed = stride * Prefilter.classesMax
        if needed > capacity {
            words.deallocate()
            words = .allocate(capacity: needed)
            capacity = needed
        }
    }

    /// The first candidate at or after `from`, or the end of the window.
    func candidate(_ plan: Prefilter.Plan, _ filter: Prefilter, from: Int) -> Int {
        guard let window, from < window.count else { return window?.count ?? from }
        var word = from / 64
        var wanted = UInt64.max << UInt64(from % 64)
        while word < stride - 1 {
            let found = candidates(plan, filter, word) & wanted
            if found != 0 { return min(word * 64 + found.trailingZeroBitCount, window.count) }
            wanted = .max
            word += 1
        }
        return window.count
    }

    private func candidates(_ plan: Prefilter.Plan, _ filter: Prefilter, _ word: Int) -> UInt64 {
        var found = UInt64.max
        for run in plan.runs {
            found &= starts(of: run, mask(run.mask, filter), word)
            if found == 0 { return 0 }
        }
        return found
    }

    /// Bit i: the run could begin `run.offset` bytes after byte i of this word.
    private func starts(of run: Prefilter.Run, _ mask: UnsafePointer<UInt64>, _ word: Int) -> UInt64 {
        var low = mask[word]
        var high = mask[word + 1]
        // AND of `length` neighbours, doubling what is known.
        var known = 1
        while known < run.length {
            let step = UInt64(min(known, run.length - known))
            low &= low >> step | high << (64 - step)
            high &= high >> step
            known += Int(step)
        }
        let offset = UInt64(run.offset)
        return offset == 0 ? low : low >> offset | high << (64 - offset)
    }

    private func mask(_ index: Int, _ filter: Prefilter) -> UnsafePointer<UInt64> {
        let mask = words + index * stride
        if made & 1 << UInt64(index) == 0, let window {
            made |= 1 << UInt64(index)
            make(mask, filter.classes[index], window)
        }
        return UnsafePointer(mask)
    }

    private func make(_ mask: UnsafeMutablePointer<UInt64>, _ set: weir_byte_class, _ window: Window) {
        var set = set
        let whole = window.count / 64
        weir_class_masks(window.base, UInt(whole), &set, mask)
        // What has not come yet could be anything; after the end there is nothing.
        let after: UInt64 = window.ended ? 0 : .max
        let rest = window.count % 64
        if rest > 0 {
            memcpy(tail, window.base + whole * 64, rest)
            let inside: UInt64 = 1 << UInt64(rest) - 1
            mask[whole] = weir_class_mask64(tail, &set) & inside | after & ~inside
        }
        mask[stride - 1] = after
    }
}
