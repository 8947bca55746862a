import Synchronization

/// A fixed table of sums by pair (a client and a registered domain), shared by all threads without a lock.
///
/// A pair may lie in any of eight places beside each other; where all are taken, the one with the least sum makes room,
/// so that a flood of new pairs never drives out one that matters. A pair that two threads bring in at once may take two
/// places, of which the first is found from then on.
///
/// Unchecked Sendable: the pointers never change and what they point to are atomics.
final class PairTable: @unchecked Sendable {
    enum Word {
        /// Each a `Sum`: points, and bytes of answers.
        static let score = 0
        static let answers = 1
        static let state = 2
        /// For the evidence alone: how many queries, new names and unusual types; bytes and surprise of the new labels;
        /// bytes of answers; and since when.
        static let counts = 3
        static let labels = 4
        static let answerBytes = 5
        static let since = 6
        /// One line of the cache.
        static let stride = 8
    }

    /// Eight keys are one line of the cache.
    private let keys: UnsafeMutablePointer<Atomic<UInt64>>
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let count: Int

    private static let ways = 8
    private static let free: UInt64 = 0
    private static let changing: UInt64 = 1

    init(pairs: Int) {
        var count = PairTable.ways
        while count < pairs { count *= 2 }
        self.count = count
        keys = PairTable.atomics(count)
        words = PairTable.atomics(count * Word.stride)
    }

    deinit {
        keys.deinitialize(count: count)
        keys.deallocate()
        words.deinitialize(count: count * Word.stride)
        words.deallocate()
    }

    private static func atomics(_ count: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let base = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
            .bindMemory(to: Atomic<UInt64>.self, capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(0)) }
        return base
    }

    /// The first of the places of a pair.
    @inline(__always)
    private func first(_ pair: UInt64) -> Int {
        Int(truncatingIfNeeded: pair >> 8) & (count - PairTable.ways)
    }

    @inline(__always)
    func find(_ pair: UInt64) -> Place? {
        let first = first(pair)
        // Bounds: `first` is a multiple of `ways` below `count`.
        for at in first..<first + PairTable.ways where keys[at].load(ordering: .acquiring) == pair {
            return place(at, pair)
        }
        return nil
    }

    private func place(_ at: Int, _ pair: UInt64) -> Place {
        Place(words: words + at * Word.stride, tag: pair >> 48)
    }

    /// Makes a place for a pair that has none. Nil if other threads make places beside it at this moment.
    @inline(never)
    func claim(_ pair: UInt64, _ seconds: UInt32) -> Place? {
        let first = first(pair)
        var (victim, old, least) = (first, PairTable.changing, UInt64.max)
        for at in first..<first + PairTable.ways {
            let key = keys[at].load(ordering: .acquiring)
            if key == pair { return place(at, pair) }
            if key == PairTable.changing { continue }
            let worth = key == PairTable.free ? 0 : place(at, key).worth(seconds)
            if worth < least { (victim, old, least) = (at, key, worth) }
        }
        guard old != PairTable.changing,
            keys[victim].compareExchange(expected: old, desired: PairTable.changing, ordering: .acquiring).exchanged
        else { return nil }
        let place = place(victim, pair)
        place.clear(seconds)
        keys[victim].store(pair, ordering: .releasing)
        return place
    }
}

/// An amount that runs out at a steady rate, as one word: a tag of the pair whose it is (16 bits), when it was last
/// brought up to date (24 bits of seconds, 194 days), and how much it was then (24 bits).
struct Sum {
    static let times: UInt32 = 0xff_ffff
    static let most = 0xff_ffff

    var word: UInt64

    init(word: UInt64) { self.word = word }
    init(tag: UInt64, seconds: UInt32, amount: Int) {
        word = tag << 48 | UInt64(seconds & Sum.times) << 24 | UInt64(min(max(amount, 0), Sum.most))
    }

    var tag: UInt64 { word >> 48 }
    var seconds: UInt32 { UInt32(truncatingIfNeeded: word >> 24) & Sum.times }

    /// What is left by now. A clock that another worker read a moment earlier takes nothing away.
    func amount(_ now: UInt32, leak: Int) -> Int {
        let amount = Int(word & UInt64(Sum.most))
        let passed = Int((now &- seconds) & Sum.times)
        return passed > Int(Sum.times / 2) ? amount : max(amount - passed * leak, 0)
    }
}

/// The words of one pair. Valid as long as the table is.
struct Place {
    fileprivate let words: UnsafeMutablePointer<Atomic<UInt64>>
    fileprivate let tag: UInt64

    private typealias Word = PairTable.Word

    fileprivate func clear(_ seconds: UInt32) {
        let empty = Sum(tag: tag, seconds: seconds, amount: 0).word
        words[Word.score].store(empty, ordering: .relaxed)
        words[Word.answers].store(empty, ordering: .relaxed)
        words[Word.state].store(tag << 48, ordering: .relaxed)
        forget(seconds)
    }

