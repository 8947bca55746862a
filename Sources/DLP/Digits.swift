import CLinux

/// Counts digits, which most values of fields have too few of.
enum Digits {
    /// How many of these bytes are digits, and whether four of them may stand together.
    static func count(_ base: UnsafePointer<UInt8>, _ count: Int) -> (count: Int, four: Bool) {
        var found = 0
        var four = false
        var at = 0
        while at < count {
            let mask = mask(base, at, count)
            found &+= mask.nonzeroBitCount
            // A run that goes on in the next word is taken for long.
            if mask & mask >> 1 & mask >> 2 & mask >> 3 != 0 || mask >> 63 != 0 { four = true }
            at &+= 64
        }
        return (found, four)
    }

    /// Bit i: byte `from + i` is there and is a digit.
    private static func mask(_ base: UnsafePointer<UInt8>, _ from: Int, _ count: Int) -> UInt64 {
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
