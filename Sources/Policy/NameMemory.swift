import Bytes
import Glibc
import Synchronization

/// Which names each client was given for each address, and until when: written before an answer leaves, read when the
/// connection comes, on whatever loop that is. One table of fixed size for the whole process; it outlives every policy.
///
/// A client and an address have sixteen places: two sets of eight, of which a new name takes the emptier one. So sets
/// fill evenly, and while the table is not nearly full no live name is ever displaced. What a place holds stands twice:
/// a mark of one word, eight of which are a cache line, tells whose it is and until when, and a slot has the name.
///
/// Nobody waits. Who writes claims a place by exchanging its mark for `busy`; who loses that race looks again. Readers
/// write nothing.
///
/// One client's flood stays its own affair. A place is taken that is empty or expired; else, of the sixteen, one of the
/// client that has most in the whole table, if that is no less than the writer has. So a client that asks for ever-new
/// names fills what nobody needs and then displaces itself, and whoever has less than it takes from it: nobody loses a
/// live name to a client that has more.
///
/// Measured: to tell a name again costs 270 instructions, to tell a new one 790, to ask whether one was told 130 to 230.
///
/// Unchecked Sendable: the pointers are constant, and all that they point to is atomic.
public final class NameMemory: @unchecked Sendable {
    /// A connection made from an answer may come after its TTL, which is often a few seconds: resolvers of the C library
    /// and of browsers keep answers for up to a minute.
    public static let leastLife = Milliseconds.seconds(60)
    /// As RFC 8767 section 4 bounds what caches keep.
    public static let mostLife = Milliseconds.minutes(7 * 24 * 60)
    /// Names of one client for one address; of more, those told last.
    public static let namesMax = 8

    fileprivate static let ways = 8
    private static let clients = 1 << 16

    private let sets: Int
    private let marks: UnsafeMutablePointer<Atomic<UInt64>>
    /// All first places of the sets stand before all second ones: a table in light use touches an eighth of its memory.
    private let slots: UnsafeMutablePointer<Atomic<UInt64>>
    /// How many places a client has. Two clients may have one count; then they have one share.
    private let counts: UnsafeMutablePointer<Atomic<UInt32>>
    private let seed: UInt64

    /// Room for that many names, rounded up to a power of two.
    public convenience init(capacity: Int = Limits().dnsMemory) {
        self.init(capacity: capacity, seed: .random(in: .min ... .max))
    }

    init(capacity: Int, seed: UInt64) {
        precondition(capacity > 0, "a memory holds something")
        var sets = 2
        while sets * NameMemory.ways < capacity { sets *= 2 }
        self.sets = sets
        self.seed = seed
        marks = NameMemory.zeroed(sets * NameMemory.ways)
        slots = NameMemory.zeroed(sets * NameMemory.ways * NameSlot.words)
        counts = NameMemory.zeroed(NameMemory.clients)
    }

    deinit {
        free(marks)
        free(slots)
        free(counts)
    }

    /// Atomics of value zero. They are nothing but their bits, so that pages which the kernel hands out as zeros are
    /// atomics already, and memory that nobody uses is never touched.
    private static func zeroed<Value>(_ count: Int) -> UnsafeMutablePointer<Atomic<Value>> {
        guard let memory = calloc(count, MemoryLayout<Atomic<Value>>.stride) else {
            preconditionFailure("there is memory for the table that was asked for")
        }
        return memory.bindMemory(to: Atomic<Value>.self, capacity: count)
    }

    // MARK: - Telling

    /// Notes that the client is told this name for this address. To be called before the answer leaves.
    ///
    /// False if there is no room: the client itself has more than anybody whose names are in the way.
    @discardableResult
    public func remember(client: IPAddress, address: IPAddress, name: DomainName, until: Ticks, now: Ticks) -> Bool {
        let key = Key(client, address, seed: seed, sets: sets)
        let life = min(max(until - now, NameMemory.leastLife), NameMemory.mostLife)
        let wanted = Mark(key, until: now + life)
        // To look again, another writer must have taken the very place: with sixteen of them that soon ends.
        for _ in 0..<16 {
            let (found, names) = find(key, name, now)
            if let (place, mark) = found {
                if extend(place, mark, to: wanted, now) { return true }
            } else {
                guard let (place, mark) = room(key, names, now) else { return false }
                if fill(place, mark, key, name, wanted, now) { return true }
            }
        }
        return false
    }

    private typealias Found = (place: Int, mark: Mark)

