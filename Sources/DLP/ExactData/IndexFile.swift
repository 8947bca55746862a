import Glibc

/// A file being written beside the one it will replace; renamed over it when it is whole, gone if that never happens.
final class IndexFile {
    private let path: String
    private let partial: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isDone = false
    /// Bytes so far, from the front.
    private(set) var count = 0

    private static let bufferBytes = 1 << 20

    /// Leaves room for a header of this many bytes.
    init(_ path: String, headerBytes: Int) throws(IndexFault) {
        self.path = path
        partial = "\(path).\(getpid()).partial"
        descriptor = open(partial, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IndexFault(SmallFile.reason()) }
        try put([UInt8](repeating: 0, count: headerBytes))
    }

    deinit {
        close(descriptor)
        if !isDone { unlink(partial) }
    }

    func put(_ bytes: some Collection<UInt8>) throws(IndexFault) {
        buffer.append(contentsOf: bytes)
        count += bytes.count
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    private func flush() throws(IndexFault) {
        try Self.write(buffer, to: descriptor, at: count - buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Overwrites what was put before.
    func patch(_ bytes: [UInt8], at offset: Int) throws(IndexFault) {
        try flush()
        try Self.write(bytes, to: descriptor, at: offset)
    }

    /// Puts the header in its place, and the file in that of the one before.
    func finish(header: [UInt8]) throws(IndexFault) {
        try patch(header, at: 0)
        guard fsync(descriptor) == 0, rename(partial, path) == 0 else { throw IndexFault(SmallFile.reason()) }
        isDone = true
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int) throws(IndexFault) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written, off_t(offset + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw IndexFault(SmallFile.reason()) }
            written += count
        }
    }
}

/// Hashes with their numbers on the disk, parted by the first bits of the hash, so that a table larger than memory is sorted
/// a part at a time. Nothing in it can be read without the key, and it has no name.
final class Spill {
    struct Entry {
        var hash: UInt64
        var number: UInt32
    }

    private let descriptor: Int32
    private var end = 0

    /// Of a file: where one can be renamed over it.
    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// `directory`: where there is room for twelve bytes an entry.
    init(directory: String) throws(IndexFault) {
        descriptor = open(directory, unnamedFile | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw IndexFault("\(directory): \(SmallFile.reason())") }
    }

    deinit { close(descriptor) }

    fileprivate func append(_ bytes: [UInt8]) throws(IndexFault) -> Int {
        try IndexFile.write(bytes, to: descriptor, at: end)
        defer { end += bytes.count }
        return end
    }

    fileprivate func read(_ count: Int, at offset: Int, into bytes: inout [UInt8]) throws(IndexFault) {
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: repeatElement(0, count: count))
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
            }
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { throw IndexFault(got == 0 ? "the temporary file ends early" : SmallFile.reason()) }
            filled += got
        }
    }
}

/// Of <fcntl.h>, where it is no number that Swift sees: __O_TMPFILE | O_DIRECTORY.
private let unnamedFile = 0o20_000_000 | O_DIRECTORY

/// Gathers the entries of one table and writes it in order.
struct TableBuilder {
    private static let parts = 1 << KeyedTable.bucketBitsMin
    private static let entryBytes = 12
    /// Of each part, in memory.
    private static let bufferBytes = entryBytes * 2048

    private let spill: Spill
    private var buffers = [[UInt8]](repeating: [], count: parts)
    /// Where the full buffers of each part went.
    private var blocks = [[Int]](repeating: [], count: parts)
    private(set) var count = 0

    init(_ spill: Spill) { self.spill = spill }

    mutating func add(_ hash: UInt64, _ number: UInt32) throws(IndexFault) {
        let part = Int(hash >> UInt64(64 - KeyedTable.bucketBitsMin))
        guard count < KeyedTable.entriesMax else {
            throw IndexFault("expected at most \(KeyedTable.entriesMax) values")
        }
        count += 1
        withUnsafeBytes(of: hash) { buffers[part].append(contentsOf: $0) }
        withUnsafeBytes(of: number) { buffers[part].append(contentsOf: $0) }
        guard buffers[part].count == Self.bufferBytes else { return }
        blocks[part].append(try spill.append(buffers[part]))
        buffers[part].removeAll(keepingCapacity: true)
    }

