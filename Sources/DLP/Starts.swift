import CLinux

/// Where the patterns of a list could begin in one piece of a window, found for all of them at once.
final class Starts {
    private var starts: UnsafeMutablePointer<weir_start>
    private var capacity: Int
    /// By pattern its next start and its last one, or -1.
    private var heads: ContiguousArray<Int32> = []
    private var tails: ContiguousArray<Int32> = []
    /// Patterns that have a start.
    private(set) var patterns: ContiguousArray<Int32> = []
    private let vectors = weir_vectors()

    private static let capacityMin = 1024

    init() {
        capacity = Self.capacityMin
        starts = .allocate(capacity: capacity)
    }

    deinit { starts.deallocate() }

    /// Bytes of a window that are looked at together: where every pattern begins at every byte there is room for them.
    static func step(_ list: ReadList) -> Int { min(max((1 << 20) / max(list.lanes.count, 1), 64), 32 * 1024) }

    func find(_ window: Window, _ list: ReadList, _ range: Range<Int>) {
        for pattern in patterns { heads[Int(pattern)] = -1 }
        patterns.removeAll(keepingCapacity: true)
        guard let plan = list.plan else { return }
        let lanes = list.lanes.count
        if heads.count < lanes {
            heads = ContiguousArray(repeating: -1, count: lanes)
            tails = heads
        }
        if capacity < lanes { grow(to: lanes) }
        var count = search(plan, window, range)
        while count < 0 {
            grow(to: capacity * 2)
            count = search(plan, window, range)
        }
        for index in 0..<Int32(count) {
            let pattern = Int(starts[Int(index)].pattern)
            if heads[pattern] < 0 {
                heads[pattern] = index
                patterns.append(Int32(pattern))
            } else {
                starts[Int(tails[pattern])].next = index
            }
            tails[pattern] = index
        }
    }

    private func search(_ plan: UnsafePointer<weir_starts>, _ window: Window, _ range: Range<Int>) -> Int64 {
        weir_find_starts(
            plan, vectors, window.base, UInt32(window.count), window.ended ? 1 : 0, UInt32(range.lowerBound),
            UInt32(range.upperBound), starts, UInt32(capacity))
    }

    private func grow(to count: Int) {
        starts.deallocate()
        capacity = count
        starts = .allocate(capacity: capacity)
    }

    /// The first of all.
    var first: Int? { patterns.map { Int(starts[Int(heads[Int($0)])].at) }.min() }

    /// The first start of the pattern at or after `from`, which does not go back, or none.
    @inline(__always)
    func next(_ pattern: Int, from: Int) -> weir_start? {
        var at = heads[pattern]
        while at >= 0, Int(starts[Int(at)].at) < from { at = starts[Int(at)].next }
        heads[pattern] = at
        return at < 0 ? nil : starts[Int(at)]
    }
}
