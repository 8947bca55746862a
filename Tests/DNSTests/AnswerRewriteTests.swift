import Bytes
import Testing

@testable import DNS

struct AnswerRewriteTests {
    /// A service binding's data: priority, target, and parameters in the order given.
    static func binding(_ parameters: [(Int, [UInt8])], priority: Int = 1, target: String = "") -> [UInt8] {
        Packet.be16(priority) + Packet.name(target)
            + parameters.flatMap { Packet.be16($0.0) + Packet.be16($0.1.count) + $0.1 }
    }

    static func alpn(_ names: String...) -> (Int, [UInt8]) {
        (1, names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) })
    }

    static func mandatory(_ keys: Int...) -> (Int, [UInt8]) { (0, keys.flatMap(Packet.be16)) }
    static let noDefault: (Int, [UInt8]) = (2, [])
    static let port: (Int, [UInt8]) = (3, [1, 0xbb])
    static let v4: (Int, [UInt8]) = (4, [192, 0, 2, 1, 10, 0, 0, 1])
    static let inwardOnly: (Int, [UInt8]) = (4, [10, 0, 0, 1])
    static let ech: (Int, [UInt8]) = (5, [1, 2, 3])
    static let v6: (Int, [UInt8]) = (6, [0x20, 1, 0x0d, 0xb8] + Array(repeating: 0, count: 11) + [1])
    static let other: (Int, [UInt8]) = (65280, [9])

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var from: [UInt8]
        /// Nil: nothing to change; empty: the record goes.
        var to: [UInt8]?
    }

    /// Addresses from 10.0.0.0/8 are not kept; ech and HTTP/3 go.
    static let cases: [Case] = [
        Case(testDescription: "nothing to take out", from: binding([alpn("h2", "http/1.1"), port, v6, other])),
        Case(testDescription: "an alias", from: binding([], priority: 0, target: "pool.test")),
        Case(testDescription: "no parameters", from: binding([])),
        Case(
            testDescription: "everything that goes, among what stays",
            from: binding([alpn("h3", "h2", "h3-29"), port, v4, ech, v6, other], target: "a.test"),
            to: binding([alpn("h2"), port, (4, [192, 0, 2, 1]), v6, other], target: "a.test")),
        Case(
            testDescription: "HTTP/3 alone leaves the default", from: binding([alpn("h3"), port]), to: binding([port])),
        Case(
            testDescription: "HTTP/3 alone without the default is no service",
            from: binding([alpn("h3"), noDefault, port]), to: []),
        Case(
            testDescription: "without the default, HTTP/2 is left", from: binding([alpn("h2", "h3"), noDefault]),
            to: binding([alpn("h2"), noDefault])),
        Case(testDescription: "names that only begin alike", from: binding([alpn("h3x", "h", "h30")])),
        Case(testDescription: "hints that all go", from: binding([inwardOnly, v6]), to: binding([v6])),
        Case(testDescription: "mandatory ech", from: binding([mandatory(5), ech]), to: []),
        Case(
            testDescription: "mandatory hints, of which some stay", from: binding([mandatory(4), v4]),
            to: binding([mandatory(4), (4, [192, 0, 2, 1])])),
        Case(testDescription: "mandatory hints that go", from: binding([mandatory(3, 4), port, inwardOnly]), to: []),
        Case(
            testDescription: "something else is mandatory", from: binding([mandatory(1, 3), alpn("h2"), port, ech]),
            to: binding([mandatory(1, 3), alpn("h2"), port])),
        // What follows is malformed (RFC 9460 sections 2.2, 7 and 8), and no client may read it.
        Case(testDescription: "keys out of order", from: binding([port, alpn("h2")]), to: []),
        Case(testDescription: "a key twice", from: binding([port, port]), to: []),
        Case(testDescription: "a mandatory key that is not there", from: binding([mandatory(3)]), to: []),
        Case(
            testDescription: "mandatory keys out of order", from: binding([mandatory(3, 1), alpn("h2"), port]), to: []),
        Case(testDescription: "mandatory itself", from: binding([mandatory(0)]), to: []),
        Case(testDescription: "no mandatory keys", from: binding([mandatory()]), to: []),
        Case(testDescription: "no protocols", from: binding([(1, [])]), to: []),
        Case(testDescription: "an empty protocol", from: binding([(1, [0])]), to: []),
        Case(testDescription: "a protocol that is cut", from: binding([(1, [3, 0x68, 0x32])]), to: []),
        Case(testDescription: "half an address", from: binding([(4, [10, 0])]), to: []),
        Case(testDescription: "no address", from: binding([(6, [])]), to: []),
        Case(testDescription: "a value where none may be", from: binding([alpn("h2"), (2, [1])]), to: []),
        Case(testDescription: "a parameter that is cut", from: binding([port]).dropLast(), to: []),
        Case(testDescription: "half a key", from: binding([port]) + [0], to: []),
        Case(testDescription: "a compressed target", from: [0, 1, 0xc0, 12], to: []),
        Case(testDescription: "no target", from: [0, 1], to: []),
    ]

    static func isKept(_ address: IPAddress) -> Bool { !address.isV4 || address.v4Bits >> 24 != 10 }

    @Test(arguments: cases) func serviceBindings(_ c: Case) throws {
        let stored = try Dump.stored([Packet.record(Packet.asked, 65, ttl: 60, c.from)], type: .https)
        #expect(stored.hasServiceBinding)
        let changed = stored.rewritten(keeping: AnswerRewriteTests.isKept, dropsECH: true, dropsHTTP3: true)
        guard let to = c.to else { return #expect(changed == nil) }
        let expected = to.isEmpty ? [] : ["www.test 60 HTTPS \(Dump.hex(to))"]
        let answer = try #require(changed)
        #expect(Dump.answers(answer.bytes) == expected)
        #expect(answer.isNegative == to.isEmpty && answer.hasServiceBinding == !to.isEmpty)
        #expect(answer.hints.allSatisfy(AnswerRewriteTests.isKept))
        // What was rewritten has nothing left to change.
        #expect(answer.rewritten(keeping: AnswerRewriteTests.isKept, dropsECH: true, dropsHTTP3: true) == nil)
    }

    @Test func onlyWhatIsAskedForIsTakenOut() throws {
        let all = [AnswerRewriteTests.alpn("h3", "h2"), AnswerRewriteTests.v4, AnswerRewriteTests.ech]
        let stored = try Dump.stored(
            [Packet.record(Packet.asked, 64, ttl: 60, AnswerRewriteTests.binding(all))],
            type: .svcb)
        #expect(stored.hints == [address("192.0.2.1"), address("10.0.0.1")] && stored.addresses.isEmpty)
        #expect(stored.rewritten(keeping: { _ in true }, dropsECH: false, dropsHTTP3: false) == nil)
        let ech = try #require(stored.rewritten(keeping: { _ in true }, dropsECH: true, dropsHTTP3: false))
        #expect(Array(ech.bytes).suffix(18) == AnswerRewriteTests.binding(Array(all.dropLast())).suffix(18))
        let alpn = try #require(stored.rewritten(keeping: { _ in true }, dropsECH: false, dropsHTTP3: true))
        #expect(Array(alpn.bytes).suffix(7) == AnswerRewriteTests.binding(all).suffix(7))
    }

    @Test func addressesGoWithTheirSignaturesAndTheProofOfThem() throws {
        let b = Packet.name("b.test")
        let records = [
            Packet.cname(b), Dump.rrsig(Packet.asked, over: 5, by: "test"), Packet.a(b, ttl: 60, "10.0.0.1"),
            Packet.a(b, ttl: 60, "192.0.2.1"), Dump.rrsig(b, over: 1, by: "test"),
        ]
        let zone = Packet.record(Packet.name("test"), 2, ttl: 60, Packet.name("ns.test"))
        let stored = try Dump.stored(records, authorities: [zone], flags: 0x81a0, isDNSSECOK: true)
        #expect(stored.isAuthenticated && stored.addresses.count == 2)
        #expect(stored.rewritten(keeping: { _ in true }, dropsECH: true, dropsHTTP3: true) == nil)
        let changed = try #require(
            stored.rewritten(keeping: AnswerRewriteTests.isKept, dropsECH: false, dropsHTTP3: false))
        #expect(
            Dump.answers(changed.bytes) == [
                "www.test 60 CNAME b.test", "www.test 60 RRSIG CNAME test", "b.test 60 A 192.0.2.1",
            ])
        #expect(Dump.authorities(changed.bytes) == ["test 60 NS ns.test"])
        #expect(!changed.isAuthenticated && changed.bytes[3] & 0x20 == 0 && !changed.isNegative)
        #expect(changed.addresses == [address("192.0.2.1")] && changed.lifetimeSeconds == stored.lifetimeSeconds)
        let none = try #require(stored.rewritten(keeping: { _ in false }, dropsECH: false, dropsHTTP3: false))
        #expect(none.isNegative && none.addresses.isEmpty && none.responseCode == .noError)
        #expect(Dump.answers(none.bytes).count == 2)
    }

    @Test func theOtherFamilysSignatureStays() throws {
        let records = [
            Packet.a("10.0.0.1"), Packet.aaaa("2001:db8::1"), Dump.rrsig(Packet.asked, over: 1, by: "test"),
            Dump.rrsig(Packet.asked, over: 28, by: "test"),
        ]
        let stored = try Dump.stored(records, type: .any, isDNSSECOK: true)
        let changed = try #require(
            stored.rewritten(keeping: AnswerRewriteTests.isKept, dropsECH: false, dropsHTTP3: false))
        #expect(Dump.answers(changed.bytes) == ["www.test 60 AAAA 2001:db8::1", "www.test 60 RRSIG AAAA test"])
    }
}
