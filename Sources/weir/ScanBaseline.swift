import DLP
import Glibc
import OS

/// Findings that are known: one a line, told by what they are and in which file, and not by where.
///
/// ```
/// weir-baseline 1 key=0f1e2d3c4b5a6978
/// 61b2dae00d30eb373ebf807633cb5462 secrets/aws-access-key-id src/settings.py
/// ```
///
/// Fingerprints are keyed: nobody without the key can try values against the file. Paths are relative to the directory
/// that the file is in, so that it does not matter from where it is used.
struct ScanBaseline: Sendable {
    struct Fault: Error, Equatable {
        var message: String
    }

    private static let magic = "weir-baseline 1 key="
    /// A larger one was not made here.
    private static let bytesMax = 1 << 30

    let path: String
    private let keyID: String
    /// Of the directory that the file is in.
    private let directory: [[UInt8]]
    private var known: Set<String> = []

    /// An empty one.
    init(_ path: String, keyID: String) {
        (self.path, self.keyID) = (path, keyID)
        directory = Self.absolute(ScanPath(path)).dropLast()
    }

    /// What was written.
    init(reading path: String, keyID: String) throws(Fault) {
        self.init(path, keyID: keyID)
        var lines = try Self.text(path).split(separator: "\n", omittingEmptySubsequences: true)[...]
        guard let first = lines.popFirst(), first.hasPrefix(Self.magic) else {
            throw Fault(message: "\(path): expected a baseline, which begins with \(Self.magic)")
        }
        let made = first.dropFirst(Self.magic.count)
        guard made == keyID else {
            throw Fault(
                message:
                    "\(path): was made with another key (\(made)), expected that of \(keyID): none of it would match")
        }
        known = Set(lines.map(String.init))
    }

    func knows(_ hit: FileScan.Hit) -> Bool { known.contains(line(hit)) }

    mutating func add(_ hit: FileScan.Hit) { known.insert(line(hit)) }

    var count: Int { known.count }

    /// Puts the file in its place whole.
    func write() throws(Fault) {
        let draft = "\(path).\(getpid())"
        let text =
            Self.magic + keyID + "\n" + known.sorted { Self.byPath($0) < Self.byPath($1) }.map { $0 + "\n" }.joined()
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Fault(message: "\(draft): \(Errno.last)") }
        defer { unlink(draft) }
        let isWritten = Array(text.utf8).withUnsafeBytes { output($0, to: descriptor) }
        let failure = Errno.last
        close(descriptor)
        guard isWritten else { throw Fault(message: "\(draft): \(failure)") }
        guard rename(draft, path) == 0 else { throw Fault(message: "\(path): \(Errno.last)") }
    }

    private static func byPath(_ line: String) -> (Substring, Substring) {
        let words = line.split(separator: " ", maxSplits: 2)
        return (words.last ?? "", words.first ?? "")
    }

    private func line(_ hit: FileScan.Hit) -> String {
        "\(hit.finding.fingerprint) \(hit.finding.sensor)/\(hit.finding.rule) \(relative(hit.path))"
    }

    // MARK: Paths

    /// As seen from the directory of the file, without what would break the line.
    private func relative(_ path: ScanPath) -> String {
        if path == .input { return "-" }
        let whole = Self.absolute(path)
        var shared = 0
        while shared < min(whole.count, directory.count), whole[shared] == directory[shared] { shared += 1 }
        let up = [[UInt8]](repeating: Array("..".utf8), count: directory.count - shared)
        var text = ""
        for byte in (up + whole[shared...]).joined(separator: [UInt8(ascii: "/")]) {
            if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "%") {
                text.unicodeScalars.append(UnicodeScalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }

    /// The names from the root on, without `.` and `..`; links stay.
    private static func absolute(_ path: ScanPath) -> [[UInt8]] {
        var bytes = path.bytes
        if bytes.first != UInt8(ascii: "/"), let here = getcwd(nil, 0) {
            defer { free(here) }
            bytes =
                UnsafeBufferPointer(start: here, count: strlen(here)).map(UInt8.init(bitPattern:))
                + [UInt8(ascii: "/")] + bytes
        }
        var names: [[UInt8]] = []
        for name in bytes.split(separator: UInt8(ascii: "/")) where !name.elementsEqual(".".utf8) {
            if name.elementsEqual("..".utf8) { _ = names.popLast() } else { names.append(Array(name)) }
        }
        return names
    }

    private static func text(_ path: String) throws(Fault) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Fault(message: "\(path): \(Errno.last)") }
        let file = FileDescriptor(owning: descriptor)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        do {
            while bytes.count < bytesMax,
                case .moved(let count) = try piece.withUnsafeMutableBytes({ try file.read(into: $0) })
            {
                bytes += piece[..<count]
            }
        } catch { throw Fault(message: "\(path): \(error)") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
