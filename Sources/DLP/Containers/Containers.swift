import Bytes

/// The containers of one body, one within the other, being read: each file, part or text in them is a value of its own.
///
/// ```
///   level 0   the body                                    multipart reader
///   level 1   │ part: a file                  │ part │    zip reader │ leaf
///   level 2   │ entry │ entry: a tar  │                   leaf        │ tar reader
/// ```
/// Entries do not overlap, so that one stream reads all leaves, one after the other. What the body itself is, is read by
/// its own stream, which leaves out what is covered by a leaf.
final class Containers {
    /// One content: the body, or an entry of the level before.
    private final class Level {
        enum Content { case undecided, leaf, reader(any ContainerReader) }

        var content = Content.undecided
        var labels: [String]
        /// Where the content begins in the body's value, if it lies there as it is.
        var base: UInt64?
        /// It is on the wire as it is.
        var isOnWire = false
        var read: UInt64 = 0
        /// First bytes, by which it is known what this is.
        var front: [UInt8] = []
        /// Where on the wire it came from; a leaf's are its stream's.
        var places = OffsetMap()

        init(_ labels: [String]) { self.labels = labels }

        func forget() {
            if read > Containers.marksKept { places.forget(before: read - Containers.marksKept) }
        }
    }

    private unowned(unsafe) let owner: Inspection
    private let leaf: Stream
    private let map = FrameMap()
    private let body = Level([])
    private var budget = ContainerBudget(Limits())
    /// None until it is known that the body is a container.
    private var levels: [Level] = []
    /// Ranges of the body's value that leaves read.
    private var covered: ContiguousArray<Range<UInt64>> = []
    private var context: Contexts = []
    private var list = ReadList.none
    private var boundary: [UInt8] = []
    private(set) var isReading = false
    /// Of the body on the wire.
    private var rawBytes: UInt64 = 0

    /// So far back of what was read may a reader say that something came from: a slice, and what was held back.
    private static let marksKept = UInt64(4 * Stage.sliceBytes)
    /// So far back of what is fed next may a match of the body begin.
    private static let rangesKept = UInt64(256 * 1024)

    init(side: Side, owner: Inspection) {
        self.owner = owner
        leaf = Stream(side: side, owner: owner)
    }

    /// `labels`: codings around the body; none where it is on the wire as it is read, from an offset on. `boundary`: of a
    /// multipart body.
    func open(as context: Contexts, list: ReadList, labels: [String], from offset: UInt64, boundary: [UInt8]) {
        close()
        (self.context, self.list, self.boundary, isReading) = (context, list, boundary, true)
        (body.labels, body.base, body.isOnWire, body.read) = (labels, 0, labels.isEmpty, 0)
        body.places.mark(raw: offset, decoded: 0, aligned: true, plain: body.isOnWire)
    }

    func close() {
        isReading = false
        if !levels.isEmpty { levels.removeAll() }
        if !covered.isEmpty { covered.removeAll() }
        body.front.removeAll(keepingCapacity: true)
        body.places.reset()
        leaf.reset()
    }

    /// Makes a mark of the body.
    func mark(_ make: (inout OffsetMap) -> Void) {
        if isReading { make(&body.places) }
    }

    // MARK: Reading

    /// More of the body's value; `raw`: of the body on the wire with it.
    func feed(_ bytes: UnsafeRawBufferPointer, raw: UInt64, end: Bool) {
        guard isReading else { return }
        rawBytes = raw
        budget.note(raw: raw)
        forget(before: body.read - min(body.read, Self.rangesKept))
        var rest = bytes
        if !levels.isEmpty || isContainer(&rest, end: end) { give(rest, to: 0) }
        guard isReading else { return }
        body.forget()
        if !end { return }
        self.end(0)
        isReading = false
    }

    /// What lies before is looked at by nobody any more.
    private func forget(before offset: UInt64) {
        let kept = covered.firstIndex { $0.upperBound > offset } ?? covered.endIndex
        if kept > 0 { covered.removeSubrange(..<kept) }
    }

    /// Looks at the first bytes; what is no container is not looked at again, and nothing has been allocated for it.
    private func isContainer(_ bytes: inout UnsafeRawBufferPointer, end: Bool) -> Bool {
        if !boundary.isEmpty {
            begin { MultipartReader($0, boundary: boundary) }
            return true
        }
        let front = bytes.prefix(ContainerKind.bytesMax - body.front.count)
        let isWhole = body.front.isEmpty && front.count == ContainerKind.bytesMax
        if !isWhole { body.front.append(contentsOf: bytes.take(front.count)) }
        // A container is known before any of its content has come, so that no match in it is taken for one of the body.
        let kind =
            isWhole
            ? ContainerKind(UnsafeRawBufferPointer(rebasing: front)) : body.front.withUnsafeBytes { ContainerKind($0) }
        if kind == nil, !isWhole, body.front.count < ContainerKind.bytesMax, !end { return false }
        if case .refused(let outcome)? = kind { owner.cannotRead(outcome) }
        guard let kind, kind.isReadable else {
            close()
            return false
        }
        begin { kind.reader($0) }
        body.front.withUnsafeBytes { give($0, to: 0) }
        return true
    }

    private func begin(_ reader: (ContainerBudget) -> (any ContainerReader)?) {
        budget = ContainerBudget(owner.limits)
        budget.note(raw: rawBytes)
        body.content = reader(budget).map { .reader($0) } ?? .leaf
        leaf.open(as: context, list: list, map: map, joins: false)
        levels.append(body)
    }

