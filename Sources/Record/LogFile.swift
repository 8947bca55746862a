import Bytes
import Glibc

/// One file of JSON Lines that only ever holds whole lines, whatever happens to the disk, with its rotated
/// predecessors `.1` (the youngest) to `.keep`.
///
/// Belongs to the writer's thread. Every method may be called again after it failed, and nothing is lost between.
struct LogFile: ~Copyable {
    let directory: String
    let path: String
    private let calls: FileCalls
    private let rotateBytes: Int
    private let keep: Int

    /// -1: to be opened before the next write.
    private var descriptor: Int32 = -1
    private var size = 0
    /// Bytes at the front of the chunk being written that the file has already, beyond its last whole line.
    private var ahead = 0
    /// The file is to be let go of as soon as its last line is whole.
    private var reopens = false
    /// The size at which the file is rotated: put off when a rotation fails.
    private var rotateAt: Int

    init(directory: String, name: String, rotateBytes: Int, keep: Int, calls: FileCalls) {
        self.directory = directory
        path = directory + "/" + name
        self.calls = calls
        self.rotateBytes = max(rotateBytes, 1)
        self.keep = max(keep, 1)
        rotateAt = self.rotateBytes
    }

    deinit { if descriptor >= 0 { calls.close(descriptor) } }

    /// Writes all of the chunk and consumes what is safely in the file, whole lines only. On a failure the file ends with
    /// a whole line again and the rest stays in the chunk.
    mutating func write(_ chunk: inout Buffer) throws(FileFailure) {
        while !chunk.isEmpty {
            do throws(FileFailure) {
                if ahead == 0 { try prepare(chunk.readable) }
                try writeOnce(&chunk)
            } catch {
                takeBackTornLine()
                throw error
            }
        }
    }

    /// What is in the file survives a power failure.
    mutating func sync() throws(FileFailure) {
        if descriptor >= 0 { try calls.sync(descriptor) }
    }

    /// Lets go of the file: the next write opens the path anew. A file with half a line is kept until the line is whole.
    mutating func reopen() {
        reopens = ahead > 0
        guard ahead == 0, descriptor >= 0 else { return }
        calls.close(descriptor)
        descriptor = -1
    }

    /// Opens the file, making the directory where it is missing, and cuts a line that a crash has torn.
    mutating func open() throws(FileFailure) {
        guard descriptor < 0 else { return }
        try calls.makeDirectory(directory)
        let opened = try calls.open(path)
        do throws(FileFailure) {
            size = try wholeLines(of: opened)
        } catch {
            calls.close(opened)
            throw error
        }
        descriptor = opened
        rotateAt = rotateBytes
    }

    // MARK: Writing

    /// Before a line begins: the file must be there, have a name, and have room for the line.
    private mutating func prepare(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
        if descriptor >= 0 {
            let isGone = try !calls.status(descriptor).hasName
            if isGone || reopens { reopen() }
        }
        try open()
        if size > 0, size + firstLine(bytes) > rotateAt { try rotate() }
    }

    private func firstLine(_ bytes: UnsafeRawBufferPointer) -> Int {
        bytes.offset(of: UInt8(ascii: "\n"), from: 0).map { $0 + 1 } ?? bytes.count
    }

    /// One write of as many whole lines as fit below the rotation, at least one.
    private mutating func writeOnce(_ chunk: inout Buffer) throws(FileFailure) {
        let bytes = chunk.readable
        var portion = bytes.count
        if size - ahead + portion > rotateAt {
            let room = min(max(rotateAt - (size - ahead), 0), bytes.count)
            let lines = UnsafeRawBufferPointer(rebasing: bytes[..<room]).endOfLastLine
            portion = max(lines, firstLine(bytes))
        }
        if reopens { portion = firstLine(bytes) }
        let wrote = try calls.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes[ahead..<portion]))
        if wrote == 0 { throw FileFailure(call: .write, errno: ENOSPC) }
        size += wrote
        ahead += wrote
        let whole = UnsafeRawBufferPointer(rebasing: bytes[..<ahead]).endOfLastLine
        chunk.consume(whole)
        ahead -= whole
    }

    /// After a failure amid a line: shortens the file to its last whole line. Where that fails too, or somebody else has
    /// written behind us, the line is completed later.
    private mutating func takeBackTornLine() {
        guard ahead > 0, descriptor >= 0 else { return }
        do throws(FileFailure) {
            guard try calls.status(descriptor).size == size else { return }
            try calls.truncate(descriptor, to: size - ahead)
            size -= ahead
            ahead = 0
        } catch {}
    }

    // MARK: Rotation

    /// Moves each file one number up as far as the first free number, and this one to `.1`. A failure leaves every file
    /// where it is or one up, none overwritten but the oldest, and puts the next attempt off.
    private mutating func rotate() throws(FileFailure) {
        do throws(FileFailure) {
            var free = 1
            while free < keep, calls.exists("\(path).\(free)") { free += 1 }
            while free > 1 {
                try calls.rename("\(path).\(free - 1)", "\(path).\(free)")
                free -= 1
            }
            try calls.rename(path, "\(path).1")
        } catch {
            rotateAt = size + rotateBytes
            throw error
        }
        calls.close(descriptor)
        descriptor = -1
        try open()
    }

    // MARK: Repair

    /// The size of the file after cutting what follows its last line feed: the tail of a crash, which no reader could use.
    private func wholeLines(of opened: Int32) throws(FileFailure) -> Int {
        let size = try calls.status(opened).size
        var block = Buffer(capacity: 64 * 1024)
        var end = size
        while end > 0 {
            let start = max(end - block.capacity, 0)
            block.removeAll()
            let room = UnsafeMutableRawBufferPointer(rebasing: block.writable(end - start)[..<(end - start)])
            block.wrote(try calls.read(opened, into: room, at: start))
            // A file that shrank under us ends where the read ended.
            guard !block.isEmpty else { break }
            let whole = block.readable.endOfLastLine
            if whole > 0 || start == 0 {
                if start + whole < size { try calls.truncate(opened, to: start + whole) }
                return start + whole
            }
            end = start
        }
        return 0
    }
}
