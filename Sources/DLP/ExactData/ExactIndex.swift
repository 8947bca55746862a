/// Values of the user's own records by column, as `weir edm build` made them: keyed hashes, and the rows they are of.
/// Immutable, memory-mapped and shared.
public final class ExactIndex: Sendable {
    let columns: [ExactColumn]
    public let rows: UInt64

    static let columnsMax = 16
    static let rowsPerValueMax = 1024

    public var columnNames: [String] { columns.map(\.name) }

    public init(_ path: String, key: IndexKey) throws(IndexFault) {
        let file = try MappedFile(path)
        var fields = try IndexHeader.open(file.bytes, .exact, key)
        rows = try fields.u64()
        let count = Int(try fields.u16())
        guard (1...Self.columnsMax).contains(count) else {
            throw IndexFault("is damaged: its columns are not what was written")
        }
        var columns: [ExactColumn] = []
        for index in 0..<count {
            let name = try fields.text()
            guard let type = ColumnType(rawValue: try fields.u8()) else {
                throw IndexFault("is damaged: its columns are not what was written")
            }
            let shape = try ColumnShape.read(from: &fields)
            let place = try KeyedTable.Place.read(from: &fields)
            columns.append(
                ExactColumn(
                    name: name, type: type, shape: shape, hasher: Self.hasher(key, index),
                    table: try KeyedTable(file.bytes, place), file: file))
        }
        self.columns = columns
    }

    func column(_ name: String) -> ExactColumn? { columns.first { $0.name == name } }

    /// The same value in two columns is two hashes.
    static func hasher(_ key: IndexKey, _ column: Int) -> SipHash { key.hasher("exact column \(column)") }
}

extension ExactIndex {
    /// Whether a text begins with a value of the column.
    public func holds(_ text: UnsafeRawBufferPointer, in name: String) -> Bool {
        column(name)?.accepted(text) != nil
    }
}
