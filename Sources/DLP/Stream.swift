import Bytes

/// One direction of an exchange or tunnel being read, and what is kept of it between two reads.
///
/// ```
///              carry          new, decoded
///        ┌───────────────┬──────────────────────┐   the window, joined in the scratch
///   … ───┤ look │ open   │                      │
///        └ back ┴ starts ┴──────────────────────┘
/// ```
final class Stream: Text {
    enum Source {
        /// Nobody reads, or nothing more can be read: bytes pass.
        case blind
        /// No coding was told of. The first bytes wait until it is clear that they are not those of one.
        case fresh
        /// Bytes are read as they are on the wire.
        case plain
        case coded(Decoder)
        /// Content that `Messages` has taken out of frames.
        case framed(FrameMap)
    }

    private let side: Side
    unowned(unsafe) let owner: Inspection
    var source = Source.blind
    private(set) var context: Contexts = []
    private(set) var list = ReadList.none
    private(set) var reading = Reading()
    /// What the patterns read last, while that is at hand.
    private var lastRead: (piece: Window, whole: Window)?
    /// What is decoded out of the value; none where it is of more than one message.
    private(set) var branches: Branches?
    /// The same while nobody reads.
    var tree: Branches?
    /// Matches that a view may find once more, and through which decodings they were told.
    var told: [Told: [String]] = [:]
    /// All that views have decoded.
    var viewBytes = 0

    /// Bytes of the value kept from before: the look-behind and what is undecided.
    private(set) var carry: [UInt8] = []
    /// Offset of the first of them.
    private(set) var windowStart: UInt64 = 0
    /// Bytes of the value so far.
    var valueBytes: UInt64 = 0
    /// Where the value begins in the coordinates of findings: not 0 only where the end of a broken coding is read as
    /// it is.
    private(set) var valueFrom: UInt64 = 0
    private(set) var subject = 0
    private var labels: [String] = []
    /// First bytes that wait.
    var head: [UInt8] = []
    var map = OffsetMap()
    /// Rows of which something was found in the value.
    var rows: [RowWatch] = []
    var documents: [DocumentWatch] = []
    /// Reads what is of more than one message, and tells of nothing else.
    private(set) var joins = false

    /// Bytes of the wire so far.
    var rawBytes: UInt64 = 0
    private(set) var deniedAt: UInt64?
    private var released: UInt64 = 0
    private var redactions: [Redaction] = []
    /// Negations were decided at `hold`.
    private var settled = false

    /// What the body of which this is the value has within it.
    private(set) var containers: Containers?
    /// Of a multipart body, empty for any other; nil where no container is taken apart.
    var boundary: [UInt8]?

    init(side: Side, owner: Inspection) {
        (self.side, self.owner) = (side, owner)
    }

    func reset() {
        source = .blind
        head = []
        containers?.close()
        if !carry.isEmpty { carry.removeAll(keepingCapacity: carry.capacity <= Self.carryKept) }
        branches?.reset()
        if !redactions.isEmpty { redactions.removeAll() }
        if !rows.isEmpty { rows.removeAll() }
        if !documents.isEmpty { documents.removeAll() }
        deniedAt = nil
        (rawBytes, released) = (0, 0)
    }

    /// An idle inspection keeps no more memory than this for the carry.
    private static let carryKept = 256

    /// `decodes`: what is coded without a label is decoded, too, and containers are taken apart. `boundary`: of a multipart
    /// body.
    func open(as context: Contexts, list: ReadList, codings: [ContentCoding], decodes: Bool, boundary: [UInt8]) {
        reset()
        (self.context, self.list, settled, joins, branches) = (context, list, false, false, nil)
        self.boundary = decodes && context == .body ? boundary : nil
        if list.isEmpty { return }
        if self.boundary != nil, containers == nil { containers = Containers(side: side, owner: owner) }
        // What a tunnel carries goes on without an end: the last word of it would wait for more each time.
        if decodes, context == .body { branches = views(list) }
        let (decoder, outcome) = Decoder.undoing(codings, limits: owner.limits)
        source = decoder.map(Source.coded) ?? (decodes ? .fresh : .plain)
        if let outcome { owner.cannotRead(outcome) }
        begin(from: 0)
    }

