import Bytes
import Testing

@testable import DNS

struct StoredAnswerTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var type = RecordType.a
        var records: [[UInt8]] = []
        var authorities: [[UInt8]] = []
        var flags: UInt16 = 0x8180
        var isDNSSECOK = false
        var answers: [String] = []
        var left: [String] = []
        var addresses: [String] = []
        var lifetime: UInt32 = 0
        var isNegative = false
    }

    static let b = Packet.name("b.test")
    static let zone = Packet.name("test")
    static let soa = Packet.record(
        zone, 6, ttl: 900, Packet.name("ns.test") + Packet.name("me.test") + [1, 2, 3, 4, 77].flatMap(Packet.be32))
    static let soaData = "ns.test me.test 000000010000000200000003000000040000004d"

    static let cases: [Case] = [
        Case(
            testDescription: "addresses", records: [Packet.a(ttl: 60, "192.0.2.1"), Packet.a(ttl: 50, "192.0.2.2")],
            answers: ["www.test 60 A 192.0.2.1", "www.test 50 A 192.0.2.2"], addresses: ["192.0.2.1", "192.0.2.2"],
            lifetime: 50),
        Case(
            testDescription: "a chain in any order is kept in its own",
            records: [
                Packet.a(Packet.name("c.test"), "192.0.2.3"), Packet.cname(b, ttl: 9, Packet.name("c.test")),
                Packet.cname(ttl: 70, Packet.name("B.test")),
            ],
            answers: ["www.test 70 CNAME B.test", "B.test 9 CNAME c.test", "c.test 60 A 192.0.2.3"],
            addresses: ["192.0.2.3"], lifetime: 9),
        Case(
            testDescription: "records of other names, types and classes are not believed",
            records: [
                Packet.a(Packet.name("bank.test"), "192.0.2.66"), Packet.aaaa("2001:db8::66"),
                Packet.asked + [0, 1, 0, 3, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4], Packet.a("192.0.2.1"),
            ],
            authorities: [
                Packet.record(Packet.name("bank.test"), 2, ttl: 60, Packet.name("evil.test")),
                Packet.record(Packet.name("a.www.test"), 2, ttl: 60, Packet.name("evil.test")),
                Packet.record(zone, 2, ttl: 60, Packet.name("ns.test")),
            ],
            answers: ["www.test 60 A 192.0.2.1"], left: ["test 60 NS ns.test"], addresses: ["192.0.2.1"], lifetime: 60),
        Case(
            testDescription: "addresses beside an alias",
            records: [Packet.cname(b), Packet.a("192.0.2.1"), Packet.a(b, "192.0.2.2")],
            answers: ["www.test 60 A 192.0.2.1"], addresses: ["192.0.2.1"], lifetime: 60),
        Case(
            testDescription: "an alias that is asked for is not followed", type: .cname,
            records: [Packet.cname(b), Packet.a(b, "192.0.2.2")], answers: ["www.test 60 CNAME b.test"], lifetime: 60),
        Case(
            testDescription: "everything of the name", type: .any,
            records: [Packet.a("192.0.2.1"), Packet.aaaa("2001:db8::1"), Packet.a(b, "192.0.2.2")],
            answers: ["www.test 60 A 192.0.2.1", "www.test 60 AAAA 2001:db8::1"],
            addresses: ["192.0.2.1", "2001:db8::1"], lifetime: 60),
        Case(
            testDescription: "a zone moved as a whole",
            records: [
                Packet.record(zone, 39, ttl: 30, Packet.name("new.test2")),
                Packet.cname(Packet.name("www.new.test2")), Packet.a(Packet.name("www.new.test2"), "192.0.2.1"),
            ],
            answers: [
                "test 30 DNAME new.test2", "www.test 60 CNAME www.new.test2", "www.new.test2 60 A 192.0.2.1",
            ], addresses: ["192.0.2.1"], lifetime: 30),
        Case(
            testDescription: "a zone moved as a whole, and a chain within it",
            records: [
                Packet.record([0], 39, ttl: 30, Packet.name("new.test2")), Packet.cname(b),
                Packet.cname(b, Packet.name("c.test")), Packet.a(Packet.name("c.test"), "192.0.2.1"),
            ],
            answers: [
                ". 30 DNAME new.test2", "www.test 60 CNAME b.test", "b.test 60 CNAME c.test", "c.test 60 A 192.0.2.1",
            ], addresses: ["192.0.2.1"], lifetime: 30),
        Case(
            testDescription: "no data, for as long as the zone says", authorities: [soa],
            left: ["test 77 SOA \(soaData)"], lifetime: 77, isNegative: true),
        Case(
            testDescription: "no such name", authorities: [soa], flags: 0x8183, left: ["test 77 SOA \(soaData)"],
            lifetime: 77, isNegative: true),
        Case(
            testDescription: "an alias of no such name", records: [Packet.cname(ttl: 20, b)], authorities: [soa],
            flags: 0x8183, answers: ["www.test 20 CNAME b.test"], left: ["test 77 SOA \(soaData)"], lifetime: 20,
            isNegative: true),
        Case(
            testDescription: "a denial by a zone that has no say", authorities: [Packet.soa(ttl: 900, minimum: 300)],
            flags: 0x8183, left: ["www.test 300 SOA ns.test root.test \(soaFields)"], lifetime: 300, isNegative: true),
        Case(
            testDescription: "a denial by another zone",
            authorities: [
                Packet.record(
                    Packet.name("com"), 6, ttl: 900, [0, 0] + [1, 2, 3, 4, 5].flatMap(Packet.be32))
            ], flags: 0x8183, lifetime: 1, isNegative: true),
        Case(testDescription: "a denial without a term", flags: 0x8183, lifetime: 1, isNegative: true),
        Case(
            testDescription: "a denial for ever is one for five minutes",
            authorities: [Packet.soa(ttl: 86400, minimum: 86400)],
            left: ["www.test 86400 SOA ns.test root.test 0000000100000e10000002580001518000015180"], lifetime: 300,
            isNegative: true),
        Case(
            testDescription: "a referral is not kept",
            authorities: [Packet.record(zone, 2, ttl: 60, Packet.name("ns.test"))], left: ["test 60 NS ns.test"],
            isNegative: true),
        Case(testDescription: "a failure is not kept", flags: 0x8182, isNegative: true),
        Case(
            testDescription: "half an answer is not kept", records: [Packet.a("192.0.2.1")], flags: 0x8380,
            answers: ["www.test 60 A 192.0.2.1"], addresses: ["192.0.2.1"]),
        Case(
            testDescription: "no time is for this once", records: [Packet.a(ttl: 0, "192.0.2.1")],
            answers: ["www.test 0 A 192.0.2.1"], addresses: ["192.0.2.1"], lifetime: 0),
        Case(
            testDescription: "a day is an hour", records: [Packet.a(ttl: 86400, "192.0.2.1")],
            answers: ["www.test 86400 A 192.0.2.1"], addresses: ["192.0.2.1"], lifetime: 3600),
        Case(
            testDescription: "signatures go to those who want them",
            records: [Packet.a("192.0.2.1"), Dump.rrsig(Packet.asked, over: 1, by: "test")], isDNSSECOK: true,
            answers: ["www.test 60 A 192.0.2.1", "www.test 60 RRSIG A test"], addresses: ["192.0.2.1"], lifetime: 60),
        Case(
            testDescription: "and to nobody else",
            records: [Packet.a("192.0.2.1"), Dump.rrsig(Packet.asked, over: 1, by: "test")],
            authorities: [soa, Dump.rrsig(zone, over: 6, by: "test")], answers: ["www.test 60 A 192.0.2.1"],
            left: ["test 900 SOA \(soaData)"], addresses: ["192.0.2.1"], lifetime: 60),
        Case(
            testDescription: "signatures over the links of a chain",
            records: [
                Dump.rrsig(b, over: 1, by: "test"), Dump.rrsig(Packet.asked, over: 5, by: "test"), Packet.cname(b),
                Dump.rrsig(Packet.asked, over: 16, by: "test"), Packet.a(b, "192.0.2.1"),
            ], isDNSSECOK: true,
            answers: [
                "www.test 60 CNAME b.test", "www.test 60 RRSIG CNAME test", "b.test 60 RRSIG A test",
                "b.test 60 A 192.0.2.1",
            ], addresses: ["192.0.2.1"], lifetime: 60),
        Case(
            testDescription: "proofs from the zone that signed them",
            authorities: [
                soa, Dump.rrsig(zone, over: 6, by: "test"),
                Packet.record(Packet.name("v.test"), 47, ttl: 60, Packet.name("x.test") + [0, 1, 0x40]),
                Dump.rrsig(Packet.name("v.test"), over: 47, by: "test"),
                Packet.record(Packet.name("v.com"), 47, ttl: 60, Packet.name("x.com") + [0, 1, 0x40]),
                Dump.rrsig(Packet.name("v.com"), over: 47, by: "com"),
                Packet.record(Packet.name("u.test"), 47, ttl: 60, Packet.name("x.test") + [0, 1, 0x40]),
                Packet.record(Packet.name("0abc.test"), 50, ttl: 60, [1, 0]),
                Dump.rrsig(Packet.name("0abc.test"), over: 50, by: "test"),
                Packet.record(Packet.name("0abc.com"), 50, ttl: 60, [1, 0]),
            ], isDNSSECOK: true,
            left: [
                "test 77 SOA \(soaData)", "test 60 RRSIG SOA test",
                "v.test 60 NSEC \(Dump.hex(Packet.name("x.test")))000140",
                "v.test 60 RRSIG NSEC test", "0abc.test 60 NSEC3 0100", "0abc.test 60 RRSIG NSEC3 test",
            ], lifetime: 77, isNegative: true),
    ]

    static let soaFields = "0000000100000e1000000258000151800000012c"

    @Test(arguments: cases) func keeps(_ c: Case) throws {
        let stored = try Dump.stored(
            c.records, authorities: c.authorities, type: c.type, flags: c.flags, isDNSSECOK: c.isDNSSECOK)
        #expect(Dump.answers(stored.bytes) == c.answers)
        #expect(Dump.authorities(stored.bytes) == c.left)
        #expect(stored.addresses.map(\.description) == c.addresses)
        #expect(stored.lifetimeSeconds == c.lifetime && stored.isNegative == c.isNegative)
        #expect(stored.name == name("www.test") && stored.type == c.type)
        #expect(Dump.additionals(stored.bytes).isEmpty)
    }

    @Test func compressedOrNotIsTheSame() throws {
        let www = Packet.name("www.example.test")
        let mail = Packet.name("MAIL.example.test")
        let example = Packet.name("example.test")
        let rest = Packet.be32(1) + Packet.be32(2) + Packet.be32(3) + Packet.be32(4) + Packet.be32(5)
        let plain = try Dump.stored(
            [Packet.record(www, 15, ttl: 60, [0, 10] + mail), Packet.record(www, 15, ttl: 60, [0, 20] + www)],
            authorities: [Packet.record(example, 6, ttl: 60, www + example + rest)], name: "www.example.test", type: .mx
        )
        // The name is at 12, example.test at 16; the first data is at 12 + 18 + 4 + 12.
        let tight = try Dump.stored(
            [
                Packet.record([0xc0, 12], 15, ttl: 60, [0, 10, 4] + Array("MAIL".utf8) + [0xc0, 16]),
                Packet.record([0xc0, 12], 15, ttl: 60, [0, 20, 0xc0, 12]),
            ], authorities: [Packet.record([0xc0, 16], 6, ttl: 60, [0xc0, 12, 0xc0, 16] + rest)],
            name: "www.example.test", type: .mx)
        #expect(plain.bytes == tight.bytes)
        #expect(Dump.answers(plain.bytes)[0] == "www.example.test 60 MX 000a MAIL.example.test")
        // Header, question, and two bytes for each name but one.
        #expect(plain.bytes.count == 12 + 22 + (12 + 2 + 7) + (12 + 4) + (12 + 4 + 20))
    }

    /// RFC 3597 section 4: types of which not everybody knows that they hold names are read compressed, written not.
    @Test(
        arguments: [
            (33, [0, 1, 0, 2, 0, 3], []), (17, Packet.name("a.test"), []), (18, [0, 1], []), (39, [], []),
            (35, [0, 1, 0, 2, 1, 0x53, 0, 2, 0x21, 0x21], []), (26, [0, 9] + Packet.name("a.test"), []),
            (24, Array(repeating: 7, count: 18), [1, 2, 3]), (30, [], [0x40]),
        ] as [(Int, [UInt8], [UInt8])])
    func namesInNewerTypesAreWrittenOut(_ type: Int, _ before: [UInt8], _ after: [UInt8]) throws {
        let record = Packet.record(Packet.asked, type, ttl: 60, before + [1, 0x62, 0xc0, 16] + after)
        let expected = Packet.record(Packet.asked, type, ttl: 60, before + Packet.name("b.test") + after)
        let stored = try Dump.stored([record], type: RecordType(rawValue: UInt16(type)))
        #expect(Array(stored.bytes.suffix(expected.count)) == expected)
    }

    @Test(arguments: [16, 43, 46, 48, 52, 64, 65, 99, 257, 65280, 65534])
    func otherTypesAreCarriedAsTheyAre(_ type: Int) throws {
        let data: [UInt8] = [0xc0, 12, 0, 0xff, 0xc0]
        let stored = try Dump.stored(
            [Packet.record(Packet.asked, type, ttl: 60, data)], type: RecordType(rawValue: UInt16(type)))
        #expect(Array(stored.bytes.suffix(data.count)) == data && !stored.isNegative)
    }

    @Test(
        arguments: [
            (5, Packet.name("a.test") + [0]), (15, [0]), (15, [0, 1]),
            (6, Packet.name("a.test") + Packet.name("b.test")),
            (33, [0, 1, 0, 2, 0, 3]), (35, [0, 1, 0, 2, 9, 1, 1]), (2, []), (12, [0xc0, 0xff]), (39, [1, 0x61]),
        ] as [(Int, [UInt8])])
    func dataMustFitItsType(_ type: Int, _ data: [UInt8]) {
        #expect(throws: DNSFault.self) {
            try Dump.stored(
                [Packet.record(Packet.asked, type, ttl: 60, data)], type: RecordType(rawValue: UInt16(type)))
        }
    }

    @Test func everyCutIsAFault() throws {
        let bytes = Packet.reply(
            to: Dump.query(), records: [Packet.cname(StoredAnswerTests.b), Packet.a(StoredAnswerTests.b, "192.0.2.1")],
            authorities: [StoredAnswerTests.soa])
        _ = try Dump.stored(bytes)
        for count in 0..<bytes.count {
            #expect(throws: DNSFault.cut) { try Dump.stored(Array(bytes.prefix(count))) }
        }
    }

    @Test func chainsEnd() throws {
        let names = (0...17).map { Packet.name("n\($0).test") }
        func chain(_ links: Int) -> [[UInt8]] {
            [Packet.cname(names[0])] + (1..<links).map { Packet.cname(names[$0 - 1], names[$0]) }
                + [Packet.a(names[links - 1], "192.0.2.1")]
        }
        #expect(try Dump.stored(chain(16)).addresses.count == 1)
        #expect(throws: DNSFault.chain) { try Dump.stored(chain(17)) }
        #expect(throws: DNSFault.chain) {
            try Dump.stored([Packet.cname(StoredAnswerTests.b), Packet.cname(StoredAnswerTests.b, Packet.asked)])
        }
    }

    @Test func whatGrowsPastAMessageIsAFault() throws {
        // Names of 250 bytes, by pointers in what came; written out, as SRV data must be, only so many have room.
        let long = Packet.name(Array(repeating: String(repeating: "x", count: 49), count: 5).joined(separator: "."))
        func srv(_ count: Int) -> [[UInt8]] {
            [Packet.record(Packet.asked, 33, ttl: 60, [0, 0, 0, 0, 0, 0] + long)]
                + Array(
                    repeating: Packet.record(Packet.asked, 33, ttl: 60, [0, 0, 0, 0, 0, 0, 0xc0, 44]), count: count - 1)
        }
        let one = 12 + 6 + long.count
        let room = (65535 - 12 - 14) / one
        #expect(try Dump.stored(srv(room), type: .srv).bytes.count == 12 + 14 + room * one)
        #expect(throws: DNSFault.size) { try Dump.stored(srv(room + 1), type: .srv) }
    }

    @Test func manyAddressesAreAllKept() throws {
        let records = (0..<4000).map { Packet.a("10.0.\($0 / 250).\($0 % 250)") }
        #expect(try Dump.stored(records).addresses.count == 4000)
    }

    @Test func onlyResponsesToOneQuestionAreTaken() {
        #expect(throws: DNSFault.counts) { try Dump.stored([], flags: 0x0100) }
        var two = Packet.reply(to: Dump.query(edns: nil), records: [])
        two[5] = 2
        two += Packet.name("www.test") + [0, 1, 0, 1]
        #expect(throws: DNSFault.counts) { try Dump.stored(two) }
    }

    @Test(arguments: [0x8183, 0x8182, 0x8185] as [UInt16]) func codesThatTheRecordsContradictAreFaults(_ flags: UInt16)
    {
        #expect(throws: DNSFault.counts) { try Dump.stored([Packet.a("192.0.2.1")], flags: flags) }
    }

    @Test func theCodeHasTheBitsOfEDNS() throws {
        var bytes = Packet.reply(to: Dump.query(), flags: 0x8187, records: [])
        bytes[11] = 1
        let stored = try Dump.stored(bytes + [0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0])
        #expect(stored.responseCode.rawValue == 23 && stored.lifetimeSeconds == 0)
    }

    @Test func hostsAreAnsweredForTheFamilyAsked() throws {
        let addresses = ["10.0.0.5", "fd00::5", "10.0.0.6"].map(address)
        func made(_ type: RecordType) throws -> StoredAnswer {
            let wire = Packet.name("DB.test")
            return try #require(
                wire.withUnsafeBytes {
                    StoredAnswer.synthesized(
                        QuestionKey(name: $0, type: type), addresses: addresses, timeToLive: 10)
                })
        }
        let v4 = try made(.a)
        #expect(Dump.answers(v4.bytes) == ["db.test 10 A 10.0.0.5", "db.test 10 A 10.0.0.6"])
        #expect(try Dump.answers(made(.aaaa).bytes) == ["db.test 10 AAAA fd00::5"])
        let none = try made(.mx)
        #expect(Dump.answers(none.bytes).isEmpty && none.isNegative && none.responseCode == .noError)
        #expect(v4.addresses.count == 2 && v4.lifetimeSeconds == 10 && !v4.isNegative && v4.name == name("db.test"))
    }
}
