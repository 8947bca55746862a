import Bytes
import DLP
import OS

/// The files to be scanned, handed out to several threads: the large ones first, so that none is left to one thread at
/// the end while the others have nothing to do.
///
/// There is no thread for the directories: whoever finds too little in the queue reads on in them.
final class ScanQueue: Sendable {
    struct Item: Sendable {
        /// Its place among all, in which results are told.
        var number: Int
        var found: ScanWalk.Found
        var size: UInt64
    }

    /// What is known of the whole so far.
    struct Progress: Sendable {
        var files = 0
        var bytes: UInt64 = 0
        /// All directories have been read: `bytes` is all there is.
        var isWhole = false
        var ignored = 0
    }

    private struct State {
        /// Nil while a thread has it.
        var walk: ScanWalk?
        var small: ContiguousArray<Item> = []
        /// Of `small`, those before have been taken.
        var taken = 0
        /// By size, the largest last.
        var large: ContiguousArray<Item> = []
        var waiting = 0
        var progress = Progress()

        var count: Int { small.count - taken + large.count }

        mutating func add(_ found: ScanWalk.Found) {
            var size: UInt64 = 0
            if case .file(_, let bytes, _) = found { size = bytes }
            let item = Item(number: progress.files, found: found, size: size)
            progress.files += 1
            progress.bytes += size
            guard size >= largeBytes else { return small.append(item) }
            large.insert(item, at: large.firstIndex { $0.size > size } ?? large.count)
        }
    }

    private enum Step {
        case take(Item)
        case walk(ScanWalk)
        case wait
        case end
    }

    /// Files known ahead. Enough that what is left can be told of most trees soon, and 2 MB of memory.
    private static let ahead = 16 * 1024
    private static let atOnce = 256
    /// From here on a file is large: about 10 ms of work.
    private static let largeBytes: UInt64 = 4 << 20

    private let state: Guarded<State>
    private let more = Semaphore()

    init(_ walk: ScanWalk) { state = Guarded(State(walk: walk)) }

    var progress: Progress { state.withLock { $0.progress } }

    /// The next file, or nil when there are no more.
    func next() -> Item? {
        while true {
            let step = state.withLock { state in Self.step(&state) }
            switch step {
            case .take(let item): return item
            case .walk(let walk): goOn(walk)
            case .wait: more.wait()
            case .end: return nil
            }
        }
    }

    private static func step(_ state: inout State) -> Step {
        if state.count < ahead, let walk = state.walk, !walk.isDone {
            state.walk = nil
            return .walk(walk)
        }
        if let item = state.large.popLast() { return .take(item) }
        if state.taken < state.small.count {
            let item = state.small[state.taken]
            state.taken += 1
            if state.taken == state.small.count {
                state.small.removeAll(keepingCapacity: true)
                state.taken = 0
            }
            return .take(item)
        }
        if state.walk != nil { return .end }
        state.waiting += 1
        return .wait
    }

    private func goOn(_ walk: ScanWalk) {
        let found = walk.next(Self.atOnce)
        let woken = state.withLock { state in
            for one in found { state.add(one) }
            state.progress.isWhole = walk.isDone
            state.progress.ignored = walk.ignored
            state.walk = walk
            defer { state.waiting = 0 }
            return state.waiting
        }
        for _ in 0..<woken { more.signal() }
    }
}
