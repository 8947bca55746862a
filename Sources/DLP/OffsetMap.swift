/// Where on the wire a decoded byte came from, as closely as is worth knowing: marks after every slice of input.
///
/// A mark says that a receiver of the first `raw` bytes can decode `decoded` bytes and no more.
struct OffsetMap {
    struct Mark {
        var raw: UInt64
        var decoded: UInt64
        /// At a multiple of the slice size: there however the body was cut.
        var aligned: Bool
        /// Of the bytes behind it, up to the next mark.
        var pace: Pace

        func place(of offset: UInt64) -> UInt64 {
            // The bytes of a unit begin in its digits one by one: in base64 the third within the third.
            raw + (offset - decoded) / pace.decoded * pace.raw + (offset - decoded) % pace.decoded
        }
        var plain: Bool { pace == .plain }
    }

    /// How many bytes of the wire are how many decoded ones.
    struct Pace: Equatable {
        var raw: UInt64
        var decoded: UInt64

        /// That is not known.
        static let none = Pace(raw: 0, decoded: 1)
        /// They are on the wire as they were read.
        static let plain = Pace(raw: 1, decoded: 1)
    }

    private var marks: ContiguousArray<Mark> = []

    mutating func reset() { marks.removeAll(keepingCapacity: true) }

    mutating func mark(raw: UInt64, decoded: UInt64, aligned: Bool, plain: Bool = false) {
        mark(raw: raw, decoded: decoded, aligned: aligned, pace: plain ? .plain : .none)
    }

    mutating func mark(raw: UInt64, decoded: UInt64, aligned: Bool = true, pace: Pace) {
        // Of marks with the same output the last releases most; the aligned one is needed for records.
        if let last = marks.last, last.decoded == decoded, aligned || !last.aligned { marks.removeLast() }
        marks.append(Mark(raw: raw, decoded: decoded, aligned: aligned, pace: pace))
    }

    /// As long as nothing more comes out, what has come since `raw` may be of what comes out next.
    mutating func mark(withheldFrom raw: UInt64, decoded: UInt64, aligned: Bool) {
        guard let last = marks.last, last.decoded == decoded else {
            return marks.append(Mark(raw: raw, decoded: decoded, aligned: aligned, pace: .none))
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

    /// Whether it is there in one piece.
    func isVerbatim(from start: UInt64, to end: UInt64) -> Bool {
        let start = max(start, marks.first?.decoded ?? start)
        guard start < end else { return true }
        return isPlain(from: start, to: end)
            && releasable(before: end - 1) == releasable(before: start) + (end - 1 - start)
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

    /// The first place of a decoded range, from a mark on, that is not on the wire as it was read and next to what is before.
    func firstBreak(from start: UInt64, to end: UInt64) -> UInt64? {
        let first = marks.lastIndex { $0.decoded <= start } ?? marks.startIndex
        for at in marks.indices[first...] where marks[at].decoded < end {
            let isJoined = at == first || marks[at - 1].place(of: marks[at].decoded) == marks[at].raw
            if !marks[at].plain || !isJoined { return max(start, marks[at].decoded) }
        }
        return nil
    }

    /// Forgets what lies before the last marks at or before `decoded`.
    mutating func forget(before decoded: UInt64) {
        guard let keep = marks.lastIndex(where: { $0.decoded <= decoded && $0.aligned }), keep > 0 else { return }
        marks.removeSubrange(..<keep)
    }
}
