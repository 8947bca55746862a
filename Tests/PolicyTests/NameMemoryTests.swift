import Bytes
import Synchronization
import Testing

@testable import Policy

/// What clients were told: who knows which name for which address, until when, and who may displace what.
@Suite struct NameMemoryTests {
    static let start = Ticks(milliseconds: 1_000_000)

    private func after(_ seconds: Int64) -> Ticks { NameMemoryTests.start + .seconds(seconds) }

    private func names(
        _ memory: NameMemory, _ client: String, _ address: String, at now: Ticks = start
    ) throws -> [String] {
        var names: [String] = []
        memory.forEachName(client: try ip(client), address: try ip(address), now: now) { names.append("\($0)") }
        return names.sorted()
    }

    @discardableResult
    private func tell(
        _ memory: NameMemory, _ client: String, _ address: String, _ text: String, for seconds: Int64 = 300,
        at now: Ticks = start
    ) throws -> Bool {
        memory.remember(
            client: try ip(client), address: try ip(address), name: try name(text), until: now + .seconds(seconds),
            now: now)
    }

    @Test func eachClientKnowsWhatItWasTold() throws {
        let memory = NameMemory(capacity: 1024)
        try tell(memory, "10.0.0.1", "192.0.2.1", "a.example")
        try tell(memory, "10.0.0.1", "192.0.2.1", "b.example")
        try tell(memory, "10.0.0.1", "2001:db8::1", "c.example")
        try tell(memory, "10.0.0.2", "192.0.2.1", "d.example")
        try tell(memory, "fd00::2", "192.0.2.1", "e.example")
        #expect(try names(memory, "10.0.0.1", "192.0.2.1") == ["a.example", "b.example"])
        #expect(try names(memory, "10.0.0.1", "::ffff:192.0.2.1") == ["a.example", "b.example"])
        #expect(try names(memory, "10.0.0.1", "2001:db8::1") == ["c.example"])
        #expect(try names(memory, "10.0.0.2", "192.0.2.1") == ["d.example"])
        #expect(try names(memory, "fd00::2", "192.0.2.1") == ["e.example"])
        #expect(try names(memory, "10.0.0.3", "192.0.2.1").isEmpty)
        #expect(try names(memory, "192.0.2.1", "10.0.0.1").isEmpty)
        #expect(memory.count == 5)

        let (client, address) = (try ip("10.0.0.1"), try ip("192.0.2.1"))
        func knows(_ text: String?) throws -> Bool {
            guard let text else { return memory.knows(client: client, address: address, now: NameMemoryTests.start) }
            return memory.knows(client: client, address: address, name: try name(text), now: NameMemoryTests.start)
        }
        #expect(try knows(nil) && knows("a.example") && knows("b.example"))
        #expect(try !knows("c.example") && !knows("a.exampl") && !knows("a.example.org"))
        #expect(memory.knows(client: try ip("10.0.0.1"), address: try ip("192.0.2.9"), now: after(0)) == false)
    }

    /// A name of every length comes back whole, and one letter more, less or other is another name.
    @Test func namesOfEveryLength() throws {
        let memory = NameMemory(capacity: 4096)
        let client = try ip("10.0.0.1")
        for length in 1...253 {
            let bytes = (0..<length).map { $0 % 50 == 49 && $0 < length - 1 ? UInt8(ascii: ".") : 97 + UInt8($0 % 26) }
            let text = String(decoding: bytes, as: UTF8.self)
            let address = IPAddress(v4: UInt32(length))
            let told = try name(text)
            memory.remember(client: client, address: address, name: told, until: after(60), now: after(0))
            #expect(try names(memory, "10.0.0.1", address.description) == [text])
            #expect(memory.knows(client: client, address: address, name: told, now: after(0)))
            for other in [text.dropLast() + "-a", text.dropLast() + "0", text.prefix(252) + "z"] where other != text {
                let other = DomainName(String(other)).map {
                    memory.knows(client: client, address: address, name: $0, now: after(0))
                }
                #expect(other != true)
            }
        }
    }

    /// At least a minute, at most a week, and up to eight seconds more than asked for.
    @Test(arguments: [(0, 60), (-5, 60), (59, 60), (61, 61), (3600, 3600), (700_000, 604_800)])
    func lives(_ seconds: Int64, _ expected: Int64) throws {
        let memory = NameMemory(capacity: 1024)
        try tell(memory, "10.0.0.1", "192.0.2.1", "a.example", for: seconds)
        let end = after(expected)
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: end + Milliseconds(-1)) == ["a.example"])
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: end + Milliseconds(8192)).isEmpty)
        #expect(memory.knows(client: try ip("10.0.0.1"), address: try ip("192.0.2.1"), now: end + .seconds(9)) == false)
    }

    @Test func neverIsAWeek() throws {
        let memory = NameMemory(capacity: 1024)
        let (client, address) = (try ip("10.0.0.1"), try ip("192.0.2.1"))
        memory.remember(client: client, address: address, name: try name("a.example"), until: .never, now: after(0))
        #expect(memory.knows(client: client, address: address, now: after(604_799)))
        #expect(!memory.knows(client: client, address: address, now: after(604_809)))
    }

    /// A shorter TTL does not end what a longer one promised; a longer one prolongs it, and nothing is there twice.
    @Test func toldAgain() throws {
        let memory = NameMemory(capacity: 1024)
        for seconds in [Int64(300), 60, 120, 600, 300] {
            try tell(memory, "10.0.0.1", "192.0.2.1", "a.example", for: seconds)
            #expect(memory.count == 1)
        }
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: after(599)) == ["a.example"])
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: after(609)).isEmpty)
        try tell(memory, "10.0.0.1", "192.0.2.1", "a.example", at: after(700))
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: after(701)) == ["a.example"])
    }

    /// Of many names for one address the eight that were told last stay, whatever their TTL.
    @Test func theNewestEightStay() throws {
        let memory = NameMemory(capacity: 1024)
        for index in 0..<8 {
            try tell(
                memory, "10.0.0.1", "192.0.2.1", "n\(index)", for: 9000 - Int64(index) * 1000, at: after(Int64(index)))
        }
        try tell(memory, "10.0.0.1", "192.0.2.1", "n0", for: 60, at: after(8))
        for index in 8..<11 { try tell(memory, "10.0.0.1", "192.0.2.1", "n\(index)", at: after(Int64(index) + 1)) }
        #expect(
            try names(memory, "10.0.0.1", "192.0.2.1", at: after(12))
                == ["n0", "n10", "n4", "n5", "n6", "n7", "n8", "n9"])
        for index in 0..<10_000 {
            try tell(memory, "10.0.0.1", "192.0.2.1", "x\(index)", at: after(20) + Milliseconds(Int64(index)))
        }
        #expect(try names(memory, "10.0.0.1", "192.0.2.1", at: after(31)) == (9992..<10_000).map { "x\($0)" })
        #expect(memory.count == 8)
    }
}
