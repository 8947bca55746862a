/// Reads records of comma-separated values (RFC 4180) from bytes in any cut: quoted fields with doubled quotes and line
/// breaks in them, lines that end with CR LF or LF.
public struct CSVReader: Sendable {
    /// What is wrong and where: counted from 1, columns in bytes.
    public struct Fault: Error, Equatable, Sendable {
        public var line: Int
        public var column: Int
        public var message: String
    }

    public enum Step: Equatable, Sendable { case needMore, record }

    private enum State {
        case recordStart, fieldStart
        case plain, quoted
        /// After a quote within a quoted field: its end, or the first of two.
        case quote
        /// After CR, which LF must follow.
        case lineEnd
    }

    /// A longer record is hardly one.
    public static let recordBytesMax = 1 << 20

    private let separator: UInt8
    private var state = State.recordStart
    private var line = 1
    private var column = 0
    /// Where the quote that is open stands.
    private var opened = (line: 0, column: 0)
    /// Bytes of a byte order mark that have come; past its length once there is none to come.
    private var mark = 0

    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var isTold = false
    /// Line on which the record begins.
    public private(set) var recordLine = 1

    private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
    private static let quote = UInt8(ascii: "\"")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    public init(separator: UInt8 = UInt8(ascii: ",")) { self.separator = separator }

    // MARK: The record

    /// Fields of the record that `step` told of; they are there until it is called again.
    public var fieldCount: Int { ends.count }

    /// Empty where there is none.
    public func field(_ index: Int) -> ArraySlice<UInt8> {
        guard ends.indices.contains(index) else { return [] }
        return bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    // MARK: Reading

    /// Reads from `at` to the end of a record, or as far as there is something. An empty line is no record.
    public mutating func step(_ input: UnsafeRawBufferPointer, _ at: inout Int) throws(Fault) -> Step {
        forget()
        while at < input.count {
            let byte = input[at]
            at += 1
            column += 1
            // A mark at the very front is no content (RFC 3629 section 6).
            if mark < 3, isOfMark(byte) { continue }
            if try take(byte) {
                isTold = true
                return .record
            }
        }
        return .needMore
    }

    /// The input has ended: so has its last record, for which no line need end.
    public mutating func finish() throws(Fault) -> Step {
        forget()
        switch state {
        case .recordStart: return .needMore
        case .quoted:
            throw Fault(line: opened.line, column: opened.column, message: "expected the quoted field to end")
        case .lineEnd: throw fault("expected a line feed after the carriage return")
        case .fieldStart, .plain, .quote:
            ends.append(bytes.count)
            state = .recordStart
            isTold = true
            return .record
        }
    }

    private mutating func forget() {
        guard isTold else { return }
        isTold = false
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
    }

    private mutating func isOfMark(_ byte: UInt8) -> Bool {
        guard byte == Self.byteOrderMark[mark] else {
            // Part of one is content.
            bytes.append(contentsOf: Self.byteOrderMark.prefix(mark))
            if mark > 0 { state = .plain }
            mark = 3
            return false
        }
        mark += 1
        return true
    }

    /// True when a record is whole.
    @inline(__always)
    private mutating func take(_ byte: UInt8) throws(Fault) -> Bool {
        switch state {
        case .plain:
            if byte == separator || byte == Self.lineFeed || byte == Self.carriageReturn { return endField(byte) }
            guard byte != Self.quote else { throw fault("expected a quote only around a whole field") }
            try append(byte)
        case .recordStart, .fieldStart:
            if state == .recordStart { recordLine = line }
            if byte == Self.quote {
                state = .quoted
                opened = (line, column)
            } else if byte == separator || byte == Self.lineFeed || byte == Self.carriageReturn {
                return endField(byte)
            } else {
                state = .plain
                try append(byte)
            }
        case .quoted:
            if byte == Self.quote {
                state = .quote
            } else {
                try append(byte)
                if byte == Self.lineFeed { nextLine() }
            }
        case .quote:
            if byte == Self.quote {
                state = .quoted
                try append(byte)
            } else if byte == separator || byte == Self.lineFeed || byte == Self.carriageReturn {
                return endField(byte)
            } else {
                throw fault("expected a separator or the end of the line after the closing quote")
            }
        case .lineEnd:
            guard byte == Self.lineFeed else { throw fault("expected a line feed after the carriage return") }
            return endRecord()
        }
        return false
    }

    /// A separator, a line feed or a carriage return has ended a field, or an empty line.
    private mutating func endField(_ byte: UInt8) -> Bool {
        let isEmptyLine = state == .recordStart && byte != separator
        if !isEmptyLine { ends.append(bytes.count) }
        if byte == Self.lineFeed { return endRecord() }
        state = byte == separator ? .fieldStart : .lineEnd
        return false
    }

    private mutating func endRecord() -> Bool {
        state = .recordStart
        nextLine()
        return !ends.isEmpty
    }

    private mutating func nextLine() {
        line += 1
        column = 0
    }

    @inline(__always)
    private mutating func append(_ byte: UInt8) throws(Fault) {
        guard bytes.count < Self.recordBytesMax else {
            throw fault("expected a record of at most \(Self.recordBytesMax) bytes")
        }
        bytes.append(byte)
    }

    private func fault(_ message: String) -> Fault { Fault(line: line, column: column, message: message) }
}
