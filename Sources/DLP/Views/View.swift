import Bytes

/// What was decoded out of a text: a text of its own, read by the same patterns.
///
/// Two kinds of views: a run of an encoding (base64) is a view from its first digit to its last, and nothing else sees
/// what is in it. What undoes escapes shows all of the text, of which most can be seen without it: such a view tells only
/// what has an escape in it.
final class View: Text {
    enum Kind { case run, escapes }

    let label: String
    let kind: Kind
    /// The view it came out of; none: the value itself.
    unowned(unsafe) let outer: View?
    unowned(unsafe) private let stream: Stream
    private(set) var list = ReadList.none
    private(set) var reading = Reading()
    var decoded = Decoded()
    private var matches: ContiguousArray<(reader: Int, start: Int, end: Int, Confidence)> = []
    private(set) var branches: Branches?
    /// Of a run, in the text around it.
    private(set) var runFrom: UInt64 = 0
    /// Where in that text the first escape is that the run has, or begins behind; and up to where it was looked for.
    private var brokenAt: UInt64?
    private var looked: UInt64 = 0
    /// Where escapes end, and with which byte: it could be taken for one of what follows.
    private var seams: ContiguousArray<(offset: UInt64, byte: UInt8)> = []

    init(_ label: String, _ kind: Kind, of stream: Stream, in outer: View?) {
        (self.label, self.kind, self.stream, self.outer) = (label, kind, stream, outer)
    }

    /// From the outermost on, this one being the first.
    var depth: Int { 1 + (outer?.depth ?? 0) }

    /// A run begins at this offset of the text around it. `isUnread`: nothing will be read of it. `joins`: whether a byte
    /// before it would be of it.
    func begin(_ list: ReadList, at offset: UInt64, isUnread: Bool, joins: (UInt8) -> Bool) {
        let (before, bytes) = (reading, Int(clamping: decoded.count))
        if self.list.lanes.isEmpty {
            reading.begin(list)
        } else {
            reading.begin(list)
            reading.takeOver(allowancesOf: before, bytes: bytes)
        }
        self.list = list
        decoded.begin()
        let isBroken = outer?.seams.contains { $0.offset == offset && joins($0.byte) } ?? false
        (runFrom, looked, brokenAt) = (offset, offset, isBroken ? offset : nil)
        if isUnread { return }
        makeBranches()
        branches?.begin(list)
    }

    /// Goes on as the text around it does, of which `before` was read.
    func fork(
        from text: some Text, _ before: Window, _ branches: Branches, debt: ContiguousArray<Int>,
        isFirst: Bool
    ) {
        list = text.list
        reading.takeOver(text.reading, debt: debt)
        let open = text.reading.frontier
        let from = max(before.start, open - min(open, UInt64(list.lookBehind)))
        let first = Int(from - before.start)
        decoded.begin(
            with: UnsafeRawBufferPointer(start: before.base + first, count: before.count - first), at: from)
        let known = min(from, branches.frontier)
        decoded.map.mark(raw: known, decoded: known, pace: .plain)
        seams.removeAll(keepingCapacity: true)
        makeBranches()
        if isFirst { self.branches?.begin(list) } else { self.branches?.resume(list) }
        self.branches?.take(over: branches)
    }

    /// The value has ended: what was left over of the work allowed in it is of no other.
    func close() { list = .none }

    private func makeBranches() {
        if branches == nil { branches = Branches(stream, in: self) }
    }

    func reset() {
        // Most values have nothing for it.
        if branches == nil, decoded.bytes.capacity == 0 { return }
        branches = nil
        decoded = Decoded()
    }

    /// An escape ended here, with this byte.
    func seam(after byte: UInt8) {
        seams.append((decoded.count, byte))
    }

    // MARK: Reading

