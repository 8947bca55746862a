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
        var name = Array("/tmp/weir-scan-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        #expect(descriptor >= 0)
        defer {
            close(descriptor)
            unlink(name)
        }
        #expect(body.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == body.count)
        lseek(descriptor, 0, SEEK_SET)
        var findings: [Finding] = []
        try scan.scan(descriptor: descriptor, path: "a\"b") { findings.append($0.finding) }
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
        #expect(stats.json.contains(#""uninspectable":{"truncated":1}"#))
    }

    @Test func aHitIsOneLineOfJSON() throws {
        let finding = try #require(try Self.scan(Pack.gzip(Self.text)).0.dropFirst().first)
        let line = FileScan.Hit(path: "a\"b\u{1}", finding: finding).json
        let expected =
            #"{"path":"a\"b\u0001","offset":4,"raw_offset":0,"length":16,"sensor":"credit-card","rule":"card","#
            + #""confidence":"medium","match":"4**************1","decoded":["gzip"],"fingerprint":""#
        #expect(line.hasPrefix(expected) && line.hasSuffix("\"}"))
    }

    @Test func whatCannotBeOpenedSaysWhy() throws {
        let scan = try FileScan(try Make.database())
        #expect(throws: FileScan.Failure(path: "/nonexistent", message: "No such file or directory")) {
            try scan.scan(path: "/nonexistent") { _ in }
        }
        #expect(throws: FileScan.Failure(path: "/tmp", message: "Is a directory")) {
            try scan.scan(path: "/tmp") { _ in }
        }
    }
}
