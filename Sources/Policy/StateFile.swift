import Bytes
import Glibc

/// Why the state file could not be read or written.
public struct StateError: Error, Hashable, Sendable, CustomStringConvertible {
    public let path: String
    public let doing: String
    public let code: Int32

    init(_ doing: String, _ path: String, code: Int32 = errno) {
        self.path = path
        self.doing = doing
        self.code = code
    }

    public var description: String { "\(path): cannot \(doing): \(String(cString: strerror(code)))" }
}

/// A small file that is replaced whole: a reader finds the old content or the new, never a mixture, also after a loss
/// of power.
struct StateFile {
    let path: String
    /// Of a file that is read; more is not a state file of ours.
    static let bytesMax = 256 * 1024 * 1024

    /// The content, or nothing if there is no such file.
    func read(into buffer: inout Buffer) throws(StateError) -> Bool {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 {
            if errno == ENOENT { return false }
            throw StateError("open", path)
        }
        defer { close(file) }
        while true {
            let room = buffer.writable(64 * 1024)
            let count = Glibc.read(file, room.baseAddress, room.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw StateError("read", path) }
            if count == 0 { return true }
            buffer.wrote(count)
            if buffer.count > StateFile.bytesMax { throw StateError("read", path, code: EFBIG) }
        }
    }

    /// Writes a new file beside the old one, has it on the disk, and renames it over the old one.
    func replace(with content: UnsafeRawBufferPointer) throws(StateError) {
        let fresh = path + ".new"
        let file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StateError("create", fresh) }
        do throws(StateError) {
            defer { close(file) }
            try write(content, to: file, fresh)
            if fsync(file) != 0 { throw StateError("sync", fresh) }
        } catch {
            unlink(fresh)
            throw error
        }
        if rename(fresh, path) != 0 {
            let error = StateError("replace", path)
            unlink(fresh)
            throw error
        }
        try syncDirectory()
    }

    private func write(_ content: UnsafeRawBufferPointer, to file: Int32, _ name: String) throws(StateError) {
        var rest = content[...]
        while !rest.isEmpty {
            let slice = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(file, slice.baseAddress, slice.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw StateError("write", name) }
            rest = rest.dropFirst(count)
        }
    }

    /// The rename itself is on the disk only when the directory is.
    private func syncDirectory() throws(StateError) {
        let directory = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw StateError("open", directory) }
        defer { close(file) }
        if fsync(file) != 0 { throw StateError("sync", directory) }
    }

    /// Gives the file a second name, `.broken`, under which it outlives the next `replace`. Earlier ones are kept, up to
    /// a bound.
    func keepAside() throws(StateError) -> String {
        for number in 1...StateFile.brokenMax {
            let aside = number == 1 ? path + ".broken" : path + ".broken.\(number)"
            if link(path, aside) == 0 || errno == EEXIST && isSameFile(aside) { return aside }
            if errno != EEXIST { throw StateError("keep the damaged file as \(aside)", path) }
        }
        throw StateError("keep the damaged file: \(StateFile.brokenMax) others are there", path, code: EEXIST)
    }

    static let brokenMax = 100

    private func isSameFile(_ other: String) -> Bool {
        var (a, b) = (stat(), stat())
        let same = lstat(path, &a) == 0 && lstat(other, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev
        errno = EEXIST
        return same
    }
}

extension LearnedRules {
    /// What came of reading the state file.
    public struct Loaded: Hashable, Sendable {
        /// Rules taken over.
        public var rules = 0
        /// What was wrong with the rest, the first complaints in words; empty for a sound file.
        public var damage: [String] = []
        /// How many complaints there were.
        public var damaged = 0
        /// Where a damaged file is kept.
        public var keptAs: String?
    }

    /// Takes over what an earlier run learned; no file is nothing learned. A damaged file gives what is good in it and is
    /// kept aside. An error means that the file is there and must not be written over.
    public func load(from path: String) throws(StateError) -> Loaded {
        let file = StateFile(path: path)
        var buffer = Buffer()
        guard try file.read(into: &buffer) else { return Loaded() }
        let reading = LearnedState.decode(buffer.readable)
        var loaded = Loaded()
        if reading.damage.count > 0 {
            loaded.damage = reading.damage.messages
            loaded.damaged = reading.damage.count
            loaded.keptAs = try file.keepAside()
        }
        let wasSaved = isSaved
        for rule in reading.rules where learn(rule, isBounded: false) == .learned { loaded.rules += 1 }
        if wasSaved, reading.damage.count == 0 { markSaved() }
        return loaded
    }

    /// Writes the state file if something was learned since it was last written; says whether it was. Called by a
    /// control thread, now and then and at the end: it waits for the disk.
    @discardableResult
    public func save(to path: String) throws(StateError) -> Bool {
        try saving { () throws(StateError) in
            var buffer = Buffer()
            LearnedState.encode(all, into: &buffer)
            try StateFile(path: path).replace(with: buffer.readable)
        }
    }
}
