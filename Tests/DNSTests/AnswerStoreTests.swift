import Bytes
import Testing

@testable import DNS

/// A store with a clock, asked by names.
private struct Shelf: ~Copyable {
    var store: AnswerStore
    var now = Ticks(milliseconds: 1_000_000)

    init(bytes: Int = 1 << 20, staleFor: Milliseconds = .seconds(0)) {
        var seed: UInt64 = 0
        store = AnswerStore(bytesMax: bytes, staleFor: staleFor) {
            seed &+= 0x9e37_79b9_7f4a_7c15
            return seed &* 0xbf58_476d_1ce4_e5b9
        }
    }

    static func answer(_ name: String, type: RecordType = .a, ttl: UInt32 = 60) -> StoredAnswer {
        let made = Packet.name(name).withUnsafeBytes {
            StoredAnswer.synthesized(
                QuestionKey(name: $0, type: type), addresses: [IPAddress(v4: 1)], timeToLive: ttl)
        }
        guard let made else { preconditionFailure("a test's name: \(name)") }
        return made
    }

    mutating func insert(_ name: String, type: RecordType = .a, ttl: UInt32 = 60, server: Endpoint? = nil) {
        let answer = Shelf.answer(name, type: type, ttl: ttl)
        Packet.name(name).withUnsafeBytes {
            store.insert(answer, for: QuestionKey(name: $0, type: type, server: server), now: now)
        }
    }

    mutating func find(
        _ name: String, type: RecordType = .a, recordClass: UInt16 = 1, isDNSSECOK: Bool = false,
        isCheckingDisabled: Bool = false, server: Endpoint? = nil
    ) -> AnswerStore.Hit? {
        Packet.name(name).withUnsafeBytes {
            store.find(
                QuestionKey(
                    name: $0, type: type, recordClass: recordClass, isDNSSECOK: isDNSSECOK,
                    isCheckingDisabled: isCheckingDisabled, server: server), now: now)
        }
    }

    mutating func pass(_ milliseconds: Int64) { now = now + Milliseconds(milliseconds) }
}

struct AnswerStoreTests {
    @Test func answersAgeAndExpire() {
        var shelf = Shelf()
        shelf.insert("a.test", ttl: 10)
        #expect(shelf.find("a.test")?.age == 0)
        shelf.pass(9_999)
        #expect(shelf.find("a.test")?.age == 9 && shelf.find("a.test")?.isStale == false)
        shelf.pass(1)
        #expect(shelf.find("a.test") == nil)
        shelf.insert("a.test", ttl: 10)
        #expect(shelf.find("a.test")?.age == 0 && shelf.store.count == 1)
    }

    @Test func staleAnswersAreSaidToBe() {
        var shelf = Shelf(staleFor: .seconds(100))
        shelf.insert("a.test", ttl: 10)
        shelf.pass(10_000)
        #expect(shelf.find("a.test")?.isStale == true && shelf.find("a.test")?.wantsPrefetch == false)
        shelf.pass(99_999)
        #expect(shelf.find("a.test")?.isStale == true)
        shelf.pass(1)
        #expect(shelf.find("a.test") == nil)
    }

    /// All lengths: names are compared eight bytes at a time.
    @Test func namesAreTheSameInAnyLetters() {
        var shelf = Shelf()
        for length in 1...40 {
            let name = String(repeating: "ab-c", count: 10).prefix(length) + ".x"
            shelf.insert(String(name))
            #expect(shelf.find(name.uppercased())?.answer.name?.description == String(name))
            for index in 0..<length {
                var other = Array(name.utf8)
                other[index] ^= 0x10
                #expect(shelf.find(String(decoding: other, as: UTF8.self)) == nil)
            }
        }
        #expect(shelf.find("") == nil)
        shelf.insert("")
        #expect(shelf.find("") != nil)
    }

    @Test func whatIsAskedOtherwiseIsKeptApart() {
        var shelf = Shelf()
        let server = Endpoint(address("192.0.2.53"), 53)
        shelf.insert("a.test")
        #expect(shelf.find("a.test") != nil && shelf.find("a.test", type: .aaaa) == nil)
        #expect(shelf.find("a.test", recordClass: 3) == nil && shelf.find("a.test", isDNSSECOK: true) == nil)
        #expect(shelf.find("a.test", isCheckingDisabled: true) == nil && shelf.find("a.test", server: server) == nil)
        shelf.insert("b.test", server: server)
        #expect(shelf.find("b.test") == nil && shelf.find("b.test", server: server) != nil)
        #expect(shelf.find("b.test", server: Endpoint(address("192.0.2.53"), 54)) == nil)
        #expect(shelf.find("b.test", server: Endpoint(address("192.0.2.54"), 53)) == nil)
    }

    @Test func whatIsNotToBeKeptLeavesWhatIsThere() throws {
        var shelf = Shelf(staleFor: .seconds(100))
        shelf.insert("www.test", ttl: 10)
        shelf.pass(10_000)
        let failed = try Dump.stored([], flags: 0x8182)
        Packet.name("www.test").withUnsafeBytes {
            shelf.store.insert(failed, for: QuestionKey(name: $0, type: .a), now: shelf.now)
        }
        #expect(shelf.find("www.test")?.answer.responseCode == .noError)
    }

