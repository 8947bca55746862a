import Bytes

/// Answers for as long as they may be believed, and for a while longer in case nobody can be asked; bounded in bytes.
///
/// A new answer waits in a queue that has a tenth of the room; the one that is asked for there goes to the main queue,
/// the other falls out at the end. So names that are asked for once, a million of them, pass through the tenth and push
/// out nothing that is in use (S3-FIFO, SOSP 2023). In the main queue an answer that was used gets another round.
///
///     insert ─▶ probation ── used ──▶ main ─┐ used: another round
///                  │ not used          │ ◀──┘
///                  ▼                   ▼ not used, or past its time
///               forgotten; its hash is remembered, so that one that comes again soon goes to the main queue at once
public struct AnswerStore: ~Copyable {
    public struct Hit {
        public let answer: StoredAnswer
        /// Seconds since it came.
        public let age: UInt32
        /// Past its time: to be used only if nobody can be asked.
        public let isStale: Bool
        /// In use and soon past its time: whoever asks for it now keeps the next client from waiting. Said once.
        public let wantsPrefetch: Bool
        /// Asked for more than now and then since it came.
        public let isHot: Bool
    }

    fileprivate struct Entry {
        /// Nil in a place that is free.
        var answer: StoredAnswer?
        let hash: UInt64
        /// All of the key but its name, which is in the answer, and its server.
        let kind: UInt64
        let server: Endpoint
        var came = Ticks(milliseconds: 0)
        var expires = Ticks(milliseconds: 0)
        var cost: UInt32 = 0
        /// The place behind it in its queue, or the next free one.
        var next = AnswerStore.none
        /// Uses since it came, and rounds that it is good for in its queue.
        var uses: UInt8 = 0
        var rounds: UInt8 = 0
        var saidPrefetch = false
        var isMain: Bool
        var line: Int { isMain ? 1 : 0 }
    }

    /// First in, first out, linked through the entries: the first is probation, the second the main queue.
    private struct Line {
        var first = AnswerStore.none
        var last = AnswerStore.none
        var bytes = 0
    }

    fileprivate static let none = UInt32.max
    fileprivate static let noServer = Endpoint(.anyV6, 0)
    /// An entry is at least this large: a short name's denial. It bounds their number, and with it the index.
    private static let entryMin = 512
    /// Uses after which an answer is worth asking for before anybody waits for it.
    fileprivate static let usesOfHot: UInt8 = 3
    fileprivate static let roundsMax: UInt8 = 3
    /// Entries of the main queue that get another round before one goes, used or not.
    private static let roundsOfEviction = 32

    public let bytesMax: Int
    private let entriesMax: Int
    private let staleFor: Milliseconds
    private let secret: (UInt64, UInt64)
    private var entries: ContiguousArray<Entry> = []
    /// Open addressing with linear probing: the upper half of the hash, and the place of the entry and one; 0 is empty.
    /// Never more than half full.
    private var index: ContiguousArray<UInt64>
    /// Hashes of what fell out of probation, each at the place that its hash gives it.
    private var ghosts: ContiguousArray<UInt32>
    private var lines: InlineArray<2, Line> = [Line(), Line()]
    private var free = AnswerStore.none

    public private(set) var count = 0
    public var bytes: Int { lines[0].bytes + lines[1].bytes }

    /// - Parameters:
    ///   - staleFor: how long an answer is kept past its time (RFC 8767).
    ///   - random: unpredictable bits, so that nobody can choose names that collide.
    public init(
        bytesMax: Int, staleFor: Milliseconds, random: () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) {
        self.bytesMax = bytesMax
        self.staleFor = staleFor
        secret = (random(), random() | 1)
        entriesMax = max(bytesMax / AnswerStore.entryMin, 1)
        var size = 16
        while size < 2 * entriesMax { size *= 2 }
        index = ContiguousArray(repeating: 0, count: size)
        ghosts = ContiguousArray(repeating: 0, count: size)
        entries.reserveCapacity(entriesMax)
    }

