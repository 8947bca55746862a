import Bytes
import Glibc
import Synchronization
import TLS
import Testing

@testable import Config
@testable import Gateway

/// One certificate for each name, whoever asks and however many.
struct LeafStoreTests {
    /// What was told to whoever waited.
    final class Told: Sendable {
        let leaves = Atomic(0)
        let none = Atomic(0)

        func take(_ leaf: Leaf?) {
            if leaf == nil { none.add(1, ordering: .relaxed) } else { leaves.add(1, ordering: .relaxed) }
        }
        var count: Int { leaves.load(ordering: .relaxed) + none.load(ordering: .relaxed) }
    }

    static func authority() throws -> Authority {
        var template = Array("/tmp/weir-leaves-XXXXXX".utf8CString)
        let path = try #require(mkdtemp(&template).map { String(cString: $0) })
        defer { for file in ["/ca.pem", "/ca.key", ""] { remove(path + file) } }
        try Authority.make(certificate: path + "/ca.pem", key: path + "/ca.key", now: Int64(time(nil)))
        return try Authority(certificate: path + "/ca.pem", key: path + "/ca.key")
    }

    static func ask(_ store: LeafStore, _ name: String, _ authority: Authority, _ told: Told) throws -> Leaf? {
        store.leaf(for: try #require(Host(name)), by: authority, now: Int64(time(nil)), done: told.take)
    }

    static func wait(until isSo: () -> Bool) {
        for _ in 0..<2000 where !isSo() { usleep(5000) }
        #expect(isSo())
    }

    @Test func oneNameIsMintedOnce() throws {
        let (store, authority, told) = (LeafStore(log: Log(LogSettings())), try Self.authority(), Told())
        for _ in 0..<50 { #expect(try Self.ask(store, "one.test", authority, told) == nil) }
        let minter = try store.start()
        Self.wait { told.leaves.load(ordering: .relaxed) == 50 }
        let first = try #require(try Self.ask(store, "one.test", authority, told))
        #expect(try Self.ask(store, "one.test", authority, told) === first)
        // Of another authority it is another.
        #expect(try Self.ask(store, "one.test", Self.authority(), told) == nil)
        Self.wait { told.leaves.load(ordering: .relaxed) == 51 }
        store.close()
        minter.join()
    }

    @Test func whoWaitsWhileTheAuthorityChangesIsNotForgotten() throws {
        let (store, told) = (LeafStore(log: Log(LogSettings())), Told())
        let (old, new) = (try Self.authority(), try Self.authority())
        #expect(try Self.ask(store, "a.test", old, told) == nil)
        #expect(try Self.ask(store, "a.test", new, told) == nil)
        let minter = try store.start()
        Self.wait { told.leaves.load(ordering: .relaxed) == 2 }
        store.close()
        minter.join()
    }

    @Test func thereIsAnEndToWhatMayWait() throws {
        let (store, authority, told) = (LeafStore(log: Log(LogSettings())), try Self.authority(), Told())
        for index in 0..<LeafStore.ordersMost + 10 {
            #expect(try Self.ask(store, "n\(index).test", authority, told) == nil)
        }
        #expect(told.none.load(ordering: .relaxed) == 10)
        let minter = try store.start()
        Self.wait { told.count == LeafStore.ordersMost + 10 }
        store.close()
        minter.join()
    }
}
