import CLinux
import Glibc

/// The masks of one window, each made when the first pattern asks for it.
final class Masks {
    private var words: UnsafeMutablePointer<UInt64>
    private var capacity = 0
    /// Words of one mask: all of the window, and one after it.
    private var stride = 0
    /// Which masks are made, as bits.
    private var made: UInt64 = 0
    private var base: UnsafePointer<UInt8>
    private var count = 0
    private var after: UInt64 = 0
    private let tail: UnsafeMutablePointer<UInt8>
    /// For each pattern of a long window where it could begin, and room to work in at the end.
    private var starts: UnsafeMutablePointer<UInt64>
    private var startsCapacity = 0
    /// For which patterns they are made, as bits.
    private var planned: UInt64 = 0

    /// Words from which on a window is worth a pass as a whole, and the patterns that `planned` has bits for.
    private static let longWords = 16
    private static let plannedMax = 64

    init() {
        starts = .allocate(capacity: 0)
        words = .allocate(capacity: 0)
        tail = .allocate(capacity: 64)
        tail.initialize(repeating: 0, count: 64)
        base = UnsafePointer(tail)
    }

    deinit {
        words.deallocate()
        tail.deallocate()
        starts.deallocate()
    }

    func begin(_ window: Window) {
        (base, count) = (window.base, window.count)
        // What has not come yet could be anything; after the end there is nothing.
        after = window.ended ? 0 : .max
        made = 0
        planned = 0
        stride = (count + 63) / 64 + 1
        let needed = stride * Prefilter.classesMax
        if needed > capacity {
            words.deallocate()
            words = .allocate(capacity: needed)
            capacity = needed
        }
    }

    /// The first candidate at or after `from`, or the end of the window.
    func candidate(_ lane: UnsafePointer<Lane>, _ list: ReadList, from: Int) -> Int {
        let runs = lane.pointee.runs
        guard from < count, let first = runs.first else { return count }
        if stride > Self.longWords, let made = plan(lane, list) { return next(made, from) }
        let mask = mask(first.mask, list)
        let words = stride - 1
        var word = from / 64
        var wanted = UInt64.max << UInt64(from % 64)
        while word < words {
            var found = Self.starts(of: first, mask, word) & wanted
            if found != 0 {
                found &= others(lane, list, word, found)
                if found != 0 { return min(word * 64 + found.trailingZeroBitCount, count) }
            }
            wanted = .max
            word += 1
        }
        return count
    }

    /// The first set bit at or after `from`.
    private func next(_ starts: UnsafePointer<UInt64>, _ from: Int) -> Int {
        let words = stride - 1
        var word = from / 64
        var found = starts[word] & .max << UInt64(from % 64)
        while found == 0 {
            word += 1
            if word == words { return count }
            found = starts[word]
        }
        return min(word * 64 + found.trailingZeroBitCount, count)
    }

    /// Where a pattern could begin in the whole window, in one vectorised pass over its masks.
    private func plan(_ lane: UnsafePointer<Lane>, _ list: ReadList) -> UnsafePointer<UInt64>? {
        guard let base = list.lanes.baseAddress, list.lanes.count <= Self.plannedMax else { return nil }
        let index = lane - base
        if planned == 0, startsCapacity < stride * (list.lanes.count + 1) {
            starts.deallocate()
            startsCapacity = stride * (list.lanes.count + 1)
            starts = .allocate(capacity: startsCapacity)
        }
        let own = starts + index * stride
        if planned & 1 << UInt64(index) != 0 { return UnsafePointer(own) }
        planned |= 1 << UInt64(index)
        let words = stride - 1
        let fold = starts + list.lanes.count * stride
        own.update(repeating: .max, count: words)
        for run in lane.pointee.runs {
            weir_keep_runs(mask(run.mask, list), UInt(words), UInt(run.offset), UInt(run.length), fold, own)
        }
        if let refused = lane.pointee.refusedBefore { weir_drop_after(mask(refused, list), UInt(words), own) }
        return UnsafePointer(own)
    }

