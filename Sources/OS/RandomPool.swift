import CLinux
import Glibc

/// Unpredictable bits from the kernel, fetched a page at a time: asked for one by one they would cost a system call each.
public final class RandomPool {
    private let room: UnsafeMutableBufferPointer<UInt64>
    private var at: Int

    public init() {
        room = .allocate(capacity: 512)
        room.initialize(repeating: 0)
        at = room.count
    }

    deinit { room.deallocate() }

    public func next() -> UInt64 {
        if at == room.count { fill() }
        let bits = room[at]
        // What was given out is not kept.
        room[at] = 0
        at += 1
        return bits
    }

    private func fill() {
        let bytes = UnsafeMutableRawBufferPointer(room)
        var got = 0
        while got < bytes.count {
            let count = getrandom(bytes.baseAddress.map { $0 + got }, UInt(bytes.count - got), 0)
            // A signal may cut it short (getrandom(2)).
            precondition(count > 0 || errno == EINTR, "getrandom: \(Errno.last)")
            got += max(count, 0)
        }
        at = 0
    }
}
