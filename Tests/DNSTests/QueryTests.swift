import Bytes
import Testing

@testable import DNS

struct QueryTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var code: ResponseCode
        var fault: DNSFault?
    }

    static let tsig = Packet.name("key.test") + [0, 250, 0, 255, 0, 0, 0, 0, 0, 3, 1, 2, 3]

    /// Sixteen-bit words of the header set to something else, and bytes after the message.
    static func with(_ words: [Int: Int], edns: Int? = nil, _ more: [UInt8] = []) -> [UInt8] {
        var bytes = Dump.query(edns: edns)
        for (index, word) in words { bytes.replaceSubrange(2 * index..<2 * index + 2, with: Packet.be16(word)) }
        return bytes + more
    }

    static let rejected: [Case] = [
        Case(testDescription: "another operation", bytes: with([1: 0x2100]), code: .notImplemented),
        Case(testDescription: "no question", bytes: with([2: 0]), code: .formatError, fault: .counts),
        Case(testDescription: "two questions", bytes: with([2: 2]), code: .formatError, fault: .counts),
        Case(
            testDescription: "an answer", bytes: with([3: 1], Packet.a("192.0.2.1")), code: .formatError,
            fault: .counts),
        Case(
            testDescription: "an authority", bytes: with([4: 1], Packet.a("192.0.2.1")), code: .formatError,
            fault: .counts),
        Case(
            testDescription: "an additional record", bytes: with([5: 1], Packet.a("192.0.2.1")), code: .formatError,
            fault: .counts),
        Case(
            testDescription: "two OPT records", bytes: with([5: 2], Dump.opt(1232) + Dump.opt(1232)),
            code: .formatError, fault: .counts),
        Case(
            testDescription: "a signature before the OPT record", bytes: with([5: 2], tsig + Dump.opt(1232)),
            code: .formatError, fault: .counts),
        Case(
            testDescription: "an OPT record with a name", bytes: with([5: 1], [1, 0x61] + Dump.opt(1232)),
            code: .formatError, fault: .edns),
        Case(
            testDescription: "an option that is cut",
            bytes: with([5: 1], Dump.opt(1232, options: [0, 10, 0, 9, 1])), code: .formatError, fault: .edns),
        Case(
            testDescription: "half an option", bytes: with([5: 1], Dump.opt(1232, options: [0, 10, 0])),
            code: .formatError, fault: .edns),
        Case(
            testDescription: "another version of EDNS", bytes: with([5: 1], Dump.opt(1232, version: 1, options: [9])),
            code: .badVersion),
        Case(testDescription: "a byte too many", bytes: with([:], [0]), code: .formatError, fault: .trailing),
        Case(
            testDescription: "a byte after EDNS", bytes: with([:], edns: 1232, [0]), code: .formatError,
            fault: .trailing),
        Case(
            testDescription: "more records than there are", bytes: with([5: 2], Dump.opt(1232)), code: .formatError,
            fault: .cut),
        Case(
            testDescription: "a compressed question",
            bytes: Array(Dump.query(edns: nil).prefix(12)) + [0xc0, 12, 0, 1, 0, 1], code: .formatError,
            fault: .pointer),
        Case(
            testDescription: "a label of another type",
            bytes: Array(Dump.query(edns: nil).prefix(12)) + [0x41, 0, 0, 1, 0, 1], code: .formatError, fault: .label),
        Case(
            testDescription: "a name of 256 bytes",
            bytes: Array(Dump.query(edns: nil).prefix(12))
                + Array(repeating: [UInt8(50)] + Array(repeating: 0x61, count: 50), count: 5).joined()
                + [0, 0, 1, 0, 1], code: .formatError, fault: .nameLength),
    ]

    @Test(arguments: rejected) func refusesWhatIsNoPlainQuestion(_ c: Case) throws {
        guard case .reject(let rejection) = c.bytes.withUnsafeBytes({ Query.read($0) }) else {
            return #expect(Bool(false), "not rejected")
        }
        #expect(rejection.code == c.code && rejection.fault == c.fault && rejection.id == 0x1234)
        var out = Buffer()
        c.bytes.withUnsafeBytes { ResponseWriter.reject(rejection, in: $0, payloadSize: 1232, into: &out) }
        let message = try #require(try? Message(out.readable))
        #expect(message.responseCode == c.code && message.header.isResponse)
        #expect(message.header.questions == (c.code == .badVersion ? 1 : 0))
        #expect(UInt16(message.header.opcode) == rejection.flags >> 11 & 0xf)
    }

    @Test func readsWhatTheClientSays() throws {
        var query = try #require(Dump.read(Dump.query(flags: 0x0130, edns: 4096, isDNSSECOK: true)))
        #expect(query.id == 0x1234 && query.isRecursionDesired && query.isCheckingDisabled && query.wantsAuthenticated)
        #expect(query.edns == EDNS(payloadSize: 4096, isDNSSECOK: true) && query.type == .a)
        #expect(query.datagramMax(1232) == 1232 && query.datagramMax(65535) == 4096 && query.datagramMax(0) == 512)
        query = try #require(Dump.read(Dump.query(flags: 0, edns: 0, options: [0, 10, 0, 1, 7, 0, 12, 0, 0])))
        #expect(!query.isRecursionDesired && !query.isCheckingDisabled && !query.wantsAuthenticated)
        // RFC 6891 section 6.2.3: less than 512 is 512.
        #expect(query.edns == EDNS(payloadSize: 512, isDNSSECOK: false) && query.datagramMax(1232) == 512)
        query = try #require(Dump.read(Dump.query(edns: nil)))
        #expect(query.edns == nil && query.datagramMax(1232) == 512 && !query.isDNSSECOK)
    }

    @Test func theKeyIsTheNameAsItStands() throws {
        let bytes = Dump.query("WwW.test", .aaaa, isDNSSECOK: true)
        let query = try #require(Dump.read(bytes))
        bytes.withUnsafeBytes { bytes in
            let key = query.key(in: bytes)
            #expect(Array(key.name) == Packet.name("WwW.test") && key.type == .aaaa && key.isDNSSECOK)
        }
    }

    @Test func signaturesOfTransactionsAreReadOver() {
        #expect(Dump.read(QueryTests.with([5: 1], QueryTests.tsig)) != nil)
        #expect(Dump.read(QueryTests.with([5: 2], Dump.opt(1232) + QueryTests.tsig))?.edns?.payloadSize == 1232)
    }

    @Test func transfersAreReadToBeCalledSo() {
        var bytes = QueryTests.with([4: 1], Packet.soa(ttl: 0, minimum: 0))
        #expect(Dump.read(bytes) == nil)
        bytes[bytes.count - Packet.soa(ttl: 0, minimum: 0).count - 3] = UInt8(RecordType.ixfr.rawValue)
        #expect(Dump.read(bytes)?.type == .ixfr)
    }

    @Test func responsesAndStumpsAreDropped() {
        let bytes = Dump.query()
        for count in 0..<12 { #expect(bytes.prefix(count).withUnsafeBytes { Query.read($0) } == .drop) }
        var response = bytes
        response[2] |= 0x80
        #expect(response.withUnsafeBytes { Query.read($0) } == .drop)
    }

    @Test func everyCutIsRefused() {
        let bytes = Dump.query(options: [0, 10, 0, 2, 1, 2])
        for count in 12..<bytes.count {
            let reading = bytes.prefix(count).withUnsafeBytes { Query.read($0) }
            guard case .reject(let rejection) = reading else { return #expect(Bool(false), "\(count): \(reading)") }
            #expect(rejection.code == .formatError && rejection.fault == .cut)
        }
    }
}

struct NameFormTests {
    @Test(
        arguments: [
            ([0], "."), (Packet.name("WWW.Example.com"), "www.example.com"), ([3, 0x61, 0x2e, 0x62, 0], "a\\.b"),
            ([3, 0, 0x20, 0xff, 0], "\\000\\032\\255"), ([2, 0x5c, 0x22, 1, 0x40, 0], "\\\\\\\".\\@"),
            ([4, 0x28, 0x29, 0x3b, 0x24, 0], "\\(\\)\\;\\$"), (Packet.name("_a-b.*.!~"), "_a-b.*.!~"),
        ] as [([UInt8], String)])
    func presentation(_ wire: [UInt8], _ expected: String) {
        var out = Buffer()
        wire.withUnsafeBytes { out.append(presentation: $0) }
        #expect(String(decoding: out.readable, as: UTF8.self) == expected)
    }

    @Test(
        arguments: [
            ([0], nil), (Packet.name("A.Test"), "a.test"), ([3, 0x61, 0x2e, 0x62, 0], nil), ([1, 0x20, 0], nil),
            ([1, 0x61], nil), ([1, 0x61, 0, 0], nil), ([5, 0x61, 0], nil), ([], nil),
        ] as [([UInt8], String?)])
    func canonical(_ wire: [UInt8], _ expected: String?) {
        #expect(wire.withUnsafeBytes { DomainName(wire: $0)?.description } == expected)
    }

    @Test func namesGoToTheWireAndBack() {
        for text in ["a", "a.b", "www.example.com", String(repeating: "x", count: 63) + ".y"] {
            var out = Buffer()
            out.append(wire: name(text))
            #expect(Array(out.readable) == Packet.name(text))
            #expect(DomainName(wire: out.readable) == name(text))
        }
    }

    @Test func eightLettersAreLoweredAsOneIs() {
        for first in UInt8.min...UInt8.max {
            let bytes: [UInt8] = [first, 0x40, 0x41, 0x5a, 0x5b, first, 0xc1, 0x7f]
            let word = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
            let expected = bytes.map(lower).withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
            #expect(lower(word) == expected)
        }
    }
}
