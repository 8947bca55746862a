import Bytes
import Glibc
import Testing

@testable import Record

/// A directory that goes when the test does.
final class TemporaryDirectory: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/weir-record-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else { return "" }
            return String(cString: made)
        }
        precondition(!path.isEmpty, "no temporary directory")
    }

    deinit {
        for name in names { unlink(path + "/" + name) }
        rmdir(path)
    }

    /// The files in the directory, sorted.
    var names: [String] {
        guard let listing = opendir(path) else { return [] }
        defer { closedir(listing) }
        var names: [String] = []
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func read(_ name: String) -> String {
        let descriptor = open(path + "/" + name, O_RDONLY)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64 * 1024)
        var whole: [UInt8] = []
        while true {
            let count = Glibc.read(descriptor, &bytes, bytes.count)
            guard count > 0 else { break }
            whole += bytes[..<count]
        }
        return String(decoding: whole, as: UTF8.self)
    }

    func write(_ name: String, _ text: String) {
        let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        precondition(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    func lines(_ name: String) -> [String] {
        read(name).split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
}

/// Bytes that stay where they are while the body runs.
func withBytes<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var copy = text
    return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
}

func endpoint(_ text: String) -> Endpoint {
    guard let endpoint = Endpoint(text) else { preconditionFailure("not an endpoint: \(text)") }
    return endpoint
}

extension Buffer {
    var text: String { String(decoding: readable, as: UTF8.self) }
}

/// 2026-11-21T10:00:00.123Z
let someTime: Int64 = 1_795_255_200_123_000

extension SessionRecord {
    /// A small session, number `number`.
    static func sample(_ number: Int = 0, findings: [FindingRecord] = []) -> SessionRecord {
        SessionRecord(
            id: RecordID(high: 0, low: UInt64(number)), startMicroseconds: someTime, durationMicroseconds: 1834,
            service: "dh157.default", pod: "dh157", mode: .monitor, client: endpoint("10.244.0.9:51544"),
            destination: endpoint("52.18.63.80:80"), application: .http, action: .allow, would: .allow,
            findings: findings, listener: "egress")
    }

    func line() -> String {
        var encoder = LineEncoder()
        var line = Buffer()
        encoder.append(self, to: &line)
        return line.text
    }
}

/// Runs the body on that many threads at once and waits for them.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    final class Job: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void
        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) { (self.index, self.body) = (index, body) }
    }
    let threads = (0..<count).map { index in
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Job(index, body)).toOpaque()
        let failed = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
                job.body(job.index)
                return nil
            }, context)
        precondition(failed == 0)
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
}

/// Waits for something that another thread will bring about; false after five seconds.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<2500 {
        if condition() { return true }
        usleep(2000)
    }
    return condition()
}
