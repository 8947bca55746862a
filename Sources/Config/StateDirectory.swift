import Glibc

/// What the gateway keeps for itself between two starts, besides what it learned.
public enum StateDirectory {
    public struct Failure: Error, CustomStringConvertible, Sendable {
        public let description: String
    }

    static let keyBytes = 32

    /// The key under which matches are fingerprinted: made on the first start, the same ever after, so that the same
    /// secret is recognised across restarts and nobody without the file can try secrets against a record.
    public static func fingerprintKey(in directory: String) throws(Failure) -> [UInt8] {
        try make(directory)
        return try fingerprintKey(at: "\(directory)/fingerprint.key")
    }

    /// The same, in a file anywhere.
    public static func fingerprintKey(at path: String) throws(Failure) -> [UInt8] {
        if access(path, F_OK) != 0 { try create(path) }
        return try read(path)
    }

    /// Makes a directory and those above it.
    static func make(_ directory: String) throws(Failure) {
        if mkdir(directory, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, directory.contains("/") else { throw failure(directory) }
        try make(Files.directory(of: directory))
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw failure(directory) }
    }

    /// Writes a new key beside its place and links it in whole: of two starts at once the first wins, and a key cut in
    /// half by a crash is never seen under its name.
    private static func create(_ path: String) throws(Failure) {
        var random = SystemRandomNumberGenerator()
        let key = (0..<keyBytes).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        let draft = "\(path).\(getpid())"
        unlink(draft)
        let descriptor = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(draft) }
        defer { unlink(draft) }
        let written = write(descriptor, key, keyBytes) == keyBytes && fsync(descriptor) == 0
        let saved = errno
        close(descriptor)
        guard written else { throw Failure(description: "\(draft): \(Files.reason(saved))") }
        guard link(draft, path) == 0 || errno == EEXIST else { throw failure(path) }
    }

    private static func read(_ path: String) throws(Failure) -> [UInt8] {
        let key = try secret(at: path)
        guard key.count == keyBytes else {
            throw Failure(description: "\(path): expected \(keyBytes) bytes, found \(key.count)")
        }
        return key
    }

    /// What is in a small file that only its owner may read.
    public static func secret(at path: String) throws(Failure) -> [UInt8] {
        var status = stat()
        guard stat(path, &status) == 0 else { throw failure(path) }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(description: "\(path): expected mode 0600, found one that lets others in")
        }
        do {
            return try Files.read(path, most: 4096)
        } catch {
            throw Failure(description: error.reason)
        }
    }

    private static func failure(_ path: String) -> Failure {
        Failure(description: "\(path): \(Files.reason())")
    }
}
