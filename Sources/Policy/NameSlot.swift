import Bytes
import Synchronization

/// One name that one client was given for one address, in words that other threads read while it is being written.
///
/// A seqlock of which every word is atomic: the generation is odd while the words change, and a reader that finds it
/// odd, or other at the end than at the beginning, has read nothing. The words are stored with release and loaded with
/// acquire order, so that whoever sees one new word also sees that the generation has moved on.
///
///     0            generation << 8 | bytes of the name
///     1, 2         the client
///     3, 4         the address
///     5            when it was last told; no part of what the generation guards
///     6 ..< 38     the name, eight bytes a word, the last one filled up with zeros
struct NameSlot {
    /// 253 bytes of name are 32 words. Names are kept in place and whole: most are ten times shorter, but a pool of shared
    /// names would need counts of their users, and a reader would have to write.
    static let words = 38

    enum Match { case none, sameAddress, same }

    /// Bounds: the owner has `words` of them here for each slot that it makes.
    private let word: UnsafeMutablePointer<Atomic<UInt64>>

    init(at base: UnsafeMutablePointer<Atomic<UInt64>>) { word = base }

    var told: UInt64 {
        get { word[5].load(ordering: .relaxed) }
        nonmutating set { word[5].store(newValue, ordering: .relaxed) }
    }

    // MARK: - The writer

    /// Only by the one thread that has claimed the slot.
    func write(_ client: IPAddress, _ address: IPAddress, _ name: DomainName) {
        let generation = word[0].load(ordering: .relaxed) >> 8
        word[0].store((generation + 1) << 8, ordering: .relaxed)
        word[1].store(client.high, ordering: .releasing)
        word[2].store(client.low, ordering: .releasing)
        word[3].store(address.high, ordering: .releasing)
        word[4].store(address.low, ordering: .releasing)
        name.bytes.withUnsafeBytes { bytes in
            for index in 0..<NameSlot.count(bytes.count) {
                word[6 + index].store(NameSlot.load(bytes, index), ordering: .releasing)
            }
            word[0].store((generation + 2) << 8 | UInt64(bytes.count), ordering: .releasing)
        }
    }

    // MARK: - Readers

    /// What is here has to do with this client, address and name.
    @inline(__always)
    func match(_ client: IPAddress, _ address: IPAddress, _ name: DomainName) -> Match {
        let head = word[0].load(ordering: .acquiring)
        guard isOf(client, address, head) else { return .none }
        let isSame = name.bytes.withUnsafeBytes { bytes in
            bytes.count == Int(head & 0xff) && holds(bytes)
        }
        guard word[0].load(ordering: .relaxed) == head else { return .none }
        return isSame ? .same : .sameAddress
    }

    /// Whether a name is here for this client and address.
    @inline(__always)
    func isOf(_ client: IPAddress, _ address: IPAddress) -> Bool {
        let head = word[0].load(ordering: .acquiring)
        return isOf(client, address, head) && word[0].load(ordering: .relaxed) == head
    }

    /// The name that is here for this client and address. Allocates.
    func name(_ client: IPAddress, _ address: IPAddress) -> DomainName? {
        let head = word[0].load(ordering: .acquiring)
        guard isOf(client, address, head) else { return nil }
        let count = Int(head & 0xff)
        return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { room in
            for index in 0..<NameSlot.count(count) {
                let bytes = word[6 + index].load(ordering: .acquiring).littleEndian
                room.storeBytes(of: bytes, toByteOffset: index * 8, as: UInt64.self)
            }
            guard word[0].load(ordering: .relaxed) == head else { return nil }
            return DomainName(UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
    }

    @inline(__always)
    private func isOf(_ client: IPAddress, _ address: IPAddress, _ head: UInt64) -> Bool {
        head >> 8 & 1 == 0
            && word[2].load(ordering: .acquiring) == client.low && word[4].load(ordering: .acquiring) == address.low
            && word[1].load(ordering: .acquiring) == client.high && word[3].load(ordering: .acquiring) == address.high
    }

    // MARK: - Names as words

    @inline(__always)
    private static func count(_ bytes: Int) -> Int { (bytes + 7) / 8 }

    /// Bounds: `index` counts the words of a name of at most 253 bytes, of which there are 32 behind the first six.
    @inline(__always)
    private func holds(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let whole = bytes.count >> 3
        var index = 0
        while index < whole {
            let other = bytes.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)
            if word[6 &+ index].load(ordering: .acquiring) != UInt64(littleEndian: other) { return false }
            index &+= 1
        }
        return bytes.count & 7 == 0 || word[6 &+ whole].load(ordering: .acquiring) == NameSlot.tail(bytes)
    }

    @inline(__always)
    private static func load(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
        let at = index * 8
        if at + 8 > bytes.count { return tail(bytes) }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// The last word, which is not full.
    @inline(__always)
    private static func tail(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        if bytes.count >= 8 {
            // The last eight bytes, less those that the word before has.
            let last = bytes.loadUnaligned(fromByteOffset: bytes.count &- 8, as: UInt64.self)
            return UInt64(littleEndian: last) &>> UInt64(truncatingIfNeeded: 8 &* (8 &- bytes.count & 7))
        }
        return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
