import Testing

@testable import DLP

@Suite struct CSVReaderTests {
    /// The records of a text fed in pieces of this size, or what is wrong with it.
    static func read(_ text: String, piece: Int = .max, separator: Character = ",") throws -> [[String]] {
        var reader = CSVReader(separator: separator.asciiValue ?? 0x2c)
        var records: [[String]] = []
        func take() {
            records.append((0..<reader.fieldCount).map { String(decoding: reader.field($0), as: UTF8.self) })
        }
        let bytes = Array(text.utf8)
        var from = 0
        while from < bytes.count {
            let to = min(bytes.count, from + min(piece, bytes.count))
            try bytes[from..<to].withUnsafeBytes {
                var at = 0
                while try reader.step($0, &at) == .record { take() }
            }
            from = to
        }
        if try reader.finish() == .record { take() }
        return records
    }

    static let texts: [(String, [[String]])] = [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a,b\r\n1,2", [["a", "b"], ["1", "2"]]),
        ("a,,\n,,c", [["a", "", ""], ["", "", "c"]]),
        ("\"a\",\"b, c\"\n\"x \"\"y\"\" z\",\"1\r\n2\"\r\n", [["a", "b, c"], ["x \"y\" z", "1\r\n2"]]),
        ("a\n\n\nb\r\n\r\nc", [["a"], ["b"], ["c"]]),
        ("\"\"\n\"\"", [[""], [""]]),
        ("\u{feff}a,b\n", [["a", "b"]]),
        ("\u{fec0},b\n", [["\u{fec0}", "b"]]),
        ("a,\u{e9}\n", [["a", "\u{e9}"]]),
        ("", []), ("\n", []), (",", [["", ""]]), ("a,", [["a", ""]]),
    ]

    @Test(arguments: texts) func everyCutGivesTheSameRecords(_ text: String, _ records: [[String]]) throws {
        for piece in [1, 2, 3, 5, Int.max] {
            #expect(try Self.read(text, piece: piece) == records, "pieces of \(piece)")
        }
    }

    @Test(arguments: [
        ("a,b\n1,2\"", 2, 4, "quote"), ("a\n\"b\"c", 2, 4, "after the closing quote"),
        ("a\n\nb,\"c\nd", 3, 3, "to end"),
        ("\"a\nb\"\n\"", 3, 1, "to end"), ("a\rb", 1, 3, "line feed"), ("a\r", 1, 2, "line feed"),
    ])
    func whatIsWrongIsToldWithItsPlace(_ text: String, _ line: Int, _ column: Int, _ message: String) throws {
        for piece in [1, 2, Int.max] {
            let fault = #expect(throws: CSVReader.Fault.self) { try Self.read(text, piece: piece) }
            #expect(fault?.line == line && fault?.column == column && fault?.message.contains(message) == true)
        }
    }

    @Test func aRecordHasABound() throws {
        let most = CSVReader.recordBytesMax
        #expect(try Self.read(String(repeating: "a", count: most)).count == 1)
        #expect(throws: CSVReader.Fault.self) { try Self.read(String(repeating: "a", count: most + 1)) }
    }

    @Test func otherSeparators() throws {
        #expect(try Self.read("a;b,c\n", separator: ";") == [["a", "b,c"]])
    }
}
