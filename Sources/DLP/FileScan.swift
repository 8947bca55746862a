import Bytes
import Glibc

/// Reads files as the gateway reads bodies: the engine of `weir scan`.
public final class FileScan {
    public struct Options: Sendable {
        /// Sensors to read with; none means all.
        public var sensors: [String] = []
        /// How the stream is cut. Findings do not depend on it.
        public var chunkBytes = 64 * 1024
        /// Files that begin like gzip or zstd are read decoded.
        public var decode = true

        public init() {}
    }

    /// A finding in a file.
    public struct Hit: Equatable, Sendable {
        public var path: String
        public var finding: Finding
    }

    public struct Failure: Error, Equatable, Sendable {
        public var path: String
        public var message: String
    }

    /// What all the files of a scan came to.
    public struct Stats: Equatable, Sendable {
        public internal(set) var files = 0
        public internal(set) var bytes: UInt64 = 0
        public internal(set) var inspectedBytes: UInt64 = 0
        public internal(set) var seconds = 0.0
        public internal(set) var findings = 0
        public internal(set) var overruns = 0
        /// Files by what could not be read of them.
        public internal(set) var uninspectable: [Uninspectable: Int] = [:]

        public var megabytesPerSecond: Double { seconds > 0 ? Double(bytes) / seconds / 1e6 : 0 }
    }

    private let profile: Profile
    private let inspection: Inspection
    private let options: Options
    private var chunk: [UInt8]
    public private(set) var stats = Stats()

    public init(_ database: Database, _ options: Options = Options()) throws(Failure) {
        for name in options.sensors where !database.sensorNames.contains(name) {
            let known = database.readyNames.joined(separator: ", ")
            throw Failure(path: name, message: "no sensor has this name, expected one of \(known)")
        }
        let names = options.sensors.isEmpty ? database.sensorNames : options.sensors
        profile = Profile(
            database, names.map { Attachment(sensor: $0, action: .alert) }, enforcing: false, hold: 0, anywhere: true)
        inspection = Inspection(scratch: Scratch())
        inspection.keepAll()
        self.options = options
        chunk = [UInt8](repeating: 0, count: max(options.chunkBytes, 1))
    }

    /// A file by its path; `-` is standard input.
    public func scan(path: String, _ each: (Hit) -> Void) throws(Failure) {
        if path == "-" { return try scan(descriptor: 0, path: path, each) }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        try scan(descriptor: descriptor, path: path, each)
    }

    /// What is left to read of a descriptor, which stays open.
    public func scan(descriptor: Int32, path: String, _ each: (Hit) -> Void) throws(Failure) {
        let begun = Self.now()
        inspection.reset(profile)
        var opened = false
        defer {
            stats.files += 1
            stats.seconds += Self.now() - begun
            stats.inspectedBytes += inspection.inspectedBytes
            stats.overruns += inspection.overruns
            for outcome in Uninspectable.allCases where inspection.saw(outcome) {
                stats.uninspectable[outcome, default: 0] += 1
            }
        }
        while true {
            let count = try fill(descriptor, path)
            if !opened {
                opened = true
                inspection.open(.request, as: .body, codings: [], decodes: options.decode)
            }
            stats.bytes += UInt64(count)
            chunk.withUnsafeBytes { feed(UnsafeRawBufferPointer(rebasing: $0[..<count]), path, each) }
            if count < chunk.count { break }
        }
        inspection.feed(.request, UnsafeRawBufferPointer(start: nil, count: 0), end: true)
        inspection.finish()
        tell(inspection.takeSettled(all: true), path, each)
    }

    private func feed(_ bytes: UnsafeRawBufferPointer, _ path: String, _ each: (Hit) -> Void) {
        inspection.feed(.request, bytes, end: false)
        tell(inspection.takeSettled(all: false), path, each)
    }

    private func tell(_ findings: [Finding], _ path: String, _ each: (Hit) -> Void) {
        stats.findings += findings.count
        for finding in findings { each(Hit(path: path, finding: finding)) }
    }

    /// Reads until the chunk is full or the file ends.
    private func fill(_ descriptor: Int32, _ path: String) throws(Failure) -> Int {
        var filled = 0
        while filled < chunk.count {
            let got = chunk.withUnsafeMutableBytes {
                read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            filled += got
        }
        return filled
    }

    private func failure(_ path: String) -> Failure {
        Failure(path: path, message: String(cString: strerror(errno)))
    }

    private static func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
