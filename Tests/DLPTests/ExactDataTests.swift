import Bytes
import Glibc
import Testing

@testable import DLP

/// An index of a few records in a directory that goes with the value.
final class ExactFixture {
    let directory: String
    var index: String { "\(directory)/people.edm" }
    var key: String { "\(directory)/edm.key" }

    static let csv = """
        id,nir,name,mail,born
        4711000,2 53 07 2A 073004 43,"Müller, Jean-Élie",Jean@corp.example,17/05/1985
        4711001,145081849670637,O'Neill,jane.doe@corp.example,01/12/1990
        4711002,295109912611193,de la Tour,x@y.example,29/02/2000

        """

    static let columns = [
        ("nir", "alnum"), ("id", "digits"), ("name", "name"), ("mail", "email"), ("born", "date-dmy"),
    ]

    init(_ csv: String = csv, columns: [(String, String)] = columns) throws {
        var template = Array("/tmp/weir-edm-XXXXXX".utf8CString)
        directory = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        try write(Array("a key of sixteen bytes".utf8), to: key)
        _ = try build(csv, columns)
    }

    deinit {
        for name in ["people.edm", "edm.key", "other.key", "broken.edm"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    func build(
        _ csv: String, _ columns: [(String, String)], piece: Int = .max, _ options: ExactIndexBuilder.Options = .init()
    ) throws -> [ExactIndexBuilder.Report] {
        let columns = try columns.map {
            ExactIndexBuilder.Column(name: $0.0, form: try #require(ColumnForm.named($0.1)))
        }
        let builder = try ExactIndexBuilder(columns, key: try .read(key), path: index, options: options)
        let bytes = Array(csv.utf8)
        for from in stride(from: 0, to: bytes.count, by: min(piece, max(bytes.count, 1))) {
            try bytes[from..<min(bytes.count, from + min(piece, bytes.count))].withUnsafeBytes { try builder.feed($0) }
        }
        return try builder.finish()
    }

    func profile(
        _ columns: [String], within: Int = 60, threshold: Threshold = .none, action: Action = .deny, hold: Int = 64,
        context: Int = 0
    ) throws -> Profile {
        let exact = ExactSpec(index: index, key: key, columns: columns, within: within)
        let sensor = SensorSpec(
            name: "people", rules: [SensorRuleSpec(name: "r", threshold: threshold, exact: exact)])
        let database = try Database.compile(
            [sensor], used: [], limits: Limits(), fingerprintKey: Make.key, evidence: EvidenceSpec(context: context)
        ).get()
        return Profile(database, [Attachment(sensor: "people", action: action)], enforcing: true, hold: hold)
    }

    func found(_ text: String, _ columns: [String]) throws -> [String] {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try profile(columns))
        inspection.read(Array(text.utf8))
        let bytes = Array(text.utf8)
        return inspection.findings.map {
            String(decoding: bytes[Int($0.offset)..<Int($0.offset) + $0.length], as: UTF8.self)
        }
    }
}

@Suite struct ExactDataTests {
    @Test(arguments: [
        ("nir", "n=253072A07300443&", ["253072A07300443"]),
        ("nir", "2-53-07-2a-073-004-43.", ["2-53-07-2a-073-004-43"]),
        ("nir", "12 145081849670637 6", ["145081849670637"]), ("nir", "145081849670638", []),
        ("nir", "x1 45 08 18 4967 0637", []), ("nir", "0145081849670637 1450818496706370", []),
        ("nir", "295109912611193295109912611193", []), ("nir", "{\"n\":145081849670637}", ["145081849670637"]),
        ("id", "order 4711-001, 4711009", ["4711-001"]), ("id", "4711001 12345", ["4711001"]),
        ("id", "74711001 and a4711001b", ["4711001"]),
        ("name", "to JEAN-ELIE and muller jean elie.", ["muller jean elie"]),
        ("name", "MÜLLER Jean-Elie Smith", ["MÜLLER Jean-Elie"]),
        ("name", "\"O’Neill\"", ["O’Neill"]), ("name", "l'oneill O'Neills", ["oneill"]),
        ("name", "cafe de la Tour Eiffel", ["de la Tour"]), ("name", "della Tour", []),
        ("mail", "<JANE.DOE@Corp.example>.", ["JANE.DOE@Corp.example"]), ("mail", "xjane.doe@corp.example", []),
        ("mail", "jane.doe@corp.example.org", []), ("mail", "x@y.example-", []),
        ("born", "1985-05-17T00:00", ["1985-05-17"]), ("born", "05/17/1985 17.5.1985", ["05/17/1985", "17.5.1985"]),
        ("born", "19850517 1985-05-18", ["19850517"]), ("born", "117/05/1985", []),
    ])
    func valuesAreFoundHoweverTheyAreWritten(_ column: String, _ text: String, _ values: [String]) throws {
        #expect(try ExactFixture().found(text, [column]) == values)
    }

    @Test(arguments: [
        ("Müller Jean-Élie, 253072A07300443", true), ("253072A07300443 is muller jean elie", true),
        ("253072A07300443 is O'Neill", false), ("253072A07300443 O'Neill, 145081849670637", true),
        ("253072A07300443" + String(repeating: ".", count: 50) + "Müller Jean-Élie", false),
        ("Müller Jean-Élie", false), ("253072A07300443", false),
    ])
    func aRowIsFoundWhereItsValuesAreClose(_ text: String, _ isFound: Bool) throws {
        #expect(try ExactFixture().found(text, ["nir", "name"]).isEmpty != isFound)
    }

    @Test func everyCutGivesTheSameFindingsAndNothingOfThemLeaves() throws {
        let fixture = try ExactFixture()
        let body = Array(
            "a 253072A07300443 Smith O'Neill .. 1 45 08 18 496 706 37 / Müller  Jean-Élie 253072A07300443, end".utf8)
        for columns in [["nir"], ["nir", "name"]] {
            let profile = try fixture.profile(columns, hold: 16)
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            inspection.read(body)
            let expected = inspection.findings
            #expect(expected.count == (columns.count == 1 ? 3 : 2))
            for first in 0...body.count {
                for second in [first + 1, first + 7, body.count] {
                    inspection.reset(profile)
                    let sent = StreamTests.forward(inspection, body, cuts: [first, min(second, body.count)])
                    #expect(inspection.findings == expected, "cut at \(first), \(second)")
                    // Of a row, what makes it whole stays.
                    #expect(sent.count <= (columns.count == 1 ? 2 : 35))
                }
            }
        }
    }

    /// Past `hold` the value that completes a row stays, with all that follows.
    @Test func ofARowThatIsCompletedLateTheLastValueStays() throws {
        let profile = try ExactFixture().profile(["nir", "name"], within: 300, hold: 16)
        let inspection = Inspection(scratch: Scratch())
        let before = "Müller Jean-Élie" + String(repeating: ".", count: 100)
        let body = Array("\(before)253072A07300443 and the end".utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, body, cuts: [cut])
            #expect(inspection.verdict == .deny && body.starts(with: sent))
            #expect(sent.count <= before.utf8.count, "cut at \(cut)")
        }
        let packed = Pack.gzip(body)
        for cut in 0...packed.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, packed, cuts: [cut], codings: [.gzip])
            #expect(inspection.verdict == .deny && sent.count < packed.count - 8, "gzip cut at \(cut)")
        }
    }

    /// A pattern of another sensor that waits for more does not put off what is known of a row.
    @Test func aRowDoesNotWaitForOtherRules() throws {
        let fixture = try ExactFixture()
        let exact = ExactSpec(index: fixture.index, key: fixture.key, columns: ["nir", "name"], within: 60)
        let sensors = [
            SensorSpec(name: "people", rules: [SensorRuleSpec(name: "r", exact: exact)]),
            Make.sensor("open", "<[^>]{1,3000}>"),
        ]
        let profile = Profile(
            try Make.database(sensors),
            [Attachment(sensor: "people", action: .deny), Attachment(sensor: "open", action: .alert)],
            enforcing: true, hold: 16)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        let body = Array("<a 253072A07300443 Müller Jean-Élie, and on it goes".utf8)
        inspection.open(.request, as: .body, codings: [])
        inspection.feed(.request, body[...], end: false)
        #expect(inspection.verdict == .deny)
        #expect(inspection.releasable(.request) <= 19)
    }

    @Test func aRowInTwoMessagesIsFoundWhereTheyAreReadAsOne() throws {
        let fixture = try ExactFixture()
        let messages = ["for 253072A07300443", ": Müller Jean-Élie", ", 253072A07300443 more"]
        MessageTests.everyCut(try fixture.profile(["nir", "name"]), messages.map { .init($0) }) { whole, sent in
            #expect(whole.findings.map(\.offset) == [4, 41])
            #expect(whole.verdict == .deny)
            // The first message has nothing that is denied by itself.
            #expect(sent.max() == 21)
        }
    }

    @Test func valuesAreMaskedInWhatStandsAroundThem() throws {
        let profile = try ExactFixture().profile(["nir", "name"], action: .alert, context: 64)
        let body = Array("a 253072A07300443 of Müller Jean-Élie; jean elie, O'Neill, 253072A07300443 end".utf8)
        let expected = EvidenceTests.findings(profile, body)
        #expect(expected.map(\.offset) == [2, 61])
        for finding in expected {
            for part in ["53072", "0443 ", "ller Jean", "Neil"] { #expect(!finding.excerpt.contains(part)) }
        }
        for cut in 0...body.count { #expect(EvidenceTests.findings(profile, body, cuts: [cut]) == expected) }
        #expect(EvidenceTests.findings(profile, body, cuts: Array(0...body.count)) == expected)
    }

    @Test func rowsAreCounted() throws {
        let profile = try ExactFixture().profile(["nir", "name"], threshold: Threshold(atLeast: 3, distinct: 2))
        let first = "253072A07300443 Müller Jean-Élie "
        for (text, verdict) in [
            (first + first, Action.allow), (first + first + first, .allow),
            (first + first + "145081849670637 O'Neill", .deny),
        ] {
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            inspection.read(Array(text.utf8))
            #expect(inspection.verdict == verdict)
        }
    }

    @Test func aValueOfVeryManyRowsTellsRowsApartNoMore() throws {
        let count = ExactIndex.rowsPerValueMax + 1
        let csv = "nir,name\n" + (0..<count).map { "\(100_000 + $0),Martin\n" }.joined() + "999999,Rare\n"
        let fixture = try ExactFixture(csv, columns: [("nir", "digits"), ("name", "name")])
        #expect(try fixture.found("100017 Martin", ["nir", "name"]) == ["100017"])
        #expect(try fixture.found("999999 Martin", ["nir", "name"]) == ["999999"])
        #expect(try fixture.found("100017 Rare", ["nir", "name"]).isEmpty)
    }

    @Test func aValueInAURLIsFoundAsItWasSentOrDecoded() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try ExactFixture().profile(["nir", "mail"]))
        inspection.scan("/?n=145081849670637&m=jane.doe%40corp.example", as: .url)
        #expect(inspection.findings.map(\.decoded) == [["percent"]])
        inspection.scan("/?n=145081849670637&m=jane.doe@corp.example&x=%20", as: .url)
        #expect(inspection.findings.map(\.decoded) == [["percent"], []])
    }

    // MARK: The file

    @Test func theBuildDoesNotDependOnTheCut() throws {
        let fixture = try ExactFixture()
        let whole = try SmallFile.read(fixture.index, most: 1 << 16)
        for piece in [1, 2, 7, 64] {
            let reports = try fixture.build(ExactFixture.csv, ExactFixture.columns, piece: piece)
            #expect(reports.map(\.entries) == [3, 3, 3, 3, 3])
            #expect(try SmallFile.read(fixture.index, most: 1 << 16) == whole)
        }
    }

    @Test func manyValuesAreAllThereAndOthersAreNot() throws {
        let csv = "n\n" + (0..<200_000).map { "\(1_000_000_000 + $0 * 7)\n" }.joined()
        let fixture = try ExactFixture(csv, columns: [("n", "digits")])
        let column = try #require(try ExactIndex(fixture.index, key: .read(fixture.key)).column("n"))
        var (found, chance) = (0, 0)
        for value in 0..<1_400_000 {
            var text = "\(1_000_000_000 + value)"
            let isFound = text.withUTF8 { column.accepted(UnsafeRawBufferPointer($0)) } != nil
            if value % 7 == 0 { found += isFound ? 1 : 0 } else { chance += isFound ? 1 : 0 }
        }
        #expect(found == 200_000 && chance == 0)
        var status = stat()
        #expect(stat(fixture.index, &status) == 0 && status.st_size < 200_000 * 8)
    }

    @Test func noPlainValueIsInTheFile() throws {
        let fixture = try ExactFixture()
        let bytes = try SmallFile.read(fixture.index, most: 1 << 16)
        for value in ["253072A07300443", "oneill", "corp.example", "19850517", "4711000"] {
            let pattern = Array(value.utf8)
            let isThere = bytes.indices.contains { bytes[$0...].starts(with: pattern) }
            #expect(!isThere, "\(value)")
        }
    }

    @Test func whatIsWrongWithAnIndexIsSaid() throws {
        let fixture = try ExactFixture()
        let whole = try SmallFile.read(fixture.index, most: 1 << 16)
        let (broken, other) = ("\(fixture.directory)/broken.edm", "\(fixture.directory)/other.key")
        try fixture.write(Array("another key of some bytes".utf8), to: other)
        func fault(_ bytes: [UInt8], _ key: String) throws -> String? {
            try fixture.write(bytes, to: broken)
            return #expect(throws: IndexFault.self) { try ExactIndex(broken, key: .read(key)) }?.message
        }
        #expect(try fault(whole, other) == "was built with another key")
        #expect(
            try fault(Array(whole.dropLast()), fixture.key)
                == "is truncated: expected \(whole.count) bytes, found \(whole.count - 1)")
        #expect(try fault(Array(whole.prefix(20)), fixture.key)?.contains("truncated") == true)
        #expect(try fault(Array("id,nir\n1,2\n".utf8), fixture.key)?.contains("weir edm build") == true)
        #expect(try fault([], fixture.key)?.contains("something in it") == true)
        #expect(try fault(whole + [0], fixture.key)?.contains("damaged") == true)
        var later = whole
        later[8] = 9
        #expect(try fault(later, fixture.key)?.contains("version 1, found 9") == true)
        #expect(throws: IndexFault.self) { try ExactIndex("\(fixture.directory)/none", key: .read(fixture.key)) }
        #expect(throws: IndexFault.self) { try IndexKey(Array("short".utf8)) }
    }

    /// Whatever byte is changed: a fault is said or lookups go on, and nothing is read beyond the file.
    @Test func aMutatedIndexDoesNoHarm() throws {
        let fixture = try ExactFixture()
        let whole = try SmallFile.read(fixture.index, most: 1 << 16)
        let broken = "\(fixture.directory)/broken.edm"
        let key = try IndexKey.read(fixture.key)
        var opened = 0
        // The header is short, and tables are alike all over.
        for at in whole.indices where at < 512 || at % 17 == 0 {
            for byte in [0xff, whole[at] ^ 1] {
                var bytes = whole
                bytes[at] = byte
                try fixture.write(bytes, to: broken)
                guard let index = try? ExactIndex(broken, key: key) else { continue }
                opened += 1
                for column in index.columns {
                    for text in ["145081849670637", "4711001", "O'Neill", "x@y.example", "29/02/2000"] {
                        _ = Array(text.utf8).withUnsafeBytes { column.entries($0).map(column.row) }
                    }
                }
            }
        }
        #expect(opened > 0)
    }

    @Test(arguments: [
        ("nir,name\n", 1, 1, "no value"), ("", 1, 1, "found nothing"), ("name\nx\n", 1, 1, "called nir"),
        ("nir,name\n1450818,a\n145081,\"b\n", 3, 8, "quoted field"), ("nir,name\n1450818\n", 2, 1, "expected 2 fields"),
    ])
    func whatIsWrongWithTheRecordsIsSaid(_ csv: String, _ line: Int, _ column: Int, _ message: String) throws {
        let fixture = try ExactFixture()
        let failure = #expect(throws: ExactIndexBuilder.Failure.self) {
            try fixture.build(csv, [("nir", "digits")])
        }
        switch failure {
        case .input(let fault): #expect(fault.line == line && fault.column == column && fault.message.contains(message))
        case .index(let fault): #expect(fault.message.contains(message))
        case nil: break
        }
        // The index that was there is still whole.
        _ = try ExactIndex(fixture.index, key: .read(fixture.key))
    }

    @Test func whatCannotBeLookedForIsCounted() throws {
        let fixture = try ExactFixture()
        let reports = try fixture.build("n\n1234\n\"\"\n12345\nabcde\n12345\n", [("n", "digits")])
        #expect(reports.map(\.entries) == [1] && reports.map(\.empty) == [1] && reports.map(\.leftOut) == [2])
        var options = ExactIndexBuilder.Options()
        (options.hasHeader, options.separator) = (false, UInt8(ascii: ";"))
        #expect(try fixture.build("x;12345\ny;67890\n", [("2", "digits")], options).map(\.entries) == [2])
    }

    @Test func sipHashIsThePublishedOne() {
        // The test vectors of the reference implementation: key 00 … 0f, messages of 0, 1, 2, … bytes.
        let hash = SipHash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908)
        let expected: [(Int, UInt64)] = [
            (0, 0x726f_db47_dd0e_0e31), (1, 0x74f8_39c5_93dc_67fd), (8, 0x93f5_f579_9a93_2462),
            (15, 0xa129_ca61_49be_45e5),
        ]
        for (count, value) in expected {
            let message = (0..<count).map { UInt8($0) }
            #expect(message.withUnsafeBytes { hash.hash($0) } == value)
        }
        #expect(hash.hash(0x0706_0504_0302_0100) == 0x93f5_f579_9a93_2462)
    }
}
