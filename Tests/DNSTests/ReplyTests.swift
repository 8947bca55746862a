import Bytes
import Testing

@testable import DNS

/// What a reply says in a word: the addresses, the code and how long they may be used.
enum Meaning: Equatable {
    case stray, truncated, plainOnly
    case refused(String)
    case answer([IPAddress], ResponseCode, seconds: UInt32)
}

struct ReplyTests {
    static let query = MessageTests.query(.a)

    static func reply(_ bytes: [UInt8], query: [UInt8] = query) -> Reply {
        let inquiry = Inquiry(name: [0], type: .a)
        return bytes.withUnsafeBytes { bytes in query.withUnsafeBytes { Reply(bytes, to: $0, of: inquiry) } }
    }

    static func read(_ bytes: [UInt8], query: [UInt8] = query) -> Meaning {
        switch reply(bytes, query: query).meaning {
        case .stray: .stray
        case .truncated: .truncated
        case .plainOnly: .plainOnly
        case .refused(let reason): .refused(reason)
        case .answer(let answer): .answer(answer.addresses, answer.responseCode, seconds: answer.lifetimeSeconds)
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var records: [[UInt8]] = []
        var authorities: [[UInt8]] = []
        var flags: UInt16 = 0x8180
        var expected: Meaning
    }

    static let long = (0..<20).map { "n\($0).test" }

    static let cases: [Case] = [
        Case(
            testDescription: "addresses with the least time of them",
            records: [
                Packet.a(ttl: 60, "192.0.2.1"), Packet.a(ttl: 50, "192.0.2.2"),
            ], expected: .answer([address("192.0.2.1"), address("192.0.2.2")], .noError, seconds: 50)),
        Case(
            testDescription: "a chain in any order, with the least time of its links",
            records: [
                Packet.a(Packet.name("c.test"), ttl: 60, "192.0.2.3"),
                Packet.cname(Packet.name("B.test"), ttl: 9, Packet.name("c.test")),
                Packet.cname(ttl: 70, Packet.name("b.test")),
            ], expected: .answer([address("192.0.2.3")], .noError, seconds: 9)),
        Case(
            testDescription: "records of other names and types are not believed",
            records: [
                Packet.a(Packet.name("bank.test"), "192.0.2.66"), Packet.aaaa("2001:db8::66"),
                Packet.a("192.0.2.1"),
            ], expected: .answer([address("192.0.2.1")], .noError, seconds: 60)),
        Case(
            testDescription: "a chain in a ring ends",
            records: [
                Packet.cname(Packet.name("b.test")), Packet.cname(Packet.name("b.test"), Packet.asked),
            ], expected: .refused("too many aliases")),
        Case(
            testDescription: "a chain that is too long",
            records: [Packet.cname(Packet.name(long[0]))]
                + (1..<20).map { Packet.cname(Packet.name(long[$0 - 1]), Packet.name(long[$0])) },
            expected: .refused("too many aliases")),
        Case(
            testDescription: "a chain that leads nowhere",
            records: [Packet.cname(ttl: 20, Packet.name("b.test"))],
            authorities: [Packet.soa(ttl: 900, minimum: 30)], expected: .answer([], .noError, seconds: 20)),
        Case(
            testDescription: "no data, for as long as the zone says",
            authorities: [Packet.soa(ttl: 900, minimum: 30)], expected: .answer([], .noError, seconds: 30)),
        Case(
            testDescription: "no such name, no longer than the record that says so",
            authorities: [Packet.soa(ttl: 10, minimum: 30)], flags: 0x8183,
            expected: .answer([], .noSuchName, seconds: 10)),
        Case(testDescription: "a denial without a term", flags: 0x8183, expected: .answer([], .noSuchName, seconds: 1)),
        Case(testDescription: "SERVFAIL", flags: 0x8182, expected: .refused("the server failed (SERVFAIL)")),
        Case(testDescription: "REFUSED", flags: 0x8185, expected: .refused("the server refused (REFUSED)")),
        Case(testDescription: "FORMERR to a query with EDNS", flags: 0x8181, expected: .plainOnly),
        Case(testDescription: "truncated", flags: 0x8380, expected: .truncated),
        Case(testDescription: "a query", flags: 0x0100, expected: .stray),
        Case(testDescription: "another operation", flags: 0xa980, expected: .stray),
        Case(
            testDescription: "malformed", records: [[0xc0]], expected: .refused("the server's answer is malformed")),
    ]

    @Test(arguments: cases) func meaning(_ c: Case) {
        let bytes = Packet.reply(to: ReplyTests.query, flags: c.flags, records: c.records, authorities: c.authorities)
        #expect(ReplyTests.read(bytes) == c.expected)
    }

    @Test func whatDoesNotAnswerTheQuestionIsStray() {
        let good = Packet.reply(to: ReplyTests.query, records: [Packet.a("192.0.2.1")])
        var otherId = good
        otherId[1] ^= 1
        #expect(ReplyTests.read(otherId) == .stray)
        var otherName = good
        otherName[14] ^= 1
        #expect(ReplyTests.read(otherName) == .stray)
        var noQuestion = good
        noQuestion[5] = 0
        #expect(ReplyTests.read(noQuestion) == .stray)
        let otherType = Packet.reply(to: MessageTests.query(.aaaa), records: [])
        #expect(ReplyTests.read(otherType) == .stray)
        for count in 0..<32 { #expect(ReplyTests.read(Array(good.prefix(count))) == .stray) }
    }

    @Test func lettersAreTold() {
        var bytes = Packet.reply(to: ReplyTests.query, records: [Packet.a("192.0.2.1")])
        #expect(ReplyTests.reply(bytes).keepsLetters)
        bytes[13] = UInt8(ascii: "W")
        #expect(!ReplyTests.reply(bytes).keepsLetters)
        #expect(ReplyTests.read(bytes) == .answer([address("192.0.2.1")], .noError, seconds: 60))
        // The type's bytes are none: 33 is not 1 with another letter case.
        bytes = Packet.reply(to: ReplyTests.query, records: [])
        bytes[30] |= 0x20
        #expect(ReplyTests.read(bytes) == .stray)
    }

    @Test func aServerThatCannotReadEDNSMayDropTheQuestion() {
        let bytes: [UInt8] = [0xbe, 0xef, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]
        #expect(ReplyTests.read(bytes) == .plainOnly)
        let plain = MessageTests.query(.a, edns: nil)
        #expect(ReplyTests.read(bytes, query: plain) == .refused("the server could not read the question"))
    }

    @Test func aCodeOfMoreBitsIsNoEmptyAnswer() {
        var bytes = Packet.reply(to: ReplyTests.query, records: [])
        bytes[11] = 1
        bytes += [0, 0, 41, 4, 0xd0, 1, 0, 0, 0, 0, 0]
        #expect(ReplyTests.read(bytes) == .refused("the server answered with code 16"))
    }
}
