import Bytes

/// Deadlines of thousands of handlers at a store each: a hashed wheel of 16 ms ticks.
///
/// An entry is a wish to look at a handler at a tick. A deadline that moves later leaves its entry where it is, and the look
/// finds that it is not yet time; one that moves earlier adds an entry and lets the old one go stale (`armed` tells).
/// Deadlines beyond the wheel's horizon are looked at once a round.
struct TimerWheel {
    /// 16 ms: below what any limit asks to be precise about.
    static let tickMilliseconds: Int64 = 16
    /// 8192 ticks: a round of 131 s, longer than the usual deadlines.
    static let size = 8192

    private var buckets = [ContiguousArray<Token>](repeating: [], count: size)
    private var tick: Int64
    private var entries = 0

    init(now: Ticks) { tick = TimerWheel.tick(now) }

    private static func tick(_ time: Ticks) -> Int64 { time.milliseconds / tickMilliseconds }

    mutating func arm(_ handler: Handler) {
        // The tick after the deadline: never early.
        let wanted = TimerWheel.tick(handler.deadline) + 1
        let due = min(max(wanted, tick + 1), tick + Int64(TimerWheel.size) - 1)
        guard due < handler.armed else { return }
        handler.armed = due
        buckets[Int(due) & (TimerWheel.size - 1)].append(handler.token)
        entries += 1
    }

    /// Milliseconds that may pass before `advance` has something to do.
    func sleep(from now: Ticks) -> Int64 {
        guard entries > 0 else { return .max }
        var next = tick + 1
        // At most 64 buckets are looked at; a longer sleep is taken in pieces.
        let last = tick + 64
        while next < last, buckets[Int(next) & (TimerWheel.size - 1)].isEmpty { next += 1 }
        return max(0, next * TimerWheel.tickMilliseconds - now.milliseconds)
    }

    /// Swaps the entries of the next due tick into `due`, which must be empty, and says which tick it was; nil when all that
    /// is due by `now` has been taken.
    mutating func take(dueBy now: Ticks, into due: inout ContiguousArray<Token>) -> Int64? {
        precondition(due.isEmpty, "the tick before was not dealt with")
        let target = TimerWheel.tick(now)
        while tick < target {
            tick += 1
            let bucket = Int(tick) & (TimerWheel.size - 1)
            if buckets[bucket].isEmpty { continue }
            swap(&buckets[bucket], &due)
            entries -= due.count
            return tick
        }
        return nil
    }
}
