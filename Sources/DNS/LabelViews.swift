/// The ways in which the labels of some queries can have been meant to be read together.
///
/// Which labels carry data is not known, so several readings are tried: all but those at the end that the queries have in
/// common (a token, a session), and of these all, all but the first, all but the last, and those between, for a counter
/// or a random word may stand before or behind. A counter within a label is taken off where every query has one. Each
/// reading is handed out as it stands, and decoded by every alphabet whose letters it holds: as one text, from each
/// place where a query begins, and query by query.
struct LabelViews: Sendable {
    private typealias View = LabelDecoder.View

    /// Queries that one text is put together from.
    private static let queriesMax = 64
    /// Letters before the last query that are decoded with it: 128 bytes in hexadecimal, longer than what sensors look for.
    private static let behind = 256
    /// Letters and bytes under which a text is too short to be worth a look.
    private static let lettersMin = 10
    private static let bytesMin = 8

    private static let fewQueries = 8
    private static let shortQuery = 32

    private struct Query {
        /// Where its labels are among those kept.
        var start = 0
        var end = 0
        var labels = 0
        /// Labels at its end that it has in common with the last query.
        var common = 0
    }

    /// What of each query is read.
    private struct Reading {
        var dropsFirst = false
        var dropsLast = false
        var strip = Strip.nothing
    }

    private enum Strip {
        case nothing
        /// Up to a `-` or `_` near the beginning, or from one near the end.
        case toSeparator, fromSeparator
        /// So many letters that count upwards.
        case counterBefore(Int), counterBehind(Int)
    }

    private var queries = ContiguousArray(repeating: Query(), count: LabelViews.queriesMax)
    private var count = 0
    private var text = ContiguousArray<UInt8>()
    /// Where each query begins in `text`.
    private var starts = ContiguousArray<Int>()
    /// A letter makes no more than a byte.
    private var output = ContiguousArray<UInt8>(repeating: 0, count: LabelDecoder.room)

    init() {
        text.reserveCapacity(LabelDecoder.room)
        starts.reserveCapacity(LabelViews.queriesMax)
    }

    /// `kept`: queries as `LabelDecoder` keeps them, the last of which is new.
    mutating func hand(out kept: UnsafeRawBufferPointer, _ body: (LabelDecoder.View) -> Void) {
        find(kept)
        guard count > 0 else { return }
        let (last, queries) = (queries[count - 1], count)
        let (usual, most) = shared()
        hand(out: usual, kept, body)
        if most != usual { hand(out: most, kept, body) }
        // The fewer and shorter the pieces, the easier two are the same by chance.
        if usual > 0, queries <= LabelViews.fewQueries, last.end - last.start <= LabelViews.shortQuery {
            hand(out: 0, kept, body)
        }
    }

    /// Reads the queries that have the last `shared` labels in common with the last.
    private mutating func hand(out shared: Int, _ kept: UnsafeRawBufferPointer, _ body: (LabelDecoder.View) -> Void) {
        find(kept)
        var left = 0
        for index in 0..<count where index == count - 1 || queries[index].common >= shared {
            queries[left] = without(shared, queries[index], kept)
            left += 1
        }
        count = left
        let labels = queries[count - 1].labels
        for (first, last) in [(false, false), (true, false), (false, true), (true, true)] {
            guard labels > (first ? 1 : 0) + (last ? 1 : 0) else { continue }
            read(Reading(dropsFirst: first, dropsLast: last), kept, body)
        }
    }

    // MARK: - Which queries

    /// Finds the last queries, and what each of them has in common with the very last.
    private mutating func find(_ kept: UnsafeRawBufferPointer) {
        count = 0
        var at = 0
        while at < kept.count {
            let end = at + 1 + Int(kept[at])
            if count == LabelViews.queriesMax {
                for index in 1..<count { queries[index - 1] = queries[index] }
                count -= 1
            }
            var query = Query(start: at + 1, end: end)
            var label = query.start
            while label < end {
                query.labels += 1
                label += 1 + Int(kept[label])
            }
            queries[count] = query
            count += 1
            at = end
        }
        for index in 0..<max(count - 1, 0) { queries[index].common = common(queries[index], queries[count - 1], kept) }
    }

    /// How many labels at the end are the same, of at most eight, one label of the second query left alone.
    private func common(_ a: Query, _ b: Query, _ kept: UnsafeRawBufferPointer) -> Int {
        var most = min(a.labels, b.labels - 1, 8)
        while most > 0 {
            let (tailA, tailB) = (tail(most, a, kept), tail(most, b, kept))
            if tailA.count == tailB.count, zip(kept[tailA], kept[tailB]).allSatisfy({ lower($0) == lower($1) }) {
                break
            }
            most -= 1
        }
        return most
    }

