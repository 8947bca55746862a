import Bytes
import DLP
import Glibc
import OS

/// What several threads found, told in the order of the files: of the first that is not done at once, of those behind it
/// when their turn comes.
final class ScanOutput: Sendable {
    private struct State {
        /// The file whose results are being told.
        var first = 0
        var texts: [Int: Text] = [:]
        var isFailed = false
        /// A separator is due.
        var hasTold = false
    }

    private struct Text {
        var lines = ""
        var isDone = false

        mutating func add(_ more: String, _ separator: String) { lines += lines.isEmpty ? more : separator + more }
    }

    private let state = Guarded(State())
    private let before: @Sendable () -> Void

    private let separator: String

    /// - Parameters:
    ///   - separator: stands between two texts.
    ///   - before: called before anything is told.
    init(_ head: String, separator: String, before: @escaping @Sendable () -> Void) {
        (self.separator, self.before) = (separator, before)
        state.withLock { write(head, &$0) }
    }

    /// Standard output did not take all of it.
    var isFailed: Bool { state.withLock { $0.isFailed } }

    func tell(_ lines: String, of file: Int) {
        guard !lines.isEmpty else { return }
        state.withLock { state in
            if file == state.first {
                put(lines, &state)
            } else {
                state.texts[file, default: Text()].add(lines, separator)
            }
        }
    }

    /// There is no more of this file.
    func end(_ file: Int) {
        state.withLock { state in
            guard file == state.first else { return state.texts[file, default: Text()].isDone = true }
            state.first += 1
            while let text = state.texts.removeValue(forKey: state.first) {
                put(text.lines, &state)
                guard text.isDone else { return }
                state.first += 1
            }
        }
    }

    private func put(_ lines: String, _ state: inout State) {
        if lines.isEmpty { return }
        write(state.hasTold ? separator + lines : lines, &state)
        state.hasTold = true
    }

    /// Behind all files.
    func close(_ text: String) { state.withLock { write(text, &$0) } }

    private func write(_ text: String, _ state: inout State) {
        if text.isEmpty { return }
        before()
        var text = text
        if !text.withUTF8({ weir.output(UnsafeRawBufferPointer($0)) }) { state.isFailed = true }
    }
}

/// A line on the terminal that says how far the scan has come.
struct ScanBar {
    private let columns: Int
    private let colors: Bool
    private let begun = Clock.microseconds()
    private var isDrawn = false

    /// Nil where standard error is no terminal, or one that cannot go back in a line.
    init?() {
        guard Terminal.isTerminal(STDERR_FILENO) else { return nil }
        var size = winsize()
        columns = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        colors = Terminal.hasColors(STDERR_FILENO)
    }

    mutating func draw(files: Int, bytes: UInt64, of whole: ScanQueue.Progress) {
        let seconds = Double(Clock.microseconds() - begun) / 1e6
        let rate = Double(bytes) / max(seconds, 0.001)
        let share = whole.bytes > 0 ? min(Double(bytes) / Double(whole.bytes), 1) : 0
        var text = " \(files)/\(whole.files)\(whole.isWhole ? "" : "+") files  \(Int(rate / 1e6)) MB/s"
        // Before all directories have been read nobody knows.
        if whole.isWhole, rate > 0 {
            let left = Int(Double(whole.bytes - min(bytes, whole.bytes)) / rate + 0.5)
            text += "  \(left / 60):\(left % 60 < 10 ? "0" : "")\(left % 60) left"
        }
        let width = max(min(columns - text.utf8.count - 8, 40), 0)
        let full = Int(share * Double(width))
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: width - full)
        let painted = colors ? "\u{1b}[32m\(bar)\u{1b}[0m" : bar
        put("\r\u{1b}[K[\(painted)] \(Int(share * 100))%\(text)")
        isDrawn = true
    }

    /// Takes the line away, so that something else can be said.
    mutating func clear() {
        if isDrawn { put("\r\u{1b}[K") }
        isDrawn = false
    }

    private func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

/// What the other end of a descriptor can show.
enum Terminal {
    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 && variable("TERM") != "dumb" }

    /// https://no-color.org: set to anything it means no colours.
    static func hasColors(_ descriptor: Int32) -> Bool {
        isTerminal(descriptor) && (variable("NO_COLOR") ?? "").isEmpty
    }

    private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
