import Bytes
import Glibc

extension EgressReport {
    /// Adds up `sessions.jsonl` and its rotated predecessors in a directory, line by line; the gateway may be writing
    /// meanwhile.
    public static func read(directory: String, since: Int64 = 0) throws(RecordError) -> EgressReport {
        var report = EgressReport(since: since)
        let files = try SessionFiles(directory: directory)
        for descriptor in files.descriptors {
            do throws(FileFailure) {
                try report.read(descriptor)
            } catch {
                throw RecordError(error, path: directory)
            }
        }
        return report
    }

    /// A moment as `--since` takes it, in unix microseconds: RFC 3339, or a time back from now like `90s`, `15m`, `24h`
    /// or `7d`.
    public static func moment(_ text: String, now: Int64? = nil) -> Int64? {
        var copy = text
        if let time = copy.withUTF8({ Timestamp.microseconds(UnsafeRawBufferPointer($0)) }) { return time }
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count >= 0,
            text.utf8.first != UInt8(ascii: "+")
        else { return nil }
        let (span, overflow) = count.multipliedReportingOverflow(by: unit * 1_000_000)
        return overflow ? nil : max((now ?? Timestamp.now()) - span, 0)
    }

    /// A longer line is not ours.
    private static let lineBytesMax = 1024 * 1024

    private mutating func read(_ descriptor: Int32) throws(FileFailure) {
        let calls = FileCalls()
        var buffer = Buffer(capacity: 256 * 1024)
        var offset = 0
        var isTooLong = false
        while true {
            let count = try calls.read(descriptor, into: buffer.writable(128 * 1024), at: offset)
            if count == 0 { break }
            buffer.wrote(count)
            offset += count
            while let end = buffer.readable.offset(of: UInt8(ascii: "\n"), from: 0) {
                let line = UnsafeRawBufferPointer(rebasing: buffer.readable[..<end])
                if isTooLong { isTooLong = false } else { add(line: line) }
                buffer.consume(end + 1)
            }
            if buffer.count > EgressReport.lineBytesMax {
                if !isTooLong { badLines += 1 }
                isTooLong = true
                buffer.removeAll()
            }
        }
        // What has no line feed is being written, or was when the power went; a record if it is whole.
        if !buffer.isEmpty, !isTooLong { _ = addIfWhole(buffer.readable) }
    }
}

/// The session files of a directory, open, the oldest first.
///
/// They are opened from the youngest to the oldest: a rotation in between moves files towards those still to be opened,
/// so that none is missed, and one met again is known by its inode.
private struct SessionFiles: ~Copyable {
    private(set) var descriptors: [Int32] = []

    init(directory: String) throws(RecordError) {
        var seen: Set<UInt> = []
        for number in try SessionFiles.numbers(in: directory) {
            let path = directory + "/" + Lane.sessions.name + (number == 0 ? "" : ".\(number)")
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            if descriptor < 0 {
                // Rotated away or removed since it was listed.
                if errno == ENOENT { continue }
                throw RecordError(FileFailure(call: .open, errno: errno), path: path)
            }
            descriptors.insert(descriptor, at: 0)
            var status = stat()
            if fstat(descriptor, &status) == 0, !seen.insert(UInt(status.st_ino)).inserted {
                close(descriptors.removeFirst())
            }
        }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// The numbers of the rotated files, and 0 for the one being written, in this order, with one more than is there: a
    /// rotation may be about to make it.
    private static func numbers(in directory: String) throws(RecordError) -> [Int] {
        guard let listing = opendir(directory) else {
            throw RecordError(FileFailure(call: .open, errno: errno), path: directory)
        }
        defer { closedir(listing) }
        var numbers: Set<Int> = [0]
        let prefix = Lane.sessions.name + "."
        while let entry = readdir(listing) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(prefix), let number = Int(name.dropFirst(prefix.count)), number > 0 {
                numbers.insert(number)
            }
        }
        let sorted = numbers.sorted()
        return sorted + [(sorted.last ?? 0) + 1]
    }
}
