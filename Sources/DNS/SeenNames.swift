import Synchronization

/// Which names a client has asked before, shared by all threads: a fixed table of fingerprints, in which each name
/// may take one of four places.
///
/// It forgets when it must: the name that was asked least lately makes room. A name forgotten counts as new once more,
/// and one in a quarter of a million that is new is taken for an old one; neither changes a sum of hundreds.
///
/// Unchecked Sendable: the pointer never changes and what it points to are atomics.
final class SeenNames: @unchecked Sendable {
    /// Of 32 bits the upper 20 are the fingerprint, never 0, and the lower 12 the time in `step`.
    private let cells: UnsafeMutablePointer<Atomic<UInt32>>
    private let mask: Int

    private static let ways = 4
    /// Seconds that count as the same time.
    private static let step: UInt32 = 64

    init(capacity: Int) {
        var count = 64
        while count < capacity { count *= 2 }
        cells = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: count)
        for index in 0..<count { (cells + index).initialize(to: Atomic(0)) }
        mask = count - SeenNames.ways
    }

    deinit {
        cells.deinitialize(count: mask + SeenNames.ways)
        cells.deallocate()
    }

    /// Whether this name is new, and from now on it is not.
    @inline(__always)
    func add(_ hash: UInt64, seconds: UInt32) -> Bool {
        let time = seconds / SeenNames.step & 0xfff
        let print = max(UInt32(truncatingIfNeeded: hash >> 44), 1)
        // Bounds: `mask` clears the bits of the way, so that all four lie within.
        let set = cells + Int(truncatingIfNeeded: hash) & mask
        var (victim, oldest) = (0, UInt32(0))
        for way in 0..<SeenNames.ways {
            let cell = set[way].load(ordering: .relaxed)
            if cell >> 12 == print {
                if cell & 0xfff != time { set[way].store(print << 12 | time, ordering: .relaxed) }
                return false
            }
            let age = cell == 0 ? 0x1000 : (time &- cell) & 0xfff
            if age >= oldest { (victim, oldest) = (way, age) }
        }
        set[victim].store(print << 12 | time, ordering: .relaxed)
        return true
    }
}