    /// Where the name is, and how many places may be of this client and address if it is nowhere.
    private func find(_ key: Key, _ name: DomainName, _ now: Ticks) -> (found: Found?, names: Int) {
        var found: Found?
        var names = 0
        forEachPlace(key, now) { place, mark in
            names &+= 1
            if slot(place).match(key.client, key.address, name) == .same { found = (place, mark) }
            return found == nil
        }
        return (found, names)
    }

    /// A place that may be taken for a name which is not there yet.
    private func room(_ key: Key, _ names: Int, _ now: Ticks) -> Found? {
        if names >= NameMemory.namesMax, let oldest = oldest(key, now) { return oldest }
        let (first, second) = (spare(key.places(0), now), spare(key.places(1), now))
        let (emptier, fuller) = first.live <= second.live ? (first, second) : (second, first)
        return emptier.found ?? fuller.found ?? fromTheRichest(key)
    }

    /// What was told longest ago, if there are as many names as there may be.
    private func oldest(_ key: Key, _ now: Ticks) -> Found? {
        var names = 0
        var oldest: (found: Found, told: UInt64)?
        forEachPlace(key, now) { place, mark in
            let slot = slot(place)
            guard slot.isOf(key.client, key.address) else { return true }
            names += 1
            let told = slot.told
            if told < oldest?.told ?? .max { oldest = ((place, mark), told) }
            return true
        }
        return names < NameMemory.namesMax ? nil : oldest?.found
    }

    /// The first place of a set that is empty or expired, and how many are not.
    private func spare(_ places: Range<Int>, _ now: Ticks) -> (found: Found?, live: Int) {
        let moment = Mark.moment(now)
        var found: Found?
        var live = 0
        for place in places {
            let mark = Mark(bits: marks[place].load(ordering: .acquiring))
            if mark.isLive(at: moment) {
                live += 1
            } else if found == nil, !mark.isBusy {
                found = (place, mark)
            }
        }
        return (found, live)
    }

    /// A place of the client that has most, and of its places the one that expires first.
    private func fromTheRichest(_ key: Key) -> Found? {
        var richest: (place: Int, mark: Mark, count: UInt32)?
        for set in 0..<2 {
            for place in key.places(set) {
                let mark = Mark(bits: marks[place].load(ordering: .acquiring))
                let count = counts[mark.client].load(ordering: .relaxed)
                if mark.isBusy || count < richest?.count ?? 0 { continue }
                if count == richest?.count, let other = richest?.mark, other.until <= mark.until { continue }
                richest = (place, mark, count)
            }
        }
        guard let richest, richest.count >= counts[key.share].load(ordering: .relaxed) else { return nil }
        return (richest.place, richest.mark)
    }

    /// Only the mark changes. Should the place come to hold something else of the same mark in this very moment, then that
    /// lives as long as this would have: it is a name that was told, and to the same client.
    private func extend(_ place: Int, _ mark: Mark, to wanted: Mark, _ now: Ticks) -> Bool {
        if mark.until >= wanted.until {
            guard marks[place].load(ordering: .acquiring) == mark.bits else { return false }
        } else {
            let outcome = marks[place].compareExchange(
                expected: mark.bits, desired: wanted.bits, ordering: .acquiringAndReleasing)
            guard outcome.exchanged else { return false }
        }
        slot(place).told = UInt64(now.milliseconds)
        return true
    }

    private func fill(
        _ place: Int, _ mark: Mark, _ key: Key, _ name: DomainName, _ wanted: Mark, _ now: Ticks
    ) -> Bool {
        let outcome = marks[place].compareExchange(
            expected: mark.bits, desired: Mark.busy.bits, ordering: .acquiringAndReleasing)
        guard outcome.exchanged else { return false }
        if !mark.isEmpty { counts[mark.client].wrappingSubtract(1, ordering: .relaxed) }
        counts[key.share].wrappingAdd(1, ordering: .relaxed)
        let slot = slot(place)
        slot.write(key.client, key.address, name)
        slot.told = UInt64(now.milliseconds)
        marks[place].store(wanted.bits, ordering: .releasing)
        return true
    }

    // MARK: - Asking

    /// The names that the client was given for this address, at most eight, in no order. Allocates each.
    public func forEachName(client: IPAddress, address: IPAddress, now: Ticks, _ body: (DomainName) -> Void) {
        let key = Key(client, address, seed: seed, sets: sets)
        var left = NameMemory.namesMax
        forEachPlace(key, now) { place, _ in
            if let name = slot(place).name(client, address) {
                body(name)
                left -= 1
            }
            return left > 0
        }
    }