    /// The last `labels` labels of a query.
    private func tail(_ labels: Int, _ query: Query, _ kept: UnsafeRawBufferPointer) -> Range<Int> {
        var at = query.start
        for _ in 0..<query.labels - labels { at += 1 + Int(kept[at]) }
        return at..<query.end
    }

    /// The labels that queries lately have in common with the last: at least half of them, so that neither one that is the
    /// same by chance nor an ordinary name among them misleads; and any of them, where a client has just begun to send.
    private func shared() -> (usual: Int, most: Int) {
        let lately = max(count - 17, 0)..<count - 1
        let most = lately.lazy.map { queries[$0].common }.max() ?? 0
        var usual = most
        while usual > 0, 2 * lately.count(where: { queries[$0].common >= usual }) < lately.count { usual -= 1 }
        return (usual, most)
    }

    private func without(_ labels: Int, _ query: Query, _ kept: UnsafeRawBufferPointer) -> Query {
        Query(start: query.start, end: tail(labels, query, kept).lowerBound, labels: query.labels - labels)
    }

    // MARK: - What of them

    private mutating func read(
        _ reading: Reading, _ kept: UnsafeRawBufferPointer, _ body: (LabelDecoder.View) -> Void
    ) {
        hand(out: reading, kept, body)
        guard count > 1 else { return }
        var reading = reading
        for strip in [Strip.toSeparator, .fromSeparator] where every({ separator(strip, $0, reading, kept) != nil }) {
            reading.strip = strip
            hand(out: reading, kept, body)
        }
        for isBefore in [true, false] {
            guard let width = counter(isBefore, reading, kept) else { continue }
            reading.strip = isBefore ? .counterBefore(width) : .counterBehind(width)
            hand(out: reading, kept, body)
        }
    }

    private func every(_ holds: (Query) -> Bool) -> Bool { (0..<count).allSatisfy { holds(queries[$0]) } }

    /// The labels of a query that are read, with their lengths.
    private func selected(_ query: Query, _ reading: Reading, _ kept: UnsafeRawBufferPointer) -> Range<Int> {
        guard query.labels > 1 else { return query.start..<query.end }
        var (start, labels) = (query.start, query.labels)
        if reading.dropsFirst {
            start += 1 + Int(kept[start])
            labels -= 1
        }
        guard reading.dropsLast, labels > 1 else { return start..<query.end }
        return start..<tail(1, query, kept).lowerBound
    }

    /// The first or the last of the labels that are read.
    private func edge(_ isFirst: Bool, _ query: Query, _ reading: Reading, _ kept: UnsafeRawBufferPointer) -> Range<Int>
    {
        let selected = selected(query, reading, kept)
        var at = selected.lowerBound
        guard at < selected.upperBound else { return selected }
        while !isFirst, at + 1 + Int(kept[at]) < selected.upperBound { at += 1 + Int(kept[at]) }
        return at + 1..<at + 1 + Int(kept[at])
    }

    /// Where a counter ends, or begins, if a `-` or `_` sets it apart.
    private func separator(_ strip: Strip, _ query: Query, _ reading: Reading, _ kept: UnsafeRawBufferPointer) -> Int? {
        let near = 8
        let isSeparator = { (at: Int) in kept[at] == UInt8(ascii: "-") || kept[at] == UInt8(ascii: "_") }
        if case .toSeparator = strip {
            let label = edge(true, query, reading, kept)
            return label.prefix(near).first(where: isSeparator).map { $0 + 1 }
        }
        return edge(false, query, reading, kept).suffix(near).last(where: isSeparator)
    }

    /// The width of a decimal number that is one more in each query than in the one before. The least is taken: more
    /// would take data for part of it, and leading zeros do no harm.
    private func counter(_ isBefore: Bool, _ reading: Reading, _ kept: UnsafeRawBufferPointer) -> Int? {
        (1...6).first { width in
            var before: Int?
            return every { query in
                let label = edge(isBefore, query, reading, kept)
                guard label.count >= width else { return false }
                let digits = isBefore ? kept[label.prefix(width)] : kept[label.suffix(width)]
                guard digits.allSatisfy({ $0 &- 48 < 10 }) else { return false }
                let value = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
                defer { before = value }
                return before.map { $0 + 1 == value } ?? true
            }
        }
    }

    // MARK: - As text

    private mutating func hand(
        out reading: Reading, _ kept: UnsafeRawBufferPointer, _ body: (LabelDecoder.View) -> Void
    ) {
        text.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for index in 0..<count { add(queries[index], reading, kept) }
        guard let fresh = starts.last, fresh < text.count else { return }
        text.withUnsafeBytes { body(LabelDecoder.View(coding: .plain, bytes: $0, fresh: fresh)) }
        for coding in TextCoding.allCases where coding != .plain { decode(coding, fresh, body) }
    }