    /// What it would be a pity to lose: the points, then how lately there were any.
    fileprivate func worth(_ seconds: UInt32) -> UInt64 {
        let sum = Sum(word: words[Word.score].load(ordering: .relaxed))
        let state = words[Word.state].load(ordering: .relaxed)
        let age = min((seconds &- sum.seconds) & Sum.times, 0xffff)
        return (state & State.flagged) << 62 | UInt64(sum.amount(seconds, leak: 64)) << 16 | UInt64(0xffff - age) + 1
    }

    // MARK: The sums

    /// Adds to a sum, up to `most`; what it was before, or nil if the place is another pair's by now.
    func fill(_ word: Int, by amount: Int, most: Int, leak: Int, _ seconds: UInt32) -> Int? {
        var old = words[word].load(ordering: .relaxed)
        while true {
            let sum = Sum(word: old)
            guard sum.tag == tag else { return nil }
            let left = sum.amount(seconds, leak: leak)
            let new = Sum(tag: tag, seconds: seconds, amount: min(left + amount, most)).word
            let (isDone, found) = words[word].compareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return left }
            old = found
        }
    }

    func amount(_ word: Int, leak: Int, _ seconds: UInt32) -> Int {
        let sum = Sum(word: words[word].load(ordering: .relaxed))
        return sum.tag == tag ? sum.amount(seconds, leak: leak) : 0
    }

    // MARK: The state

    /// A tag, when the tunnel was last told (24 bits), and two bits.
    enum State {
        static let flagged: UInt64 = 1
        static let told: UInt64 = 2
    }

    var isFlagged: Bool { words[Word.state].load(ordering: .relaxed) & State.flagged != 0 }

    enum Finding { case calm, tunnel(isNew: Bool) }

    /// Moves the state by what the sums say. Of all threads one alone is told that the tunnel is new.
    func judge(isOver: Bool, isUnderHalf: Bool, period: UInt32, _ seconds: UInt32) -> Finding {
        var old = words[Word.state].load(ordering: .relaxed)
        while true {
            guard old >> 48 == tag else { return .calm }
            let isFlagged = old & State.flagged != 0
            let told = UInt32(truncatingIfNeeded: old >> 24) & Sum.times
            var new = old
            var finding = Finding.calm
            if isFlagged ? !isUnderHalf : isOver {
                let isNew = old & State.told == 0 || (seconds &- told) & Sum.times >= period
                if isNew { new = tag << 48 | UInt64(seconds & Sum.times) << 24 | State.told }
                new |= State.flagged
                finding = .tunnel(isNew: isNew)
            } else {
                new &= ~State.flagged
            }
            if new == old { return finding }
            let (isDone, found) = words[Word.state].compareExchange(expected: old, desired: new, ordering: .relaxed)
            if isDone { return finding }
            old = found
        }
    }

    // MARK: The evidence

    func count(isNew: Bool, isUnusual: Bool) {
        let more: UInt64 = 1 << 40 | (isNew ? 1 << 20 : 0) | (isUnusual ? 1 : 0)
        let old = words[Word.counts].load(ordering: .relaxed)
        // Near its bound a count stands still rather than run into the next.
        guard old >> 40 < 0xff_ff00, old >> 20 & 0xf_ffff < 0xf_ff00, old & 0xf_ffff < 0xf_ff00 else { return }
        words[Word.counts].wrappingAdd(more, ordering: .relaxed)
    }

    func count(labelBytes: Int, bits: Int) {
        let old = words[Word.labels].load(ordering: .relaxed)
        if old >> 32 < 0x0fff_0000 {
            words[Word.labels].wrappingAdd(UInt64(labelBytes) << 32 | UInt64(bits), ordering: .relaxed)
        }
    }

    func count(answerBytes: Int) {
        words[Word.answerBytes].wrappingAdd(UInt64(answerBytes), ordering: .relaxed)
    }

    /// The sum had run out: what there was before belongs to another story.
    func forget(_ seconds: UInt32) {
        words[Word.counts].store(0, ordering: .relaxed)
        words[Word.labels].store(0, ordering: .relaxed)
        words[Word.answerBytes].store(0, ordering: .relaxed)
        words[Word.since].store(UInt64(seconds), ordering: .relaxed)
    }

    func evidence(score: Int, _ seconds: UInt32) -> TunnelEvidence {
        let counts = words[Word.counts].load(ordering: .relaxed)
        let labels = words[Word.labels].load(ordering: .relaxed)
        let since = UInt32(truncatingIfNeeded: words[Word.since].load(ordering: .relaxed))
        let bytes = Int(labels >> 32)
        return TunnelEvidence(
            score: score, queries: Int(counts >> 40), unique: Int(counts >> 20 & 0xf_ffff),
            unusual: Int(counts & 0xf_ffff), labelBytes: bytes,
            bitsPerByte: bytes > 0 ? Double(labels & 0xffff_ffff) / Double(bytes) : 0,
            answerBytes: Int(clamping: words[Word.answerBytes].load(ordering: .relaxed)),
            seconds: Int((seconds &- since) & Sum.times))
    }
}
