import Bytes
import Synchronization

/// A set of learned rules that grows and never shrinks, read without a lock.
///
/// An open hash table of atomic pointers to immutable entries. One writer at a time fills an entry and then publishes
/// it; a table that is half full is copied into one of twice the size, which is published in its place. Entries and
/// outgrown tables stay until the set itself goes, so a reader never meets freed memory. Outgrown tables are together
/// smaller than the one in use.
///
/// Unchecked Sendable: entries are immutable once published with release order and read with acquire order, and the
/// fields that are not atomic belong to the writer, whom `LearnedRules` admits one at a time under its lock.
final class LearnedTable: @unchecked Sendable {
    struct Key {
        /// The number of the service.
        var service: UInt32
        var port: UInt16
        var application: Application
        var host: Host
    }

    struct Entry {
        let hash: UInt64
        let key: Key
        /// As records show it.
        let text: String
    }

    private typealias Slot = Atomic<UnsafeMutablePointer<Entry>?>

    private struct Slots {
        let base: UnsafeMutablePointer<Slot>
        let mask: Int
    }

    private let current: Atomic<UnsafeMutablePointer<Slots>>
    private let seed: UInt64
    private var tables: [UnsafeMutablePointer<Slots>] = []
    private var entries: [UnsafeMutablePointer<Entry>] = []

    init(seed: UInt64) {
        self.seed = seed
        let first = LearnedTable.makeSlots(64)
        current = Atomic(first)
        tables = [first]
    }

    deinit {
        for entry in entries {
            entry.deinitialize(count: 1)
            entry.deallocate()
        }
        for table in tables {
            table.pointee.base.deinitialize(count: table.pointee.mask + 1)
            table.pointee.base.deallocate()
            table.deallocate()
        }
    }

    private static func makeSlots(_ count: Int) -> UnsafeMutablePointer<Slots> {
        let base = UnsafeMutablePointer<Slot>.allocate(capacity: count)
        for index in 0..<count { (base + index).initialize(to: Atomic(nil)) }
        let table = UnsafeMutablePointer<Slots>.allocate(capacity: 1)
        table.initialize(to: Slots(base: base, mask: count - 1))
        return table
    }

    // MARK: - Readers

    /// The rule learned for this name. Takes no lock and allocates nothing.
    func find(_ service: UInt32, _ name: DomainName, _ port: UInt16, _ application: Application) -> RuleText? {
        let hash = Hashing.finish(Hashing.name(name, seed: seed), tag(service, port, application))
        return find(hash, service, port, application) {
            if case .name(let other) = $0 { other == name } else { false }
        }
    }

    /// The rule learned for this address. Takes no lock and allocates nothing.
    func find(_ service: UInt32, _ address: IPAddress, _ port: UInt16, _ application: Application) -> RuleText? {
        let hash = Hashing.finish(Hashing.address(address, seed: ~seed), tag(service, port, application))
        return find(hash, service, port, application) {
            if case .address(let other) = $0 { other == address } else { false }
        }
    }

    private func tag(_ service: UInt32, _ port: UInt16, _ application: Application) -> UInt64 {
        UInt64(service) << 24 | UInt64(port) << 8 | UInt64(application.rawValue)
    }

    @inline(__always)
    private func find(
        _ hash: UInt64, _ service: UInt32, _ port: UInt16, _ application: Application, _ isHost: (Host) -> Bool
    ) -> RuleText? {
        let table = current.load(ordering: .acquiring)
        let (base, mask) = (table.pointee.base, table.pointee.mask)
        var at = Int(truncatingIfNeeded: hash) & mask
        // Bounds: `at` is masked. The table is at most half full, so an empty slot ends every walk.
        while let entry = base[at].load(ordering: .acquiring) {
            if entry.pointee.hash == hash, entry.pointee.key.service == service, entry.pointee.key.port == port,
                entry.pointee.key.application == application, isHost(entry.pointee.key.host)
            {
                return UnsafePointer(entry).pointer(to: \.text).map(RuleText.init)
            }
            at = (at + 1) & mask
        }
        return nil
    }

    // MARK: - The writer

    /// Adds a rule unless there is one with the same key. Only under the lock of the owner.
    func insert(_ key: Key, text: String) -> Bool {
        let running: UInt64
        switch key.host {
        case .name(let name):
            if find(key.service, name, key.port, key.application) != nil { return false }
            running = Hashing.name(name, seed: seed)
        case .address(let address):
            if find(key.service, address, key.port, key.application) != nil { return false }
            running = Hashing.address(address, seed: ~seed)
        }
        let hash = Hashing.finish(running, tag(key.service, key.port, key.application))
        let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
        entry.initialize(to: Entry(hash: hash, key: key, text: text))
        entries.append(entry)
        let table = current.load(ordering: .relaxed)
        if entries.count * 2 > table.pointee.mask {
            grow(to: (table.pointee.mask + 1) * 2)
        } else {
            LearnedTable.put(entry, into: table)
        }
        return true
    }

    private func grow(to count: Int) {
        let table = LearnedTable.makeSlots(count)
        for entry in entries { LearnedTable.put(entry, into: table) }
        tables.append(table)
        current.store(table, ordering: .releasing)
    }

    private static func put(_ entry: UnsafeMutablePointer<Entry>, into table: UnsafeMutablePointer<Slots>) {
        let (base, mask) = (table.pointee.base, table.pointee.mask)
        var at = Int(truncatingIfNeeded: entry.pointee.hash) & mask
        while base[at].load(ordering: .relaxed) != nil { at = (at + 1) & mask }
        base[at].store(entry, ordering: .releasing)
    }
}
