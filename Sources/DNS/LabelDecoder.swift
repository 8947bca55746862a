import Bytes

/// Puts together what a client spreads over the labels of many queries to one registered domain, so that sensors can read
/// it: the labels of its last queries in order of arrival, as they stand and decoded.
///
/// A query that repeats one of them adds nothing: a retry, the question for the other family of addresses, or the same
/// name in other letters, none of which would get past a cache. For each pair of a client and a domain it keeps the last
/// kibibyte of labels, and of pairs a fixed number, of which those with few queries make room first.
///
/// Belongs to one thread. The kernel chooses a worker by the client's port as well, so the queries of a client that takes
/// a new port for each (the C library does, tunnels mostly do not) are spread, and each worker sees pieces. Workers that
/// are to see the whole share decoders, each behind a lock of its own, by `shard`.
public struct LabelDecoder: Sendable {
    /// What sensors are to read. Valid within the closure that it is handed to.
    public struct View {
        public let coding: TextCoding
        public let bytes: UnsafeRawBufferPointer
        /// Where what the last query brought begins: what ends before it was there with the query before.
        public let fresh: Int
    }

    private struct Pair {
        var key: UInt64 = 0
        var seconds: UInt32 = 0
        var used: UInt16 = 0
        var queries: UInt16 = 0
    }

    /// Labels kept of one pair.
    static let room = 1024
    private static let ways = 8

    private let hash = NameHash.shared
    private var pairs: ContiguousArray<Pair>
    /// `room` bytes for each pair: for each query its length and its labels with their lengths, the oldest first.
    private var kept: ContiguousArray<UInt8>
    private var views = LabelViews()

    /// Takes 1040 bytes for each pair of a client and a registered domain.
    public init(pairs: Int = 1024) {
        var count = LabelDecoder.ways
        while count < pairs { count *= 2 }
        self.pairs = ContiguousArray(repeating: Pair(), count: count)
        kept = ContiguousArray(repeating: 0, count: count * LabelDecoder.room)
    }

    /// Which of `count` decoders a query belongs to: always the same for the same client and registered domain.
    public static func shard(_ client: IPAddress, _ cut: NameCut, of count: Int) -> Int {
        Int(key(client, cut, NameHash.shared) >> 40) % max(count, 1)
    }

    private static func key(_ client: IPAddress, _ cut: NameCut, _ hash: NameHash) -> UInt64 {
        NameHash.fold(cut.domain ^ 0xd6e8_feb8_6659_fd93, hash.address(client)) | 1
    }

    /// Takes in the labels below the registered domain and hands out every view that holds something new. `name` is what
    /// `cut` was made from. Allocates nothing.
    public mutating func take(
        _ client: IPAddress, _ cut: NameCut, of name: UnsafeRawBufferPointer, now: Ticks, _ body: (View) -> Void
    ) {
        guard cut.isRegistered, cut.labelsBelow > 0, cut.below.upperBound <= name.count else { return }
        let labels = UnsafeRawBufferPointer(rebasing: name[cut.below])
        let seconds = UInt32(truncatingIfNeeded: now.milliseconds / 1000)
        let at = place(LabelDecoder.key(client, cut, hash), seconds)
        let start = at * LabelDecoder.room
        guard !holds(labels, start, Int(pairs[at].used)) else { return }
        makeRoom(1 + labels.count, at, start)
        let end = start + Int(pairs[at].used)
        kept[end] = UInt8(labels.count)
        kept.withUnsafeMutableBytes { kept in
            UnsafeMutableRawBufferPointer(rebasing: kept[(end + 1)...]).copyMemory(from: labels)
        }
        pairs[at].used += UInt16(1 + labels.count)
        pairs[at].queries = min(pairs[at].queries + 1, .max - 1)
        let used = Int(pairs[at].used)
        kept.withUnsafeBytes { kept in
            views.hand(out: UnsafeRawBufferPointer(rebasing: kept[start..<start + used]), body)
        }
    }

    // MARK: - Pairs

    private mutating func place(_ key: UInt64, _ seconds: UInt32) -> Int {
        let first = Int(truncatingIfNeeded: key >> 8) & (pairs.count - LabelDecoder.ways)
        var (victim, oldest) = (first, UInt32(0))
        for at in first..<first + LabelDecoder.ways {
            if pairs[at].key == key {
                pairs[at].seconds = seconds
                return at
            }
            // Names such as `www` come alone: as if they were an hour older than what is sent in pieces.
            let age =
                pairs[at].key == 0 ? .max : (seconds &- pairs[at].seconds) / 2 + (pairs[at].queries < 3 ? 3600 : 0)
            if age > oldest { (victim, oldest) = (at, age) }
        }
        pairs[victim] = Pair(key: key, seconds: seconds)
        return victim
    }

    /// Whether one of the queries kept had these labels, in any letter case.
    private func holds(_ labels: UnsafeRawBufferPointer, _ start: Int, _ used: Int) -> Bool {
        kept.withUnsafeBytes { kept in
            var at = start
            while at < start + used {
                let count = Int(kept[at])
                let other = kept[(at + 1)..<(at + 1 + count)]
                if count == labels.count, zip(other, labels).allSatisfy({ lower($0) == lower($1) }) { return true }
                at += 1 + count
            }
            return false
        }
    }

    /// Drops the oldest queries until there is room for one of `count` bytes.
    private mutating func makeRoom(_ count: Int, _ at: Int, _ start: Int) {
        let used = Int(pairs[at].used)
        var dropped = 0
        while used - dropped + count > LabelDecoder.room { dropped += 1 + Int(kept[start + dropped]) }
        guard dropped > 0 else { return }
        kept.withUnsafeMutableBytes { kept in
            let left = UnsafeRawBufferPointer(rebasing: kept[(start + dropped)..<(start + used)])
            UnsafeMutableRawBufferPointer(rebasing: kept[start...]).copyMemory(from: left)
        }
        pairs[at].used = UInt16(used - dropped)
    }
}
