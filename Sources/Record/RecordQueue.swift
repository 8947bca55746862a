import Bytes
import Synchronization

/// A piece of a record file, whole lines, on its way to the disk.
final class Chunk {
    var bytes: Buffer
    var lines = 0

    init(capacity: Int) { bytes = Buffer(capacity: capacity) }

    /// Small hand-overs share a chunk, so that a stuck disk costs the memory of the records and no more.
    static let size = 256 * 1024
}

/// The two files of records.
enum Lane: Int, CaseIterable {
    case sessions, events

    var name: String {
        switch self {
        case .sessions: "sessions.jsonl"
        case .events: "events.jsonl"
        }
    }
}

/// What waits for the disk, and what is asked of the writer's thread.
struct RecordQueue {
    private var chunks: [[Chunk]] = [[], []]
    private var spare: [Chunk] = []
    var stopping = false
    var reopening = false
    /// Counts requests to have everything on disk, and those that were met.
    var syncAsked = 0
    var syncDone = 0
    /// What keeps the records from the disk, while something does.
    var failure: RecordError?
    var wakes: [@Sendable () -> Void] = []

    var isEmpty: Bool { chunks.allSatisfy(\.isEmpty) }

    /// Takes a batch over and leaves an empty one.
    mutating func append(_ batch: inout Batch, to lane: Lane) {
        guard batch.lines > 0 else { return }
        let last = chunks[lane.rawValue].last
        if let last, last.bytes.count + batch.bytes.count <= Chunk.size {
            last.bytes.append(batch.bytes.readable)
            last.lines += batch.lines
            batch.bytes.removeAll()
        } else {
            let chunk = spare.popLast() ?? Chunk(capacity: Chunk.size)
            // A large batch changes places with the empty chunk, a small one is copied so that others share the chunk.
            if batch.bytes.count >= Chunk.size / 4 {
                swap(&chunk.bytes, &batch.bytes)
            } else {
                chunk.bytes.append(batch.bytes.readable)
                batch.bytes.removeAll()
            }
            chunk.lines = batch.lines
            chunks[lane.rawValue].append(chunk)
        }
        batch.lines = 0
    }

    mutating func takeFirst(of lane: Lane) -> Chunk? {
        chunks[lane.rawValue].isEmpty ? nil : chunks[lane.rawValue].removeFirst()
    }

    /// Keeps a few written chunks for the next records; one that grew for a giant is let go.
    mutating func recycle(_ chunk: Chunk) {
        guard spare.count < 4, chunk.bytes.capacity <= Chunk.size else { return }
        chunk.bytes.removeAll()
        chunk.lines = 0
        spare.append(chunk)
    }
}

/// The account of memory that records may take: what is promised to work in hand, what loops have encoded, and what
/// waits for the disk. Atomics, because every loop and the writer settle with it.
///
/// It is blocked from the moment a request goes over the bound until half of the bound is free of waiting bytes:
/// otherwise loops would be woken for one record at a time.
final class RecordBudget: Sendable {
    let bound: Int
    /// What a loop takes at a time.
    let portion: Int
    private let committed = Atomic<Int>(0)
    private let queued = Atomic<Int>(0)
    private let blocked = Atomic<Bool>(false)

    init(bound: Int, portion: Int) {
        self.bound = bound
        self.portion = portion
    }

    var isBlocked: Bool { blocked.load(ordering: .sequentiallyConsistent) }
    var queuedBytes: Int { queued.load(ordering: .relaxed) }
    var committedBytes: Int { committed.load(ordering: .relaxed) }

    /// Takes bytes for new work; false when there are none to have.
    func take(_ bytes: Int) -> Bool {
        if isBlocked { return false }
        let now = committed.add(bytes, ordering: .sequentiallyConsistent).newValue
        if now <= bound { return true }
        committed.subtract(bytes, ordering: .sequentiallyConsistent)
        blocked.store(true, ordering: .sequentiallyConsistent)
        return false
    }

    /// Takes bytes for work that is already done and cannot wait: over the bound if it must be.
    func force(_ bytes: Int) {
        let now = committed.add(bytes, ordering: .sequentiallyConsistent).newValue
        if now > bound { blocked.store(true, ordering: .sequentiallyConsistent) }
    }

    func give(_ bytes: Int) { committed.subtract(bytes, ordering: .sequentiallyConsistent) }

    func handedOver(_ bytes: Int) { queued.add(bytes, ordering: .sequentiallyConsistent) }

    func onDisk(_ bytes: Int) {
        queued.subtract(bytes, ordering: .sequentiallyConsistent)
        give(bytes)
    }

    /// To be asked after every change that gives room, and after being refused: true for the one caller that ends the
    /// blocking and must wake the loops. The order of the stores above and these loads leaves no wake-up behind.
    func unblocks() -> Bool {
        guard isBlocked, queued.load(ordering: .sequentiallyConsistent) <= bound / 2,
            committed.load(ordering: .sequentiallyConsistent) + portion <= bound
        else { return false }
        return blocked.exchange(false, ordering: .sequentiallyConsistent)
    }
}
