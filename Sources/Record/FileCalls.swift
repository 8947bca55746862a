import Glibc

/// A system call on a record file that failed.
struct FileFailure: Error {
    var call: FileCall
    var errno: Int32
}

/// The system calls that record files need, and the one that starts their thread.
enum FileCall: String, Sendable {
    case startThread = "pthread_create"
    case makeDirectory = "mkdir"
    case open, write, read, status, truncate, rename, sync
}

/// What a test makes of a call instead of letting it through.
enum FileFault: Sendable {
    case fail(Int32)
    /// A write takes only this many bytes.
    case short(Int)
}

/// The system calls of record files, each wrapped once; EINTR is retried inside. A test may come before any of them and
/// let it fail.
struct FileCalls: Sendable {
    var before: (@Sendable (FileCall) -> FileFault?)?

    /// Makes the directory where there is none.
    func makeDirectory(_ path: String) throws(FileFailure) {
        try check(.makeDirectory)
        if mkdir(path, 0o750) != 0, Glibc.errno != EEXIST {
            throw FileFailure(call: .makeDirectory, errno: Glibc.errno)
        }
    }

    /// Opens for appending, and for the reading that a repair needs.
    func open(_ path: String) throws(FileFailure) -> Int32 {
        try check(.open)
        return Int32(try retrying(.open) { Int(Glibc.open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)) })
    }

    func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

    func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(FileFailure) -> Int {
        var count = bytes.count
        switch before?(.write) {
        case .fail(let errno): throw FileFailure(call: .write, errno: errno)
        case .short(let most): count = min(count, most)
        case nil: break
        }
        return try retrying(.write) { Glibc.write(descriptor, bytes.baseAddress, count) }
    }

    func read(
        _ descriptor: Int32, into bytes: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(FileFailure) -> Int {
        try check(.read)
        return try retrying(.read) { pread(descriptor, bytes.baseAddress, bytes.count, offset) }
    }

    /// The size of the file and whether it still has a name.
    func status(_ descriptor: Int32) throws(FileFailure) -> (size: Int, hasName: Bool) {
        try check(.status)
        var status = stat()
        _ = try retrying(.status) { Int(fstat(descriptor, &status)) }
        return (Int(status.st_size), status.st_nlink > 0)
    }

    func truncate(_ descriptor: Int32, to size: Int) throws(FileFailure) {
        try check(.truncate)
        _ = try retrying(.truncate) { Int(ftruncate(descriptor, size)) }
    }

    func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    func rename(_ old: String, _ new: String) throws(FileFailure) {
        try check(.rename)
        _ = try retrying(.rename) { Int(Glibc.rename(old, new)) }
    }

    func sync(_ descriptor: Int32) throws(FileFailure) {
        try check(.sync)
        _ = try retrying(.sync) { Int(fdatasync(descriptor)) }
    }

    private func check(_ call: FileCall) throws(FileFailure) {
        if case .fail(let errno) = before?(call) { throw FileFailure(call: call, errno: errno) }
    }

    private func retrying(_ call: FileCall, _ body: () -> Int) throws(FileFailure) -> Int {
        while true {
            let result = body()
            if result >= 0 { return result }
            if Glibc.errno != EINTR { throw FileFailure(call: call, errno: Glibc.errno) }
        }
    }
}

/// What keeps records from their file, in words for `weir status` and the log.
public struct RecordError: Error, Sendable, Equatable, CustomStringConvertible {
    public var path: String
    public var operation: String
    public var errno: Int32

    init(_ failure: FileFailure, path: String) {
        self.path = path
        operation = failure.call.rawValue
        errno = failure.errno
    }

    public var description: String { "\(path): \(operation): \(String(cString: strerror(errno)))" }
}
