import Bytes

/// Values by domain name, many tables (scopes) in one: a suffix trie kept as a hash table over whole suffixes. A name is
/// walked once, from its last byte to its first; at each label the suffix behind it is looked up by its running hash.
///
/// A key is either an exact name or a suffix, which stands for every name below it and not for itself.
struct NameTable: Sendable {
    struct Entry: Sendable {
        var scope: Int
        var name: DomainName
        var isSuffix: Bool
        var value: UInt32
    }

    private struct Slot {
        var hash: UInt64 = 0
        /// The scope twice, plus one for a suffix.
        var key: UInt32 = 0
        var value: UInt32 = 0
        /// Where in `text` the name is; a count of 0 marks an empty slot.
        var start: UInt32 = 0
        var count: UInt32 = 0
    }

    private var slots: ContiguousArray<Slot>
    private var text: ContiguousArray<UInt8> = []
    /// For each scope, the labels of its longest suffix; -1 if it has no names at all.
    private var depths: ContiguousArray<Int>

    /// Each name may stand once per scope and kind among the entries.
    init(scopes: Int, _ entries: [Entry]) {
        slots = ContiguousArray(repeating: Slot(), count: Hashing.slots(for: entries.count))
        depths = ContiguousArray(repeating: -1, count: scopes)
        for entry in entries { insert(entry) }
    }

    private mutating func insert(_ entry: Entry) {
        let key = UInt32(entry.scope) << 1 | (entry.isSuffix ? 1 : 0)
        let hash = Hashing.finish(Hashing.name(entry.name, seed: 0), UInt64(key))
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[at].count != 0 { at = (at + 1) & (slots.count - 1) }
        slots[at] = Slot(
            hash: hash, key: key, value: entry.value, start: UInt32(text.count), count: UInt32(entry.name.bytes.count))
        text.append(contentsOf: entry.name.bytes)
        let labels = entry.isSuffix ? 1 + entry.name.bytes.count(where: { $0 == UInt8(ascii: ".") }) : 0
        depths[entry.scope] = max(depths[entry.scope], labels)
    }

    /// Visits the value of each suffix and of the exact name in this scope. Returns the number of probes.
    @inline(__always) @discardableResult
    func walk(_ scope: Int, _ name: DomainName, _ visit: (UInt32) -> Void) -> Int {
        let depth = depths[scope]
        if depth < 0 { return 0 }
        let exact = UInt32(truncatingIfNeeded: scope) << 1
        return name.bytes.withUnsafeBufferPointer { bytes in
            var running: UInt64 = 0
            var probes = 0
            // Bounds: `at` runs from the last index to the first.
            for at in stride(from: bytes.count - 1, through: 0, by: -1) {
                let byte = bytes[at]
                if byte == UInt8(ascii: "."), probes < depth {
                    if let value = find(running, exact | 1, bytes, from: at + 1) { visit(value) }
                    probes += 1
                }
                running = Hashing.step(running, byte)
            }
            if let value = find(running, exact, bytes, from: 0) { visit(value) }
            return probes + 1
        }
    }

    private func find(_ running: UInt64, _ key: UInt32, _ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> UInt32?
    {
        let hash = Hashing.finish(running, UInt64(key))
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while true {
            let slot = slots[at]
            if slot.count == 0 { return nil }
            if slot.hash == hash, slot.key == key, isName(slot, bytes[start...]) { return slot.value }
            at = (at + 1) & (slots.count - 1)
        }
    }

    private func isName(_ slot: Slot, _ name: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
        let start = Int(slot.start)
        return name.elementsEqual(text[start..<start + Int(slot.count)])
    }
}