    /// A value begins.
    func begin(from offset: UInt64) {
        reading.begin(list)
        carry.removeAll(keepingCapacity: true)
        branches?.begin(list)
        if !told.isEmpty { told.removeAll(keepingCapacity: true) }
        (windowStart, valueBytes, valueFrom, viewBytes) = (0, 0, offset, 0)
        map.reset()
        if !rows.isEmpty { rows.removeAll() }
        // A document may come in several messages.
        if !joins, offset == 0 || documents.isEmpty { documents = owner.documents(list) }
        labels = []
        subject = owner.nextSubject()
        unpack()
    }

    // MARK: Messages

    /// Opens for the content of messages, whose values `Messages` begins and ends.
    func open(as context: Contexts, list: ReadList, map: FrameMap, joins: Bool) {
        reset()
        (self.context, self.list, self.joins) = (context, list, joins)
        reading.close()
        branches = joins ? nil : views(list)
        source = .framed(map)
    }

    /// A value begins at this offset of all the content. It may cost no more than was left over from the ones before.
    func begin(message labels: [String], at offset: UInt64) {
        let read = Int(clamping: windowStart) + carry.count
        let before = reading
        begin(from: offset)
        reading.takeOver(allowancesOf: before, bytes: read)
        self.labels = labels
    }

    func label(_ labels: [String]) { self.labels = labels }

    func readMessage(_ content: UnsafeRawBufferPointer, ended: Bool) {
        scanWhole(content, end: ended, settle: false)
    }

    /// Reads what is kept as if the value ended here, and then goes on as if it had not been asked, but for the work:
    /// messages of one byte must not each have thousands of starts looked at for nothing.
    func readAsEnded() {
        guard reading.isWaiting else { return }
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        // What a feed left for later is looked at now, so that the work is the same in any cut.
        scanWhole(nothing, end: false, settle: true)
        guard reading.isWaiting else { return }
        let before = (reading, carry, windowStart, rows)
        scanWhole(nothing, end: true, settle: false)
        let after = reading
        (reading, carry, windowStart, rows) = before
        reading.charge(endOfMessage: after)
    }

    /// Offset in all the content of the first byte of which more may be told, and of the first that could be of a match in
    /// force.
    var neededFrom: UInt64 { valueFrom + min(windowStart, branches?.frontier ?? .max) }
    var heldFrom: UInt64? { held.map { valueFrom + $0 } }

    // MARK: Reading

    func feed(_ raw: UnsafeRawBufferPointer, end: Bool) {
        var rest = raw
        // Negations are decided exactly at `hold`, however the bytes come.
        if side == .request, !settled, let hold = owner.decisionOffset, rawBytes + UInt64(rest.count) > hold {
            let before = Int(hold - rawBytes)
            read(UnsafeRawBufferPointer(rebasing: rest[..<before]), end: false, settle: true)
            rest = UnsafeRawBufferPointer(rebasing: rest[before...])
            settled = true
            owner.decideNegations()
        }
        read(rest, end: end, settle: false)
        if end { source = .blind }
    }

    func read(_ raw: UnsafeRawBufferPointer, end: Bool, settle: Bool) {
        switch source {
        case .blind: rawBytes += UInt64(raw.count)
        case .fresh: readFirst(raw, end: end, settle: settle)
        case .plain:
            rawBytes += UInt64(raw.count)
            scanWhole(raw, end: end, settle: settle)
        case .coded(let decoder): readCoded(raw, decoder, end: end, settle: settle)
        case .framed: preconditionFailure("frames are taken apart before")
        }
    }

    private static let joinedBytes = 256
    /// Bytes joined as a whole, for each pattern: at the end of every window some have starts that are looked at twice.
    private static let joinedForLane = 16

