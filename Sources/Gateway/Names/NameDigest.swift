import Bytes
import DNS

/// Equal allowed questions of one client within a while, on their way to one record (`dns.aggregate`).
struct NameDigest {
    struct Key: Hashable {
        var client: IPAddress
        var asked: Endpoint
        var name: ContiguousArray<UInt8>
        var type: UInt16
        var code: UInt16
    }

    private struct Entry {
        var exchange: NameExchange
        var facts: NameServer.Kept
        var count: Int
        var due: Ticks
    }

    private var entries: [Key: Entry] = [:]
    private(set) var nextDue = Ticks.never

    /// Questions that wait for others like them; beyond, each has its own record.
    private static let entriesMost = 4096

    /// Takes a question into the record of one like it, or begins one; false if it is to be recorded by itself. The first
    /// of each keeps its slot.
    mutating func take(
        _ key: Key, _ exchange: NameExchange, _ facts: @autoclosure () -> NameServer.Kept, within: Milliseconds,
        now: Ticks
    ) -> Taken {
        if entries[key] != nil {
            entries[key]?.count += 1
            return .joined
        }
        guard entries.count < NameDigest.entriesMost else { return .refused }
        entries[key] = Entry(exchange: exchange, facts: facts(), count: 1, due: now + within)
        nextDue = min(nextDue, now + within)
        return .begun
    }

    enum Taken { case joined, begun, refused }

    /// Writes the records whose time has come.
    mutating func write(due now: Ticks, to server: NameServer) {
        guard nextDue <= now else { return }
        for (key, entry) in entries where entry.due <= now {
            entries[key] = nil
            server.write(entry.exchange, entry.facts, count: entry.count)
        }
        nextDue = entries.values.reduce(.never) { min($0, $1.due) }
    }

    mutating func writeAll(to server: NameServer) {
        for entry in entries.values { server.write(entry.exchange, entry.facts, count: entry.count) }
        entries.removeAll()
        nextDue = .never
    }
}
