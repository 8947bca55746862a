import CLinux
import Glibc

/// CLONE_FILES (unshare(2)), which Glibc's overlay leaves out.
private let cloneFiles: Int32 = 0x400

/// Gives the calling thread a descriptor table of its own, with the standard streams and `kept` in it and nothing else.
///
/// In a table that threads share, every system call counts the use of its file up and down, atomically, for another
/// thread might close it meanwhile; alone it need not (a fiftieth of the CPU of a small request, measured). What is
/// opened afterwards belongs to this thread alone; `kept` names what other threads go on using under the same number.
///
/// So whatever owns a descriptor must end on the thread that opened it: let go of last by a letter to another thread, it would
/// close a number there that is somebody else's.
public func keepOwnDescriptors(_ kept: [Int32]) throws(Errno) {
    _ = try retrying { Int(unshare(cloneFiles)) }
    // Copies of the others would keep files open that their owners close: rotated records, say.
    var first: UInt32 = 3
    for number in kept.sorted() where number >= 3 {
        let number = UInt32(number)
        if number > first { _ = close_range(first, number - 1, 0) }
        first = number + 1
    }
    _ = close_range(first, .max, 0)
}