    /// Whether the client was given any name for this address.
    public func knows(client: IPAddress, address: IPAddress, now: Ticks) -> Bool {
        let key = Key(client, address, seed: seed, sets: sets)
        var isKnown = false
        forEachPlace(key, now) { place, _ in
            isKnown = slot(place).isOf(client, address)
            return !isKnown
        }
        return isKnown
    }

    /// Whether the client was given this name for this address. Allocates nothing.
    public func knows(client: IPAddress, address: IPAddress, name: DomainName, now: Ticks) -> Bool {
        find(Key(client, address, seed: seed, sets: sets), name, now).found != nil
    }

    /// Places in use, those among them whose names have expired and that nobody has needed since. For metrics.
    public var count: Int {
        (0..<NameMemory.clients).reduce(0) { $0 + Int(counts[$1].load(ordering: .relaxed)) }
    }

    public var capacity: Int { sets * NameMemory.ways }

    /// Visits what may be of this client and address, until `body` says no.
    @inline(__always)
    private func forEachPlace(_ key: Key, _ now: Ticks, _ body: (Int, Mark) -> Bool) {
        let moment = Mark.moment(now)
        for set in 0..<2 {
            var place = key.places(set).lowerBound
            // Unchecked steps: this is walked for every answer and for every connection.
            for _ in 0..<NameMemory.ways {
                let mark = Mark(bits: marks[place].load(ordering: .acquiring))
                if mark.isOf(key), mark.isLive(at: moment), !body(place, mark) { return }
                place &+= 1
            }
        }
    }

    /// Bounds: `place` comes from `Key.places`, all of which are below `capacity`; it counts in eights.
    @inline(__always)
    private func slot(_ place: Int) -> NameSlot {
        let (set, way) = (place >> 3, place & 7)
        return NameSlot(at: slots + (way &* sets &+ set) &* NameSlot.words)
    }
}

/// A client and an address, and where they may stand.
private struct Key {
    let client: IPAddress
    let address: IPAddress
    /// The lower half of a mark: the count of the client, and bits of the hash of both.
    let mark: UInt32
    private let first: Int
    private let second: Int

    init(_ client: IPAddress, _ address: IPAddress, seed: UInt64, sets: Int) {
        self.client = client
        self.address = address
        // Seeded, for clients choose addresses; and of the client alone first, for its count.
        let one = Hashing.address(client, seed: seed)
        let both = Hashing.fold(address.high ^ one, address.low ^ seed &* 0x9e37_79b9_7f4a_7c15)
        mark = UInt32(truncatingIfNeeded: one >> 48) << 16 | UInt32(truncatingIfNeeded: both >> 49) | Mark.isTaken
        first = Int(truncatingIfNeeded: both) & (sets - 1)
        let other = Int(truncatingIfNeeded: both >> 24) & (sets - 1)
        second = other == first ? first ^ 1 : other
    }

    /// The index of the client's count.
    var share: Int { Int(mark >> 16) }

    @inline(__always)
    func places(_ set: Int) -> Range<Int> {
        let start = (set == 0 ? first : second) * NameMemory.ways
        return start..<start + NameMemory.ways
    }
}

/// What a place says of itself in one word: whose it is and until when. Zero where nothing ever was.
private struct Mark: Equatable {
    let bits: UInt64

    /// Set in the mark of every name, so that none is like `empty` or `busy`.
    static let isTaken: UInt32 = 0x8000
    static let empty = Mark(bits: 0)
    /// Being written.
    static let busy = Mark(bits: 1)

    init(bits: UInt64) { self.bits = bits }

    init(_ key: Key, until: Ticks) {
        bits = Mark.moment(until + Milliseconds(8191)) << 32 | UInt64(key.mark)
    }

    /// In steps of 8192 ms: a name that is told again and again changes its mark once a step.
    @inline(__always)
    static func moment(_ time: Ticks) -> UInt64 { UInt64(truncatingIfNeeded: time.milliseconds >> 13) }

    var until: UInt64 { bits >> 32 }
    var client: Int { Int(bits >> 16 & 0xffff) }
    var isEmpty: Bool { self == Mark.empty }
    var isBusy: Bool { self == Mark.busy }

    @inline(__always)
    func isLive(at moment: UInt64) -> Bool { until > moment }

    @inline(__always)
    func isOf(_ key: Key) -> Bool { UInt32(truncatingIfNeeded: bits) == key.mark }
}