    /// Reads the bytes where they lie, but for those that have to be joined to what an earlier read left.
    func scanWhole(_ bytes: UnsafeRawBufferPointer, end: Bool, settle: Bool) {
        containers?.feed(bytes, raw: rawBytes, end: end)
        let whole = max(2 * Self.joinedBytes, Self.joinedForLane * list.lanes.count)
        var at = 0
        repeat {
            // What was kept is joined to a few bytes only: the rest is read where it lies.
            let joins = at == 0 && !carry.isEmpty && bytes.count > whole
            let fresh = min(bytes.count - at, joins ? Self.joinedBytes : Scratch.sliceBytes)
            let isLast = at + fresh == bytes.count
            let window: Window
            if let base = bytes.bindMemory(to: UInt8.self).baseAddress, carry.count <= at {
                // What was kept is of this read: it lies before the rest.
                window = self.window(base + (at - carry.count), carry.count + fresh, ended: end && isLast)
            } else {
                let scratch = owner.scratch
                var filled = scratch.join(carry)
                scratch.append(UnsafeRawBufferPointer(rebasing: bytes[at..<at + fresh]), &filled)
                window = self.window(scratch.window, filled, ended: end && isLast)
            }
            at += fresh
            scan(window, settle: settle && isLast)
        } while at < bytes.count
    }

    // MARK: The window

    private func window(_ base: UnsafePointer<UInt8>, _ count: Int, ended: Bool) -> Window {
        Window(base: base, count: count, start: windowStart, ended: ended)
    }

    /// Scans what was joined in the scratch.
    func scan(_ count: Int, ended: Bool, settle: Bool) {
        if let containers, containers.isReading { feed(containers, count, ended: ended) }
        scan(window(owner.scratch.window, count, ended: ended), settle: settle)
    }

    private func scan(_ window: Window, settle: Bool) {
        // One reference for all that follows.
        let owner = owner
        if !joins { owner.inspected(window.count - carry.count) }
        if !documents.isEmpty { watchDocuments(window) }
        if let branches {
            if !branches.read(window, from: carry.count, of: self, settle: settle) {
                owner.cannotRead(.decompressionBomb)
                self.branches = nil
            }
        } else {
            scan(window, of: window, settle: settle)
        }
        owner.read(window, from: valueFrom, of: subject, rows: &rows)
        if !rows.isEmpty { settleRows(ended: window.ended) }
        keep(window)
        forgetTold()
    }

    func scan(_ piece: Window, of whole: Window, settle: Bool) {
        let owner = owner
        lastRead = (piece, whole)
        reading.scan(owner.search, piece, list, settle: settle) { reader, event in
            switch event {
            case .exhausted: break
            case .overrun: owner.overrun()
            case .match(let start, let end, let confidence): matched(reader, whole, start, end, confidence)
            }
        }
    }

    func pass(to offset: UInt64) { reading.pass(to: offset) }

    /// A view has a match that begins where a pattern waits for more to ask again: it asks now, as what the value has as it is
    /// may be overwritten.
    func askAgain(_ reader: Int, at offset: UInt64) {
        if let (piece, whole) = lastRead, reading.hasten(list, reader, at: offset) {
            scan(piece, of: whole, settle: false)
        }
    }

    private func keep(_ window: Window) {
        lastRead = nil

        let open = reading.frontier
        let from = max(window.start, open - min(open, UInt64(list.keptBehind)))
        let first = Int(from - window.start)
        carry.removeAll(keepingCapacity: true)
        carry.append(contentsOf: UnsafeBufferPointer(start: window.base + first, count: window.count - first))
        windowStart = from
        map.forget(before: min(from, branches?.frontier ?? .max))
    }

    // MARK: Findings

