import Bytes
import Glibc
import Synchronization
import Testing

@testable import Record

/// A fault at the calls of one's choice, counted from the first.
final class Faults: Sendable {
    private let seen = Atomic<Int>(0)
    private let decide: @Sendable (FileCall, Int) -> FileFault?

    init(_ decide: @escaping @Sendable (FileCall, Int) -> FileFault?) { self.decide = decide }

    var count: Int { seen.load(ordering: .relaxed) }
    var calls: FileCalls {
        FileCalls { call in self.decide(call, self.seen.add(1, ordering: .relaxed).oldValue) }
    }
}

@Suite struct LogFileTests {
    private func chunk(_ lines: [String]) -> Buffer {
        var buffer = Buffer()
        for line in lines { buffer.append(text: line + "\n") }
        return buffer
    }

    /// All lines of a lane, the oldest first.
    private func all(_ directory: TemporaryDirectory, keep: Int) -> [String] {
        (1...keep).reversed().flatMap { directory.lines("log.\($0)") } + directory.lines("log")
    }

    private func file(
        _ directory: TemporaryDirectory, rotate: Int = 1 << 20, keep: Int = 3, _ calls: FileCalls = FileCalls()
    )
        -> LogFile
    {
        LogFile(directory: directory.path, name: "log", rotateBytes: rotate, keep: keep, calls: calls)
    }

    /// `~` stands for a block of the repair, so that a line feed can be at its edges.
    @Test(arguments: [
        ("", ""), ("one\n", "one\n"), ("one\ntwo\n", "one\ntwo\n"), ("one\ntw", "one\n"), ("on", ""), ("\n", "\n"),
        ("one\n~~~x", "one\n"), ("~~~x", ""), ("~\ny", "~\n"), ("y~\n~", "y~\n"), ("x\n~", "x\n"),
    ])
    func aTornLineIsCut(_ before: String, _ after: String) throws {
        let directory = TemporaryDirectory()
        directory.write("log", grown(before))
        var file = file(directory)
        try file.open()
        #expect(directory.read("log") == grown(after))
        var line = chunk(["next"])
        try file.write(&line)
        #expect(directory.read("log") == grown(after) + "next\n")
    }

    private func grown(_ text: String) -> String {
        text.map { $0 == "~" ? String(repeating: "~", count: 65_536) : String($0) }.joined()
    }

    @Test func rotation() throws {
        let directory = TemporaryDirectory()
        var file = file(directory, rotate: 12, keep: 2)
        for number in 0..<10 {
            var line = chunk(["line\(number)"])
            try file.write(&line)
        }
        // Twelve bytes are two lines.
        #expect(directory.names == ["log", "log.1", "log.2"])
        #expect(directory.read("log") == "line8\nline9\n")
        #expect(directory.read("log.1") == "line6\nline7\n")
        #expect(directory.read("log.2") == "line4\nline5\n")
    }

    @Test func oneChunkFillsSeveralFiles() throws {
        let directory = TemporaryDirectory()
        var file = file(directory, rotate: 12, keep: 9)
        var lines = chunk(["a", "line longer than a file", "b", "c", "d", "e", "f", "g"])
        try file.write(&lines)
        #expect(directory.read("log.2") == "a\n")
        #expect(directory.read("log.1") == "line longer than a file\n")
        #expect(directory.read("log") == "b\nc\nd\ne\nf\ng\n")
    }

    @Test func aGapOfTheRotatedFilesIsFilledFirst() throws {
        let directory = TemporaryDirectory()
        directory.write("log", "new\n")
        directory.write("log.1", "old\n")
        directory.write("log.3", "ancient\n")
        var file = file(directory, rotate: 4, keep: 3)
        var line = chunk(["next"])
        try file.write(&line)
        #expect(["log", "log.1", "log.2", "log.3"].map(directory.read) == ["next\n", "new\n", "old\n", "ancient\n"])
    }

