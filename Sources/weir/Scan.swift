import ArgumentParser
import Bytes
import Config
import DLP
import Glibc
import OS

struct Scan: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the sensors over files or standard input, as grep would.",
        discussion: """
            Prints one line for each finding: path, offset, sensor and the masked match. Exit 0 where nothing was found, \
            1 where something was, 2 where something could not be read. Directories are read with all below them.
            """)

    @Option(name: .shortAndLong, help: "The configuration with the sensors; without one there are the shipped ones.")
    var config: String?

    @Option(help: "Only this sensor; may be given several times.")
    var sensor: [String] = []

    @Flag(help: "One JSON object a line.")
    var json = false

    @Flag(help: "End with an object of bytes, seconds, MB/s and outcomes, on standard error.")
    var stats = false

    @Option(help: "Files read at once.")
    var jobs = 1

    @Option(help: "Bytes that a file is cut into.")
    var chunk = 64 * 1024

    @Flag(help: "Read compressed files as they are.")
    var noDecode = false

    @Argument(help: "Files and directories; - is standard input.")
    var paths: [String]

    func validate() throws {
        if !(1...64).contains(jobs) { throw ValidationError("--jobs: expected 1-64, found \(jobs)") }
        if !(2...(1 << 30)).contains(chunk) {
            throw ValidationError("--chunk: expected 2 to 1073741824, found \(chunk)")
        }
    }

    func run() throws {
        let database = try database()
        var options = FileScan.Options()
        (options.sensors, options.chunkBytes, options.decode) = (sensor, chunk, !noDecode)
        let work = ScanWork(files: Walk.files(paths), json: json)
        var threads: [ThreadHandle] = []
        // Made here, so that an unknown sensor is told once.
        _ = try make(database, options)
        for index in 0..<min(jobs, max(work.count, 1)) {
            threads.append(
                try startThread(named: "scan-\(index)") { [options] in
                    guard let scan = try? FileScan(database, options) else { return }
                    work.run(scan)
                })
        }
        for thread in threads { thread.join() }
        if stats { complain(work.statistics) }
        if work.failed { throw ExitCode(2) }
        if work.found { throw ExitCode(1) }
    }

    private func make(_ database: Database, _ options: FileScan.Options) throws -> FileScan {
        do throws(FileScan.Failure) { return try FileScan(database, options) } catch {
            complain("weir scan: \(error.message)")
            throw ExitCode(2)
        }
    }

    private func database() throws -> Database {
        let settings = try config.map(Offline.read)
        // Fingerprints of the gateway's own key, where it has one, can be compared with its records.
        let directory = settings?.state.directory ?? ""
        let hasKey = access("\(directory)/fingerprint.key", R_OK) == 0
        let key =
            hasKey
            ? try StateDirectory.fingerprintKey(in: directory)
            : (0..<32).map { _ in UInt8.random(in: .min ... .max) }
        switch Database.compile(
            settings?.sensors ?? [], detectors: settings?.detectors.map(\.spec) ?? [],
            used: sensor.isEmpty ? nil : Set(sensor), limits: settings?.limits ?? Limits(), fingerprintKey: key)
        {
        case .success(let database): return database
        case .failure(let errors):
            for error in errors.errors { complain("weir scan: sensor \(error.sensor): \(error.message)") }
            throw ExitCode(2)
        }
    }
}

/// The files to read, handed out one by one to several threads, and what came of them.
private final class ScanWork: Sendable {
    private struct State {
        var next = 0
        var found = false
        var failed = false
        var stats: [String] = []
    }

    private let files: [Walk.Found]
    private let json: Bool
    private let state = Guarded(State())

    init(files: [Walk.Found], json: Bool) {
        self.files = files
        self.json = json
    }

    var count: Int { files.count }
    var found: Bool { state.withLock { $0.found } }
    var failed: Bool { state.withLock { $0.failed } }
    /// One object for each thread.
    var statistics: String { state.withLock { $0.stats.joined(separator: "\n") } }

    func run(_ scan: FileScan) {
        while let file = take() {
            guard case .file(let path) = file else {
                if case .unreadable(let path, let why) = file { fail("\(path): \(why)") }
                continue
            }
            var lines = Buffer()
            do throws(FileScan.Failure) {
                try scan.scan(path: path) { hit in
                    lines.append(text: json ? hit.json : hit.text)
                    lines.append(UInt8(ascii: "\n"))
                }
            } catch {
                fail("\(error.path): \(error.message)")
            }
            if !lines.isEmpty {
                // A file's lines stay together.
                let text = String(decoding: lines.readable, as: UTF8.self)
                state.withLock { state in
                    state.found = true
                    var text = text
                    text.withUTF8 { output(UnsafeRawBufferPointer($0)) }
                }
            }
        }
        let stats = scan.stats.json
        state.withLock { $0.stats.append(stats) }
    }

    private func take() -> Walk.Found? {
        state.withLock { state in
            guard state.next < files.count else { return nil }
            state.next += 1
            return files[state.next - 1]
        }
    }

    private func fail(_ message: String) {
        complain("weir scan: \(message)")
        state.withLock { $0.failed = true }
    }
}

/// The regular files below what was named; symbolic links are followed where they were named, not below.
private enum Walk {
    enum Found: Sendable {
        case file(String)
        case unreadable(String, String)
    }

    private static let depthMax = 128

    static func files(_ paths: [String]) -> [Found] {
        var found: [Found] = []
        for path in paths { add(path, depth: 0, to: &found) }
        return found
    }

    private static func add(_ path: String, depth: Int, to found: inout [Found]) {
        if path == "-" { return found.append(.file(path)) }
        var status = stat()
        guard (depth == 0 ? stat(path, &status) : lstat(path, &status)) == 0 else {
            return found.append(.unreadable(path, "\(Errno.last)"))
        }
        switch status.st_mode & S_IFMT {
        case S_IFDIR where depth < depthMax: addDirectory(path, depth: depth, to: &found)
        case S_IFDIR: found.append(.unreadable(path, "more than \(depthMax) directories deep"))
        case S_IFREG: found.append(.file(path))
        // Named by the user, so read; a device or a pipe found below a directory is not.
        default: if depth == 0 { found.append(.file(path)) }
        }
    }

    private static func addDirectory(_ path: String, depth: Int, to found: inout [Found]) {
        guard let directory = opendir(path) else { return found.append(.unreadable(path, "\(Errno.last)")) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        for name in names.sorted() { add("\(path)/\(name)", depth: depth + 1, to: &found) }
    }
}