    /// Writes the table. A hash that is there with the same number again is one entry; one with more than `numbersMax` is
    /// written as `shared` says: with `KeyedTable.anyNumber`, or not at all.
    ///
    /// - Parameters:
    ///   - dropped: told of every number that is not written.
    ///   - each: told of every part that is done, in 256ths.
    func write(
        to file: IndexFile, isNumbered: Bool, numbersMax: Int, keepsShared: Bool,
        dropped: (UInt32) -> Void = { _ in }, each: (Int) -> Void = { _ in }
    ) throws(IndexFault) -> KeyedTable.Place {
        let bits = KeyedTable.bucketBits(forCount: count)
        let offset = file.count
        var place = KeyedTable.Place(
            offset: offset, count: 0, bucketBits: bits, filterWords: KeyedTable.filterWords(forCount: count),
            isNumbered: isNumbered)
        // What is in each bucket is known last and stands first.
        var starts = [UInt32](repeating: 0, count: 1 << bits)
        var filter = [UInt64](repeating: 0, count: place.filterWords)
        var kept = KeptEntries(isNumbered: isNumbered, numbersMax: numbersMax, keepsShared: keepsShared, bits: bits)
        try file.put([UInt8](repeating: 0, count: place.startsBytes + place.filterWords * 8))
        for part in 0..<Self.parts {
            var entries = try load(part)
            kept.sort(&entries)
            kept.take(entries, &starts, dropped: dropped)
            for entry in entries {
                let (word, bits) = KeyedTable.filterPlace(entry.hash, filter.count)
                filter[word] |= bits
            }
            try file.put(kept.bytes)
            kept.bytes.removeAll(keepingCapacity: true)
            each(part + 1)
        }
        place.count = kept.count
        try file.put([UInt8](repeating: 0, count: KeyedTable.padding))
        var before: UInt32 = 0
        var written = FieldWriter()
        for bucket in starts {
            written.put(before)
            before += bucket
        }
        written.put(before)
        for word in filter { written.put(word) }
        try file.patch(written.bytes, at: offset)
        return place
    }

    private func load(_ part: Int) throws(IndexFault) -> [Spill.Entry] {
        var entries: [Spill.Entry] = []
        entries.reserveCapacity(blocks[part].count * 2048 + buffers[part].count / Self.entryBytes)
        var bytes: [UInt8] = []
        for block in blocks[part] {
            try spill.read(Self.bufferBytes, at: block, into: &bytes)
            Self.append(bytes, to: &entries)
        }
        Self.append(buffers[part], to: &entries)
        return entries
    }

    private static func append(_ bytes: [UInt8], to entries: inout [Spill.Entry]) {
        bytes.withUnsafeBytes { raw in
            for at in stride(from: 0, to: raw.count, by: entryBytes) {
                entries.append(
                    Spill.Entry(
                        hash: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self),
                        number: raw.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self)))
            }
        }
    }
}

/// What of sorted entries is written, and how many are in each bucket.
private struct KeptEntries {
    let isNumbered: Bool
    let numbersMax: Int
    let keepsShared: Bool
    let bits: Int
    var bytes: [UInt8] = []
    var count = 0

    init(isNumbered: Bool, numbersMax: Int, keepsShared: Bool, bits: Int) {
        (self.isNumbered, self.numbersMax, self.keepsShared, self.bits) = (isNumbered, numbersMax, keepsShared, bits)
    }

    /// As lookups expect them: by bucket, then by what is kept of the hash, then by number.
    func sort(_ entries: inout [Spill.Entry]) {
        let bucket = ~UInt64(0) << UInt64(64 - bits)
        let mask = KeyedTable.hashMask
        entries.sort {
            let (a, b) = ($0.hash & bucket, $1.hash & bucket)
            if a != b { return a < b }
            let (c, d) = ($0.hash & mask, $1.hash & mask)
            return c == d ? $0.number < $1.number : c < d
        }
    }

    mutating func take(_ entries: [Spill.Entry], _ starts: inout [UInt32], dropped: (UInt32) -> Void) {
        let shift = UInt64(64 - bits)
        var from = 0
        while from < entries.count {
            let (bucket, hash) = (entries[from].hash >> shift, entries[from].hash & KeyedTable.hashMask)
            var to = from
            var numbers = 0
            while to < entries.count, entries[to].hash >> shift == bucket,
                entries[to].hash & KeyedTable.hashMask == hash
            {
                if to == from || entries[to].number != entries[to - 1].number { numbers += 1 }
                to += 1
            }
            let before = count
            if !isNumbered {
                put(hash, nil)
            } else if numbers > numbersMax {
                if keepsShared {
                    put(hash, KeyedTable.anyNumber)
                } else {
                    for entry in entries[from..<to] { dropped(entry.number) }
                }
            } else {
                for at in from..<to where at == from || entries[at].number != entries[at - 1].number {
                    put(hash, entries[at].number)
                }
            }
            starts[Int(bucket)] += UInt32(count - before)
            from = to
        }
    }

    private mutating func put(_ hash: UInt64, _ number: UInt32?) {
        count += 1
        withUnsafeBytes(of: hash.littleEndian) { bytes.append(contentsOf: $0.prefix(5)) }
        if let number { withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) } }
    }
}
