import Bytes
import OS
import TLS

/// The certificates that interception shows to clients, of all loops: minted once for each name, on a thread of its own, so
/// that no loop waits for a signature.
///
/// Its lock is taken once for each connection that is intercepted.
final class LeafStore: Sendable {
    private enum Entry {
        case ready(Leaf)
        /// Ordered: whoever wants to know when it is there.
        case ordered([@Sendable (Leaf?) -> Void])
    }

    private struct Shelf {
        /// Whose certificates these are.
        var authority: Authority?
        var entries: [Host: Entry] = [:]
        var orders: [(name: Host, authority: Authority)] = []
        var isClosed = false

        /// Orders under way keep their waiters.
        mutating func forget() { entries = entries.filter { if case .ordered = $0.value { true } else { false } } }

        /// Who waits will have a certificate of the new one.
        mutating func turn(to authority: Authority) {
            self.authority = authority
            forget()
            orders = entries.keys.map { ($0, authority) }
        }
    }

    private let shelf = Guarded(Shelf())
    private let bell = Semaphore()
    private let log: Log

    /// Certificates kept; beyond that all are forgotten and minted anew.
    private static let most = 16 * 1024
    /// Names that may wait for their certificates: with a slow key (RSA-4096) that is some seconds. Beyond that none is made.
    static let ordersMost = 1024

    init(log: Log) { self.log = log }

    /// The certificate for a name; where there is none yet it is ordered and `done` called when it is there, on the minting
    /// thread, or with nil when it could not be made, or when too many wait.
    func leaf(
        for name: Host, by authority: Authority, now: Int64, done: @escaping @Sendable (Leaf?) -> Void
    ) -> Leaf? {
        enum Found { case leaf(Leaf), waits, ordered, full }
        let found = shelf.withLock { shelf -> Found in
            if shelf.authority !== authority { shelf.turn(to: authority) }
            switch shelf.entries[name] {
            case .ready(let leaf) where leaf.expires > now: return .leaf(leaf)
            case .ordered(let waiting):
                shelf.entries[name] = .ordered(waiting + [done])
                return .waits
            case .ready, nil:
                if shelf.orders.count >= LeafStore.ordersMost { return .full }
                if shelf.entries.count >= LeafStore.most { shelf.forget() }
                shelf.entries[name] = .ordered([done])
                shelf.orders.append((name, authority))
                return .ordered
            }
        }
        switch found {
        case .leaf(let leaf): return leaf
        case .waits: break
        case .ordered: bell.signal()
        case .full: done(nil)
        }
        return nil
    }

    // MARK: The minting thread

    func start() throws(Errno) -> ThreadHandle {
        try startThread(named: "weir-minter") { [self] in
            while !shelf.withLock({ $0.isClosed }) {
                bell.wait()
                while let order = shelf.withLock({ $0.orders.isEmpty ? nil : $0.orders.removeFirst() }) {
                    mint(order.name, order.authority)
                }
            }
        }
    }

    func close() {
        shelf.withLock { $0.isClosed = true }
        bell.signal()
    }

    private func mint(_ name: Host, _ authority: Authority) {
        var leaf: Leaf?
        do throws(AuthorityFault) {
            leaf = try authority.leaf(for: name, now: Clock.wallMicroseconds() / 1_000_000)
        } catch {
            log.error("no certificate for \(name): \(error)")
        }
        let waiting = shelf.withLock { shelf -> [@Sendable (Leaf?) -> Void] in
            // The configuration may have changed in the meantime: then it is ordered anew.
            guard shelf.authority === authority, case .ordered(let waiting)? = shelf.entries[name] else { return [] }
            shelf.entries[name] = leaf.map { .ready($0) }
            return waiting
        }
        for done in waiting { done(leaf) }
    }
}