    private mutating func add(_ query: Query, _ reading: Reading, _ kept: UnsafeRawBufferPointer) {
        starts.append(text.count)
        let selected = selected(query, reading, kept)
        var at = selected.lowerBound
        while at < selected.upperBound {
            var label = at + 1..<at + 1 + Int(kept[at])
            let (isFirst, isLast) = (at == selected.lowerBound, label.upperBound == selected.upperBound)
            switch reading.strip {
            case .toSeparator where isFirst:
                label = (separator(reading.strip, query, reading, kept) ?? label.lowerBound)..<label.upperBound
            case .fromSeparator where isLast:
                label = label.lowerBound..<(separator(reading.strip, query, reading, kept) ?? label.upperBound)
            case .counterBefore(let width) where isFirst: label = label.dropFirst(width)
            case .counterBehind(let width) where isLast: label = label.dropLast(width)
            default: break
            }
            text.append(contentsOf: kept[label])
            at += 1 + Int(kept[at])
        }
    }

    // MARK: - Decoded

    /// Decodes the letters before and after `fresh`, where the last query begins.
    private mutating func decode(_ coding: TextCoding, _ fresh: Int, _ body: (LabelDecoder.View) -> Void) {
        let values = coding.values
        var from = fresh
        while from > 0, fresh - from < LabelViews.behind, values[Int(text[from - 1])] != TextCoding.none { from -= 1 }
        let letters = text[from...].count { values[Int($0)] != TextCoding.none }
        guard letters >= LabelViews.lettersMin else { return }
        // A text may begin with any of the queries, so that bytes lie otherwise among the letters.
        var phases = 1
        var isUneven = false
        for start in starts where start > from {
            phases |= 1 << ((start - from) % coding.period)
            if (start - from) % coding.period != 0 { isUneven = true }
        }
        for phase in 0..<coding.period where phases & 1 << phase != 0 && from + phase < text.count {
            decode(coding, values, from: from + phase, fresh, isPiecewise: false, body)
        }
        if isUneven { decode(coding, values, from: from, fresh, isPiecewise: true, body) }
    }

    private mutating func decode(
        _ coding: TextCoding, _ values: ContiguousArray<UInt8>, from: Int, _ fresh: Int, isPiecewise: Bool,
        _ body: (LabelDecoder.View) -> Void
    ) {
        let view = output.withUnsafeMutableBufferPointer { output in
            text.withUnsafeBufferPointer { text in
                values.withUnsafeBufferPointer { values in
                    LabelViews.decode(text, starts, coding.bits, values, from, fresh, isPiecewise, into: output)
                }
            }
        }
        guard let view else { return }
        output.withUnsafeBytes { output in
            let bytes = UnsafeRawBufferPointer(rebasing: output[..<view.count])
            body(LabelDecoder.View(coding: coding, bytes: bytes, fresh: view.fresh))
        }
    }

    /// The bytes that letters from `from` on make, and where those that `fresh` begins are. Nil if no text reaches there: of
    /// random bytes eight in a row are hardly ever text. Bounds: `output` has room for a byte of each letter.
    private static func decode(
        _ text: UnsafeBufferPointer<UInt8>, _ starts: ContiguousArray<Int>, _ width: Int,
        _ values: UnsafeBufferPointer<UInt8>, _ from: Int, _ fresh: Int, _ isPiecewise: Bool,
        into output: UnsafeMutableBufferPointer<UInt8>
    ) -> (count: Int, fresh: Int)? {
        var (used, freshOutput, legible) = (0, 0, 0)
        var isLegible = false
        var (held, bits) = (UInt32(0), 0)
        var next = starts.firstIndex { $0 > from } ?? starts.count
        var boundary = next < starts.count ? starts[next] : text.count
        for at in from..<text.count {
            if at == boundary {
                while next < starts.count, starts[next] <= at { next += 1 }
                boundary = next < starts.count ? starts[next] : text.count
                if isPiecewise { bits = 0 }
                if at == fresh { freshOutput = used }
            }
            let value = values[Int(text[at])]
            var byte = UInt8(ascii: "\n")
            if value == TextCoding.none {
                bits = 0
            } else {
                held = held &<< UInt32(truncatingIfNeeded: width) | UInt32(value)
                bits &+= width
                if bits < 8 { continue }
                bits &-= 8
                byte = UInt8(truncatingIfNeeded: held &>> UInt32(truncatingIfNeeded: bits))
            }
            output[used] = byte
            used &+= 1
            legible = byte &- 0x20 < 0x5f ? legible &+ 1 : 0
            if legible >= bytesMin, at >= fresh { isLegible = true }
        }
        return isLegible ? (used, freshOutput) : nil
    }
}
