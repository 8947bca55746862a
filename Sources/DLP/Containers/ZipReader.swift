import CCodecs

/// Reads a zip file from its front: OOXML and ODF documents, JARs and the like are zip files, too.
///
/// Unpackers go by the directory at the end, for which a stream cannot wait. What one who goes by the local headers does
/// not see (bytes between entries, entries that only the directory knows) is told as undecodable.
///
/// ```
///   record ─▶ head ─▶ name ─▶ extra ─▶ begin ─▶ stored │ found │ deflated │ refused ─▶ over ─▶ descriptor ─▶ record
///     └─ lost: looks for a signature           found: its end is looked for in the content
/// ```
final class ZipReader: SteppingReader {
    private enum State {
        case record, head(ZipRecord), name(left: Int), extra, begin
        case stored(left: UInt64), found, deflated(left: UInt64?), refused
        case skipped(left: UInt64, entry: Bool)
        case over, descriptor, dead
    }

    private let budget: ContainerBudget
    private var state = State.record
    private var head = Gather()
    private var name = Gather()
    private var entry: ZipEntry?
    private var inflater: Inflater?
    var place: UInt64 = 0
    /// Where the entry's content begins.
    private var dataFrom: UInt64 = 0
    /// What a descriptor behind the entry has to say.
    private var tally = ZipTally()
    /// Content that looked like a descriptor and was none.
    private let spill = UnsafeMutableRawBufferPointer.allocate(byteCount: ZipTally.descriptorBytesMax, alignment: 8)

    private var entries = 0
    private var listed = 0
    private var ended = false
    /// Among bytes that belong to nothing.
    private var lost = false
    private var isDead = false

    init(_ budget: ContainerBudget) { self.budget = budget }

    deinit { spill.deallocate() }

