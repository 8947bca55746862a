import Glibc
import OS

/// How far a long command is, on one line of a terminal that is written over; nothing where stderr is none.
struct ProgressLine {
    private let what: String
    private let isShown: Bool
    private var shownAt: Int64 = 0
    private var isOpen = false

    private static let width = 32
    /// Often enough to be seen to move.
    private static let pauseMicroseconds: Int64 = 100_000

    init(_ what: String) {
        self.what = what
        isShown = Terminal.isTerminal(STDERR_FILENO)
    }

    /// `done`: from 0 to 1, or nil where nobody knows how much there is; `note` stands behind it.
    mutating func show(_ done: Double?, _ note: @autoclosure () -> String) {
        guard isShown else { return }
        let now = Clock.wallMicroseconds()
        guard now - shownAt >= Self.pauseMicroseconds else { return }
        shownAt = now
        isOpen = true
        var line = "\r\(what) "
        if let done {
            let filled = Int(Double(Self.width) * min(max(done, 0), 1))
            line += "[" + String(repeating: "#", count: filled)
            line += String(repeating: ".", count: Self.width - filled) + "] \(Int(min(done, 1) * 100)) % "
        }
        // The rest of what the line had before goes.
        write(line + note() + "\u{1b}[K")
    }

    /// The line is left to what comes next.
    mutating func clear() {
        if isOpen { write("\r\u{1b}[K") }
        isOpen = false
    }

    private func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
