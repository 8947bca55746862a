import CLinux

/// How far one pattern has read one value.
struct Cursor {
    /// The first start that is not decided.
    var next: UInt64 = 0
    /// `next` is a start that could still become a match.
    var live = false
    /// Bytes after `next` that must be at hand before it is worth asking again.
    var retryAt = 0
    /// Work done, in the units of `Judge`, and what is allowed however short the value is.
    var work = 0
    let allowance: Int
    /// The work was too much: the pattern reads no more of this value.
    var givenUp = false

    /// Takes over what it cost to read on as if a message were the last, but for a share that is free.
    mutating func charge(endOfMessage after: Cursor) { work = max(work, after.work - Search.messageWork) }
}

/// Finds the matches of one pattern in a value that comes in pieces: leftmost first, each search going on at the end of
/// the match before, as PCRE2 does on a whole subject.
struct Search {
    enum Event { case match(start: Int, end: Int, Confidence), overrun, exhausted }

    let judge: Judge
    // Of the scratch, as in `Judge`.
    private let scratch: Unmanaged<Scratch>
    private let starts: Unmanaged<Starts>

    init(judge: Judge, scratch: Scratch) {
        self.judge = judge
        self.scratch = .passUnretained(scratch)
        starts = .passUnretained(scratch.starts)
    }

    /// Work allowed for a stream (tens of milliseconds) and for a small value, of which there are many, and more for each
    /// byte: a hostile body costs a bounded time per byte.
    static let streamWork = 512 * 1024
    static let valueWork = 32 * 1024
    static let workPerByte = 16
    /// Work on the end of a message that is not charged to the stream: what is typed key by key should not use it up.
    static let messageWork = 256

    func begin() {
        scratch._withUnsafeGuaranteedRef { $0.prepare(steps: judge.stepsMax, quickSteps: Judge.quickSteps) }
    }

    /// Looks where the lanes could begin in a piece of the window.
    func find(_ window: Window, _ list: ReadList, _ piece: Range<Int>) {
        starts._withUnsafeGuaranteedRef { $0.find(window, list, piece) }
    }

    /// Lanes that could begin in the piece that was looked at.
    var foundCount: Int { starts._withUnsafeGuaranteedRef { $0.patterns.count } }
    var firstFound: Int? { starts._withUnsafeGuaranteedRef { $0.first } }
    func found(_ index: Int) -> Int { starts._withUnsafeGuaranteedRef { Int($0.patterns[index]) } }

    /// Goes on up to the end of the piece, `end`.
    ///
    /// `settle`: decide by what is at hand, though little has come since the last try.
    func next(
        _ at: Int, _ list: ReadList, _ window: Window, end: Int, _ cursor: inout Cursor, settle: Bool
    ) -> Event {
        guard let lanes = list.lanes.baseAddress else { return .exhausted }
        return next(at, lanes + at, window, end: end, &cursor, settle: settle)
    }

    private func next(
        _ index: Int, _ lane: UnsafePointer<Lane>, _ window: Window, end: Int, _ cursor: inout Cursor, settle: Bool
    ) -> Event {
        var at = Int(cursor.next - window.start)
        if cursor.givenUp { at = end }
        if cursor.live && !settle && !window.ended && window.count - at < cursor.retryAt { return .exhausted }
        cursor.live = false
        cursor.retryAt = 0
        while at < end {
            guard let start = candidate(index, lane, window, from: at, end: end) else { break }
            at = Int(start.at)
            if !mayBegin(lane, window, at) {
                at += 1
                continue
            }
            let allowed = cursor.allowance + Self.workPerByte * Int(clamping: window.start + UInt64(at))
            if cursor.work > allowed {
                cursor.givenUp = true
                cursor.next = window.start + UInt64(end)
                return .overrun
            }
            let before = cursor.work
            var answer = answer(start, lane, window, at, &cursor.work)
            // Bytes still to come may let filter or validator refuse this start: then it must not have been an overrun.
            let mayBeRefused = start.end == Self.askOpen || window.count - at < Validator.leadBytes
            if answer == .overrun && !window.ended && mayBeRefused {
                answer = .pending
            }
            switch answer {
            case .none: at += 1
            case .pending:
                let available = window.count - at
                let heavy = cursor.work > before
                // Asked for at places that are the same in any cut, so it can be charged.
                if !settle { cursor.work = before }
                cursor.live = true
                cursor.retryAt = available + (heavy ? available : available < 256 ? 1 : available / 8)
                cursor.next = window.start + UInt64(at)
                return .exhausted
            case .overrun:
                cursor.next = window.start + UInt64(at + 1)
                return .overrun
            case .match(var matchEnd):
                if let column = lane.pointee.column {
                    let match = UnsafeRawBufferPointer(start: window.base + at, count: matchEnd - at)
                    guard let length = column._withUnsafeGuaranteedRef({ $0.accepted(match) }) else {
                        at += 1
                        continue
                    }
                    matchEnd = at + length
                }
                guard let confidence = lane.pointee.confidence(window, at, matchEnd) else {
                    at += 1
                    continue
                }
                cursor.next = window.start + UInt64(matchEnd)
                return .match(start: at, end: matchEnd, confidence)
            }
        }
        cursor.next = max(cursor.next, window.start + UInt64(end))
        return .exhausted
    }

    private static let ask = UInt32(WEIR_ASK)
    private static let askOpen = UInt32(WEIR_ASK_OPEN)
    private static let pending = UInt32(WEIR_PENDING)

    private func answer(
        _ start: weir_start, _ lane: UnsafePointer<Lane>, _ window: Window, _ at: Int, _ cost: inout Int
    ) -> Judge.Answer {
        switch start.end {
        case Self.ask, Self.askOpen: judge.answer(lane, window, at: at, cost: &cost)
        case Self.pending: .pending
        default: .match(end: Int(start.end))
        }
    }

    /// The first place from `at` on where the pattern could begin.
    @inline(__always)
    private func candidate(
        _ index: Int, _ lane: UnsafePointer<Lane>, _ window: Window, from: Int, end: Int
    ) -> weir_start? {
        if lane.pointee.isFound { return starts._withUnsafeGuaranteedRef { $0.next(index, from: from) } }
        if lane.pointee.startsOnly && window.start + UInt64(from) > 0 { return nil }
        var at = from
        while at < end, !lane.pointee.firstBytes.contains(window.base[at]) { at += 1 }
        if at == end || lane.pointee.startsOnly && window.start + UInt64(at) > 0 { return nil }
        return weir_start(at: UInt32(at), pattern: UInt32(index), end: Self.ask, next: -1)
    }

    /// What the validator says of a start whose first bytes have come.
    @inline(__always)
    private func mayBegin(_ lane: UnsafePointer<Lane>, _ window: Window, _ at: Int) -> Bool {
        guard lane.pointee.minds, window.count - at >= Validator.leadBytes else { return true }
        return PaymentCard.mayBegin(window.base[at], window.base[at + 1])
    }
}
