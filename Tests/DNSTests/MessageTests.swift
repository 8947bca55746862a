import Bytes
import Testing

@testable import DNS

struct WireNameTests {
    /// Bytes after a header of twelve, where the name is read, and what it reads as.
    struct Case: Sendable {
        var bytes: [UInt8]
        var at = 12
        var expected: Result<String, DNSFault>
    }

    static let longLabel = [63] + Array(repeating: UInt8(ascii: "x"), count: 63)
    /// Two-byte hops, each to the one before; the first is a root label.
    static func chain(_ hops: Int) -> [UInt8] {
        var bytes: [UInt8] = [0]
        for hop in 0..<hops { bytes += [0xc0, hop == 0 ? 12 : UInt8(11 + 2 * hop)] }
        return bytes
    }

    static let cases: [Case] = [
        Case(bytes: Packet.name("www.example.com"), expected: .success("www.example.com")),
        Case(bytes: Packet.name("WWW.Example.COM"), expected: .success("www.example.com")),
        Case(bytes: [3, 1, 2, 3, 0, 1, 0x61, 0xc0, 12], at: 17, expected: .success("?")),
        Case(bytes: Packet.name("b.test") + [1, 0x61, 0xc0, 12], at: 20, expected: .success("a.b.test")),
        Case(bytes: [3, 0x61, 0x2e, 0x62, 0], expected: .success("?")),
        Case(bytes: [0], expected: .success("?")),
        Case(bytes: [], expected: .failure(.cut)),
        Case(bytes: [3, 0x61, 0x62], expected: .failure(.cut)),
        Case(bytes: [1, 0x61], expected: .failure(.cut)),
        Case(bytes: [0xc0], expected: .failure(.cut)),
        // To itself, forward, into the header, and in a ring.
        Case(bytes: [0xc0, 12], expected: .failure(.pointer)),
        Case(bytes: [0xc0, 14, 0], expected: .failure(.pointer)),
        Case(bytes: [0xc0, 4], expected: .failure(.pointer)),
        Case(bytes: [1, 0x61, 0xc0, 12], expected: .failure(.pointer)),
        Case(bytes: [1, 0x61, 0xc0, 16, 1, 0x62, 0xc0, 12], at: 16, expected: .failure(.pointer)),
        Case(bytes: [0x40, 0], expected: .failure(.label)),
        Case(bytes: [0x80, 0], expected: .failure(.label)),
        // 3 * 64 + 62 + 1 = 255 bytes are a name; one more is not.
        Case(
            bytes: longLabel + longLabel + longLabel + [61] + Array(repeating: 0x79, count: 61) + [0],
            expected: .success(
                "\(String(repeating: String(repeating: "x", count: 63) + ".", count: 3))\(String(repeating: "y", count: 61))"
            )),
        Case(
            bytes: longLabel + longLabel + longLabel + [62] + Array(repeating: 0x79, count: 62) + [0],
            expected: .failure(.nameLength)),
        Case(bytes: chain(WireName.jumpsMax), at: 13 + 2 * (WireName.jumpsMax - 1), expected: .success("?")),
        Case(bytes: chain(WireName.jumpsMax + 1), at: 13 + 2 * WireName.jumpsMax, expected: .failure(.pointer)),
    ]

    @Test(arguments: cases) func readsOrRefuses(_ c: Case) throws {
        let bytes = Array(repeating: UInt8(0), count: 12) + c.bytes
        let read = bytes.withUnsafeBytes { bytes in
            Result { () throws(DNSFault) -> String in
                let name = try WireName(reading: bytes, at: c.at)
                let message = try Message(bytes)
                return message.domainName(name)?.description ?? "?"
            }
        }
        #expect(read == c.expected)
    }
}

struct MessageTests {
    static let query = query(.a)

    static func query(_ type: RecordType, edns: UInt16? = QueryWriter.payloadSize) -> [UInt8] {
        var buffer = Buffer()
        QueryWriter.write(id: 0xbeef, name: name("www.example.com"), type: type, into: &buffer, edns: edns)
        return Array(buffer.readable)
    }

    static func fault(_ bytes: [UInt8]) -> DNSFault? {
        bytes.withUnsafeBytes { bytes in
            do throws(DNSFault) {
                _ = try Message(bytes)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test func writesWhatTheStandardSays() {
        let header: [UInt8] = [0xbe, 0xef, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1]
        let question = Packet.name("www.example.com") + [0, 28, 0, 1]
        let opt: [UInt8] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]
        #expect(MessageTests.query(.aaaa) == header + question + opt)
        #expect(MessageTests.query(.aaaa, edns: nil) == header.dropLast() + [0] + question)
    }

    @Test func capitalsAreTheBitsGivenAndNothingElseChanges() {
        var buffer = Buffer()
        QueryWriter.write(id: 1, name: name("a-b.c9d"), type: .a, into: &buffer, edns: nil, capitals: 0b0101)
        #expect(Array(buffer.readable[12..<21]) == Array("\u{3}A-B\u{3}c9d\0".utf8))
    }

    @Test func readsSectionsInOrder() throws {
        let bytes = Packet.reply(
            to: MessageTests.query,
            records: [
                Packet.cname(ttl: 30, Packet.name("edge.test")), Packet.a(Packet.name("EDGE.test"), "192.0.2.7"),
            ],
            authorities: [Packet.soa(ttl: 900, minimum: 300)])
        try bytes.withUnsafeBytes { bytes in
            let message = try Message(bytes)
            let answers = Array(message.answers)
            let question = try #require(message.question)
            #expect(message.header.isResponse && !message.header.isTruncated)
            #expect(message.domainName(question.name) == name("www.example.com"))
            #expect(answers.map(\.type) == [.cname, .a] && answers.map(\.timeToLive) == [30, 60])
            #expect(message.same(answers[0].name, question.name))
            let target = try #require(message.target(of: answers[0]))
            #expect(message.same(target, answers[1].name) && !message.same(target, question.name))
            #expect(message.address(of: answers[1]) == address("192.0.2.7"))
            #expect(message.authorities.map { message.denialTime(of: $0) } == [300])
            #expect(Array(message.additionals).isEmpty && message.end == bytes.count)
        }
    }

    @Test func everyCutIsAFault() {
        let bytes = Packet.reply(
            to: MessageTests.query,
            records: [
                Packet.cname(Packet.name("e.test")), Packet.a(Packet.name("e.test"), "192.0.2.7"),
                Packet.aaaa("2001:db8::1"),
            ], authorities: [Packet.soa(ttl: 1, minimum: 1)])
        for count in 0..<bytes.count {
            #expect(MessageTests.fault(Array(bytes.prefix(count))) == .cut)
        }
    }

    @Test(arguments: [
        Packet.record(Packet.asked, 1, ttl: 1, [1, 2, 3]),
        Packet.record(Packet.asked, 1, ttl: 1, [1, 2, 3, 4, 5]),
        Packet.record(Packet.asked, 28, ttl: 1, [1, 2, 3, 4]),
        Packet.record(Packet.asked, 5, ttl: 1, Packet.name("a.test") + [0]),
    ])
    func dataMustFitItsType(_ record: [UInt8]) {
        #expect(MessageTests.fault(Packet.reply(to: MessageTests.query, records: [record])) == .data)
    }

    @Test func aTimeToLiveWithItsTopBitSetIsZero() throws {
        let bytes = Packet.reply(to: MessageTests.query, records: [Packet.a(ttl: 0x8000_0001, "192.0.2.7")])
        let times = try bytes.withUnsafeBytes { try Message($0).answers.map(\.timeToLive) }
        #expect(times == [0])
    }
}
