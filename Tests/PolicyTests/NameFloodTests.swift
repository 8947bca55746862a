import Bytes
import Synchronization
import Testing

@testable import Policy

/// The DNS memory when there is too much of everything: names, clients, threads.
@Suite struct NameFloodTests {
    private static let now = Ticks(milliseconds: 5_000_000)
    private static let flooder = IPAddress(v4: 0x0aff_0001)

    private func client(_ index: Int) -> IPAddress { IPAddress(v4: 0x0a00_0000 + UInt32(index)) }
    private func address(_ index: Int) -> IPAddress { IPAddress(v4: 0x3400_0000 &+ UInt32(index) &* 7) }

    @discardableResult
    private func tell(
        _ memory: NameMemory, _ client: IPAddress, _ address: IPAddress, _ name: DomainName, at now: Ticks = now
    ) -> Bool {
        memory.remember(client: client, address: address, name: name, until: now + .seconds(300), now: now)
    }

    /// How many of the addresses the client still knows.
    private func known(_ memory: NameMemory, _ client: IPAddress, _ range: Range<Int>) -> Int {
        range.count { memory.knows(client: client, address: address($0), now: NameFloodTests.now) }
    }

    /// Three quarters full, by clients that have equal parts, it has forgotten nothing.
    @Test(arguments: UInt64(1)...2) func threeQuartersFullIsNotTooFull(_ seed: UInt64) throws {
        let memory = NameMemory(capacity: 16_384, seed: seed &* 0x9e37_79b9_7f4a_7c15)
        #expect(memory.capacity == 16_384)
        let name = try name("a.example")
        for index in 0..<12_288 { #expect(tell(memory, client(index % 96), address(index / 96), name)) }
        #expect(memory.count == 12_288)
        #expect((0..<96).reduce(0) { $0 + known(memory, client($1), 0..<128) } == 12_288)
    }

    /// One client asks for ever-new names, ten times as many as there is room for. The others lose nothing of what they
    /// were told before it, between, or after; and it still knows much of what it was told last.
    @Test(arguments: UInt64(1)...2) func aFloodHarmsItsOwn(_ seed: UInt64) throws {
        let memory = NameMemory(capacity: 16_384, seed: seed &* 0x9e37_79b9_7f4a_7c15)
        let name = try name("a.example")
        let flooder = NameFloodTests.flooder
        for index in 0..<2000 { tell(memory, client(index % 40), address(index / 40), name) }
        for index in 0..<80_000 { tell(memory, flooder, address(index), name) }
        for index in 2000..<4000 { tell(memory, client(index % 40), address(index / 40), name) }
        for index in 80_000..<160_000 { tell(memory, flooder, address(index), name) }
        for index in 0..<40 { #expect(known(memory, client(index), 0..<100) == 100) }
        #expect(memory.count <= memory.capacity)
        #expect(known(memory, flooder, 159_000..<160_000) > 500)
    }

    /// When all are greedy, each has its share of the table, and none is left with nothing.
    @Test func greedIsShared() throws {
        let memory = NameMemory(capacity: 16_384, seed: 7)
        let name = try name("a.example")
        for index in 0..<20_000 { tell(memory, client(0), address(index), name) }
        for index in 0..<100_000 { tell(memory, client(index % 4), address(index / 4), name) }
        let parts = (0..<4).map { known(memory, client($0), 0..<25_000) }
        #expect(parts.allSatisfy { (3200...5000).contains($0) }, "\(parts)")
        #expect(parts.reduce(0, +) > 15_500)
    }

    /// What has expired makes room, whoever had it.
    @Test func theExpiredMakesRoom() throws {
        let memory = NameMemory(capacity: 1024, seed: 3)
        let name = try name("a.example")
        for index in 0..<5000 { tell(memory, client(0), address(index), name) }
        let later = NameFloodTests.now + .seconds(400)
        for index in 0..<600 { #expect(tell(memory, client(0), address(index), name, at: later)) }
        #expect((0..<600).allSatisfy { memory.knows(client: client(0), address: address($0), now: later) })
        #expect(memory.count <= 1024)
    }

    /// Two threads write and two read a table that is far too small, so that every place is for ever rewritten under the
    /// readers' eyes: each name that is read is one that was told to that client for that address, whole.
    @Test func noNameIsTorn() throws {
        let memory = NameMemory(capacity: 256)
        let names = try (0..<8).map { version in
            try (0..<64).map { index in try name(Self.text(index % 4, index / 4, version)) }
        }
        let wrong = Atomic(0)
        let read = Atomic(0)
        try withThreads(4) { thread in
            for round in 0..<20_000 {
                let (index, version) = (round &* 31 % 64, round % 8)
                let (client, address) = (self.client(index % 4), self.address(index / 4))
                if thread < 2 {
                    let now = NameFloodTests.now + Milliseconds(Int64(round))
                    tell(memory, client, address, names[version][index], at: now)
                    // An answer leaves after this, and whoever it brings is known.
                    continue
                }
                memory.forEachName(client: client, address: address, now: NameFloodTests.now) { name in
                    read.add(1, ordering: .relaxed)
                    let isTold = names.contains { $0[index] == name }
                    if !isTold { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(read.load(ordering: .relaxed) > 0)
        #expect(memory.count <= memory.capacity)
    }

    /// Long, and of another length in each version.
    private static func text(_ client: Int, _ address: Int, _ version: Int) -> String {
        let label = String(repeating: "\(version)", count: 8 + version * 6)
        return "c\(client).a\(address).\(label).\(label).\(label).example"
    }

    /// What one thread was told another one knows at once, and for as long as it lives.
    @Test func whatIsToldIsKnownEverywhere() throws {
        let memory = NameMemory(capacity: 8192)
        let name = try name("www.example.com")
        let told = Atomic(0)
        let wrong = Atomic(0)
        try withThreads(3) { thread in
            if thread == 0 {
                for index in 0..<2000 {
                    tell(memory, self.client(1), self.address(index), name)
                    told.store(index + 1, ordering: .releasing)
                }
            } else if thread == 1 {
                var seen = 0
                while seen < 2000 {
                    let count = told.load(ordering: .acquiring)
                    for index in max(seen - 8, 0)..<count
                    where !memory.knows(
                        client: self.client(1), address: self.address(index), name: name, now: NameFloodTests.now)
                    {
                        wrong.add(1, ordering: .relaxed)
                    }
                    seen = count
                }
            } else {
                // The same names meanwhile get longer lives, and another client floods.
                for index in 0..<20_000 {
                    tell(memory, NameFloodTests.flooder, self.address(index), name)
                    let later = NameFloodTests.now + .seconds(Int64(index) / 100)
                    tell(memory, self.client(1), self.address(index / 10), name, at: later)
                }
            }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(known(memory, client(1), 0..<2000) == 2000)
    }
}