    /// Finds what is kept for a question. Allocates nothing.
    public mutating func find(_ key: QuestionKey, now: Ticks) -> Hit? {
        guard let place = place(of: key, hash: hash(key)) else { return nil }
        return entries[place].use(now: now, staleFor: staleFor)
    }

    /// Keeps an answer for as long as it says; one that is not to be kept leaves what is there, which may yet be of use.
    public mutating func insert(_ answer: StoredAnswer, for key: QuestionKey, now: Ticks) {
        let cost = answer.footprint + MemoryLayout<Entry>.stride + 16
        guard answer.lifetimeSeconds > 0, cost <= bytesMax / 8 else { return }
        let expires = now + .seconds(Int64(answer.lifetimeSeconds))
        let hash = hash(key)
        if let place = place(of: key, hash: hash) {
            lines[entries[place].line].bytes += cost - Int(entries[place].cost)
            entries[place].renew(answer, cost: UInt32(cost), came: now, expires: expires)
            while bytes > bytesMax { evict(now: now) }
            return
        }
        while count > 0, bytes + cost > bytesMax || count >= entriesMax { evict(now: now) }
        var entry = Entry(
            hash: hash, kind: key.kind, server: key.server ?? AnswerStore.noServer,
            isMain: ghosts[ghost(hash)] == UInt32(truncatingIfNeeded: hash >> 32))
        entry.renew(answer, cost: UInt32(cost), came: now, expires: expires)
        let place = takePlace(entry)
        append(place)
        addToIndex(place, hash: hash)
        count += 1
    }
}

// MARK: - Queues

extension AnswerStore {
    private mutating func takePlace(_ entry: Entry) -> Int {
        guard free != AnswerStore.none else {
            entries.append(entry)
            return entries.count - 1
        }
        let place = Int(free)
        free = entries[place].next
        entries[place] = entry
        return place
    }

    private mutating func append(_ place: Int) {
        let line = entries[place].line
        entries[place].next = AnswerStore.none
        if lines[line].last == AnswerStore.none {
            lines[line].first = UInt32(place)
        } else {
            entries[Int(lines[line].last)].next = UInt32(place)
        }
        lines[line].last = UInt32(place)
        lines[line].bytes += Int(entries[place].cost)
    }

    private mutating func takeFirst(of line: Int) -> Int? {
        guard lines[line].first != AnswerStore.none else { return nil }
        let place = Int(lines[line].first)
        lines[line].first = entries[place].next
        if lines[line].first == AnswerStore.none { lines[line].last = AnswerStore.none }
        lines[line].bytes -= Int(entries[place].cost)
        return place
    }

    /// Forgets one entry.
    private mutating func evict(now: Ticks) {
        var rounds = 0
        while true {
            let isMain = lines[0].bytes <= bytes / 10 && lines[1].bytes > 0
            guard let place = takeFirst(of: isMain ? 1 : 0) else { return }
            // Out of probation each goes once; round and round in the main queue only so often.
            let isUsed = entries[place].rounds > 0 && now < entries[place].expires
            guard isUsed, rounds < AnswerStore.roundsOfEviction else { return forget(place) }
            if isMain { rounds += 1 }
            entries[place].rounds -= 1
            entries[place].isMain = true
            append(place)
        }
    }

    private mutating func forget(_ place: Int) {
        let hash = entries[place].hash
        if !entries[place].isMain { ghosts[ghost(hash)] = UInt32(truncatingIfNeeded: hash >> 32) }
        removeFromIndex(place, hash: hash)
        entries[place].answer = nil
        entries[place].next = free
        free = UInt32(place)
        count -= 1
    }

    private func ghost(_ hash: UInt64) -> Int { Int(hash & UInt64(ghosts.count - 1)) }
}

// MARK: - Index

extension AnswerStore {
    private func place(of key: QuestionKey, hash: UInt64) -> Int? {
        let mask = index.count - 1
        let tag = hash & ~0xffff_ffff
        var at = home(hash)
        while index[at] != 0 {
            if index[at] & ~0xffff_ffff == tag {
                let place = Int(index[at] & 0xffff_ffff) - 1
                if entries[place].isFor(key) { return place }
            }
            at = (at + 1) & mask
        }
        return nil
    }

