import Bytes

/// Values by address prefix, many tables (scopes) in one: a hash table probed once for each prefix length that a scope
/// uses, longest first. What a lookup costs depends on the number of those lengths, not on the number of prefixes.
struct PrefixTable: Sendable {
    struct Entry: Sendable {
        var scope: Int
        var prefix: Prefix
        var value: UInt32
    }

    private struct Slot {
        var address = IPAddress.anyV6
        var scope: UInt32 = 0
        var value: UInt32 = 0
        /// The prefix length, or 255 in an empty slot.
        var length: UInt8 = 255
    }

    /// Which lengths a scope uses, as ranges into `lengths`, each longest first.
    private struct Lengths {
        var v4 = 0..<0
        var v6 = 0..<0
    }

    private var slots: ContiguousArray<Slot>
    private var lengths: ContiguousArray<UInt8> = []
    private var scopes: ContiguousArray<Lengths>

    /// Each pair of scope and prefix may stand once among the entries.
    init(scopes count: Int, _ entries: [Entry]) {
        slots = ContiguousArray(repeating: Slot(), count: Hashing.slots(for: entries.count))
        scopes = ContiguousArray(repeating: Lengths(), count: count)
        var used = [(v4: Set<UInt8>, v6: Set<UInt8>)](repeating: ([], []), count: count)
        for entry in entries {
            insert(entry)
            if entry.prefix.coversV4 {
                used[entry.scope].v4.insert(entry.prefix.length)
            } else {
                used[entry.scope].v6.insert(entry.prefix.length)
            }
        }
        for (scope, used) in used.enumerated() {
            scopes[scope] = Lengths(v4: append(used.v4), v6: append(used.v6))
        }
    }

    private mutating func append(_ used: Set<UInt8>) -> Range<Int> {
        let start = lengths.count
        lengths.append(contentsOf: used.sorted(by: >))
        return start..<lengths.count
    }

    private mutating func insert(_ entry: Entry) {
        let prefix = entry.prefix
        var at = home(UInt32(entry.scope), prefix.address, prefix.length)
        while slots[at].length != 255 { at = (at + 1) & (slots.count - 1) }
        slots[at] = Slot(
            address: prefix.address, scope: UInt32(entry.scope), value: entry.value, length: prefix.length)
    }

    @inline(__always)
    private func home(_ scope: UInt32, _ address: IPAddress, _ length: UInt8) -> Int {
        let hash = Hashing.address(address, seed: UInt64(scope) << 8 | UInt64(length))
        return Int(truncatingIfNeeded: hash) & (slots.count - 1)
    }

    /// Visits the value of each prefix of the scope that holds the address, the longest first, until `visit` says no.
    /// Returns the number of lengths probed.
    @inline(__always) @discardableResult
    func walk(_ scope: Int, _ address: IPAddress, atLeast least: UInt8 = 0, _ visit: (UInt32) -> Bool) -> Int {
        let range = address.isV4 ? scopes[scope].v4 : scopes[scope].v6
        var probes = 0
        for index in range {
            let length = lengths[index]
            if length < least { break }
            probes += 1
            if let value = find(UInt32(truncatingIfNeeded: scope), address.masked(to: length), length), !visit(value) {
                break
            }
        }
        return probes
    }

    @inline(__always)
    private func find(_ scope: UInt32, _ address: IPAddress, _ length: UInt8) -> UInt32? {
        var at = home(scope, address, length)
        while true {
            let slot = slots[at]
            if slot.length == 255 { return nil }
            if slot.address == address, slot.length == length, slot.scope == scope { return slot.value }
            at = (at + 1) & (slots.count - 1)
        }
    }

    /// The value of the longest prefix of the scope that holds the address.
    func longest(_ scope: Int, _ address: IPAddress) -> UInt32? {
        var found: UInt32?
        walk(scope, address) {
            found = $0
            return false
        }
        return found
    }
}

extension Prefix {
    /// Whether it is a range of IPv4 addresses; shorter ones than `0.0.0.0/0` are ranges of IPv6 addresses.
    var coversV4: Bool { length >= 96 && address.isV4 }
}