    /// Reads what was decoded. False where there was too much.
    func read(ended: Bool, settle: Bool) -> Bool {
        guard stream.mayView(decoded.newCount) else { return false }
        look()
        let goesOn = decoded.bytes.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress, let branches else { return true }
            let window = Window(base: base, count: text.count, start: decoded.start, ended: ended)
            return branches.read(window, from: decoded.kept, of: self, settle: settle)
        }
        keep()
        return goesOn
    }

    func scan(_ piece: Window, of whole: Window, settle: Bool) {
        reading.scan(stream.owner.search, piece, list, settle: settle) { reader, event in
            switch event {
            case .exhausted: break
            case .overrun: stream.owner.cannotRead(.patternOverrun)
            case .match(let start, let end, let confidence): matches.append((reader, start, end, confidence))
            }
        }
        if matches.isEmpty { return }
        // Only now, as the value may be asked again for each.
        for (reader, start, end, confidence) in matches { matched(reader, whole, start, end, confidence) }
        matches.removeAll(keepingCapacity: true)
    }

    func pass(to offset: UInt64) { reading.pass(to: offset) }

    private func keep() {
        let open = reading.frontier
        decoded.keep(from: max(decoded.start, open - min(open, UInt64(list.lookBehind))))
        let needed = min(decoded.start, branches?.frontier ?? .max)
        decoded.map.forget(before: needed - min(needed, Self.marksKept))
        let stale = seams.firstIndex { $0.offset + Self.marksKept > decoded.count } ?? seams.endIndex
        if stale > 0 { seams.removeSubrange(..<stale) }
    }

    /// What was decoded lies deeper than is read. That it is there is worth telling, but not of what is only a copy of the
    /// text around it.
    func pass() {
        look()
        if isRunDecoded(to: decoded.count) { stream.owner.cannotRead(.decompressionBomb) }
        decoded.keep(from: decoded.count)
        decoded.map.forget(before: decoded.count)
    }

    /// As many bytes may wait until it is known that they are of a run.
    private static let marksKept: UInt64 = 64

    /// Looks for the first escape within the run.
    private func look() {
        guard kind == .run, let outer, outer.kind == .escapes, brokenAt == nil else { return }
        brokenAt = outer.decoded.map.firstBreak(from: looked, to: outer.decoded.count)
        looked = outer.decoded.count
    }

    // MARK: Places

    /// Where in the text around it an offset came from.
    func place(of offset: UInt64) -> UInt64 { decoded.map.releasable(before: offset) }

    /// Where in the value.
    func valuePlace(of offset: UInt64) -> UInt64 {
        let place = place(of: offset)
        return outer?.valuePlace(of: place) ?? place
    }

    /// As findings tell it: in the run, or else in the value. What undoes escapes has no offsets of its own, which would
    /// depend on where it began.
    private func offset(of offset: UInt64) -> UInt64 {
        if kind == .run { return offset }
        let place = place(of: offset)
        return outer?.offset(of: place) ?? stream.valueFrom + place
    }

    /// Whether this range was decoded by every view of escapes on the way to it: then no other way leads there.
    func isDecoded(from start: UInt64, to end: UInt64) -> Bool {
        guard kind == .escapes else { return isRunDecoded(to: end) }
        if decoded.map.isVerbatim(from: start, to: end) { return false }
        return outer?.isDecoded(from: place(of: start), to: place(of: end - 1) + 1) ?? true
    }

    /// The same of a run up to there: an escape before it may be why it does not begin elsewhere.
    func isRunDecoded(to end: UInt64) -> Bool {
        guard let outer else { return true }
        // The digits of the last byte end at most so far behind it.
        let edge = place(of: end)
        if outer.kind == .escapes, brokenAt.map({ $0 > edge }) ?? true { return false }
        return outer.isReal(to: edge)
    }

    /// Whether no view on the way here is a mere copy of the text around it so far.
    private func isReal(to end: UInt64) -> Bool {
        kind == .run ? isRunDecoded(to: end) : outer?.isReal(to: place(of: end)) ?? true
    }

    /// The first byte, in the text around it, of what could still become a match in force.
    var held: UInt64? {
        let held = min(reading.held(list) ?? .max, branches?.held ?? .max)
        return held == .max ? nil : place(of: held)
    }

    /// No finding before this offset, of the text around it, is still to come.
    var frontier: UInt64 { place(of: min(reading.frontier, branches?.frontier ?? .max)) }

    // MARK: Findings

    private func matched(_ index: Int, _ window: Window, _ start: Int, _ end: Int, _ confidence: Confidence) {
        let from = window.start + UInt64(start)
        let to = window.start + UInt64(end)
        // An escape beside a match is no part of it, but may be why it is one.
        guard isDecoded(from: from - min(from, 1), to: to + 1) else { return }
        stream.matched(
            index, UnsafeRawBufferPointer(start: window.base + start, count: end - start), at: offset(of: from),
            valuePlace(of: from)..<max(valuePlace(of: from), valuePlace(of: to - 1)) + 1, labels, runs: runs, confidence
        )
    }

    private var labels: [String] { (outer?.labels ?? []) + [label] }
    private var runs: [String] { (outer?.runs ?? []) + (kind == .run ? [label] : []) }

    // MARK: Two texts that are the same so far

    /// Nothing that was decoded within is more than the text around it has.
    func isLike(_ text: Branches?, shift: UInt64) -> Bool {
        guard let branches, let text else { return true }
        return branches.isLike(text, shift: shift)
    }

    /// The run has nothing of the escapes around it so far.
    var isRunVerbatim: Bool { outer != nil && brokenAt == nil }

    /// Goes on as another view of the same bytes, which came out of the text that this one goes on as. `isUnread`:
    /// nothing more will be read of it.
    func copy(_ other: View, isUnread: Bool) {
        (list, reading, decoded, seams) = (other.list, other.reading, other.decoded, other.seams)
        runFrom = other.runFrom
        let isFork = outer?.kind == .escapes
        (brokenAt, looked) = isFork ? (nil, outer?.decoded.count ?? 0) : (other.brokenAt, other.looked)
        if isUnread { return }
        makeBranches()
        branches?.begin(list)
        if let text = other.branches { branches?.take(over: text) }
    }
}
