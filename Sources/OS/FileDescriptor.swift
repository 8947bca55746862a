import CLinux
import Glibc

/// An open descriptor; closed when it goes.
public struct FileDescriptor: ~Copyable, Sendable {
    public let number: Int32

    /// Takes ownership of an open descriptor.
    @inlinable public init(owning number: Int32) {
        precondition(number >= 0, "a descriptor is not negative")
        self.number = number
    }

    private init() { number = -1 }

    /// None.
    static var none: FileDescriptor { FileDescriptor() }

    deinit { if number >= 0 { _ = Glibc.close(number) } }

    @inlinable public borrowing func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        try transferring { Glibc.read(number, room.baseAddress, room.count) }
    }

    @inlinable public borrowing func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> IO {
        try transferring { Glibc.write(number, bytes.baseAddress, bytes.count) }
    }
}

/// Both ends of a pipe, non-blocking: where `splice(2)` keeps the bytes of a tunnel between two sockets.
public struct Pipe: ~Copyable {
    public let reading: FileDescriptor
    public let writing: FileDescriptor

    /// 256 KiB: fewer, larger moves; the kernel may grant less.
    public init() throws(Errno) {
        var ends: (Int32, Int32) = (-1, -1)
        _ = try retrying {
            withUnsafeMutableBytes(of: &ends) {
                Int(pipe2($0.assumingMemoryBound(to: Int32.self).baseAddress, O_NONBLOCK | Int32(O_CLOEXEC)))
            }
        }
        reading = FileDescriptor(owning: ends.0)
        writing = FileDescriptor(owning: ends.1)
        _ = weir_set_pipe_size(ends.1, 256 * 1024)
    }
}

/// SPLICE_F_MOVE | SPLICE_F_NONBLOCK (splice(2)).
private let spliceNonBlocking: UInt32 = 3

/// Moves up to `count` bytes between a socket and a pipe without bringing them to this process.
public func splice(from source: Int32, to target: Int32, count: Int) throws(Errno) -> IO {
    try transferring {
        CLinux.splice(source, nil, target, nil, count, spliceNonBlocking)
    }
}