    private func give(_ bytes: UnsafeRawBufferPointer, to index: Int) {
        let level = levels[index]
        var rest = bytes
        if case .undecided = level.content {
            let front = rest.take(min(rest.count, ContainerKind.bytesMax - level.front.count))
            level.front.append(contentsOf: front)
            level.read += UInt64(front.count)
            if level.front.count < ContainerKind.bytesMax { return }
            decide(index)
        }
        level.read += UInt64(rest.count)
        read(rest, at: index, end: false)
    }

    /// The first bytes, or all of them, are known.
    private func decide(_ index: Int) {
        let level = levels[index]
        let kind = level.front.withUnsafeBytes { ContainerKind($0) }
        if case .refused(let outcome)? = kind { owner.cannotRead(outcome) }
        level.content = kind.flatMap { kind in admitted { kind.reader($0) } }.map { .reader($0) } ?? .leaf
        if case .leaf = level.content {
            map.reset()
            map.places = level.places
            level.places = OffsetMap()
            leaf.begin(message: level.labels, at: 0)
        }
        level.front.withUnsafeBytes { read($0, at: index, end: false) }
    }

    /// Nil where there are too many around it.
    private func admitted(_ reader: (ContainerBudget) -> (any ContainerReader)?) -> (any ContainerReader)? {
        if levels.count <= owner.limits.decodeDepth { return reader(budget) }
        owner.cannotRead(.decompressionBomb)
        return nil
    }

    private func read(_ bytes: UnsafeRawBufferPointer, at index: Int, end: Bool) {
        switch levels[index].content {
        case .undecided: break
        case .leaf:
            leaf.readMessage(bytes, ended: end)
            map.forget(before: leaf.neededFrom)
        case .reader(let reader):
            var rest = bytes
            while take(reader.step(&rest), of: index) {}
        }
    }

    /// What the reader of this level says; false when there is no more.
    private func take(_ step: ContainerStep, of index: Int) -> Bool {
        switch step {
        case .starved: return false
        case .begin(let entry): begin(entry, of: index)
        case .bytes(let run, let at, let plain): content(run, at: at, plain: plain, of: index)
        case .end: end(index + 1)
        case .failed(let outcome): owner.cannotRead(outcome)
        }
        return true
    }

    // MARK: Entries

    private func begin(_ entry: ContainerEntry, of index: Int) {
        precondition(levels.count == index + 1, "entries do not overlap")
        let level = Level(levels[index].labels + [entry.label])
        levels.append(level)
        let reader: (any ContainerReader)? =
            if entry.transfer != .identity {
                admitted { _ in TransferReader(entry) }
            } else if !entry.boundary.isEmpty {
                admitted { MultipartReader($0, boundary: entry.boundary) }
            } else {
                nil
            }
        if let reader { level.content = .reader(reader) }
    }

    /// Content of the entry that is open.
    private func content(_ run: UnsafeRawBufferPointer, at offset: UInt64, plain: Bool, of index: Int) {
        let (outer, level) = (levels[index], levels[index + 1])
        let from = level.read
        if from == 0 {
            level.base = plain ? outer.base.map { $0 + offset } : nil
            level.isOnWire = plain && outer.isOnWire
        }
        var at = 0
        while at < run.count {
            let place = plain ? offset + UInt64(at) : offset
            mark(level, raw: outer.places.origin(of: place), decoded: from + UInt64(at))
            // A run may have come in several slices, if what is around it did.
            let isWhole = !plain || outer.isOnWire
            at = isWhole ? run.count : Int(min(UInt64(run.count), outer.places.end(of: place) - offset))
        }
        give(run, to: index + 1)
        cover(level, from: from)
        level.forget()
    }

    private func mark(_ level: Level, raw: UInt64, decoded: UInt64) {
        if case .leaf = level.content {
            map.places.mark(raw: raw, decoded: decoded, aligned: true, plain: level.isOnWire)
        } else {
            level.places.mark(raw: raw, decoded: decoded, aligned: true, plain: level.isOnWire)
        }
    }

    /// Of content that is in the body as it is, the body's own stream leaves out what a leaf has, and the first bytes of
    /// all, because what they are is not known at once.
    private func cover(_ level: Level, from: UInt64) {
        guard let base = level.base else { return }
        var to = level.read
        if case .reader = level.content { to = min(to, UInt64(ContainerKind.bytesMax)) }
        guard from < to else { return }
        if let last = covered.last, last.upperBound == base + from {
            covered[covered.count - 1] = last.lowerBound..<base + to
        } else {
            covered.append(base + from..<base + to)
        }
    }

    /// The content of this level has come to its end.
    private func end(_ index: Int) {
        let level = levels[index]
        if case .undecided = level.content { decide(index) }
        switch level.content {
        case .undecided: break
        case .leaf: read(UnsafeRawBufferPointer(start: nil, count: 0), at: index, end: true)
        case .reader(let reader): while take(reader.finish(), of: index) {}
        }
        levels.removeLast()
        precondition(levels.count == index, "what began has ended")
    }

    // MARK: Results

    /// A match of the body that begins here is a leaf's.
    func covers(_ offset: UInt64) -> Bool {
        covered.contains { $0.contains(offset) }
    }

    /// The first byte on the wire that could be of a match in force.
    var held: UInt64? {
        guard levels.count > 1, let last = levels.last else { return nil }
        switch last.content {
        case .undecided: return last.read > 0 ? last.places.releasable(before: 0) : nil
        case .leaf: return leaf.heldFrom.map { map.places.releasable(before: $0) }
        case .reader: return nil
        }
    }

    var deniedAt: UInt64? { leaf.deniedAt }

    func takeRedactions() -> [Redaction] { leaf.takeRedactions() }
}