    private func matched(_ index: Int, _ window: Window, _ start: Int, _ end: Int, _ confidence: Confidence) {
        let offset = window.start + UInt64(start)
        if let containers, containers.covers(offset) { return }
        if case .framed(let frames) = source, joins {
            let from = valueFrom + offset
            // Of rows it is asked when they are whole.
            guard owner.isOfRow(index) || frames.isNew(index, from: from, to: from + UInt64(end - start)) else {
                return
            }
        }
        let outcome = told(
            Inspection.Match(
                reader: index, bytes: UnsafeRawBufferPointer(start: window.base + start, count: end - start),
                before: start, after: window.count - end, context: context, subject: subject,
                place: valueFrom + offset, reach: end - start, offset: valueFrom + offset,
                rawOffset: origin(of: offset), labels: chain, isInView: false,
                redactable: isOnWire(offset, end - start), confidence: confidence), runs: [])
        switch outcome {
        case .pass: break
        case .deny: deny(from: offset)
        case .redact: redact(window, start, end)
        }
    }

    /// Nothing of the value from this offset on leaves.
    func deny(from offset: UInt64) { deniedAt = min(deniedAt ?? .max, releasable(before: offset)) }

    /// What was undone, from the outside in.
    var chain: [String] { if case .coded(let decoder) = source { decoder.labels } else { labels } }

    /// The bytes read are the bytes on the wire.
    private func isOnWire(_ offset: UInt64, _ count: Int) -> Bool {
        let from = valueFrom + offset
        if case .framed(let frames) = source { return frames.places.isPlain(from: from, to: from + UInt64(count)) }
        return if case .coded = source { false } else { true }
    }

    /// Where on the wire an offset of the value came from.
    func origin(of offset: UInt64) -> UInt64 {
        switch source {
        case .blind, .fresh, .plain: valueFrom + offset
        case .coded: map.origin(of: offset)
        case .framed(let frames): frames.places.origin(of: valueFrom + offset)
        }
    }

    /// How much of the wire gives away nothing of the value from an offset on.
    func releasable(before offset: UInt64) -> UInt64 {
        switch source {
        case .blind, .fresh, .plain: valueFrom + offset
        case .coded: map.releasable(before: offset)
        case .framed(let frames): frames.places.releasable(before: valueFrom + offset)
        }
    }

    /// What has left before (`releaseTail`) cannot be overwritten.
    private func redact(_ window: Window, _ start: Int, _ end: Int) {
        let from = valueFrom + window.start + UInt64(start)
        let to = from + UInt64(end - start)
        let byte = window.isBareNumber(start, end) ? UInt8(ascii: "0") : UInt8(ascii: "*")
        if case .framed(let frames) = source {
            return redactions.append(contentsOf: frames.redactions(from: from, to: to, with: byte))
        }
        let first = max(from, released)
        if first < to { redactions.append(Redaction(offset: first, length: Int(to - first), byte: byte)) }
    }

    func takeRedactions() -> [Redaction] {
        defer { if !redactions.isEmpty { redactions = [] } }
        return redactions + (containers?.takeRedactions() ?? [])
    }

    // MARK: Release

    /// Never goes back: what was told once may have left.
    func releasable() -> UInt64 {
        released = max(released, min(clear(), deniedAt ?? .max, containers?.deniedAt ?? .max))
        return released
    }

    private func clear() -> UInt64 {
        guard owner.holding else { return rawBytes }
        switch source {
        case .blind: return rawBytes
        case .fresh: return 0
        case .coded(let decoder) where decoder.doubtful: return 0
        default:
            let withholds = if case .coded(let decoder) = source { decoder.withholds } else { false }
            let open = held ?? (withholds ? valueBytes : nil)
            return min(open.map(releasable(before:)) ?? rawBytes, containers?.held ?? .max)
        }
    }

    /// The first byte of what could still become a match in force.
    private var held: UInt64? {
        let held = min(reading.held(list) ?? .max, branches?.held ?? .max)
        return held == .max ? nil : held
    }

    func releaseTail() {
        let most = min(deniedAt ?? .max, containers?.deniedAt ?? .max)
        released = max(released, min(rawBytes + UInt64(head.count), most))
    }
}
