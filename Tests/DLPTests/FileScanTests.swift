import Bytes
import Glibc
import Testing

@testable import DLP

@Suite struct FileScanTests {
    /// Scans these bytes as a file and answers what was told.
    static func scan(_ body: [UInt8], _ options: FileScan.Options = FileScan.Options()) throws -> (
        [Finding], FileScan.Stats
    ) {
        let scan = try FileScan(try Make.database([Make.sensor("words", "b[a-z]+r")]), options)
        var findings: [Finding] = []
        try File.with(body) { descriptor in
            _ = try scan.scan(descriptor: descriptor, path: ScanPath("a\"b")) { findings.append($0.finding) }
        }
        return (findings, scan.stats)
    }

    static let text = Array("bar 4111111111111111 bazaar, 536-90-4399. bor 295109912611193 bar".utf8)

    @Test func chunksDoNotMatter() throws {
        var options = FileScan.Options()
        for body in [Self.text, Pack.gzip(Self.text)] {
            let (expected, stats) = try Self.scan(body)
            #expect(expected.map(\.offset) == [0, 4, 21, 29, 42, 46, 62])
            #expect(stats.bytes == UInt64(body.count) && stats.findings == 7 && stats.files == 1)
            for chunk in [1, 2, 3, 7, 16, 64, 65, 1000] {
                options.chunkBytes = chunk
                #expect(try Self.scan(body, options).0 == expected, "chunks of \(chunk)")
            }
        }
    }

    @Test func optionsChoose() throws {
        var options = FileScan.Options()
        options.sensors = ["ssn-fr"]
        #expect(try Self.scan(Self.text, options).0.map(\.sensor) == ["ssn-fr"])
        options.decode = false
        #expect(try Self.scan(Pack.gzip(Self.text), options).0.isEmpty)
        options.sensors = ["none"]
        #expect(throws: FileScan.Failure.self) { try Self.scan(Self.text, options) }
    }

    @Test func findingsAreNotBoundedByTheExchange() throws {
        let body = Array(String(repeating: "bar ", count: 5000).utf8)
        #expect(try Self.scan(body).0.count == 5000)
    }

    @Test func outcomesAreCounted() throws {
        let (_, stats) = try Self.scan(Pack.gzip(Self.text).dropLast(4))
        #expect(stats.uninspectable == [.truncated: 1])
        #expect(stats.json(seconds: 2, ignored: 3).contains(#""uninspectable":{"truncated":1},"ignored":3"#))
    }

    @Test func aHitIsOneLineOfJSON() throws {
        let finding = try #require(try Self.scan(Pack.gzip(Self.text)).0.dropFirst().first)
        let line = FileScan.Hit(path: ScanPath("a\"b\u{1}"), finding: finding).json
        let expected =
            #"{"path":"a\"b\u0001","offset":4,"raw_offset":0,"length":16,"sensor":"credit-card","rule":"card","#
            + #""confidence":"medium","match":"4**************1","decoded":["gzip"],"version":""#
        #expect(line.hasPrefix(expected) && line.hasSuffix("\"}"))
    }

