import ArgumentParser
import Config
import DLP
import Glibc

struct Unseal: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open the matches that evidence.seal_to sealed.",
        discussion: """
            Reads lines: records, results of weir scan --json, or what stands in their "sealed" alone. Prints each match on a \
            line of its own. Exit 0 where all that was sealed was opened, 1 where something was sealed to another key, 2 \
            where something could not be read.
            """)

    @Option(help: "The private key, X25519 in PEM, as openssl genpkey -algorithm X25519 makes it.")
    var key: String

    @Flag(help: "One JSON object a line, which says what was found by which rule.")
    var json = false

    @Argument(help: "Files of lines; - or none is standard input.")
    var paths: [String] = []

    func run() throws {
        let opener = try opener()
        var isShort = false
        for path in paths.isEmpty ? ["-"] : paths {
            let failed = lines(path) { line in
                for sealed in Sealed.all(in: line) {
                    if let match = opener.open(sealed.text) { tell(match, sealed) } else { isShort = true }
                }
            }
            guard let failed else { continue }
            complain("weir unseal: \(path): \(String(cString: strerror(failed)))")
            throw ExitCode(2)
        }
        if isShort {
            complain("weir unseal: some of it was sealed to another key, or is damaged")
            throw ExitCode(1)
        }
    }

    private func opener() throws -> Unsealer {
        do {
            return try Unsealer(pem: Array(try StateDirectory.secret(at: key)))
        } catch let failure as SealKey.Failure {
            complain("weir unseal: \(key): \(failure.message)")
        } catch {
            complain("weir unseal: \(error)")
        }
        throw ExitCode(2)
    }

    /// Control characters of a match would steer the terminal.
    private func tell(_ match: [UInt8], _ sealed: Sealed) {
        let text = String(decoding: match, as: UTF8.self)
        var line =
            json
            ? #"{"sensor":"\#(sealed.sensor)","rule":"\#(sealed.rule)","match":\#(jsonString(text))}"#
            : ScanPath(match).shown
        line += "\n"
        line.withUTF8 { _ = output(UnsafeRawBufferPointer($0)) }
    }

    /// Answers why a file could not be read to its end.
    private func lines(_ path: String, _ each: (String) -> Void) -> Int32? {
        guard let file = path == "-" ? fdopen(dup(STDIN_FILENO), "r") : fopen(path, "r") else { return errno }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        while true {
            let count = getline(&line, &room, file)
            guard count >= 0, let bytes = line else { break }
            each(String(decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self))
        }
        return ferror(file) != 0 ? errno : nil
    }

    /// A sealed match and what its record says of it.
    private struct Sealed {
        var text: String
        var sensor = ""
        var rule = ""

        /// Those of a record, or the line itself. In JSON a quote within a text stands behind a backslash, so that what looks
        /// like a key is one.
        static func all(in line: String) -> [Sealed] {
            guard line.contains("{") else {
                let text = line.filter { !$0.isWhitespace }
                return text.isEmpty ? [] : [Sealed(text: text)]
            }
            var found: [Sealed] = []
            var sensor = ""
            var rule = ""
            var parts = line.split(separator: "\"", omittingEmptySubsequences: false)[...]
            while let part = parts.popFirst() {
                guard parts.first == ":" else { continue }
                let value = parts.dropFirst().first.map(String.init) ?? ""
                switch part {
                case "sensor": sensor = value
                case "rule": rule = value
                case "sealed": found.append(Sealed(text: value, sensor: sensor, rule: rule))
                default: break
                }
            }
            return found
        }
    }
}
