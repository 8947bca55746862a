import Bytes
import Glibc
import Synchronization

/// Puts the records of all loops on disk: one thread, two files of JSON Lines, bounded memory, and nothing lost while
/// the disk is full or gone.
///
/// ```
///  Recorder ─ flush ─▶ RecordQueue ─▶ thread ─▶ LogFile sessions.jsonl, events.jsonl
///     └─ reserve ─▶ RecordBudget ◀─ on disk ──────┘
/// ```
public final class RecordWriter: Sendable {
    public struct Settings: Sendable {
        public enum Overload: Sendable {
            /// New work waits until the disk has caught up.
            case wait
            /// Records are dropped and counted, and the count is recorded.
            case drop
        }

        public var directory: String
        /// Size at which a file is rotated.
        public var rotateBytes = 256 * 1024 * 1024
        /// Rotated files kept of each kind.
        public var keep = 8
        /// Bytes of records in memory, promised ones included. 256 MiB: 1 KiB for each of a quarter of a million
        /// sessions in hand; it is taken only while the disk does not move.
        public var queueBytes = 256 * 1024 * 1024
        public var onOverload = Overload.wait
        /// How often a loop hands its batch over: what a `kill -9` may lose.
        public var flush = Milliseconds(100)
        /// First and longest pause after a failure.
        var retry = Milliseconds(100)...Milliseconds(2000)
        var calls = FileCalls()

        public init(directory: String) { self.directory = directory }
    }

    public let settings: Settings
    private let core: WriterCore
    private let thread: pthread_t

    /// Opens the files, mends what a crash left, and starts the thread.
    public static func open(_ settings: Settings) throws(RecordError) -> RecordWriter {
        var files = RecordFiles(settings)
        try files.open()
        let core = WriterCore(settings)
        guard let thread = WriterThread.start(core, files) else {
            throw RecordError(FileFailure(call: .startThread, errno: EAGAIN), path: settings.directory)
        }
        return RecordWriter(settings, core, thread)
    }

    private init(_ settings: Settings, _ core: WriterCore, _ thread: pthread_t) {
        self.settings = settings
        self.core = core
        self.thread = thread
    }

    /// The thread writes what it can of what it has, and ends.
    deinit {
        core.monitor.withLock { $0.stopping = true }
        core.monitor.wake()
        pthread_join(thread, nil)
    }

    // MARK: What status and metrics ask

    /// Records are over their bound: new work waits, or records are dropped, until half of it is on disk.
    public var isBlocked: Bool { core.budget.isBlocked }
    /// Records handed over and not yet on disk.
    public var queued: Int { core.queuedLines.load(ordering: .relaxed) }
    public var queuedBytes: Int { core.budget.queuedBytes }
    public var dropped: UInt64 { core.dropped.load(ordering: .relaxed) }
    /// Lines on disk since the start.
    public var written: UInt64 { core.written.load(ordering: .relaxed) }
    /// Why the last attempt to write failed; nil once one has succeeded.
    public var failure: RecordError? { core.monitor.withLock { $0.failure } }

    // MARK: Requests

    /// Calls `wake` whenever there is room again after `reserve` was refused: on any thread, a loop's own included, so it
    /// may do no more than post to the loop.
    public func onResume(_ wake: @escaping @Sendable () -> Void) {
        core.monitor.withLock { $0.wakes.append(wake) }
    }

    /// Opens the files anew: somebody has moved them away.
    public func reopen() {
        core.monitor.withLock { $0.reopening = true }
        core.monitor.wake()
    }

    /// Waits until everything handed over is on disk and safe from a power failure; false if that took too long.
    public func drain(timeout: Milliseconds) -> Bool {
        let end = Monitor<RecordQueue>.now + timeout.count
        let ticket = core.monitor.withLock { queue in
            queue.syncAsked += 1
            return queue.syncAsked
        }
        core.monitor.wake()
        return core.monitor.wait { queue, deadline in
            if queue.syncDone >= ticket { return true }
            if Monitor<RecordQueue>.now >= end { return false }
            deadline = end
            return nil
        }
    }

    // MARK: Recorders

    var budget: RecordBudget { core.budget }
    func handOver(sessions: inout Batch, events: inout Batch) { core.handOver(sessions: &sessions, events: &events) }
    func dropped(_ lines: Int) { core.dropped.add(UInt64(lines), ordering: .relaxed) }
    func resumeIfPossible() { core.resumeIfPossible() }
}

/// Lines that a loop has encoded and not yet handed over.
struct Batch: ~Copyable {
    var bytes = Buffer()
    var lines = 0
}

/// What the loops and the writer's thread share.
final class WriterCore: Sendable {
    let monitor = Monitor(RecordQueue())
    let budget: RecordBudget
    let retry: ClosedRange<Milliseconds>
    let queuedLines = Atomic<Int>(0)
    let dropped = Atomic<UInt64>(0)
    let written = Atomic<UInt64>(0)

    init(_ settings: RecordWriter.Settings) {
        // 64 slots at a time, unless the bound is so small that a loop would then take it whole.
        let portion = max(Recorder.slotBytes, min(64 * Recorder.slotBytes, settings.queueBytes / 1024))
        budget = RecordBudget(bound: settings.queueBytes, portion: portion)
        retry = settings.retry
    }

    func handOver(sessions: inout Batch, events: inout Batch) {
        let bytes = sessions.bytes.count + events.bytes.count
        guard bytes > 0 else { return }
        queuedLines.add(sessions.lines + events.lines, ordering: .relaxed)
        budget.handedOver(bytes)
        monitor.withLock { queue in
            queue.append(&sessions, to: .sessions)
            queue.append(&events, to: .events)
        }
        monitor.wake()
    }

    func resumeIfPossible() {
        guard budget.unblocks() else { return }
        for wake in monitor.withLock({ $0.wakes }) { wake() }
    }
}