    @Test func whatCannotBeOpenedSaysWhy() throws {
        let scan = try FileScan(try Make.database())
        #expect(throws: FileScan.Failure(path: ScanPath("/nonexistent"), message: "No such file or directory")) {
            try scan.scan(path: ScanPath("/nonexistent")) { _ in }
        }
        #expect(throws: FileScan.Failure(path: ScanPath("/tmp"), message: "Is a directory")) {
            try scan.scan(path: ScanPath("/tmp")) { _ in }
        }
    }

    // MARK: Lines

    static let poem = "4111111111111111\n\n\u{e9}t\u{e9} 4111111111111111\r\nbar bar\n".utf8

    /// As editors count.
    static let places = [(1, 1), (3, 5), (4, 1), (4, 5)]

    @Test(arguments: [2, 3, 16, 64, 1000]) func placesAreLinesAndCharacters(chunk: Int) throws {
        var options = FileScan.Options()
        options.chunkBytes = chunk
        let body = Array(repeating: Array(Self.poem), count: 50).flatMap { $0 }
        let lines = 4
        for hit in try Self.hits(body, options).enumerated() {
            let (line, column) = Self.places[hit.offset % 4]
            #expect(hit.element.place == TextPlace(line: hit.offset / 4 * lines + line, column: column))
        }
    }

    /// What can be read only once tells the lines of what is still at hand.
    @Test func aPipeHasLinesToo() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let body = Array(repeating: Array(Self.poem), count: 50).flatMap { $0 }
        #expect(body.withUnsafeBytes { write(ends[1], $0.baseAddress, $0.count) } == body.count)
        close(ends[1])
        defer { close(ends[0]) }
        var options = FileScan.Options()
        options.chunkBytes = 64
        let scan = try FileScan(try Make.database([Make.sensor("words", "b[a-z]+r")]), options)
        var hits: [FileScan.Hit] = []
        try scan.scan(descriptor: ends[0], path: .input) { hits.append($0) }
        let expected = try Self.hits(body)
        #expect(
            hits == expected.map { FileScan.Hit(path: .input, finding: $0.finding, place: $0.place, end: $0.end) })
        #expect(hits.count == 200)
    }

    @Test func whatIsNoTextHasNoLines() throws {
        for body in [[0] + Self.text, Pack.gzip(Self.text)] {
            #expect(try Self.hits(body).allSatisfy { $0.place == nil })
        }
    }

    static func hits(_ body: [UInt8], _ options: FileScan.Options = FileScan.Options()) throws -> [FileScan.Hit] {
        let scan = try FileScan(try Make.database([Make.sensor("words", "b[a-z]+r")]), options)
        return try File.with(body) { descriptor in
            var hits: [FileScan.Hit] = []
            try scan.scan(descriptor: descriptor, path: ScanPath("x")) { hits.append($0) }
            return hits
        }
    }

    // MARK: What is left out

    @Test func aLargerFileIsLeftOut() throws {
        var options = FileScan.Options()
        for (most, skip) in [(UInt64(Self.text.count), nil), (UInt64(Self.text.count - 1), FileScan.Skip.tooLarge)] {
            options.fileBytesMax = most
            let scan = try FileScan(try Make.database(), options)
            let report = try File.with(Self.text) { try scan.scan(descriptor: $0, path: ScanPath("x")) { _ in } }
            #expect(report.skip == skip)
        }
    }

    @Test func whatIsGoneOrNoFileAnyMoreIsLeftOut() throws {
        let scan = try FileScan(try Make.database())
        #expect(try scan.scan(path: ScanPath("/nonexistent"), named: false) { _ in }.skip == .vanished)
        #expect(try scan.scan(path: ScanPath("/dev/zero"), named: false) { _ in }.skip == .special)
        #expect(scan.stats.skipped == [.vanished: 1, .special: 1] && scan.stats.files == 0)
    }

    /// What is written behind the end while a file is read would have no end.
    @Test func aFileIsReadAsLongAsItWasWhenItWasOpened() throws {
        var options = FileScan.Options()
        options.chunkBytes = 16
        let scan = try FileScan(try Make.database(), options)
        try File.with(Array(repeating: 0x20, count: 160)) { descriptor in
            scan.advanced = { _ in _ = pwrite(descriptor, "4111111111111111", 16, 160) }
            try scan.scan(descriptor: descriptor, path: ScanPath("x")) { _ in }
        }
        #expect(scan.stats.bytes == 160 && scan.stats.findings == 0)
    }

    @Test func aNameNeitherBreaksTheLineNorSteersTheTerminal() throws {
        #expect(ScanPath("a\nb\u{1b}[2Jc\u{202e}d").shown == #"a\u{a}b\u{1b}[2Jc\u{202e}d"#)
        let path = ScanPath([0x61, 0xff])
        #expect(path.withCString { String(cString: $0).unicodeScalars.count } == 2)
        let finding = try #require(try Self.scan(Self.text).0.first)
        #expect(FileScan.Hit(path: path, finding: finding).json.hasPrefix(#"{"path":"a\#u{fffd}","path_hex":"61ff","#))
    }
}

/// A file for the time of a test.
enum File {
    static func with<T>(_ body: [UInt8], _ run: (Int32) throws -> T) throws -> T {
        var name = Array("/tmp/weir-scan-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        #expect(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(name)
        }
        #expect(body.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == body.count)
        lseek(descriptor, 0, SEEK_SET)
        return try run(descriptor)
    }
}
