import Bytes
import Glibc

/// The two files of a directory.
struct RecordFiles: ~Copyable {
    var sessions: LogFile
    var events: LogFile

    init(_ settings: RecordWriter.Settings) {
        func file(_ lane: Lane) -> LogFile {
            LogFile(
                directory: settings.directory, name: lane.name, rotateBytes: settings.rotateBytes,
                keep: settings.keep, calls: settings.calls)
        }
        sessions = file(.sessions)
        events = file(.events)
    }

    mutating func open() throws(RecordError) {
        try attempt(.sessions) { (file) throws(FileFailure) in try file.open() }
        try attempt(.events) { (file) throws(FileFailure) in try file.open() }
    }

    /// Runs the body on the file of a lane; a failure learns the path.
    mutating func attempt(
        _ lane: Lane, _ body: (inout LogFile) throws(FileFailure) -> Void
    ) throws(RecordError) {
        switch lane {
        case .sessions:
            do throws(FileFailure) { try body(&sessions) } catch { throw RecordError(error, path: sessions.path) }
        case .events:
            do throws(FileFailure) { try body(&events) } catch { throw RecordError(error, path: events.path) }
        }
    }

    mutating func reopen() throws(RecordError) {
        sessions.reopen()
        events.reopen()
        try open()
    }
}

/// The thread that writes: takes chunks from the queue, writes them without holding the lock, and after a failure keeps
/// what it has and tries again, ever less often.
final class WriterThread {
    private let core: WriterCore
    private var files: RecordFiles
    /// The chunk of each lane that is being written.
    private var current: [Chunk?] = [nil, nil]
    private var time = LineEncoder()
    /// Dropped records that an event line has told of.
    private var droppedTold: UInt64 = 0
    /// No attempt before this moment, and the pause that led to it.
    private var retryAt: Int64 = 0
    private var pause: Milliseconds?

    private init(_ core: WriterCore, _ files: consuming RecordFiles) {
        self.core = core
        self.files = files
    }

    static func start(_ core: WriterCore, _ files: consuming RecordFiles) -> pthread_t? {
        let context = Unmanaged.passRetained(WriterThread(core, files))
        // Signals are for the thread that asked for them: the writer is born with all of them blocked.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let failed = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<WriterThread>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        if failed != 0 { context.release() }
        return failed == 0 ? thread : nil
    }

    /// What the thread found when it woke.
    private struct Work {
        var reopen: Bool
        var stop: Bool
        var syncTicket: Int?
    }

    private func run() {
        while true {
            let work = nextWork()
            do throws(RecordError) {
                if work.reopen { try files.reopen() }
                var wrote = true
                repeat {
                    tellDropped()
                    wrote = try writeRound()
                    tellDropped()
                } while wrote && work.stop
                if let ticket = work.syncTicket, !wrote { try sync(ticket) }
                succeeded()
            } catch {
                failed(error)
            }
            if work.stop { return }
        }
    }

    private func nextWork() -> Work {
        core.monitor.wait { queue, deadline in
            let hasWork = !queue.isEmpty || current.contains { $0 != nil } || queue.syncAsked > queue.syncDone
            let isResting = retryAt > 0 && Monitor<RecordQueue>.now < retryAt
            guard queue.stopping || queue.reopening || hasWork && !isResting else {
                deadline = isResting ? retryAt : nil
                return nil
            }
            let work = Work(
                reopen: queue.reopening, stop: queue.stopping,
                syncTicket: queue.syncAsked > queue.syncDone ? queue.syncAsked : nil)
            queue.reopening = false
            return work
        }
    }

    // MARK: Writing

    /// Writes some chunks of each lane; false when there were none. A lane whose disk is in trouble does not keep the
    /// other from its own.
    private func writeRound() throws(RecordError) -> Bool {
        var trouble: RecordError?
        var wrote = false
        for lane in Lane.allCases {
            do throws(RecordError) {
                // A bound, so that neither lane nor a request waits for an endless stream of the other.
                for _ in 0..<64 {
                    guard let chunk = next(of: lane) else { break }
                    try write(chunk, to: lane)
                    wrote = true
                }
            } catch {
                trouble = error
            }
        }
        if let trouble { throw trouble }
        return wrote
    }

    private func next(of lane: Lane) -> Chunk? {
        current[lane.rawValue] ?? core.monitor.withLock { $0.takeFirst(of: lane) }
    }

    private func write(_ chunk: Chunk, to lane: Lane) throws(RecordError) {
        current[lane.rawValue] = chunk
        let before = chunk.bytes.count
        var failure: RecordError?
        do throws(RecordError) {
            try files.attempt(lane) { (file) throws(FileFailure) in try file.write(&chunk.bytes) }
        } catch {
            failure = error
        }
        // Whole lines that made it count as written even if the rest failed. Settled before the chunk is given back, for
        // then it belongs to whoever appends next.
        core.budget.onDisk(before - chunk.bytes.count)
        core.resumeIfPossible()
        if let failure { throw failure }
        current[lane.rawValue] = nil
        core.queuedLines.subtract(chunk.lines, ordering: .relaxed)
        core.written.add(UInt64(chunk.lines), ordering: .relaxed)
        core.monitor.withLock { $0.recycle(chunk) }
    }

    private func sync(_ ticket: Int) throws(RecordError) {
        for lane in Lane.allCases {
            try files.attempt(lane) { (file) throws(FileFailure) in try file.sync() }
        }
        core.monitor.withLock { $0.syncDone = max($0.syncDone, ticket) }
        core.monitor.wake()
    }

    // MARK: Outcomes

    private func succeeded() {
        guard pause != nil else { return }
        pause = nil
        retryAt = 0
        core.monitor.withLock { $0.failure = nil }
    }

    private func failed(_ error: RecordError) {
        let next = pause.map { Milliseconds($0.count * 2) } ?? core.retry.lowerBound
        let longest = core.retry.upperBound
        pause = min(next, longest)
        retryAt = Monitor<RecordQueue>.now + min(next, longest).count
        core.monitor.withLock { $0.failure = error }
    }

    /// Once there is room again, says in the events how many records were dropped.
    private func tellDropped() {
        let dropped = core.dropped.load(ordering: .relaxed)
        guard dropped > droppedTold, !core.budget.isBlocked else { return }
        var none = Batch()
        var line = Batch()
        time.append(
            event: "records_dropped", id: nil, microseconds: Timestamp.now(), service: nil, message: nil,
            count: dropped - droppedTold, to: &line.bytes)
        line.lines = 1
        droppedTold = dropped
        core.budget.force(line.bytes.count)
        core.handOver(sessions: &none, events: &line)
    }
}
