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
            Prints one line for each finding: path, line, column, sensor, the masked match and its offset. Exit 0 where \
            nothing was found, 1 where something was, 2 where something could not be read.

            Directories are read with all below them, binary and hidden files too, but for what .weirignore, .ignore and \
            (in a repository) .gitignore leave out, and for the stores of version control.
            """)

    @Option(name: .shortAndLong, help: "The configuration with the sensors; without one there are the shipped ones.")
    var config: String?

    @Option(help: "Only this sensor; may be given several times.")
    var sensor: [String] = []

    @Option(
        name: [.customShort("e"), .long],
        help: "Look for a regular expression (PCRE2), and for the sensors only if they are named.")
    var regex: [String] = []

    @OptionGroup var walk: ScanWalkOptions

    @OptionGroup var results: ScanResultOptions

    @Option(help: "Files read at once; 0 is one for each core.")
    var jobs = 0

    @Option(help: "Bytes that a file is cut into.")
    var chunk = 128 * 1024

    @Flag(help: "Read compressed files as they are.")
    var noDecode = false

    @Argument(help: "Files and directories; - is standard input.")
    var paths: [String]

    func validate() throws {
        if !(0...64).contains(jobs) { throw ValidationError("--jobs: expected 0-64, found \(jobs)") }
        if !(2...(1 << 30)).contains(chunk) {
            throw ValidationError("--chunk: expected 2 to 1073741824, found \(chunk)")
        }
    }

    func run() throws {
        let begun = Clock.microseconds()
        let settings = try config.map(Offline.read)
        let key = try results.fingerprintKey(settings)
        let (database, options) = (try database(settings, key.bytes), try options())
        // Made here, so that an unknown sensor is told once.
        let first = try make(database, options)
        let writer = try results.writer(database, first.rules, keyStays: key.stays)
        let work = ScanWork(ScanWalk(paths.map(Self.path), walk.options), bar: ScanBar(), writer)
        let threads = jobs == 0 ? max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1) : jobs
        let handles = try (1..<threads).map { index in
            try startThread(named: "scan-\(index)") {
                guard let scan = try? FileScan(database, options) else { return }
                work.run(scan)
            }
        }
        work.run(first)
        for handle in handles { handle.join() }
        work.clearBar()
        let result = work.result
        let exit: Int32 = result.failures.isEmpty ? result.told > 0 && !writer.isBaselineWritten ? 1 : 0 : 2
        work.end(exit)
        try writer.writeBaseline()
        if results.stats {
            let seconds = Double(Clock.microseconds() - begun) / 1e6
            complain(result.stats.json(seconds: seconds, ignored: work.progress.ignored))
        }
        if !work.isWritten { complain("weir scan: standard output did not take all of the results") }
        if exit != 0 || !work.isWritten { throw ExitCode(work.isWritten ? exit : 2) }
    }

    /// An argument as it was given: what came as text has lost the bytes that are no UTF-8.
    private static func path(_ text: String) -> ScanPath {
        guard text.unicodeScalars.contains("\u{fffd}") else { return ScanPath(text) }
        for index in 1..<Int(CommandLine.argc) {
            guard let argument = CommandLine.unsafeArgv[index], String(cString: argument) == text else { continue }
            return ScanPath(UnsafeBufferPointer(start: argument, count: strlen(argument)).map(UInt8.init(bitPattern:)))
        }
        return ScanPath(text)
    }

    private func options() throws -> FileScan.Options {
        var options = FileScan.Options()
        options.sensors = sensor + (regex.isEmpty ? [] : [Self.regexSensor])
        (options.chunkBytes, options.decode) = (chunk, !noDecode)
        if let most = walk.maxFileSize { options.fileBytesMax = most.bytes }
        return options
    }

    private func make(_ database: Database, _ options: FileScan.Options) throws -> FileScan {
        do throws(FileScan.Failure) { return try FileScan(database, options) } catch {
            complain("weir scan: \(error.path.shown): \(error.message)")
            throw ExitCode(2)
        }
    }

    // MARK: Sensors

    /// The name of the one that the command line makes up.
    private static let regexSensor = "regex"

    private func database(_ settings: Settings?, _ key: [UInt8]) throws -> Database {
        var specs = settings?.sensors ?? []
        if !regex.isEmpty {
            let rules = regex.enumerated().map { index, text in
                SensorRuleSpec(name: "\(index + 1)", patterns: [PatternSpec(regex: text, contexts: .body)])
            }
            specs.append(SensorSpec(name: Self.regexSensor, rules: rules))
        }
        let tokens: [Honeytoken]
        switch settings?.plantedTokens ?? .success([]) {
        case .success(let read): tokens = read
        case .failure(let errors): throw Offline.refuse(errors, 2)
        }
        switch Database.compile(
            specs, detectors: settings?.detectors.map(\.spec) ?? [], honeytokens: tokens,
            used: sensor.isEmpty && regex.isEmpty ? nil : Set(sensor), limits: settings?.limits ?? Limits(),
            fingerprintKey: key, evidence: try results.evidence(settings))
        {
        case .success(let database): return database
        case .failure(let errors):
            for error in errors.errors { complain("weir scan: sensor \(error.sensor): \(error.message)") }
            throw ExitCode(2)
        }
    }
}

/// Which files are read.
struct ScanWalkOptions: ParsableArguments {
    @Flag(help: "Read what ignore files leave out, and the stores of version control.")
    var noIgnore = false

    @Flag(inversion: .prefixedNo, help: "Read files and directories whose names begin with a dot.")
    var hidden = true

    @Flag(name: [.customShort("L"), .long], help: "Follow symbolic links below directories, too.")
    var follow = false

    @Flag(name: [.customShort("x"), .long], help: "Stay on the file systems of what was named.")
    var oneFileSystem = false

    @Option(help: ArgumentHelp("Leave out larger files, such as 10MiB.", valueName: "size"))
    var maxFileSize: FileSize?

    var options: ScanWalk.Options {
        ScanWalk.Options(noIgnore: noIgnore, hidden: hidden, follow: follow, oneFileSystem: oneFileSystem)
    }

    /// Written as sizes are in the configuration.
    struct FileSize: ExpressibleByArgument {
        let bytes: UInt64

        init?(argument: String) {
            guard let bytes = byteCount(argument) else { return nil }
            self.bytes = UInt64(bytes)
        }
    }
}
