import Glibc

/// A file that was not there before, and is removed when it goes, unless it is kept.
struct NewFile: ~Copyable {
    private let path: String
    private let descriptor: Int32
    private var isKept = false

    /// For nobody else until it is written.
    init(_ path: String) throws(AuthorityFault) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw AuthorityFault(path: path, doing: "make") }
        self.path = path
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
        if !isKept { unlink(path) }
    }

    /// Writes all of it, gives it its mode whatever the umask says, and has it on the disk.
    borrowing func write(_ bytes: [UInt8], mode: mode_t) throws(AuthorityFault) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw AuthorityFault(path: path, doing: "write") }
            rest = rest.dropFirst(count)
        }
        guard fchmod(descriptor, mode) == 0 else { throw AuthorityFault(path: path, doing: "set the mode of") }
        guard fsync(descriptor) == 0 else { throw AuthorityFault(path: path, doing: "sync") }
    }

    mutating func keep() { isKept = true }

    // MARK: - Around it

    /// Whether the name is taken, by whatever it may be.
    static func exists(_ path: String) -> Bool {
        var facts = stat()
        return lstat(path, &facts) == 0
    }

    /// Makes the directories that are missing above `path`, for nobody else.
    static func makeParent(of path: String) throws(AuthorityFault) {
        let parent = parent(of: path)
        if exists(parent) { return }
        if parent != "/", parent != "." { try makeParent(of: parent) }
        if mkdir(parent, 0o700) != 0, errno != EEXIST { throw AuthorityFault(path: parent, doing: "make") }
    }

    /// The name of a file is on the disk only when its directory is.
    static func syncParent(of path: String) throws(AuthorityFault) {
        let parent = parent(of: path)
        let directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw AuthorityFault(path: parent, doing: "open") }
        defer { close(directory) }
        if fsync(directory) != 0 { throw AuthorityFault(path: parent, doing: "sync") }
    }

    private static func parent(of path: String) -> String {
        path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    }
}
