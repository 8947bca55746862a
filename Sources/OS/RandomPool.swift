import Glibc

/// Unpredictable bits from the kernel, fetched a page's part at a time: asked for one by one they would cost a system call
/// each.
public final class RandomPool {
    private let room: UnsafeMutableBufferPointer<UInt64>
    private var at: Int

    public init() {
        room = .allocate(capacity: 64)
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
        // At most 256 bytes a call, which come whole (getentropy(3)).
        for start in stride(from: 0, to: bytes.count, by: 256) {
            let count = min(256, bytes.count - start)
            let result = getentropy(bytes.baseAddress.map { $0 + start }, count)
            precondition(result == 0, "getentropy: \(Errno.last)")
        }
        at = 0
    }
}
