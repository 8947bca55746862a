import Glibc

/// The file system as a configuration sees it: whole small files, paths beside a file, patterns.
enum Files {
    /// Why a file cannot be used, in words.
    struct Failure: Error {
        let reason: String
    }

    /// All of a text file.
    static func text(_ path: String) throws(Failure) -> String {
        guard let text = String(validating: try read(path), as: UTF8.self) else {
            throw Failure(reason: "\(shown(path)): not UTF-8 text")
        }
        return text
    }

    /// All of a regular file of at most `most` bytes.
    static func read(_ path: String, most: Int = Document.bytesMax) throws(Failure) -> [UInt8] {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, reason()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw failure(path, reason()) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw failure(path, "not a regular file") }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw failure(path, reason()) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= most else { throw failure(path, "larger than \(Units.size(most))") }
        }
    }

    /// Stands for a content within this process.
    static func digest(_ content: some Sequence<UInt8>) -> Int {
        var hasher = Hasher()
        for byte in content { hasher.combine(byte) }
        return hasher.finalize()
    }

    /// The files that a line of `include` names; a plain path is there whether or not it exists.
    static func included(_ path: String) -> [String] { isPattern(path) ? matching(path) : [path] }

    /// `path` as it is meant in `file`: what is relative is relative to its directory.
    static func resolve(_ path: String, beside file: String) -> String {
        if path.hasPrefix("/") { return path }
        let base = directory(of: file)
        return base == "." ? path : base == "/" ? "/\(path)" : "\(base)/\(path)"
    }

    static func directory(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    static func isPattern(_ path: String) -> Bool { path.utf8.contains { "*?[".utf8.contains($0) } }

    /// The files that a pattern names, in the order of their bytes; empty where there are none.
    static func matching(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, GLOB_ERR, nil, &found) == 0 else { return [] }
        let paths = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
        // glob sorts by the locale; the order of a configuration must not depend on it.
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private static func failure(_ path: String, _ reason: String) -> Failure {
        Failure(reason: "\(shown(path)): \(reason)")
    }

    /// Why the directory that a pattern looks in cannot be listed; one that is not there has nothing in it.
    static func unlistable(_ pattern: String) -> String? {
        let place = directory(of: pattern)
        guard isPattern(pattern), !isPattern(place), access(place, R_OK | X_OK) != 0, errno != ENOENT else {
            return nil
        }
        return failure(place, reason()).reason
    }

    static func reason(_ number: CInt = errno) -> String { String(cString: strerror(number)) }
}
