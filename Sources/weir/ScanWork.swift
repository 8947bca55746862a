import Bytes
import DLP
import Glibc
import OS
import Synchronization

/// What the threads of a scan share: the files, what has come of them, and where that is told.
final class ScanWork: Sendable {
    struct Sums: Sendable {
        var stats = FileScan.Stats()
        /// What could not be read, and why.
        var failures: [String] = []
        /// Findings that were told.
        var told = 0
        var files = 0
    }

    private let queue: ScanQueue
    private let output: ScanOutput
    private let writer: ScanWriter
    private let sums = Guarded(Sums())
    /// The bar, which is taken away before something else is said on the terminal.
    private let bar: Bar

    private let hasBar: Bool
    private let drawnAt = Atomic<Int64>(0)
    private let bytes = Atomic<Int>(0)

    /// Microseconds between two drawings.
    private static let pause: Int64 = 100_000

    init(_ walk: ScanWalk, bar: ScanBar?, _ writer: ScanWriter) {
        queue = ScanQueue(walk)
        hasBar = bar != nil
        let bar = Bar(bar)
        self.bar = bar
        output = ScanOutput(writer.head, separator: writer.separator, before: bar.clear)
        self.writer = writer
    }

    var result: Sums { sums.withLock { $0 } }
    /// Standard output took all of it.
    var isWritten: Bool { !output.isFailed }
    var progress: ScanQueue.Progress { queue.progress }

    /// The work of one thread.
    func run(_ scan: FileScan) {
        if hasBar { scan.advanced = { [self] in advance($0) } }
        while let item = queue.next() {
            switch item.found {
            case .file(let path, let size, let named): read(path, size, named, item.number, scan)
            case .unreadable(let path, let why): fail("\(path.shown): \(why)")
            }
            output.end(item.number)
        }
        sums.withLock { $0.stats.add(scan.stats) }
    }

    private func read(_ path: ScanPath, _ size: UInt64, _ named: Bool, _ number: Int, _ scan: FileScan) {
        var lines = ""
        var told = 0
        do throws(FileScan.Failure) {
            let report = try scan.scan(path: path, named: named) { hit in
                let line = writer.line(hit)
                if line.isEmpty { return }
                told += 1
                if !lines.isEmpty { lines += writer.separator }
                lines += line
                if lines.utf8.count < 64 * 1024 { return }
                output.tell(lines, of: number)
                lines = ""
            }
            if report.skip != nil { advance(Int(clamping: size)) }
            if !report.outcomes.isEmpty {
                say("\(path.shown): not all of it was read: \(report.outcomes.map(\.rawValue).joined(separator: ", "))")
            }
        } catch {
            fail("\(error.path.shown): \(error.message)")
        }
        output.tell(lines, of: number)
        sums.withLock { sums in
            sums.told += told
            sums.files += 1
        }
    }

    private func fail(_ message: String) {
        say(message)
        sums.withLock { $0.failures.append(message) }
    }

    private func say(_ message: String) {
        bar.clear()
        complain("weir scan: \(message)")
    }

    /// What stands behind all results.
    func end(_ exitCode: Int32) { output.close(writer.end(result.failures.sorted(), exitCode)) }

    // MARK: The bar

    private func advance(_ count: Int) {
        let done = bytes.wrappingAdd(count, ordering: .relaxed).newValue
        let (now, last) = (Clock.microseconds(), drawnAt.load(ordering: .relaxed))
        guard hasBar, now - last > Self.pause,
            drawnAt.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
        else { return }
        let (files, whole) = (result.files, progress)
        bar.draw(files: files, bytes: UInt64(done), of: whole)
    }

    func clearBar() { bar.clear() }

    private final class Bar: Sendable {
        private let bar: Guarded<ScanBar?>

        init(_ bar: ScanBar?) { self.bar = Guarded(bar) }

        func clear() { bar.withLock { $0?.clear() } }

        func draw(files: Int, bytes: UInt64, of whole: ScanQueue.Progress) {
            bar.withLock { $0?.draw(files: files, bytes: bytes, of: whole) }
        }
    }
}
