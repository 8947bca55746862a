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
    private let scratch: Scratch
    private let masks: Unmanaged<Masks>
    private let keyHits: Unmanaged<KeyHits>

    init(judge: Judge, scratch: Scratch) {
        self.judge = judge
        self.scratch = scratch
        masks = .passUnretained(scratch.masks)
        keyHits = .passUnretained(scratch.keyHits)
    }

    /// Work allowed for a stream (tens of milliseconds) and for a small value, of which there are many, and more for each
    /// byte: a hostile body costs a bounded time per byte.
    static let streamWork = 512 * 1024
    static let valueWork = 32 * 1024
    static let workPerByte = 16
    /// Work on the end of a message that is not charged to the stream: what is typed key by key should not use it up.
    static let messageWork = 256

    func begin(_ window: Window, _ list: ReadList) {
        scratch.prepare(steps: judge.stepsMax, quickSteps: Judge.quickSteps)
        scratch.masks.begin(window, list)
        scratch.keyHits.begin(window, list)
    }

    /// Whether the pattern, which has a key, begins nowhere in the window.
    func hasNone(_ lane: Int) -> Bool { keyHits._withUnsafeGuaranteedRef { $0.hasNone(lane) } }

    /// `settle`: decide by what is at hand, though little has come since the last try.
    func next(
        _ lane: UnsafePointer<Lane>, _ list: ReadList, _ window: Window, _ cursor: inout Cursor, settle: Bool
    ) -> Event {
        var at = Int(cursor.next - window.start)
        if cursor.givenUp { at = window.count }
        if cursor.live && !settle && !window.ended && window.count - at < cursor.retryAt { return .exhausted }
        cursor.live = false
        cursor.retryAt = 0
        while at < window.count {
            if lane.pointee.key != nil, let lanes = list.lanes.baseAddress {
                at = keyHits._withUnsafeGuaranteedRef { $0.candidate(lane - lanes, window, from: at) }
            } else if lane.pointee.runs.isEmpty {
                while at < window.count, !lane.pointee.firstBytes.contains(window.base[at]) { at += 1 }
            } else {
                at = masks._withUnsafeGuaranteedRef { $0.candidate(lane, list, from: at) }
            }
            if lane.pointee.startsOnly && window.start + UInt64(at) > 0 { break }
            if at == window.count { break }
            if !mayBegin(lane, window, at) {
                at += 1
                continue
            }
            let allowed = cursor.allowance + Self.workPerByte * Int(clamping: window.start + UInt64(at))
            if cursor.work > allowed {
                cursor.givenUp = true
                cursor.next = window.start + UInt64(window.count)
                return .overrun
            }
            let before = cursor.work
            var answer = judge.answer(lane, window, at: at, cost: &cursor.work)
            // Bytes still to come may let filter or validator refuse this start: then it must not have been an overrun.
            let mayBeRefused =
                window.count - at < max(lane.pointee.filterLength, lane.pointee.prefix.count, Validator.leadBytes)
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
            case .match(let end):
                guard let confidence = lane.pointee.confidence(window, at, end) else {
                    at += 1
                    continue
                }
                cursor.next = window.start + UInt64(end)
                return .match(start: at, end: end, confidence)
            }
        }
        cursor.next = window.start + UInt64(window.count)
        return .exhausted
    }

    /// What the validator says of a start whose first bytes have come.
    @inline(__always)
    private func mayBegin(_ lane: UnsafePointer<Lane>, _ window: Window, _ at: Int) -> Bool {
        guard lane.pointee.minds, window.count - at >= Validator.leadBytes else { return true }
        return PaymentCard.mayBegin(window.base[at], window.base[at + 1])
    }
}
