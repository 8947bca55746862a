import Bytes
import Testing

@testable import DNS

struct ResponseWriterTests {
    static func write(
        _ answer: StoredAnswer, to query: [UInt8], age: UInt32 = 0, isStale: Bool = false, sizeMax: Int? = nil,
        extended: ExtendedError? = nil
    ) throws -> (bytes: [UInt8], isTruncated: Bool) {
        let read = try #require(Dump.read(query))
        var out = Buffer()
        out.append(UInt8(0xaa))
        let isTruncated = query.withUnsafeBytes {
            ResponseWriter.write(
                answer, age: age, isStale: isStale, to: read, in: $0, sizeMax: sizeMax ?? read.datagramMax(1232),
                payloadSize: 1232, extended: extended, into: &out)
        }
        #expect(out.readable[0] == 0xaa)
        return (Array(out.readable.dropFirst()), isTruncated)
    }

    static func refuse(
        _ query: [UInt8], _ code: ResponseCode, extended: ExtendedError? = nil, addresses: [IPAddress] = []
    ) throws -> [UInt8] {
        let read = try #require(Dump.read(query))
        var out = Buffer()
        query.withUnsafeBytes {
            ResponseWriter.refuse(
                read, in: $0, code, extended: extended, addresses: addresses, timeToLive: 10, payloadSize: 1232,
                into: &out)
        }
        return Array(out.readable)
    }

    static let records = [Packet.cname(ttl: 300, Packet.name("b.test")), Packet.a(Packet.name("b.test"), "192.0.2.1")]

