import Bytes
import Config
import Glibc
import Record

/// Diagnostics on stderr: what an operator reads when something is not as it should be. Never a byte of what was matched.
public struct Log: Sendable {
    let level: LogSettings.Level
    let format: LogSettings.Format

    public init(_ settings: LogSettings) {
        level = settings.level
        format = settings.format
    }

    public func debug(_ message: @autoclosure () -> String) { say(.debug, message) }
    public func info(_ message: @autoclosure () -> String) { say(.info, message) }
    public func warning(_ message: @autoclosure () -> String) { say(.warning, message) }
    public func error(_ message: @autoclosure () -> String) { say(.error, message) }

    private func say(_ level: LogSettings.Level, _ message: () -> String) {
        guard level >= self.level else { return }
        var line = Buffer(capacity: 256)
        switch format {
        case .text:
            line.append(text: "\(level.rawValue): \(message())")
        case .json:
            line.append("{\"time\":\"")
            line.append(text: Log.timestamp())
            line.append("\",\"level\":\"")
            line.append(text: level.rawValue)
            line.append("\",\"message\":")
            line.append(quoted: message())
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
        // One call a line, so that lines of several threads do not mix.
        _ = write(STDERR_FILENO, line.readable.baseAddress, line.count)
    }

    /// UTC, to the second (RFC 3339).
    private static func timestamp() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            let count = strftime(text.baseAddress, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
            return String(decoding: UnsafeRawBufferPointer(text)[..<count], as: UTF8.self)
        }
    }
}
