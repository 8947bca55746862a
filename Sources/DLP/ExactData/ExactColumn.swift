/// One column of an index: tells whether what looks like a value of it is one. Immutable.
final class ExactColumn: Sendable {
    let name: String
    let type: ColumnType
    let shape: ColumnShape
    private let hasher: SipHash
    private let table: KeyedTable
    /// Keeps the memory of the table.
    private let file: MappedFile

    init(name: String, type: ColumnType, shape: ColumnShape, hasher: SipHash, table: KeyedTable, file: MappedFile) {
        (self.name, self.type, self.shape) = (name, type, shape)
        (self.hasher, self.table, self.file) = (hasher, table, file)
    }

    var count: Int { table.place.count }
    /// Values are tied to the rows they are of.
    var knowsRows: Bool { table.place.isNumbered }

    /// How much from the front of a match of the column's expression is a value of the column; nil where nothing is.
    func accepted(_ match: UnsafeRawBufferPointer) -> Int? { find(match)?.length }

    /// The entries of the value that a match, as long as `accepted` said, is.
    func entries(_ match: UnsafeRawBufferPointer) -> Range<Int> { find(match)?.entries ?? 0..<0 }

    /// The row of an entry, or `KeyedTable.anyNumber`.
    func row(_ entry: Int) -> UInt32 { table.number(entry) }

    /// Whether one of the entries of a value is of the row, or of more rows than were written down.
    func isOf(_ row: UInt32, _ entries: Range<Int>) -> Bool {
        isAny(entries) || table.contains(row, in: entries)
    }

    func isAny(_ entries: Range<Int>) -> Bool {
        entries.count == 1 && table.number(entries.lowerBound) == KeyedTable.anyNumber
    }

    // MARK: Candidates

    private typealias Found = (length: Int, entries: Range<Int>)

    private func find(_ match: UnsafeRawBufferPointer) -> Found? {
        Alike.withRoom { room in
            switch type {
            case .digits: Alike.digits(match, room).flatMap { shorten(match, room, $0, Alike.isDigit) }
            case .alnum:
                Alike.alnum(match, room).flatMap {
                    shorten(match, room, $0) { Alike.isDigit($0) || Alike.isLetter($0) }
                }
            case .name: Alike.name(match, room).flatMap { shortenWords(match, room, $0) }
            case .email: Alike.email(match, room).flatMap { look(room, $0) }.map { (match.count, $0) }
            case .date: findDate(match, room)
            }
        }
    }

    private func look(_ room: ValueRoom, _ count: Int) -> Range<Int>? {
        let entries = table.find(hasher.hash(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])))
        return entries.isEmpty ? nil : entries
    }

    /// The longest value that ends where a separator follows.
    private func shorten(
        _ match: UnsafeRawBufferPointer, _ room: ValueRoom, _ count: Int, _ isPart: (UInt8) -> Bool
    ) -> Found? {
        var (end, count) = (match.count, count)
        while count > 0 {
            if shape.has(count), let entries = look(room, count) { return (end, entries) }
            while end > 0, isPart(match[end - 1]) { (end, count) = (end - 1, count - 1) }
            while end > 0, !isPart(match[end - 1]) { end -= 1 }
        }
        return nil
    }

    private func shortenWords(_ match: UnsafeRawBufferPointer, _ room: ValueRoom, _ count: Int) -> Found? {
        func isPart(_ byte: UInt8) -> Bool {
            Alike.isLetter(byte) || byte >= 0x80 || byte == UInt8(ascii: "'")
        }
        var (end, count) = (match.count, count)
        while count >= shape.bytesMin, end > 0 {
            if count <= shape.bytesMax, let entries = look(room, count) { return (end, entries) }
            while end > 0, isPart(match[end - 1]) { end -= 1 }
            while end > 0, !isPart(match[end - 1]) { end -= 1 }
            while count > 0, room[count - 1] != 0x20 { count -= 1 }
            count -= 1
        }
        return nil
    }

    /// Nobody knows whether the day or the month stands first.
    private func findDate(_ match: UnsafeRawBufferPointer, _ room: ValueRoom) -> Found? {
        for order in [ColumnForm.DateOrder.yearFirst, .dayFirst, .monthFirst] {
            if let count = Alike.date(match, order, room), let entries = look(room, count) {
                return (match.count, entries)
            }
        }
        return nil
    }
}