    @Test func theWholeResponse() throws {
        let stored = try Dump.stored([Packet.a(ttl: 60, "192.0.2.1")])
        let plain = try ResponseWriterTests.write(stored, to: Dump.query("wWw.TeSt", edns: nil), age: 7).bytes
        let question = Packet.name("wWw.TeSt") + [0, 1, 0, 1]
        let record: [UInt8] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 53, 0, 4, 192, 0, 2, 1]
        #expect(plain == [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + question + record)
        let edns = try ResponseWriterTests.write(stored, to: Dump.query("wWw.TeSt", isDNSSECOK: true), age: 7).bytes
        let opt: [UInt8] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 0]
        #expect(edns == [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 1] + question + record + opt)
    }

    @Test(
        arguments: [
            (0, false, [300, 60]), (59, false, [241, 1]), (60, false, [240, 0]), (4_000_000_000, false, [0, 0]),
            (9999, true, [30, 30]),
        ] as [(UInt32, Bool, [UInt32])])
    func timesToLiveAge(_ age: UInt32, _ isStale: Bool, _ expected: [UInt32]) throws {
        let stored = try Dump.stored(ResponseWriterTests.records, authorities: [StoredAnswerTests.soa])
        let bytes = try ResponseWriterTests.write(stored, to: Dump.query(), age: age, isStale: isStale).bytes
        #expect(bytes.withUnsafeBytes { try? Message($0).answers.map(\.timeToLive) } == expected)
        let soa = bytes.withUnsafeBytes { try? Message($0).authorities.map(\.timeToLive) }
        #expect(soa == [isStale ? 30 : 900 - min(age, 900)])
        // RFC 8914 section 4.4.
        #expect(Dump.additionals(bytes).last?.hasSuffix("OPT 000f00020003") == isStale)
    }

    @Test(
        arguments: [
            // Query flags, DO, authenticated above; flags of the response.
            (0x0100, false, false, 0x8180), (0x0100, false, true, 0x8180), (0x0120, false, true, 0x81a0),
            (0x0120, false, false, 0x8180), (0x0100, true, true, 0x81a0), (0x0110, false, true, 0x8190),
            (0x0000, false, true, 0x8080), (0x0130, true, true, 0x81b0), (0x0640, true, false, 0x8080),
        ] as [(Int, Bool, Bool, Int)])
    func flags(_ flags: Int, _ isDNSSECOK: Bool, _ isAuthenticated: Bool, _ expected: Int) throws {
        let stored = try Dump.stored([Packet.a("192.0.2.1")], flags: isAuthenticated ? 0x85a0 : 0x8580)
        let query = Dump.query(flags: flags, isDNSSECOK: isDNSSECOK)
        #expect(try Array(ResponseWriterTests.write(stored, to: query).bytes[2..<4]) == Packet.be16(expected))
    }

    @Test(arguments: [nil, 1232] as [Int?]) func whatIsTooLargeIsTruncated(_ edns: Int?) throws {
        let stored = try Dump.stored((0..<20).map { Packet.a("192.0.2.\($0)") })
        let query = Dump.query(edns: edns)
        let whole = stored.bytes.count + (edns == nil ? 0 : 11)
        let (fits, isTruncated) = try ResponseWriterTests.write(stored, to: query, sizeMax: whole)
        #expect(fits.count == whole && !isTruncated && Dump.answers(fits).count == 20 && fits[2] & 2 == 0)
        let (cut, isCut) = try ResponseWriterTests.write(stored, to: query, sizeMax: whole - 1)
        #expect(isCut && cut[2] & 2 == 2 && Dump.answers(cut).isEmpty && Dump.authorities(cut).isEmpty)
        // The header, the question, and what it says of itself.
        #expect(cut.count == 12 + 14 + (edns == nil ? 0 : 11) && cut[12...].starts(with: query[12..<26]))
        #expect(Dump.additionals(cut).count == (edns == nil ? 0 : 1))
    }

    @Test func reasonsGiveWayToRecords() throws {
        let stored = try Dump.stored([Packet.a("192.0.2.1")])
        let reason = ExtendedError(code: 9, text: "why")
        let whole = stored.bytes.count + 11 + 9
        let said = try ResponseWriterTests.write(stored, to: Dump.query(), sizeMax: whole, extended: reason)
        #expect(!said.isTruncated && said.bytes.suffix(9) == [0, 15, 0, 5, 0, 9, 0x77, 0x68, 0x79])
        let silent = try ResponseWriterTests.write(stored, to: Dump.query(), sizeMax: whole - 1, extended: reason)
        #expect(!silent.isTruncated && silent.bytes.count == whole - 9)
        let plain = try ResponseWriterTests.write(stored, to: Dump.query(edns: nil), extended: reason)
        #expect(plain.bytes.count == stored.bytes.count && plain.bytes[11] == 0)
    }

    @Test func aStaleDenialIsCalledSo() throws {
        let stored = try Dump.stored([], authorities: [StoredAnswerTests.soa], flags: 0x8183)
        let bytes = try ResponseWriterTests.write(stored, to: Dump.query(), isStale: true).bytes
        #expect(bytes.suffix(6) == [0, 15, 0, 2, 0, 19])
    }

    @Test func codesOfMoreBits() throws {
        var bytes = Packet.reply(to: Dump.query(), flags: 0x8187, records: [])
        bytes[11] = 1
        let stored = try Dump.stored(bytes + [0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0])
        let edns = try ResponseWriterTests.write(stored, to: Dump.query()).bytes
        #expect(edns.withUnsafeBytes { try? Message($0).responseCode.rawValue } == 23)
        let plain = try ResponseWriterTests.write(stored, to: Dump.query(edns: nil)).bytes
        #expect(plain.withUnsafeBytes { try? Message($0).responseCode } == .serverFailure)
    }

    @Test func refusals() throws {
        let query = Dump.query("BAD.test", isDNSSECOK: true)
        let question = Packet.name("BAD.test") + [0, 1, 0, 1]
        let bytes = try ResponseWriterTests.refuse(query, .noSuchName, extended: .blocked)
        let opt: [UInt8] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0x80, 0, 0, 6, 0, 15, 0, 2, 0, 15]
        #expect(bytes == [0x12, 0x34, 0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 1] + question + opt)
        let plain = try ResponseWriterTests.refuse(Dump.query("BAD.test", edns: nil), .refused, extended: .blocked)
        #expect(plain == [0x12, 0x34, 0x81, 0x85, 0, 1, 0, 0, 0, 0, 0, 0] + question)
    }

    @Test(
        arguments: [
            (.a, ["bad.test 10 A 192.0.2.9", "bad.test 10 A 192.0.2.8"]), (.aaaa, ["bad.test 10 AAAA 2001:db8::9"]),
            (.https, []), (.any, []),
        ] as [(RecordType, [String])])
    func addressesOfTheOperator(_ type: RecordType, _ expected: [String]) throws {
        let bytes = try ResponseWriterTests.refuse(
            Dump.query("bad.test", type), .noError, extended: .blocked,
            addresses: ["192.0.2.9", "2001:db8::9", "192.0.2.8"].map(address))
        #expect(Dump.answers(bytes) == expected)
        #expect(bytes.withUnsafeBytes { try? Message($0).responseCode } == .noError)
        #expect(Dump.additionals(bytes).count == 1)
    }
}
