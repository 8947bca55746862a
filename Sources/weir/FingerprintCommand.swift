import ArgumentParser
import DLP

struct Fingerprint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint",
        abstract: "Make an index of your own documents, by which a sensor knows them, whole or in part.",
        subcommands: [Build.self])

    struct Build: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turn documents into an index of keyed fingerprints.",
            discussion: """
                Documents are read as the text they are; directories with all below them, but for what `weir scan` leaves \
                out. Findings name a document by its path as it is given here. The key file is made if it is not there. The \
                index takes the place of the file it is written to when it is whole.
                """)

        @Option(help: "The file of the key, at least 16 bytes.")
        var key: String

        @Option(name: .shortAndLong, help: "The index to write.")
        var output: String

        @Argument(help: "Files and directories.")
        var paths: [String]

        private static let command = "weir fingerprint build"

        func run() throws {
            let key = try KeyFile.open(Self.command, key)
            var progress = ProgressLine("reading")
            do {
                let builder = try DocumentIndexBuilder(key: key, path: output)
                let walk = ScanWalk(paths.map { ScanPath($0) }, ScanWalk.Options())
                while let found = walk.next(1).first {
                    progress.show(nil, "\(builder.documentCount) documents")
                    try add(found, to: builder)
                }
                try builder.finish()
                progress.clear()
                tell(builder)
            } catch let fault as IndexFault {
                progress.clear()
                complain("\(Self.command): \(output): \(fault.message)")
                throw ExitCode(2)
            } catch {
                progress.clear()
                throw error
            }
        }

        private func add(_ found: ScanWalk.Found, to builder: DocumentIndexBuilder) throws {
            switch found {
            case .unreadable(let path, let why):
                complain("\(Self.command): \(path.shown): \(why)")
                throw ExitCode(2)
            case .file(let path, _, _):
                builder.begin(path.shown)
                try InputFile(Self.command, path.text).read { bytes, _ in try builder.feed(bytes) }
                builder.end()
            }
        }

        private func tell(_ builder: DocumentIndexBuilder) {
            print("\(output): \(builder.printCount) fingerprints of \(builder.documentCount) documents")
            if builder.leftOut > 0 { print("  \(builder.leftOut) left out: too short to be known again") }
            if builder.commonCount > 0 { print("  \(builder.commonCount) have nothing that many others have not") }
        }
    }
}
