/// How far the patterns of a list have read one value that comes in windows.
struct Reading {
    /// One for each lane of the list.
    private var cursors: ContiguousArray<Cursor> = []
    /// Lanes with a start that could still become a match.
    private var live: ContiguousArray<Int32> = []
    /// Those that were when a window came, while it is read.
    private var waiting: ContiguousArray<Int32> = []
    /// All others have read up to here.
    private var decided: UInt64 = 0

    mutating func close() {
        cursors.removeAll(keepingCapacity: true)
        live.removeAll(keepingCapacity: true)
        decided = 0
    }

    /// A value begins.
    mutating func begin(_ list: ReadList) {
        close()
        cursors.append(contentsOf: repeatElement(Cursor(allowance: Search.streamWork), count: list.lanes.count))
    }

    /// It may cost no more than was left over by the value before, of which so many bytes were read.
    mutating func takeOver(allowancesOf before: Reading, bytes: Int) {
        for (at, cursor) in before.cursors.enumerated() {
            cursors[at] = Cursor(allowance: max(0, cursor.allowance + Search.workPerByte * bytes - cursor.work))
        }
    }

    /// Takes over what it cost to read on as if the value had ended.
    mutating func charge(endOfMessage after: Reading) {
        for at in cursors.indices { cursors[at].charge(endOfMessage: after.cursors[at]) }
    }

    /// Goes on as another does of the same text. `debt`: work that was done here before, and was not there.
    mutating func takeOver(_ other: Reading, debt: ContiguousArray<Int>) {
        close()
        cursors.append(contentsOf: other.cursors)
        live.append(contentsOf: other.live)
        for at in debt.indices { cursors[at].work += debt[at] }
        decided = other.decided
    }

    /// Of a reading that another of a text whose offsets are greater by `shift` could take over from: how much work it has done
    /// more. Nil of others.
    func debt(to other: Reading, shift: UInt64) -> ContiguousArray<Int>? {
        guard live.count == other.live.count, decided + shift == other.decided else { return nil }
        for (own, others) in zip(cursors, other.cursors) {
            guard own.live == others.live, own.givenUp == others.givenUp else { return nil }
            if own.live, own.next + shift != others.next || own.retryAt != others.retryAt { return nil }
        }
        return ContiguousArray(zip(cursors, other.cursors).map { $0.work - $1.work })
    }

    var isWaiting: Bool { !live.isEmpty }

    /// Whether a lane of this reader waits with this start; then it is asked again with the next bytes, however few.
    mutating func hasten(_ list: ReadList, _ reader: Int, at start: UInt64) -> Bool {
        for at in live where list.lanes[Int(at)].reader == reader && cursors[Int(at)].next == start {
            cursors[Int(at)].retryAt = 0
            return true
        }
        return false
    }

    /// The first start that is not decided.
    var frontier: UInt64 { live.reduce(decided) { min($0, cursors[Int($1)].next) } }

    /// The first start that is not decided of some of the lanes.
    func frontier(where isAsked: (Int) -> Bool) -> UInt64 {
        live.reduce(decided) { isAsked(Int($1)) ? min($0, cursors[Int($1)].next) : $0 }
    }

    /// The first start that could still become a match in force.
    func held(_ list: ReadList) -> UInt64? {
        live.lazy.filter { list.lanes[Int($0)].holds }.map { cursors[Int($0)].next }.min()
    }

    /// `event`: a lane's match or overrun.
    mutating func scan(
        _ search: Search, _ window: Window, _ list: ReadList, settle: Bool, _ event: (Int, Search.Event) -> Void
    ) {
        search.begin()
        var from = Int(frontier - window.start)
        let step = Starts.step(list)
        swap(&waiting, &live)
        while from < window.count || !waiting.isEmpty {
            let end = min(from + step, window.count)
            search.find(window, list, from..<end)
            if !waiting.isEmpty { goOn(search, window, list, end, settle: settle, event) }
            for index in 0..<search.foundCount {
                read(search, window, list, search.found(index), from, end, settle: settle, event)
            }
            for at in list.unknown { read(search, window, list, at, from, end, settle: settle, event) }
            from = end
        }
        decided = window.start + UInt64(window.count)
    }

    /// The first place at which a lane could begin of those that are found so, or the end. None waits.
    func firstStart(_ search: Search, _ window: Window, _ list: ReadList) -> Int {
        var from = Int(decided - window.start)
        let step = Starts.step(list)
        while from < window.count {
            let end = min(from + step, window.count)
            search.find(window, list, from..<end)
            if let first = search.firstFound { return first }
            from = end
        }
        return window.count
    }

    /// Goes on where no lane waits, and none could begin before.
    mutating func pass(to offset: UInt64) { decided = offset }

    /// The lanes that wait go on where their start is in this piece of the window.
    private mutating func goOn(
        _ search: Search, _ window: Window, _ list: ReadList, _ end: Int, settle: Bool,
        _ event: (Int, Search.Event) -> Void
    ) {
        let pieceEnd = window.start + UInt64(end)
        var left = 0
        for index in waiting.indices {
            let at = waiting[index]
            if cursors[Int(at)].next >= pieceEnd && end < window.count {
                waiting[left] = at
                left += 1
            } else {
                read(search, window, list, Int(at), end, settle: settle, event)
            }
        }
        waiting.removeLast(waiting.count - left)
    }

    private mutating func read(
        _ search: Search, _ window: Window, _ list: ReadList, _ at: Int, _ from: Int, _ end: Int, settle: Bool,
        _ event: (Int, Search.Event) -> Void
    ) {
        // It waits for more, or has already gone on from where it waited.
        if cursors[at].live || cursors[at].next >= window.start + UInt64(end) { return }
        cursors[at].next = max(cursors[at].next, max(decided, window.start + UInt64(from)))
        read(search, window, list, at, end, settle: settle, event)
    }

    private mutating func read(
        _ search: Search, _ window: Window, _ list: ReadList, _ at: Int, _ end: Int, settle: Bool,
        _ event: (Int, Search.Event) -> Void
    ) {
        while true {
            let next = search.next(at, list, window, end: end, &cursors[at], settle: settle)
            if case .exhausted = next {
                if cursors[at].live { live.append(Int32(at)) }
                return
            }
            event(list.lanes[at].reader, next)
        }
    }
}
