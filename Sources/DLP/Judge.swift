import CPCRE2

/// Bytes of one value that are at hand: those before the first open start that expressions may look back at, and all
/// after it that have come.
struct Window {
    let base: UnsafePointer<UInt8>
    let count: Int
    /// Offset of the first byte in the value. Not 0 only where at least the look-behind of every pattern is kept.
    let start: UInt64
    /// The value ends here: `$` and `\b` may see its end.
    let ended: Bool

    /// Its first bytes, of a value that goes on behind them.
    func prefix(_ count: Int) -> Window {
        Window(base: base, count: count, start: start, ended: ended && count == self.count)
    }

    /// Digits where JSON has a value, without quotes: stars would make the document unreadable.
    func isBareNumber(_ start: Int, _ end: Int) -> Bool {
        for at in start..<end where base[at] &- 0x30 >= 10 { return false }
        // As many blanks as every pattern keeps, whatever the cut.
        for back in 1...8 where start >= back {
            switch base[start - back] {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: ","): return true
            default: return false
            }
        }
        return false
    }
}

/// Asks PCRE2 whether an expression matches at one start, within `match_bytes` and within bounds of work.
///
/// The answer depends on the bytes only, never on how they were cut: the subject ends at most `reachMax` bytes after the
/// start; a subject that ends before the value does is matched with PCRE2_PARTIAL_HARD, which gives an answer other
/// than "partial" only where no later byte could change it. Reach grows in three steps, so that the work a start cost
/// is known (by the smallest reach that decided) without asking a clock.
struct Judge {
    enum Answer: Equatable { case none, match(end: Int), pending, overrun }

    // Of the scratch, which the inspection that judges owns: no reference is counted at a start.
    private let matchData: OpaquePointer
    private let quick: OpaquePointer
    private let full: OpaquePointer
    let reachMax: Int
    let stepsMax: Int

    /// Steps of a first try; a start that needs more is charged as one that went to the limit.
    static let quickSteps = 2000
    static let reaches = (first: 64, second: 512)

    init(scratch: Scratch, reachMax: Int, stepsMax: Int) {
        (matchData, quick, full) = (scratch.matchData, scratch.quick, scratch.full)
        (self.reachMax, self.stepsMax) = (reachMax, stepsMax)
    }

    /// `cost`: 1 for every 64 bytes of reach, and for every 100 steps when the quick try did not do. Nothing is charged
    /// for what is pending.
    func answer(_ lane: UnsafePointer<Lane>, _ window: Window, at start: Int, cost: inout Int) -> Answer {
        let available = window.count - start
        var reach = min(Self.reaches.first, reachMax)
        while true {
            var answer = attempt(lane, window, start, length: min(available, reach), whole: false, cost: &cost)
            // Even at the end a partial match is asked for first: the JIT takes other ways when it knows the end, and
            // would run into its limits at other starts than where the end came later.
            if answer == .pending, available < reach, window.ended {
                answer = attempt(lane, window, start, length: available, whole: true, cost: &cost)
            }
            if answer == .pending, available < reach { return .pending }
            if answer != .pending || reach == reachMax {
                cost += (reach + Self.reaches.first - 1) / Self.reaches.first
                return answer == .pending ? .overrun : answer
            }
            reach = min(reach < Self.reaches.second ? Self.reaches.second : reachMax, reachMax)
        }
    }

    private func attempt(
        _ lane: UnsafePointer<Lane>, _ window: Window, _ start: Int, length: Int, whole: Bool, cost: inout Int
    ) -> Answer {
        var end = start + length
        // A newline at the end of what has come: PCRE2 would take it for the last of the value.
        if !whole && lane.pointee.mindsLastNewline && window.base[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        if end == start { return .pending }
        let options = PCRE2_NOTEMPTY | (whole ? 0 : PCRE2_PARTIAL_HARD)
        var result = pcre2_jit_match_8(
            lane.pointee.code, window.base, end, start, options, matchData, quick)
        if result == PCRE2_ERROR_MATCHLIMIT && stepsMax > Self.quickSteps {
            cost += stepsMax / 100
            result = pcre2_jit_match_8(
                lane.pointee.code, window.base, end, start, options, matchData, full)
        }
        if result >= 0 { return .match(end: pcre2_get_ovector_pointer_8(matchData)[1]) }
        switch result {
        case PCRE2_ERROR_NOMATCH: return .none
        case PCRE2_ERROR_PARTIAL: return .pending
        default: return .overrun
        }
    }
}
