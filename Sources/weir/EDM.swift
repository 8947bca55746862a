import ArgumentParser
import DLP
import Glibc

struct EDM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edm",
        abstract: "Make an index of your own records, by which a sensor knows their values.",
        subcommands: [Build.self])

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn comma-separated values into an index of keyed hashes.",
            discussion: """
                Types: digits (numbers), alnum (digits and letters), email, name (words, without case and accents), date \
                (1985-05-17), date-dmy (17/05/1985), date-mdy (05/17/1985). Of several columns the index knows which \
                values are of one row. The key file is made if it is not there; whoever has it can try values out. The \
                index takes the place of the file it is written to when it is whole, so that a gateway may have that open.
                """)

        @Option(name: .customLong("column"), help: "A column to take, NAME=TYPE; may be given several times.")
        var columns: [String]

        @Option(help: "The file of the key, at least 16 bytes.")
        var key: String

        @Option(name: .shortAndLong, help: "The index to write.")
        var output: String

        @Option(help: "What separates fields: one character, or tab.")
        var separator = ","

        @Flag(help: "The first record is one of values: columns are called 1, 2, 3, ….")
        var noHeader = false

        @Argument(help: "The file of records; - is standard input.")
        var path: String

        func run() throws {
            let source = try InputFile("weir edm build", path)
            let key = try KeyFile.open("weir edm build", key)
            var options = ExactIndexBuilder.Options()
            (options.separator, options.hasHeader) = (try separatorByte(), !noHeader)
            var progress = ProgressLine("reading")
            do {
                let builder = try ExactIndexBuilder(try forms(), key: key, path: output, options: options)
                try source.read { bytes, done in
                    try builder.feed(bytes)
                    progress.show(done, "\(builder.rows) records")
                }
                progress.clear()
                progress = ProgressLine("writing")
                let reports = try builder.finish { progress.show($0, "") }
                progress.clear()
                tell(builder.rows, reports)
            } catch {
                progress.clear()
                throw refuse(error)
            }
        }

        private func forms() throws -> [ExactIndexBuilder.Column] {
            try columns.map { text in
                let parts = text.split(separator: "=", omittingEmptySubsequences: false)
                let known = ColumnForm.names.map(\.0).joined(separator: ", ")
                guard parts.count >= 2, let form = parts.last.flatMap({ ColumnForm.named(String($0)) }) else {
                    throw ValidationError("--column \(text): expected NAME=TYPE with a type of \(known)")
                }
                return ExactIndexBuilder.Column(name: parts.dropLast().joined(separator: "="), form: form)
            }
        }

        private func separatorByte() throws -> UInt8 {
            if separator == "tab" { return 0x09 }
            guard separator.utf8.count == 1, let byte = separator.utf8.first, byte != 0x22, byte != 0x0a, byte != 0x0d
            else { throw ValidationError("--separator: expected one character, or tab") }
            return byte
        }

        private func tell(_ rows: UInt64, _ reports: [ExactIndexBuilder.Report]) {
            var status = stat()
            let size = stat(output, &status) == 0 ? Int(status.st_size) : 0
            let values = reports.reduce(0) { $0 + $1.entries }
            let share = values > 0 ? Double(size * 10 / values) / 10 : 0
            print("\(output): \(values) values of \(rows) records, \(size) bytes, \(share) a value")
            for report in reports where report.empty + report.leftOut > 0 {
                print(
                    "  \(report.name): \(report.empty) empty, \(report.leftOut) left out: too short, too long or of no such type"
                )
            }
        }

        /// Places are of the file; values of it are not shown.
        private func refuse(_ error: any Error) -> any Error {
            guard let failure = error as? ExactIndexBuilder.Failure else {
                if let fault = error as? IndexFault {
                    complain("weir edm build: \(output): \(fault.message)")
                    return ExitCode(2)
                }
                return error
            }
            switch failure {
            case .input(let fault): complain("\(path):\(fault.line):\(fault.column): \(fault.message)")
            case .index(let fault): complain("weir edm build: \(output): \(fault.message)")
            }
            return ExitCode(2)
        }
    }
}

/// The key of an index, made where there is none.
enum KeyFile {
    static func open(_ command: String, _ path: String) throws -> IndexKey {
        do throws(IndexFault) {
            if access(path, F_OK) != 0 { try make(command, path) }
            return try IndexKey.read(path)
        } catch {
            complain("\(command): \(path): \(error.message)")
            throw ExitCode(2)
        }
    }

    private static func make(_ command: String, _ path: String) throws(IndexFault) {
        let digits = Array("0123456789abcdef".utf8)
        var random = SystemRandomNumberGenerator()
        let text = (0..<64).map { _ in digits[Int(random.next() & 15)] } + [0x0a]
        let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IndexFault(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard write(descriptor, text, text.count) == text.count, fsync(descriptor) == 0 else {
            throw IndexFault(String(cString: strerror(errno)))
        }
        complain("\(command): made the key \(path): keep it secret, and as long as the index")
    }
}

/// A file that is read once from its front to its end, or standard input.
final class InputFile {
    private let command: String
    private let path: String
    private let descriptor: Int32
    private let size: Int?

    init(_ command: String, _ path: String) throws {
        (self.command, self.path) = (command, path)
        descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            complain("\(command): \(path): \(String(cString: strerror(errno)))")
            throw ExitCode(2)
        }
        size = status.st_mode & S_IFMT == S_IFREG && status.st_size > 0 ? Int(status.st_size) : nil
    }

    deinit {
        if path != "-", descriptor >= 0 { close(descriptor) }
    }

    /// Hands on what is read, with the share of the file that it ends, if that is known.
    func read(_ each: (UnsafeRawBufferPointer, Double?) throws -> Void) throws {
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var done = 0
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                complain("\(command): \(path): \(String(cString: strerror(errno)))")
                throw ExitCode(2)
            }
            if count == 0 { return }
            done += count
            let share = size.map { Double(done) / Double($0) }
            try chunk.withUnsafeBytes { try each(UnsafeRawBufferPointer(rebasing: $0[..<count]), share) }
        }
    }
}