    @Test func aFileThatIsRemovedComesBack() throws {
        let directory = TemporaryDirectory()
        var file = file(directory)
        var line = chunk(["one"])
        try file.write(&line)
        unlink(directory.path + "/log")
        line = chunk(["two"])
        try file.write(&line)
        #expect(directory.read("log") == "two\n")
        // With its directory, too.
        unlink(directory.path + "/log")
        rmdir(directory.path)
        line = chunk(["three"])
        try file.write(&line)
        #expect(directory.read("log") == "three\n")
    }

    @Test func reopening() throws {
        let directory = TemporaryDirectory()
        var file = file(directory)
        var line = chunk(["one"])
        try file.write(&line)
        rename(directory.path + "/log", directory.path + "/moved")
        line = chunk(["two"])
        try file.write(&line)
        file.reopen()
        line = chunk(["three"])
        try file.write(&line)
        #expect(directory.read("moved") == "one\ntwo\n")
        #expect(directory.read("log") == "three\n")
    }

    /// Writes lines with a rotation amid them; each call fails in turn, once. Everything arrives, in order, and the file
    /// ends with a whole line whenever somebody looks.
    @Test func everyCallFailsInTurn() throws {
        var failures = 0
        for failing in 0..<200 {
            let directory = TemporaryDirectory()
            let faults = Faults { _, number in number == failing ? .fail(EIO) : nil }
            failures += try writeAll(directory, faults)
            if faults.count <= failing { break }
        }
        #expect(failures > 20)
    }

    /// The same with short writes before each failure: the disk fills amid a line.
    @Test(arguments: [1, 3, 6, 7, 8, 13])
    func theDiskFillsAmidALine(_ bytes: Int) throws {
        for failing in 0..<60 {
            let directory = TemporaryDirectory()
            let faults = Faults { call, number in
                guard call == .write else { return nil }
                return (failing..<failing + 9).contains(number) ? .fail(ENOSPC) : .short(bytes)
            }
            _ = try writeAll(directory, faults)
        }
    }

    /// Where the torn line cannot be taken back either, it is completed later.
    @Test func theTornLineIsCompletedWhereItCannotBeCut() throws {
        let directory = TemporaryDirectory()
        let faults = Faults { call, number in
            switch call {
            case .write: number % 5 < 2 ? .fail(ENOSPC) : .short(4)
            case .truncate: .fail(EIO)
            default: nil
            }
        }
        _ = try writeAll(directory, faults, isAlwaysWhole: false)
    }

    /// Reopening waits until the torn line is whole: the rest of a line is never the start of another file.
    @Test func reopeningWaitsForAWholeLine() throws {
        let directory = TemporaryDirectory()
        let faults = Faults { call, number in
            switch call {
            case .write: number < 5 ? .short(2) : number < 12 ? .fail(ENOSPC) : nil
            case .truncate: .fail(EIO)
            default: nil
            }
        }
        var file = file(directory, faults.calls)
        var lines = chunk(["first", "second"])
        var tries = 0
        while !lines.isEmpty, tries < 20 {
            do throws(FileFailure) {
                try file.write(&lines)
            } catch {
                rename(directory.path + "/log", directory.path + "/moved")
                file.reopen()
            }
            tries += 1
        }
        #expect(directory.read("moved") == "first\n")
        #expect(directory.read("log") == "second\n")
    }

    private func writeAll(
        _ directory: TemporaryDirectory, _ faults: Faults, isAlwaysWhole: Bool = true
    ) throws -> Int {
        var file = file(directory, rotate: 40, keep: 9, faults.calls)
        var failures = 0
        var expected: [String] = []
        for number in 0..<6 {
            let lines = ["line\(number)a", "line\(number)b", "line\(number)c"]
            expected += lines
            var chunk = chunk(lines)
            var tries = 0
            while !chunk.isEmpty {
                do throws(FileFailure) {
                    try file.write(&chunk)
                } catch {
                    failures += 1
                    tries += 1
                }
                try #require(tries < 1000)
                let text = directory.read("log")
                if isAlwaysWhole, !text.isEmpty, !text.hasSuffix("\n") { Issue.record("torn: \(text)") }
            }
        }
        #expect(all(directory, keep: 9) == expected)
        return failures
    }
}
