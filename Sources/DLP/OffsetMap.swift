/// Where on the wire a decoded byte came from, as closely as is worth knowing: marks after every slice of input.
///
/// A mark says that a receiver of the first `raw` bytes can decode `decoded` bytes and no more.
struct OffsetMap {
    struct Mark {
        var raw: UInt64
        var decoded: UInt64
        /// At a multiple of the slice size: there however the body was cut.
        var aligned: Bool
        /// The bytes behind it, up to the next mark, are on the wire as they were read.
        var plain: Bool

        func place(of offset: UInt64) -> UInt64 { plain ? raw + (offset - decoded) : raw }
    }

    private var marks: ContiguousArray<Mark> = []

    mutating func reset() { marks.removeAll(keepingCapacity: true) }

    mutating func mark(raw: UInt64, decoded: UInt64, aligned: Bool, plain: Bool = false) {
        // Of marks with the same output the last releases most; the aligned one is needed for records.
        if let last = marks.last, last.decoded == decoded, aligned || !last.aligned { marks.removeLast() }
        marks.append(Mark(raw: raw, decoded: decoded, aligned: aligned, plain: plain))
    }

    /// As long as nothing more comes out, what has come since `raw` may be of what comes out next.
    mutating func mark(withheldFrom raw: UInt64, decoded: UInt64, aligned: Bool) {
        guard let last = marks.last, last.decoded == decoded else {
            return marks.append(Mark(raw: raw, decoded: decoded, aligned: aligned, plain: false))
        }
        if aligned { marks[marks.count - 1].aligned = true }
    }

    /// The longest raw prefix that gives away nothing from `decoded` on.
    func releasable(before decoded: UInt64) -> UInt64 {
        marks.last { $0.decoded <= decoded }?.place(of: decoded) ?? 0
    }

    /// The same among places that do not depend on the cut.
    func origin(of decoded: UInt64) -> UInt64 {
        marks.last { $0.decoded <= decoded && $0.aligned }?.place(of: decoded) ?? 0
    }

    /// Whether a decoded range is on the wire as it was read.
    func isPlain(from start: UInt64, to end: UInt64) -> Bool {
        guard let first = marks.lastIndex(where: { $0.decoded <= start }) else { return false }
        return marks[first...].allSatisfy { $0.plain || $0.decoded >= end }
    }

    /// Where on the wire such a range lies, piece by piece.
    func pieces(from start: UInt64, to end: UInt64) -> [(raw: UInt64, decoded: UInt64, count: Int)] {
        var pieces: [(raw: UInt64, decoded: UInt64, count: Int)] = []
        for at in marks.indices where marks[at].decoded < end {
            let from = max(start, marks[at].decoded)
            let to = at + 1 < marks.count ? min(end, marks[at + 1].decoded) : end
            if from < to { pieces.append((marks[at].place(of: from), from, Int(to - from))) }
        }
        return pieces
    }

    /// Up to where that place is the same.
    func end(of decoded: UInt64) -> UInt64 {
        marks.first { $0.decoded > decoded && $0.aligned }?.decoded ?? .max
    }

    /// Forgets what lies before the last marks at or before `decoded`.
    mutating func forget(before decoded: UInt64) {
        guard let keep = marks.lastIndex(where: { $0.decoded <= decoded && $0.aligned }), keep > 0 else { return }
        marks.removeSubrange(..<keep)
    }
}
