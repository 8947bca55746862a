import Bytes

/// Records the sessions of one loop: encodes each into a batch and hands batches to the writer. Belongs to its loop, and
/// never waits.
///
/// A slot is reserved before work is taken in, so that its record has a place when the work is done.
public final class Recorder {
    /// What a reservation counts against the writer's bound: a record with a long path or a finding. One that is larger
    /// still is written; the bound is then exceeded by the difference.
    static let slotBytes = 1024
    /// A batch of this size is worth handing over before its time.
    static let batchBytes = 64 * 1024

    private let writer: RecordWriter
    private let budget: RecordBudget
    private let drops: Bool
    private let slot: Int
    private var encoder = LineEncoder()
    private var sessions = Batch()
    private var events = Batch()
    /// Bytes that this loop has of the writer's budget and has given to no slot or line yet.
    private var credit = 0
    private var reserved = 0

    public init(writer: RecordWriter) {
        self.writer = writer
        budget = writer.budget
        drops = writer.settings.onOverload == .drop
        slot = drops ? 0 : Recorder.slotBytes
    }

    deinit {
        writer.handOver(sessions: &sessions, events: &events)
        budget.give(credit + reserved * slot)
        writer.resumeIfPossible()
    }

    // MARK: Slots

    /// Takes a slot for one more record. False: the writer is behind, new work waits for `RecordWriter.onResume`.
    public func reserve() -> Bool {
        if credit < slot {
            guard budget.take(budget.portion) else {
                // It may have drained between the refusal and the blocking.
                writer.resumeIfPossible()
                return false
            }
            credit += budget.portion
        }
        credit -= slot
        reserved += 1
        return true
    }

    /// The reserved work ended without a record.
    public func release() {
        giveBackSlot()
        returnExcess()
    }

    private func giveBackSlot() {
        assert(reserved > 0, "a slot was given back that nobody had reserved")
        guard reserved > 0 else { return }
        reserved -= 1
        credit += slot
    }

    /// A loop keeps at most two portions for itself, and nothing while others wait.
    private func returnExcess() {
        let keep = budget.isBlocked ? 0 : credit > 2 * budget.portion ? budget.portion : credit
        guard credit > keep else { return }
        budget.give(credit - keep)
        credit = keep
        writer.resumeIfPossible()
    }

    // MARK: Records

    /// Encodes a session and its events, and gives its slot back. An `open` line leaves the slot to the `session` line
    /// that will follow.
    public func append(_ session: borrowing SessionRecord) {
        if session.kind == .session { giveBackSlot() }
        if drops, budget.isBlocked {
            writer.dropped(1)
            return
        }
        let before = pendingBytes
        encoder.append(session, to: &sessions.bytes)
        sessions.lines += 1
        if session.kind == .session, session.hasEvents {
            events.lines += encoder.appendEvents(of: session, to: &events.bytes)
        }
        charge(pendingBytes - before)
    }

    /// Records something that happened to the gateway and not in a session, in the file of events.
    public func event(
        _ kind: StaticString, at microseconds: Int64, id: RecordID? = nil, service: String? = nil,
        message: String? = nil, count: UInt64? = nil
    ) {
        if drops, budget.isBlocked {
            writer.dropped(1)
            return
        }
        let before = pendingBytes
        encoder.append(
            event: kind, id: id, microseconds: microseconds, service: service, message: message, count: count,
            to: &events.bytes)
        events.lines += 1
        charge(pendingBytes - before)
    }

    private func charge(_ bytes: Int) {
        credit -= bytes
        if credit < 0 {
            let missing = max(-credit, budget.portion)
            budget.force(missing)
            credit += missing
        }
        returnExcess()
        // A loop that forgot to flush in its turn does so here.
        if pendingBytes >= 4 * Recorder.batchBytes { flush() }
    }

    // MARK: Hand-over

    /// Bytes encoded and not handed over.
    public var pendingBytes: Int { sessions.bytes.count + events.bytes.count }
    /// The batch is large enough to be handed over before its time.
    public var wantsFlush: Bool { pendingBytes >= Recorder.batchBytes }

    /// Hands the batch to the writer.
    public func flush() {
        writer.handOver(sessions: &sessions, events: &events)
        returnExcess()
    }
}
