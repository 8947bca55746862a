import CLinux

/// Where the keyed patterns of a list could begin in one window, found for all of them when the first asks.
final class KeyHits {
    private struct Hit {
        var start: Int32
        /// Of the same lane, or -1.
        var next: Int32
    }

    private var hits: ContiguousArray<Hit> = []
    /// For each lane its next hit and its last one, or -1.
    private var heads: ContiguousArray<Int32> = []
    private var tails: ContiguousArray<Int32> = []
    private let places: UnsafeMutablePointer<UInt32>
    private static let placesMax = 1024

    init() { places = .allocate(capacity: Self.placesMax) }
    deinit { places.deallocate() }

    func begin(_ window: Window, _ list: ReadList) {
        guard let known = list.keys.known.baseAddress else { return }
        hits.removeAll(keepingCapacity: hits.capacity <= 4096)
        let lanes = list.lanes.count
        if heads.count < lanes {
            heads = ContiguousArray(repeating: -1, count: lanes)
            tails = heads
        } else {
            for lane in 0..<lanes { heads[lane] = -1 }
        }
        var from: UInt = 0
        while Int(from) < window.count {
            let found = weir_find_keys(
                window.base, UInt(window.count), known, &from, places, UInt(Self.placesMax))
            for index in 0..<Int(found) { note(Int(places[index]), window, list) }
        }
        if !window.ended { noteTail(window, list) }
    }

    /// The first start of the lane at or after `from`, or the end of the window. Does not go back.
    func candidate(_ lane: Int, _ window: Window, from: Int) -> Int {
        var at = heads[lane]
        while at >= 0, hits[Int(at)].start < from { at = hits[Int(at)].next }
        heads[lane] = at
        return at < 0 ? window.count : Int(hits[Int(at)].start)
    }

    func hasNone(_ lane: Int) -> Bool { heads[lane] < 0 }

    private func note(_ place: Int, _ window: Window, _ list: ReadList) {
        let bytes = window.base + place
        let three = UInt32(bytes[0]) | UInt32(bytes[1]) << 8 | UInt32(bytes[2]) << 16
        list.keys.forEach(three) { entry in
            let start = place - Int(entry.offset)
            guard start >= 0, mayBegin(list.lanes[Int(entry.lane)], window, start) else { return }
            add(start, Int(entry.lane))
        }
    }

    /// Starts whose key has not come yet.
    private func noteTail(_ window: Window, _ list: ReadList) {
        for (lane, at) in zip(list.lanes, list.lanes.indices) {
            guard let key = lane.key else { continue }
            for start in max(window.count - key - 2, 0)..<window.count where mayBegin(lane, window, start) {
                add(start, at)
            }
        }
    }

    /// By as much of the prefix as is there.
    private func mayBegin(_ lane: Lane, _ window: Window, _ start: Int) -> Bool {
        for at in 0..<min(lane.prefix.count, window.count - start)
        where !lane.prefix[at].contains(window.base[start + at]) { return false }
        return start == 0 || !lane.before.contains(window.base[start - 1])
    }

    private func add(_ start: Int, _ lane: Int) {
        let index = Int32(hits.count)
        hits.append(Hit(start: Int32(start), next: -1))
        if heads[lane] < 0 { heads[lane] = index } else { hits[Int(tails[lane])].next = index }
        tails[lane] = index
    }
}