    /// What the other runs of the plan and the byte before leave of `found`.
    private func others(_ lane: UnsafePointer<Lane>, _ list: ReadList, _ word: Int, _ found: UInt64) -> UInt64 {
        var found = found
        for at in 1..<max(lane.pointee.runs.count, 1) {
            let run = lane.pointee.runs[at]
            found &= Self.starts(of: run, mask(run.mask, list), word)
            if found == 0 { return 0 }
        }
        if let refused = lane.pointee.refusedBefore {
            let mask = mask(refused, list)
            found &= ~(mask[word] << 1 | (word > 0 ? mask[word - 1] >> 63 : 0))
        }
        return found
    }

    /// Bit i: the run could begin `run.offset` bytes after byte i of this word.
    @inline(__always)
    private static func starts(of run: Prefilter.Run, _ mask: UnsafePointer<UInt64>, _ word: Int) -> UInt64 {
        var low = mask[word]
        var high = mask[word + 1]
        // AND of `length` neighbours, doubling what is known.
        var known: UInt64 = 1
        let length = UInt64(truncatingIfNeeded: run.length)
        while known < length {
            let step = min(known, length &- known)
            low &= low &>> step | high &<< (64 &- step)
            high &= high &>> step
            known &+= step
        }
        let offset = UInt64(truncatingIfNeeded: run.offset)
        return offset == 0 ? low : low &>> offset | high &<< (64 &- offset)
    }

    @inline(__always)
    private func mask(_ index: Int, _ list: ReadList) -> UnsafePointer<UInt64> {
        let mask = words + index &* stride
        if made & 1 &<< UInt64(truncatingIfNeeded: index) == 0 { make(index, mask, list) }
        return UnsafePointer(mask)
    }

    private func make(_ index: Int, _ mask: UnsafeMutablePointer<UInt64>, _ list: ReadList) {
        made |= 1 << UInt64(index)
        guard let set = list.classes.baseAddress.map({ $0 + index }) else { return }
        let whole = count / 64
        weir_class_masks(base, UInt(whole), set, mask)
        let rest = count % 64
        if rest > 0 {
            memcpy(tail, base + whole * 64, rest)
            let inside: UInt64 = 1 << UInt64(rest) - 1
            weir_class_masks(tail, 1, set, mask + whole)
            mask[whole] = mask[whole] & inside | after & ~inside
        }
        mask[stride - 1] = after
    }

    /// How many of these bytes are digits, and whether four of them may stand together.
    static func digits(_ base: UnsafePointer<UInt8>, _ count: Int) -> (count: Int, four: Bool) {
        var found = 0
        var four = false
        var at = 0
        while at < count {
            let mask = digitMask(base, at, count)
            found &+= mask.nonzeroBitCount
            // A run that goes on in the next word is taken for long.
            if mask & mask >> 1 & mask >> 2 & mask >> 3 != 0 || mask >> 63 != 0 { four = true }
            at &+= 64
        }
        return (found, four)
    }

    /// Bit i: byte `from + i` is there and is a digit.
    private static func digitMask(_ base: UnsafePointer<UInt8>, _ from: Int, _ count: Int) -> UInt64 {
        var mask: UInt64 = 0
        let end = min(from &+ 64, count)
        var at = from
        while at &+ 16 <= end {
            mask |= UInt64(weir_digit_mask16(base + at)) &<< UInt64(truncatingIfNeeded: at &- from)
            at &+= 16
        }
        if at == end { return mask }
        if end >= 16 {
            // The last bytes once more, without those that were seen.
            let last = weir_digit_mask16(base + end - 16) >> UInt32(truncatingIfNeeded: 16 &- (end &- at))
            return mask | UInt64(last) &<< UInt64(truncatingIfNeeded: at &- from)
        }
        while at < end {
            if base[at] &- 0x30 < 10 { mask |= 1 &<< UInt64(truncatingIfNeeded: at &- from) }
            at &+= 1
        }
        return mask
    }
}