    func finish() -> ContainerStep {
        switch state {
        case .dead: return .starved
        case .over:
            state = .dead
            return .end
        case .found where !head.isEmpty: return spilled(head.count, at: place - UInt64(head.count))
        case .stored, .found, .deflated, .refused, .skipped(_, entry: true):
            (state, isDead) = (.over, true)
            return .failed(.truncated)
        case .record where head.isEmpty || lost || ended:
            state = .dead
            if listed > entries { return .failed(.undecodable) }
            return ended ? .starved : .failed(.truncated)
        default:
            state = .dead
            return .failed(.truncated)
        }
    }

    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch state {
        case .record: return seek(&input)
        case .head(let record):
            guard head.fill(record.headBytes, from: &input) else { return .starved }
            return opened(record)
        case .name(var left):
            let isWhole = name.fill(&left, keeping: ContainerName.bytesMax, from: &input)
            state = isWhole ? .extra : .name(left: left)
            return isWhole ? nil : .starved
        case .extra:
            // No longer than 16 bits can say.
            guard head.fill(entry?.extraBytes ?? 0, from: &input) else { return .starved }
            entry?.read(extra: head)
            head.removeAll()
            state = .begin
            return nil
        case .begin: return begun()
        case .refused: return refused()
        case .stored(let left): return stored(left, &input)
        case .found: return found(&input)
        case .deflated(let left): return deflated(left, &input)
        case .skipped(let left, let isEntry):
            let rest = left - UInt64(input.take(min(input.count, Int(clamping: left))).count)
            state = rest > 0 ? .skipped(left: rest, entry: isEntry) : isEntry ? .over : .record
            return rest > 0 ? .starved : nil
        case .over:
            state = isDead ? .dead : entry?.described == true ? .descriptor : .record
            return .end
        case .descriptor: return described(&input)
        case .dead:
            _ = input.take(input.count)
            return .starved
        }
    }

    // MARK: Records

    private func seek(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if lost, head.isEmpty { _ = input.take(input.length(before: ZipRecord.first)) }
        guard head.fill(ZipRecord.signatureBytes, from: &input) else { return .starved }
        if let record = ZipRecord(rawValue: head.u32(0)) {
            if record != .descriptor { lost = false }
            state = .head(record)
            return nil
        }
        head.removeFirst(unlikeRecord)
        defer { lost = true }
        // Behind the end there may be anything.
        return lost || ended ? nil : .failed(.undecodable)
    }

    /// Bytes at the front of `head` before the next that could begin a record.
    private var unlikeRecord: Int {
        head.bytes.dropFirst().firstIndex(of: ZipRecord.first) ?? head.count
    }

    private func opened(_ record: ZipRecord) -> ContainerStep? {
        defer { head.removeAll() }
        switch record {
        case .entry:
            let read = ZipEntry(head)
            (entry, ended) = (read, false)
            name.removeAll()
            state = .name(left: read.nameBytes)
            return nil
        case .decryption:
            state = .dead
            return .failed(.encrypted)
        case .listed: listed += 1
        case .end: ended = true
        case .end64, .locator, .signature, .descriptor: break
        }
        state = .skipped(left: record.restBytes(head), entry: false)
        return nil
    }

    // MARK: Entries

    private func begun() -> ContainerStep? {
        guard let entry, budget.enter() else {
            state = .dead
            return .failed(.decompressionBomb)
        }
        entries += 1
        dataFrom = place
        tally = ZipTally(counts: entry.described)
        state =
            switch entry.method {
            case _ where entry.isEncrypted: .refused
            case .other: .refused
            case .deflated: .deflated(left: entry.size)
            case .stored: entry.size.map { .stored(left: $0) } ?? .found
            }
        if case .deflated = state { inflater?.reset() }
        return .begin(ContainerEntry(label: ContainerName.label("zip", name.bytes)))
    }

    private func refused() -> ContainerStep {
        skip(entry?.size ?? 0)
        return .failed(entry?.isEncrypted == true ? .encrypted : .undecodable)
    }

    /// Goes on behind an entry of which nothing more is read, and whose end need not be where it should.
    private func skip(_ left: UInt64) {
        entry?.described = false
        lost = true
        state = .skipped(left: left, entry: true)
    }

    private func stored(_ left: UInt64, _ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if left == 0 {
            state = .over
            return nil
        }
        if input.isEmpty { return .starved }
        let run = input.take(min(input.count, Int(clamping: left)))
        state = .stored(left: left - UInt64(run.count))
        return content(run, at: place)
    }

    private func content(_ run: UnsafeRawBufferPointer, at offset: UInt64) -> ContainerStep {
        tally.add(run, packed: run.count)
        return .bytes(run, at: offset, plain: true)
    }

    private func deflated(_ left: UInt64?, _ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        let inflater = self.inflater ?? Inflater(.bare, budget)
        self.inflater = inflater
        let before = input.count
        let pulled = inflater.pull(&input, left: left ?? .max, at: place)
        let used = before - input.count
        let rest = left.map { $0 - UInt64(used) }
        state = .deflated(left: rest)
        switch pulled {
        case .bytes(let run):
            tally.add(run, packed: used)
            return .bytes(run, at: max(inflater.mark, dataFrom), plain: false)
        case .starved:
            tally.add(packed: used)
            guard rest == 0 else { return .starved }
            state = .over
            return .failed(.undecodable)
        case .ended:
            tally.add(packed: used)
            state = rest.map { .skipped(left: $0, entry: true) } ?? .over
            return nil
        case .failed(let outcome):
            isDead = outcome == .decompressionBomb
            // Where in the slice it broke depends on the cut.
            let over = inflater.mark + UInt64(Stage.sliceBytes) - place - UInt64(used)
            skip(isDead ? 0 : rest ?? over)
            return .failed(outcome)
        }
    }

    // MARK: Descriptors

    /// Content whose end is told by the descriptor behind it alone.
    private func found(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if head.isEmpty {
            if input.isEmpty { return .starved }
            let run = input.take(input.length(before: ZipRecord.first))
            if !run.isEmpty { return content(run, at: place) }
        }
        let before = input.count
        guard head.fill(ZipRecord.signatureBytes, from: &input) else { return .starved }
        if ZipRecord(rawValue: head.u32(0)) == .descriptor {
            guard let bytes = tally.descriptor(&head, from: &input, wide: entry?.wide == true) else { return .starved }
            if bytes > 0 {
                head.removeFirst(bytes)
                entry?.described = false
                state = .over
                return nil
            }
        }
        let now = place + UInt64(before - input.count)
        return spilled(unlikeRecord, at: now - UInt64(head.count))
    }

    /// The front of `head` is content.
    private func spilled(_ count: Int, at offset: UInt64) -> ContainerStep {
        spill.copyBytes(from: head.bytes[..<count])
        head.removeFirst(count)
        return content(UnsafeRawBufferPointer(rebasing: spill[..<count]), at: offset)
    }

    private func described(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        guard let bytes = tally.descriptor(&head, from: &input, wide: entry?.wide == true) else { return .starved }
        head.removeFirst(bytes)
        state = .record
        return nil
    }
}
