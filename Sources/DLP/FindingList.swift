/// Findings of one exchange in its order, whatever order the patterns found them in, and what stands around them.
struct FindingList {
    struct Entry {
        var subject: Int
        var reader: Int
        /// Of the rule's evidence, where one match is not enough.
        var slot: Int?
        /// Where the match lies in the value, and how many bytes it takes there.
        var place: UInt64
        var reach: Int
        var finding: Finding
        /// Nil where none is asked for.
        var excerpt: Excerpt?
        /// Its value has ended, so that nothing is missing of the excerpt.
        var isWhole = false

        func precedes(_ other: Entry) -> Bool {
            let (own, others) = ((subject, place, reader), (other.subject, other.place, other.reader))
            if own != others { return own < others }
            if finding.offset != other.finding.offset { return finding.offset < other.finding.offset }
            return finding.decoded.lexicographicallyPrecedes(other.finding.decoded)
        }

        /// Of the same pattern at the same place.
        func isAnother(of other: Entry) -> Bool {
            (reader, subject, place, reach) == (other.reader, other.subject, other.place, other.reach)
        }

        /// As it is told.
        var told: Finding {
            guard let excerpt else { return finding }
            var finding = finding
            finding.excerpt = excerpt.text(finding.match)
            return finding
        }

        /// Another match, which may lie in the excerpt.
        mutating func cover(_ span: Span) {
            guard span.subject == subject, excerpt != nil else { return }
            let from = Int(clamping: Int64(clamping: span.from) - Int64(clamping: place))
            excerpt?.cover(from..<from + span.length, length: reach)
        }

        /// Bytes of a value, some of which may follow what the excerpt has.
        mutating func read(_ window: Window, from valueFrom: UInt64, of subject: Int, context: Int) {
            guard let missing = excerpt?.missing, missing > 0, self.subject == subject else { return }
            if window.ended { isWhole = true }
            let next = place + UInt64(reach + context - missing)
            let start = valueFrom + window.start
            guard next >= start, next < start + UInt64(window.count) else { return }
            let bytes = UnsafeRawBufferPointer(start: window.base, count: window.count)
            excerpt?.append(bytes[Int(next - start)...])
        }
    }

    /// Where a match of some value lies.
    struct Span {
        var subject: Int
        var from: UInt64
        var length: Int

        var end: UInt64 { from + UInt64(length) }
    }

    private(set) var entries: [Entry] = []
    /// Entries kept; the first in order stay.
    var most = Inspection.findingsMax
    /// Bytes of excerpts on either side; 0: there are none, and nothing is followed.
    var context = 0
    /// Matches that are no entries, of the values under way, as far back as the window reaches.
    private var others: [Span] = []
    private var longest = 0

    var isEmpty: Bool { entries.isEmpty }

    mutating func removeAll() {
        if !entries.isEmpty { entries.removeAll() }
        if !others.isEmpty { others.removeAll() }
        longest = 0
    }

    // MARK: Order

    /// What is found there would only be counted.
    func isFull(before subject: Int, _ offset: UInt64) -> Bool {
        guard entries.count >= most, let last = entries.last else { return false }
        return (last.subject, last.place) < (subject, offset)
    }

    mutating func record(_ entry: Entry) {
        if entries.count >= most {
            guard let last = entries.last, entry.precedes(last) else { return }
            entries.removeLast()
            if context > 0 { others.append(Self.span(last)) }
        }
        insert(entry)
    }

    private mutating func insert(_ entry: Entry) {
        var at = entries.count
        while at > 0, entry.precedes(entries[at - 1]) { at -= 1 }
        entries.insert(entry, at: at)
        longest = max(longest, entry.reach)
    }

    /// The same match was found through fewer decodings.
    mutating func replace(with entry: Entry) {
        guard let at = entries.firstIndex(where: { $0.isAnother(of: entry) }) else { return }
        entries.remove(at: at)
        insert(entry)
    }

    /// The entry that stands for the rule is another one.
    mutating func replace(slot: Int, with entry: Entry) {
        guard let told = entries.firstIndex(where: { $0.slot == slot }) else { return }
        entries.remove(at: told)
        insert(entry)
    }

    /// Takes those out that no later one can precede, nor lie in the excerpt of.
    mutating func takeSettled(subject: Int, frontier: UInt64, all: Bool) -> [Finding] {
        let reach = UInt64(context)
        let open = entries.firstIndex { entry in
            if all { return false }
            guard entry.subject == subject else { return !entry.isWhole && entry.excerpt?.missing ?? 0 > 0 }
            return (reach == 0 ? entry.place : Self.span(entry).end + reach) >= frontier
        }
        let settled = entries[..<(open ?? entries.count)].map(\.told)
        entries.removeFirst(settled.count)
        return settled
    }

    // MARK: Excerpts

    private static func span(_ entry: Entry) -> Span {
        Span(subject: entry.subject, from: entry.place, length: entry.reach)
    }

    /// A match of any rule, before it is known what becomes of it.
    mutating func cover(_ span: Span) {
        for at in near(span) { entries[at].cover(span) }
    }

    /// It is no entry of its own.
    mutating func note(_ span: Span) { others.append(span) }

    /// What earlier matches cover of a new entry.
    func uncover(_ entry: inout Entry) {
        for at in near(Self.span(entry)) { entry.cover(Self.span(entries[at])) }
        for span in others { entry.cover(span) }
    }

    /// Entries of which this is in the excerpt, or that are in its own.
    private func near(_ span: Span) -> Range<Int> {
        let reach = UInt64(context + longest)
        let from = (span.subject, span.from - min(span.from, reach))
        let first = entries.partition { ($0.subject, $0.place) >= from }
        let past = (span.subject, span.end + reach)
        let end = entries[first...].firstIndex { ($0.subject, $0.place) > past } ?? entries.count
        return first..<end
    }

    mutating func read(_ window: Window, from valueFrom: UInt64, of subject: Int) {
        let start = valueFrom + window.start
        for at in entries.indices { entries[at].read(window, from: valueFrom, of: subject, context: context) }
        if !others.isEmpty { others.removeAll { $0.subject == subject && (window.ended || $0.end <= start) } }
    }

    /// There is no more of a value that came whole.
    mutating func end(_ subject: Int) {
        if !others.isEmpty { others.removeAll { $0.subject == subject } }
    }
}

extension Array {
    /// The first index from which on all elements are of the second kind; those before are not.
    fileprivate func partition(_ isSecond: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