    @Test func hotAnswersWantToBeFetchedAgainOnce() {
        var shelf = Shelf()
        shelf.insert("hot.test", ttl: 100)
        shelf.insert("cold.test", ttl: 100)
        for _ in 0..<3 { #expect(shelf.find("hot.test")?.wantsPrefetch == false) }
        shelf.pass(89_999)
        #expect(shelf.find("hot.test")?.wantsPrefetch == false)
        shelf.pass(1)
        #expect(shelf.find("cold.test")?.wantsPrefetch == false)
        #expect(shelf.find("hot.test")?.wantsPrefetch == true)
        #expect(shelf.find("hot.test")?.wantsPrefetch == false)
        shelf.insert("hot.test", ttl: 100)
        for _ in 0..<3 { #expect(shelf.find("hot.test")?.wantsPrefetch == false) }
        shelf.pass(95_000)
        #expect(shelf.find("hot.test")?.wantsPrefetch == true)
    }

    /// Names that are asked for once pass through; one that is in use stays, and so does one that comes again soon.
    @Test func aMillionNewNamesPushOutNothingInUse() {
        var shelf = Shelf(bytes: 1 << 20)
        shelf.insert("hot.test", ttl: 3600)
        _ = shelf.find("hot.test")
        for index in 0..<500 {
            shelf.insert("warm\(index).test", ttl: 3600)
            _ = shelf.find("warm\(index).test")
        }
        let flood = Shelf.answer("nnnnnnnn.flood.test", ttl: 3600)
        var name = Packet.name("nnnnnnnn.flood.test")
        var most = 0
        for index in 0..<1_000_000 {
            withUnsafeBytes(of: UInt32(index)) { digits in
                for place in 0..<4 {
                    name[1 + 2 * place] = 0x61 + digits[place] & 15
                    name[2 + 2 * place] = 0x61 + digits[place] >> 4
                }
            }
            name.withUnsafeBytes { shelf.store.insert(flood, for: QuestionKey(name: $0, type: .a), now: shelf.now) }
            most = max(most, shelf.store.bytes)
            if index % 100 == 0 { shelf.pass(1) }
        }
        #expect(most <= 1 << 20 && shelf.store.count > 1000)
        #expect(shelf.find("hot.test") != nil)
        let warm = (0..<500).count { shelf.find("warm\($0).test") != nil }
        #expect(warm == 500)
        // The first time it passes through; soon after it is known to be wanted.
        shelf.insert("again.test", ttl: 3600)
        for index in 0..<1500 { shelf.insert("x\(index).test", ttl: 3600) }
        #expect(shelf.find("again.test") == nil)
        shelf.insert("again.test", ttl: 3600)
        for index in 0..<5000 { shelf.insert("y\(index).test", ttl: 3600) }
        #expect(shelf.find("again.test") != nil)
    }

    @Test func whatIsPastItsTimeGoesFirst() {
        var shelf = Shelf(bytes: 64 << 10, staleFor: .seconds(86400))
        for index in 0..<20 {
            shelf.insert("old\(index).test", ttl: 10)
            for _ in 0..<3 { _ = shelf.find("old\(index).test") }
        }
        shelf.pass(10_000)
        for index in 0..<200 {
            shelf.insert("new\(index).test", ttl: 3600)
            _ = shelf.find("new\(index).test")
        }
        #expect((0..<20).allSatisfy { shelf.find("old\($0).test") == nil })
    }

    /// Against a dictionary: what is found is what was put there last, whatever was pushed out in between.
    @Test(arguments: [1 as UInt64, 2, 3]) func findsOnlyWhatWasPutThere(_ seed: UInt64) {
        var shelf = Shelf(bytes: 32 << 10)
        var latest: [String: ObjectIdentifier] = [:]
        var state = seed
        var found = 0
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let name = "n\(state >> 40 % 400).test"
            if state >> 33 & 1 == 0 {
                let answer = Shelf.answer(name, ttl: 1 + UInt32(state >> 50 % 100))
                latest[name] = ObjectIdentifier(answer)
                Packet.name(name).withUnsafeBytes {
                    shelf.store.insert(answer, for: QuestionKey(name: $0, type: .a), now: shelf.now)
                }
            } else if let hit = shelf.find(name) {
                found += 1
                #expect(ObjectIdentifier(hit.answer) == latest[name])
            }
            shelf.pass(Int64(state >> 60))
            #expect(shelf.store.bytes <= 32 << 10)
        }
        #expect(found > 500)
    }

    @Test func whatIsTooLargeForTheStoreIsNotKept() {
        var shelf = Shelf(bytes: 1024)
        shelf.insert("a.test")
        #expect(shelf.find("a.test") == nil && shelf.store.count == 0 && shelf.store.bytes == 0)
    }
}
