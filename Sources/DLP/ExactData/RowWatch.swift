/// Finds rows of an index in one value: places where a value of every column of one row lies within so many bytes.
///
/// Columns are read one after the other, so what they find is put in order first and looked at when nothing before it can
/// still come: then rows are the same in every cut.
struct RowWatch {
    /// A value of a column.
    struct Hit {
        var start: UInt64
        var end: UInt64
        /// Index into the columns of the rule.
        var column: Int
        /// In the index, of the rows it is of.
        var entries: Range<Int>
        /// What is told of the row, for which its first column stands.
        var entry: FindingList.Entry?
        /// Of the first column.
        var value: [UInt8] = []
    }

    /// Values of all columns of a row, close together.
    struct Row {
        var entry: FindingList.Entry
        /// What the entry is of.
        var value: [UInt8]
        /// From the first of its values on, to the end of the last.
        var start: UInt64
        var end: UInt64
        /// Where the value begins that made it whole.
        var completedAt: UInt64
    }

    /// More of them close together tell no more.
    private static let hitsMax = 64

    /// Of the profile.
    let rule: Int
    private let columns: [ExactColumn]
    private let within: UInt64
    /// Not looked at yet.
    private var pending: [Hit] = []
    /// Those that a later one may make a row with, in the order of their places.
    private var near: [Hit] = []
    /// Rows looked at, in the units of `Search`.
    private var work = 0
    private var givenUp = false

    init(rule: Int, columns: [ExactColumn], within: Int) {
        (self.rule, self.columns, self.within) = (rule, columns, UInt64(within))
    }

    mutating func add(_ hit: Hit) {
        if !givenUp { pending.append(hit) }
    }

    /// First place of which something may still be told.
    var open: UInt64 {
        let first = near.first { $0.entry != nil }?.start ?? .max
        return min(first, pending.lazy.map(\.start).min() ?? .max)
    }

    enum Event { case row(Row), overrun }

    /// `frontier`: no hit before this place is still to come.
    mutating func settle(before frontier: UInt64, _ tell: (Event) -> Void) {
        guard !pending.isEmpty else { return }
        pending.sort { ($0.start, $0.column) < ($1.start, $1.column) }
        let count = pending.firstIndex { $0.start >= frontier } ?? pending.count
        for hit in pending[..<count] where !givenUp { look(hit, tell) }
        pending.removeFirst(count)
    }

    private mutating func look(_ hit: Hit, _ tell: (Event) -> Void) {
        near.removeAll { $0.start + within < hit.end }
        if near.count == Self.hitsMax { near.removeFirst() }
        near.append(hit)
        for at in near.indices where hit.column == 0 ? at == near.count - 1 : near[at].column == 0 {
            guard let entry = near[at].entry, let start = start(near[at], hit) else { continue }
            near[at].entry = nil
            tell(
                .row(
                    Row(
                        entry: entry, value: near[at].value, start: start, end: hit.end, completedAt: hit.start)))
        }
        if work > Search.streamWork + Search.workPerByte * Int(clamping: hit.start) {
            givenUp = true
            tell(.overrun)
        }
    }

    /// Where a row begins that has both, and values near of all the other columns.
    private mutating func start(_ first: Hit, _ last: Hit) -> UInt64? {
        let others = columns.indices.filter { $0 != first.column && $0 != last.column }
        var seeds = [first, last].filter { !isAny($0) }
        if let least = seeds.min(by: { $0.entries.count < $1.entries.count }) {
            seeds = [least]
        } else {
            // Both are of too many rows to tell them apart: it is the others' to say which row it is.
            guard let rare = others.first(where: { column in !near.contains { $0.column == column && isAny($0) } })
            else { return start(first, last, others) { isAny($0) } }
            seeds = near.filter { $0.column == rare }
        }
        for seed in seeds {
            for entry in seed.entries {
                let row = columns[seed.column].row(entry)
                work += 1 + others.count
                guard isOf(row, first), isOf(row, last) else { continue }
                if let start = start(first, last, others, where: { isOf(row, $0) }) { return start }
            }
        }
        return nil
    }

    /// Of the two and the last value that fits of each of the other columns.
    private func start(_ first: Hit, _ last: Hit, _ others: [Int], where fits: (Hit) -> Bool) -> UInt64? {
        var start = min(first.start, last.start)
        for column in others {
            guard let hit = near.last(where: { $0.column == column && fits($0) }) else { return nil }
            start = min(start, hit.start)
        }
        return start
    }

    // MARK: Excerpts

    /// Another match, which may lie in what stands around a value that is told.
    mutating func cover(_ span: FindingList.Span) {
        for at in pending.indices { pending[at].entry?.cover(span) }
        for at in near.indices { near[at].entry?.cover(span) }
    }

    /// As `FindingList.read`.
    mutating func read(_ window: Window, from valueFrom: UInt64, of subject: Int, context: Int) {
        for at in pending.indices { pending[at].entry?.read(window, from: valueFrom, of: subject, context: context) }
        for at in near.indices { near[at].entry?.read(window, from: valueFrom, of: subject, context: context) }
    }

    private func isAny(_ hit: Hit) -> Bool { columns[hit.column].isAny(hit.entries) }
    private func isOf(_ row: UInt32, _ hit: Hit) -> Bool { columns[hit.column].isOf(row, hit.entries) }
}
