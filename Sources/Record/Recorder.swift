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
    static let batchBytes = 128 * 1024

    private let writer: RecordWriter
    private let budget: RecordBudget
    private let drops: Bool
    private let slot: Int

    /// What changes with every record. Behind a pointer, because a class checks each access to its variables at run
    /// time, which cost more than encoding a short line.
    private struct State: ~Copyable {
        var encoder = LineEncoder()
        var sessions = Batch()
        var events = Batch()
        /// Bytes that this loop has of the writer's budget and has given to no slot or line yet.
        var credit = 0
        var reserved = 0

        var pendingBytes: Int { sessions.bytes.count + events.bytes.count }
    }

    private let state: UnsafeMutablePointer<State>

    public init(writer: RecordWriter) {
        self.writer = writer
        budget = writer.budget
        drops = writer.settings.onOverload == .drop
        slot = drops ? 0 : Recorder.slotBytes
        state = .allocate(capacity: 1)
        state.initialize(to: State())
    }

    deinit {
        writer.handOver(sessions: &state.pointee.sessions, events: &state.pointee.events)
        budget.give(state.pointee.credit + state.pointee.reserved * slot)
        writer.resumeIfPossible()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    // MARK: Slots

    /// Takes a slot for one more record. False: the writer is behind, new work waits for `RecordWriter.onResume`.
    public func reserve() -> Bool {
        if state.pointee.credit < slot {
            guard budget.take(budget.portion) else {
                // It may have drained between the refusal and the blocking.
                writer.resumeIfPossible()
                return false
            }
            state.pointee.credit += budget.portion
        }
        state.pointee.credit -= slot
        state.pointee.reserved += 1
        return true
    }

    /// Slots whose records are to come.
    var reserved: Int { state.pointee.reserved }

    /// Takes as many slots as are to be had, up to `most`.
    public func reserve(upTo most: Int) -> Int {
        var slots = 0
        while slots < most, reserve() { slots += 1 }
        return slots
    }

    /// The reserved work ended without a record.
    public func release(_ slots: Int = 1) {
        for _ in 0..<slots { giveBackSlot() }
        returnExcess()
    }

    private func giveBackSlot() {
        assert(state.pointee.reserved > 0, "a slot was given back that nobody had reserved")
        guard state.pointee.reserved > 0 else { return }
        state.pointee.reserved -= 1
        state.pointee.credit += slot
    }

    /// A loop keeps at most two portions for itself, and nothing while others wait.
    private func returnExcess() {
        let credit = state.pointee.credit
        let keep = budget.isBlocked ? 0 : credit > 2 * budget.portion ? budget.portion : credit
        guard credit > keep else { return }
        budget.give(credit - keep)
        state.pointee.credit = keep
        writer.resumeIfPossible()
    }

    // MARK: Records

    /// Encodes a session and its events, and gives its slot back. An `open` line leaves the slot to the `session` line
    /// that will follow.
    public func append(_ session: borrowing SessionRecord) {
        if session.kind == .session { giveBackSlot() }
        if dropsNow() { return }
        let before = state.pointee.pendingBytes
        encode(session)
        finish(session, before)
    }

    /// The same, and keeps in `frame` what the next lines of the connection will have in common with this one.
    public func append(_ session: borrowing SessionRecord, keeping frame: inout LineFrame) {
        giveBackSlot()
        if dropsNow() { return }
        let before = state.pointee.pendingBytes
        frame.take(encode(session), of: state.pointee.sessions.bytes.readable)
        finish(session, before)
    }

    /// Encodes an exchange whose line differs from the one that the frame was taken from in what it says itself.
    public func append(_ exchange: FramedExchange, in frame: borrowing LineFrame) {
        guard let before = beginFramed() else { return }
        state.pointee.encoder.append(exchange, in: frame, to: &state.pointee.sessions.bytes)
        charge(state.pointee.pendingBytes - before)
    }

    /// Encodes the session of a DNS transaction, and answers what the lines of others will have in common with its own; nil
    /// where it went nowhere.
    public func appendFraming(_ session: borrowing SessionRecord) -> NameFrames? {
        giveBackSlot()
        if dropsNow() { return nil }
        let before = state.pointee.pendingBytes
        let places = encode(session)
        let frames = NameFrames(places, of: state.pointee.sessions.bytes.readable, port: session.client.port)
        finish(session, before)
        return frames
    }

    /// Encodes a transaction of whose client and of whose answer there are frames, for one service.
    public func append(_ transaction: FramedTransaction, _ asker: AskerFrame, _ answer: AnswerFrame) {
        guard let before = beginFramed() else { return }
        state.pointee.encoder.append(transaction, asker, answer, to: &state.pointee.sessions.bytes)
        charge(state.pointee.pendingBytes - before)
    }

    /// Encodes one of whose client alone there is a frame, and which the rule allowed.
    public func append(_ transaction: FramedTransaction, _ asker: AskerFrame, _ names: NameFacts, rule: String?) {
        guard let before = beginFramed() else { return }
        state.pointee.encoder.append(transaction, asker, names, rule: rule, to: &state.pointee.sessions.bytes)
        charge(state.pointee.pendingBytes - before)
    }

    /// A line without events is about to be encoded: what was pending before it, or nil where it is dropped.
    private func beginFramed() -> Int? {
        giveBackSlot()
        if dropsNow() { return nil }
        state.pointee.sessions.lines += 1
        return state.pointee.pendingBytes
    }

    @discardableResult
    private func encode(_ session: borrowing SessionRecord) -> LineFrame.Places {
        state.pointee.sessions.lines += 1
        return state.pointee.encoder.append(session, to: &state.pointee.sessions.bytes)
    }

    private func finish(_ session: borrowing SessionRecord, _ before: Int) {
        if session.kind == .session, session.hasEvents {
            state.pointee.events.lines += state.pointee.encoder.appendEvents(
                of: session, to: &state.pointee.events.bytes)
        }
        charge(state.pointee.pendingBytes - before)
    }

    /// Records something that happened to the gateway and not in a session, in the file of events.
    public func event(
        _ kind: StaticString, at microseconds: Int64, id: RecordID? = nil, service: String? = nil,
        message: String? = nil, count: UInt64? = nil
    ) {
        if dropsNow() { return }
        let before = state.pointee.pendingBytes
        state.pointee.encoder.append(
            event: kind, id: id, microseconds: microseconds, service: service, message: message, count: count,
            to: &state.pointee.events.bytes)
        state.pointee.events.lines += 1
        charge(state.pointee.pendingBytes - before)
    }

    /// Whether this record goes nowhere, which is then counted.
    private func dropsNow() -> Bool {
        guard drops, budget.isBlocked else { return false }
        writer.dropped(1)
        return true
    }

    private func charge(_ bytes: Int) {
        state.pointee.credit -= bytes
        if state.pointee.credit < 0 {
            let missing = max(-state.pointee.credit, budget.portion)
            budget.force(missing)
            state.pointee.credit += missing
        }
        returnExcess()
        // A loop that forgot to flush in its turn does so here.
        if pendingBytes >= 4 * Recorder.batchBytes { flush() }
    }

    // MARK: Hand-over

    /// Bytes encoded and not handed over.
    public var pendingBytes: Int { state.pointee.pendingBytes }
    /// The batch is large enough to be handed over before its time.
    public var wantsFlush: Bool { pendingBytes >= Recorder.batchBytes }

    /// Hands the batch to the writer: at the end of a turn that `wantsFlush`, and every `Settings.flush`.
    public func flush() {
        writer.handOver(sessions: &state.pointee.sessions, events: &state.pointee.events)
        returnExcess()
    }
}
