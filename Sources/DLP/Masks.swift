import CLinux
import Glibc

/// The strips of one window, each made when the first pattern asks for it.
final class Masks {
    private var words: UnsafeMutablePointer<UInt64>
    private var capacity = 0
    /// Words of one strip: all of the window, and one after it.
    private var stride = 0
    /// Which strips are made, as bits.
    private var made: UInt64 = 0
    private var base: UnsafePointer<UInt8>
    private var count = 0
    private var after: UInt64 = 0
    private let tail: UnsafeMutablePointer<UInt8>
    /// For each pattern of a long window where it could begin.
    private var starts: UnsafeMutablePointer<UInt64>
    private var startsCapacity = 0
    /// For which patterns they are made, and which begin nowhere, as bits.
    private var planned: UInt64 = 0
    private var absent: UInt64 = 0

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

    func begin(_ window: Window, _ list: ReadList) {
        (base, count) = (window.base, window.count)
        // What has not come yet could be anything; after the end there is nothing.
        after = window.ended ? 0 : .max
        (made, planned, absent) = (0, 0, 0)
        stride = (count + 63) / 64 + 1
        let needed = stride * list.strips.count
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
        if stride > Self.longWords, lane.pointee.plan < Self.plannedMax {
            return plan(lane, lane.pointee.plan, list, from)
        }
        let mask = strip(first.mask, list)
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

    /// In a long window the starts of a pattern are found all at once, by vectorised passes over the strips.
    private func plan(_ lane: UnsafePointer<Lane>, _ index: Int, _ list: ReadList, _ from: Int) -> Int {
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: index)
        if planned & bit == 0 {
            reserveStarts(list)
            planned |= bit
            if !findStarts(lane, index, list) { absent |= bit }
        }
        return absent & bit == 0 ? next(starts + index &* stride, from) : count
    }

    private func reserveStarts(_ list: ReadList) {
        let needed = stride * min(list.lanes.count, Self.plannedMax)
        guard planned == 0, startsCapacity < needed else { return }
        starts.deallocate()
        startsCapacity = needed
        starts = .allocate(capacity: needed)
    }

    /// False where there are none: most patterns are done with after a run or two.
    private func findStarts(_ lane: UnsafePointer<Lane>, _ index: Int, _ list: ReadList) -> Bool {
        let words = UInt(stride - 1)
        let own = starts + index * stride
        own.update(repeating: .max, count: stride - 1)
        for run in lane.pointee.runs
        where weir_keep(strip(run.strip, list), words, UInt(run.offset), own) == 0 { return false }
        if let refused = lane.pointee.refusedBefore { weir_drop_after(strip(refused, list), words, own) }
        return true
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

    /// What the other runs of the plan and the byte before leave of `found`.
    private func others(_ lane: UnsafePointer<Lane>, _ list: ReadList, _ word: Int, _ found: UInt64) -> UInt64 {
        var found = found
        for at in 1..<max(lane.pointee.runs.count, 1) {
            let run = lane.pointee.runs[at]
            found &= Self.starts(of: run, strip(run.mask, list), word)
            if found == 0 { return 0 }
        }
        if let refused = lane.pointee.refusedBefore {
            let mask = strip(refused, list)
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
    private func strip(_ index: Int, _ list: ReadList) -> UnsafePointer<UInt64> {
        let strip = words + index &* stride
        if made & 1 &<< UInt64(truncatingIfNeeded: index) == 0 { make(index, strip, list) }
        return UnsafePointer(strip)
    }

    private func make(_ index: Int, _ strip: UnsafeMutablePointer<UInt64>, _ list: ReadList) {
        made |= 1 << UInt64(index)
        let made = list.strips[index]
        if made.length > 1 {
            return weir_runs(self.strip(made.set, list), UInt(stride - 1), UInt(made.length), strip)
        }
        guard let set = list.classes.baseAddress.map({ $0 + made.set }) else { return }
        let whole = count / 64
        weir_class_masks(base, UInt(whole), set, strip)
        let rest = count % 64
        if rest > 0 {
            memcpy(tail, base + whole * 64, rest)
            let inside: UInt64 = 1 << UInt64(rest) - 1
            weir_class_masks(tail, 1, set, strip + whole)
            strip[whole] = strip[whole] & inside | after & ~inside
        }
        strip[stride - 1] = after
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