    private func home(_ hash: UInt64) -> Int { Int(hash >> 32) & (index.count - 1) }

    private mutating func addToIndex(_ place: Int, hash: UInt64) {
        var at = home(hash)
        while index[at] != 0 { at = (at + 1) & (index.count - 1) }
        index[at] = hash & ~0xffff_ffff | UInt64(place + 1)
    }

    /// Takes an entry out and closes the gap, so that a search never runs over places that were left.
    private mutating func removeFromIndex(_ place: Int, hash: UInt64) {
        let mask = index.count - 1
        var gap = home(hash)
        while index[gap] & 0xffff_ffff != UInt64(place + 1) { gap = (gap + 1) & mask }
        var at = gap
        while true {
            at = (at + 1) & mask
            guard index[at] != 0 else { break }
            // What lies behind the gap moves into it, unless its home is behind the gap too.
            if (at - home(index[at])) & mask >= (at - gap) & mask {
                index[gap] = index[at]
                gap = at
            }
        }
        index[gap] = 0
    }

    private func hash(_ key: QuestionKey) -> UInt64 {
        let name = key.name
        var hash = mix(secret.0 ^ key.kind)
        if name.count < 8 {
            var word: UInt64 = 0
            for byte in name { word = word << 8 | UInt64(byte) }
            hash = mix(hash ^ lower(word))
        } else {
            var at = 0
            while at < name.count - 8 {
                hash = mix(hash ^ lower(name.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
                at &+= 8
            }
            // The last eight bytes, some of them for the second time.
            hash = mix(hash ^ lower(name.loadUnaligned(fromByteOffset: name.count - 8, as: UInt64.self)))
        }
        guard let server = key.server else { return hash }
        return mix(mix(hash ^ server.address.high) ^ server.address.low ^ UInt64(server.port) << 48)
    }

    @inline(__always) private func mix(_ value: UInt64) -> UInt64 {
        let product = value.multipliedFullWidth(by: secret.1)
        return product.high ^ product.low
    }
}

extension AnswerStore.Entry {
    fileprivate mutating func renew(_ answer: StoredAnswer, cost: UInt32, came: Ticks, expires: Ticks) {
        self.answer = answer
        self.cost = cost
        self.came = came
        self.expires = expires
        uses = 0
        saidPrefetch = false
    }

    fileprivate mutating func use(now: Ticks, staleFor: Milliseconds) -> AnswerStore.Hit? {
        guard let answer, now < expires + staleFor else { return nil }
        rounds = min(rounds + 1, AnswerStore.roundsMax)
        if uses < AnswerStore.usesOfHot { uses += 1 }
        let isStale = now >= expires
        let isEnding = (expires - now).count * 10 <= (expires - came).count
        let wantsPrefetch = isEnding && !isStale && !saidPrefetch && uses == AnswerStore.usesOfHot
        if wantsPrefetch { saidPrefetch = true }
        return AnswerStore.Hit(
            answer: answer, age: UInt32(clamping: (now - came).count / 1000), isStale: isStale,
            wantsPrefetch: wantsPrefetch, isHot: uses == AnswerStore.usesOfHot)
    }

    /// Whether the entry is for the key: the name in the answer's question is in lower case.
    fileprivate func isFor(_ key: QuestionKey) -> Bool {
        guard let answer, kind == key.kind else { return false }
        if let server = key.server, self.server != server { return false }
        let name = key.name
        return answer.bytes.withUnsafeBytes { stored in
            // Bounds: the name, whose length is part of the kind, ends at `nameEnd`, before the type and class.
            let start = Header.length
            if name.count < 8 {
                for index in 0..<name.count where stored[start + index] != lower(name[index]) { return false }
                return true
            }
            var at = 0
            while true {
                let word = stored.loadUnaligned(fromByteOffset: start + at, as: UInt64.self)
                guard word == lower(name.loadUnaligned(fromByteOffset: at, as: UInt64.self)) else { return false }
                guard at < name.count - 8 else { return true }
                at = min(at + 8, name.count - 8)
            }
        }
    }
}
