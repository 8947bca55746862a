import Bytes
import Glibc

/// Reads files as the gateway reads bodies: the engine of `weir scan`, one for each thread.
public final class FileScan {
    public struct Options: Sendable {
        /// Sensors to read with; none means all.
        public var sensors: [String] = []
        /// How the stream is cut. Findings do not depend on it.
        public var chunkBytes = 128 * 1024
        /// Files that begin like gzip or zstd are read decoded.
        public var decode = true
        /// Larger files are left out.
        public var fileBytesMax = UInt64.max

        public init() {}
    }

    /// A finding in a file.
    public struct Hit: Equatable, Sendable {
        public var path: ScanPath
        public var finding: Finding
        /// In files of text, where the match begins or what it was decoded from.
        public var place: TextPlace?
        /// Where a match that was not decoded ends.
        public var end: TextPlace?
    }

    public struct Failure: Error, Equatable, Sendable {
        public var path: ScanPath
        public var message: String
    }

    /// Why a file was left out.
    public enum Skip: String, Sendable, CaseIterable {
        case tooLarge = "too_large"
        /// It was there when its directory was read.
        case vanished
        /// A pipe, a device or a socket has taken its place.
        case special
    }

    /// What came of one file besides findings.
    public struct Report: Sendable {
        public var skip: Skip?
        /// Why not all of it could be inspected.
        public var outcomes: [Uninspectable] = []
    }

    /// What is looked for.
    public let rules: [Rule]
    private let profile: Profile
    private let inspection: Inspection
    private let options: Options
    /// Two chunks. Of what can be read only once, the one before is kept for the sake of lines; of a file, the other is
    /// where lines are read again.
    private let room: UnsafeMutableRawBufferPointer
    private let chunkBytes: Int
    public private(set) var stats = Stats()
    /// Told how many bytes were read, chunk by chunk.
    public var advanced: ((Int) -> Void)?

    public init(_ database: Database, _ options: Options = Options()) throws(Failure) {
        for name in options.sensors where !database.sensorNames.contains(name) {
            let known = database.readyNames.joined(separator: ", ")
            throw Failure(path: ScanPath(name), message: "no sensor has this name, expected one of \(known)")
        }
        let names = options.sensors.isEmpty ? database.sensorNames : options.sensors
        profile = Profile(
            database, names.map { Attachment(sensor: $0, action: .alert) }, enforcing: false, hold: 0, anywhere: true)
        rules = database.sensors.filter { names.contains($0.name) }.flatMap { sensor in
            sensor.rules.map { Rule(sensor: sensor.name, name: $0.name, about: $0.about, version: $0.version) }
        }
        inspection = Inspection(scratch: Scratch())
        inspection.keepAll()
        self.options = options
        chunkBytes = max(options.chunkBytes, 1)
        room = .allocate(byteCount: 2 * chunkBytes, alignment: 64)
    }

    deinit { room.deallocate() }

    /// A file by its path; `-` is standard input.
    ///
    /// - Parameter named: by the user, who may name a pipe or a device. What is found in a directory is read only if it
    ///   is a file, and if it is still there.
    @discardableResult
    public func scan(path: ScanPath, named: Bool = true, _ each: (Hit) -> Void) throws(Failure) -> Report {
        if path == .input { return try scan(descriptor: STDIN_FILENO, path: path, each) }
        // What has taken the place of a file since then must not block.
        let flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | (named ? 0 : O_NONBLOCK)
        let descriptor = path.withCString { open($0, flags) }
        guard descriptor >= 0 else {
            if !named, errno == ENOENT { return skip(.vanished) }
            throw failure(path)
        }
        defer { close(descriptor) }
        return try scan(descriptor: descriptor, path: path, named: named, each)
    }

