/// Turns records of comma-separated values into an index, with memory that does not grow with the records (but for a
/// byte and a half a value). `feed` all bytes, then `finish`.
public final class ExactIndexBuilder {
    /// A column to be taken: its name in the first record and what its values are.
    public struct Column: Sendable {
        public var name: String
        public var form: ColumnForm

        public init(name: String, form: ColumnForm) { (self.name, self.form) = (name, form) }
    }

    public struct Options: Sendable {
        public var separator = UInt8(ascii: ",")
        /// The first record is one of names; else columns are called 1, 2, 3, ….
        public var hasHeader = true

        public init() {}
    }

    /// What came of one column.
    public struct Report: Sendable, Equatable {
        public var name: String
        /// Different values, and of how many rows each where rows are kept.
        public internal(set) var entries = 0
        /// Fields that are empty, and those that could not be looked for: too short, too long, or not of the type.
        public internal(set) var empty = 0
        public internal(set) var leftOut = 0
    }

    /// What is wrong with the input: at a line and a column, in bytes from 1.
    public typealias Fault = CSVReader.Fault

    public enum Failure: Error, Equatable, Sendable { case input(Fault), index(IndexFault) }

    private struct Target {
        let form: ColumnForm
        let hasher: SipHash
        var field: Int
        var shape = ColumnShape()
        var table: TableBuilder
        var report: Report
    }

    private let key: IndexKey
    private let path: String
    private let options: Options
    private var reader: CSVReader
    private var targets: [Target]
    private var fieldCount: Int?
    public private(set) var rows: UInt64 = 0

    /// `path`: of the index, beside which there must be room for twelve bytes a value while it is built.
    public init(
        _ columns: [Column], key: IndexKey, path: String, options: Options = Options()
    ) throws(IndexFault) {
        guard (1...ExactIndex.columnsMax).contains(columns.count) else {
            throw IndexFault("expected 1 to \(ExactIndex.columnsMax) columns, found \(columns.count)")
        }
        (self.key, self.path, self.options) = (key, path, options)
        reader = CSVReader(separator: options.separator)
        let spill = try Spill(directory: Spill.directory(of: path))
        targets = []
        for (index, column) in columns.enumerated() {
            if columns[..<index].contains(where: { $0.name == column.name }) {
                throw IndexFault("expected each column once, found \(column.name) twice")
            }
            targets.append(
                Target(
                    form: column.form, hasher: ExactIndex.hasher(key, index), field: -1, table: TableBuilder(spill),
                    report: Report(name: column.name)))
        }
    }

    // MARK: Reading

    public func feed(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var at = 0
        do {
            while try reader.step(bytes, &at) == .record { try take() }
        } catch let fault as Fault {
            throw .input(fault)
        } catch let fault as IndexFault {
            throw .index(fault)
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }

    private func take() throws {
        guard let expected = fieldCount else { return try takeHeader() }
        guard reader.fieldCount == expected else {
            throw Fault(
                line: reader.recordLine, column: 1,
                message: "expected \(expected) fields as in the first record, found \(reader.fieldCount)")
        }
        guard rows < UInt64(KeyedTable.anyNumber) else { throw IndexFault("expected fewer than 2^32 - 1 records") }
        for index in targets.indices { try take(index) }
        rows += 1
    }

    private func takeHeader() throws {
        fieldCount = reader.fieldCount
        var names = (0..<reader.fieldCount).map { "\($0 + 1)" }
        if options.hasHeader {
            names = (0..<reader.fieldCount).map { String(decoding: reader.field($0), as: UTF8.self) }
        }
        for index in targets.indices {
            let name = targets[index].report.name
            guard let field = names.firstIndex(of: name) else {
                throw Fault(
                    line: reader.recordLine, column: 1,
                    message: "expected a column called \(name), found \(names.joined(separator: ", "))")
            }
            targets[index].field = field
        }
        if !options.hasHeader { try take() }
    }

    private func take(_ index: Int) throws(IndexFault) {
        let form = targets[index].form
        let bytes = reader.field(targets[index].field)
        if bytes.isEmpty { return targets[index].report.empty += 1 }
        let hash = bytes.withUnsafeBytes { bytes in
            Alike.withRoom { room -> UInt64? in
                guard let count = Self.make(bytes, alike: form, room), count > 0 else { return nil }
                let value = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
                return targets[index].shape.take(value, form.type) ? targets[index].hasher.hash(value) : nil
            }
        }
        guard let hash else { return targets[index].report.leftOut += 1 }
        try targets[index].table.add(hash, targets.count > 1 ? UInt32(truncatingIfNeeded: rows) : 0)
    }

    private static func make(_ bytes: UnsafeRawBufferPointer, alike form: ColumnForm, _ room: ValueRoom) -> Int? {
        switch form.type {
        case .digits: Alike.digits(bytes, room)
        case .alnum: Alike.alnum(bytes, room)
        case .email: Alike.email(bytes, room)
        case .name: Alike.name(bytes, room)
        case .date: Alike.date(bytes, form.order, room)
        }
    }

    // MARK: Writing

    /// Sorts what was read and writes the index, whole or not at all.
    ///
    /// - Parameter each: told how much is done, from 0 to 1.
    public func finish(_ each: (Double) -> Void = { _ in }) throws(Failure) -> [Report] {
        do {
            if try reader.finish() == .record { try take() }
            guard fieldCount != nil else {
                throw Fault(line: 1, column: 1, message: "expected a record of the names of the columns, found nothing")
            }
            for target in targets where target.table.count == 0 {
                throw IndexFault("column \(target.report.name) has no value that could be looked for")
            }
            return try write(each)
        } catch let fault as Fault {
            throw .input(fault)
        } catch let fault as IndexFault {
            throw .index(fault)
        } catch {
            preconditionFailure("no other error is thrown")
        }
    }

    private func write(_ each: (Double) -> Void) throws(IndexFault) -> [Report] {
        let headerBytes = header([], fileBytes: 0).count
        let file = try IndexFile(path, headerBytes: headerBytes)
        var places: [KeyedTable.Place] = []
        for index in targets.indices {
            let place = try targets[index].table.write(
                to: file, isNumbered: targets.count > 1, numbersMax: ExactIndex.rowsPerValueMax, keepsShared: true
            ) { part in
                each((Double(index) + Double(part) / 256) / Double(targets.count))
            }
            targets[index].report.entries = place.count
            places.append(place)
        }
        try file.finish(header: header(places, fileBytes: file.count))
        return targets.map(\.report)
    }

    /// As long whatever the places.
    private func header(_ places: [KeyedTable.Place], fileBytes: Int) -> [UInt8] {
        var fields = FieldWriter()
        fields.put(rows)
        fields.put(UInt16(targets.count))
        for (index, target) in targets.enumerated() {
            fields.put(text: target.report.name)
            fields.put(target.form.type.rawValue)
            var shape = target.shape
            shape.blur(target.table.count)
            shape.write(to: &fields)
            let none = KeyedTable.Place(offset: 0, count: 0, bucketBits: 0, filterWords: 0, isNumbered: false)
            (places.isEmpty ? none : places[index]).write(to: &fields)
        }
        return IndexHeader.make(.exact, fields.bytes, fileBytes: fileBytes, key)
    }
}
