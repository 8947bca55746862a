import Glibc

/// A file as memory, read only. A new version must be renamed over it, never written into it: what is mapped would change, or
/// end, under who reads it.
final class MappedFile: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(_ path: String) throws(IndexFault) {
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw IndexFault(SmallFile.reason()) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw IndexFault(SmallFile.reason()) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
            throw IndexFault("expected a file with something in it")
        }
        let count = Int(status.st_size)
        guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
            throw IndexFault(SmallFile.reason())
        }
        // Lookups go anywhere; what they find should be at hand when the first of them comes.
        madvise(base, count, MADV_WILLNEED)
        bytes = UnsafeRawBufferPointer(start: base, count: count)
    }

    deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}

/// A copy of words that are read at random, in large pages where the system has them: half the time of a look at one is
/// spent on finding its page (measured at 33 million values).
final class HugeMemory: @unchecked Sendable {
    private let words: UnsafeMutableRawBufferPointer
    private static let pageBytes = 2 << 20

    init(_ bytes: UnsafeRawBufferPointer) {
        words = .allocate(byteCount: bytes.count, alignment: bytes.count >= Self.pageBytes ? Self.pageBytes : 8)
        madvise(words.baseAddress, bytes.count, MADV_HUGEPAGE)
        words.copyMemory(from: bytes)
    }

    deinit { words.deallocate() }

    func word(_ index: Int) -> UInt64 {
        UInt64(littleEndian: words.load(fromByteOffset: index * 8, as: UInt64.self))
    }
}

/// Files that are read whole.
enum SmallFile {
    static func read(_ path: String, most: Int) throws(IndexFault) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw IndexFault(reason()) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: most + 1)
        var filled = 0
        while filled < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + filled }, $0.count - filled)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw IndexFault(reason()) }
            if got == 0 { break }
            filled += got
        }
        guard filled <= most else { throw IndexFault("expected at most \(most) bytes") }
        return Array(bytes.prefix(filled))
    }

    static func reason() -> String { String(cString: strerror(errno)) }
}