    /// What is left to read of a descriptor, which stays open.
    @discardableResult
    public func scan(
        descriptor: Int32, path: ScanPath, named: Bool = true, _ each: (Hit) -> Void
    ) throws(Failure) -> Report {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path) }
        var reading = Reading(descriptor: descriptor, path: path)
        if status.st_mode & S_IFMT == S_IFREG {
            if UInt64(status.st_size) > options.fileBytesMax { return skip(.tooLarge) }
            reading.start(at: lseek(descriptor, 0, SEEK_CUR), of: status.st_size)
        } else if !named {
            return skip(.special)
        }
        inspection.reset(profile)
        defer { account() }
        try read(&reading, each)
        return Report(outcomes: Uninspectable.allCases.filter(inspection.saw))
    }

    private func skip(_ why: Skip) -> Report {
        stats.skipped[why, default: 0] += 1
        return Report(skip: why)
    }

    private func account() {
        stats.files += 1
        stats.inspectedBytes += inspection.inspectedBytes
        stats.overruns += inspection.overruns
        for outcome in Uninspectable.allCases where inspection.saw(outcome) {
            stats.uninspectable[outcome, default: 0] += 1
        }
    }

    // MARK: Reading

    /// One file under way.
    private struct Reading {
        let descriptor: Int32
        let path: ScanPath
        /// Where a file is read from; nil for what can be read only once.
        var origin: off_t?
        /// Bytes that a file had when it was opened: one that grows as fast as it is read comes to an end.
        var left = Int.max
        var taken = 0
        /// Of the two chunks the one that is read into, and what is in the other.
        var half = 0
        var before = 0
        var isText = false
        var lines = Lines()

        init(descriptor: Int32, path: ScanPath) { (self.descriptor, self.path) = (descriptor, path) }

        /// Files of the kernel say that they are empty: they are read to their end.
        mutating func start(at position: off_t, of size: off_t) {
            guard position >= 0 else { return }
            origin = position
            if size > 0 { left = Int(max(size - position, 0)) }
        }
    }

    /// The beginning of a file by which text is told: the same as that of git.
    private static let textBytes = 8000

    private func read(_ reading: inout Reading, _ each: (Hit) -> Void) throws(Failure) {
        var ended = false
        while !ended {
            let isFirst = reading.taken == 0
            let count = try fill(&reading)
            let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(chunk(reading.half)).prefix(count))
            ended = count < chunkBytes || reading.left == 0
            if isFirst { begin(bytes, &reading) }
            inspection.feed(.request, bytes, end: ended)
            if ended { inspection.finish() }
            tell(&reading, bytes, all: ended, each)
            if reading.origin == nil, !ended { turn(&reading, bytes) }
        }
    }

    private func begin(_ bytes: UnsafeRawBufferPointer, _ reading: inout Reading) {
        let isCoded = options.decode && Magic.of(bytes.prefix(Magic.bytesMax)) != .none
        let head = min(bytes.count, Self.textBytes)
        reading.isText = !isCoded && (bytes.baseAddress.map { memchr($0, 0, head) == nil } ?? true)
        inspection.open(.request, as: .body, codings: [], decodes: options.decode)
    }

    /// The chunk before this one is forgotten, and this one kept.
    private func turn(_ reading: inout Reading, _ bytes: UnsafeRawBufferPointer) {
        let before = chunk(1 - reading.half).prefix(reading.before)
        if reading.isText { reading.lines.forget(UnsafeRawBufferPointer(rebasing: before)) }
        reading.before = bytes.count
        reading.half = 1 - reading.half
    }

    private func chunk(_ half: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: room[half * chunkBytes..<(half + 1) * chunkBytes])
    }

    /// Reads until the chunk is full or the file ends.
    private func fill(_ reading: inout Reading) throws(Failure) -> Int {
        let chunk = chunk(reading.half)
        let wanted = min(chunk.count, reading.left)
        var filled = 0
        while filled < wanted {
            let got = Glibc.read(reading.descriptor, chunk.baseAddress.map { $0 + filled }, wanted - filled)
            if got == 0 { break }
            if got < 0 {
                if errno == EINTR { continue }
                throw failure(reading.path)
            }
            filled += got
        }
        reading.left -= filled
        reading.taken += filled
        stats.bytes += UInt64(filled)
        advanced?(filled)
        return filled
    }

    // MARK: Findings

    private func tell(
        _ reading: inout Reading, _ bytes: UnsafeRawBufferPointer, all: Bool, _ each: (Hit) -> Void
    ) {
        let findings = inspection.takeSettled(all: all)
        stats.findings += findings.count
        for finding in findings {
            var hit = Hit(path: reading.path, finding: finding)
            if reading.isText {
                hit.place = place(of: finding.rawOffset, &reading, bytes)
                let end = finding.rawOffset + UInt64(finding.length)
                if finding.decoded.isEmpty { hit.end = place(of: end, &reading, bytes) }
            }
            each(hit)
        }
    }

    private func place(
        of offset: UInt64, _ reading: inout Reading, _ bytes: UnsafeRawBufferPointer
    ) -> TextPlace? {
        let (taken, before, origin) = (reading.taken, chunk(1 - reading.half).prefix(reading.before), reading.origin)
        let descriptor = reading.descriptor
        return reading.lines.place(of: offset) { from in
            let back = taken - Int(clamping: from)
            if back <= bytes.count { return bytes.suffix(back).rebased }
            if let origin { return again(descriptor, at: origin + off_t(from)) }
            return UnsafeRawBufferPointer(rebasing: before).suffix(back - bytes.count).rebased
        }
    }

    /// Part of a file once more, in the chunk that is not in use.
    private func again(_ descriptor: Int32, at offset: off_t) -> UnsafeRawBufferPointer {
        let free = chunk(1)
        let got = pread(descriptor, free.baseAddress, free.count, offset)
        return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(free).prefix(max(got, 0)))
    }

    private func failure(_ path: ScanPath) -> Failure {
        Failure(path: path, message: String(cString: strerror(errno)))
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate var rebased: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self) }
}
