import Bytes
import Testing

@testable import Record

/// The lines of DNS transactions, as scripts read them.
@Suite struct NameLineTests {
    private static func record() -> SessionRecord {
        SessionRecord(
            id: RecordID(high: 0, low: 0), startMicroseconds: someTime, durationMicroseconds: 18,
            service: "dh157.default", pod: "dh157", mode: .monitor, client: endpoint("10.244.0.9:51544"),
            destination: endpoint("10.96.0.10:53"), application: .dns, bytesOut: 33, bytesIn: 49, bytesInspected: 12,
            action: .allow, would: .deny, reason: .violation, listener: "dns")
    }

    private func line(_ name: String? = nil, _ facts: NameFacts) -> String {
        func line(_ facts: NameFacts) -> String {
            var record = NameLineTests.record()
            record.names = facts
            return record.line()
        }
        guard let name else { return line(facts) }
        return withBytes(name) { bytes in
            var facts = facts
            facts.name = bytes
            return line(facts)
        }
    }

    private func events(_ name: String, _ facts: NameFacts, _ change: (inout SessionRecord) -> Void) -> [String] {
        withBytes(name) { bytes in
            var record = NameLineTests.record()
            var facts = facts
            facts.name = bytes
            record.names = facts
            change(&record)
            var encoder = LineEncoder()
            var text = Buffer()
            let count = encoder.appendEvents(of: record, to: &text)
            let lines = text.text.split(separator: "\n").map(String.init)
            #expect(lines.count == count && record.hasEvents == (count > 0))
            return lines
        }
    }

    @Test func everyField() {
        let facts = NameFacts(
            type: .init("A", 1), responseCode: .init("NOERROR", 0),
            answers: [endpoint("52.18.63.80:1").address, endpoint("[2001:db8::1]:1").address],
            resolver: endpoint("9.9.9.9:53"), cached: .no)
        let expected =
            #"{"kind":"session","id":"00000000000000000000000000","time":"2026-11-21T10:00:00.123Z","#
            + #""duration_us":18,"service":"dh157.default","pod":"dh157","mode":"monitor","#
            + #""client":"10.244.0.9:51544","destination":"10.96.0.10:53","application":"DNS","#
            + #""dns":{"name":"canarytokens.com","type":"A","rcode":"NOERROR","answers":["52.18.63.80","#
            + #""2001:db8::1"],"resolver":"9.9.9.9:53","cached":false},"bytes_out":33,"bytes_in":49,"#
            + #""bytes_inspected":12,"uninspectable":null,"action":"allow","would":"deny","rule":null,"#
            + #""reason":"violation","findings":[],"bytes_before_verdict":0,"listener":"dns"}"# + "\n"
        #expect(line("canarytokens.com", facts) == expected)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var name: String?
        var masked: [Range<Int>] = []
        var type: NameFacts.Code?
        var code: NameFacts.Code?
        var answers = 0
        var resolver: Endpoint?
        var cached: NameFacts.Cached?
        var count = 1
        var expected: String
    }

    static let cases: [Case] = [
        Case(testDescription: "a message that could not be read and was not answered", expected: #""dns":{}"#),
        Case(
            testDescription: "and one that was", code: .init("FORMERR", 1),
            expected: #""dns":{"rcode":"FORMERR","answers":[]}"#),
        Case(
            testDescription: "nobody answered", name: "a.test", type: .init("AAAA", 28),
            expected: #""dns":{"name":"a.test","type":"AAAA"}"#),
        Case(
            testDescription: "numbers without a word", name: "a.test", type: .init(nil, 65_400),
            code: .init(nil, 65_535),
            expected: #""dns":{"name":"a.test","type":"TYPE65400","rcode":"RCODE65535","answers":[]}"#),
        Case(
            testDescription: "from the store", name: "a.test", code: .init("NXDOMAIN", 3), cached: .yes,
            expected: #""dns":{"name":"a.test","rcode":"NXDOMAIN","answers":[],"cached":true}"#),
        Case(
            testDescription: "past its time", name: "a.test", code: .init("NOERROR", 0), answers: 1, cached: .stale,
            expected: #""dns":{"name":"a.test","rcode":"NOERROR","answers":["10.0.0.0"],"cached":"stale"}"#),
        Case(
            testDescription: "by a resolver of IPv6", name: "a.test",
            resolver: Endpoint(IPAddress(high: 1, low: 2), 53),
            cached: .no, expected: #""dns":{"name":"a.test","resolver":"[::1:0:0:0:2]:53","cached":false}"#),
        Case(
            testDescription: "many at once", name: "a.test", count: 17,
            expected: #","count":17,"dns":{"name":"a.test"}"#
        ),
        Case(
            testDescription: "masked in part", name: "secret.b.test", masked: [0..<6],
            expected: #""dns":{"name":"******.b.test"}"#),
        Case(
            testDescription: "masked beyond its end", name: "abc", masked: [1..<2, 2..<90],
            expected: #""dns":{"name":"a**"}"#),
        Case(
            testDescription: "escapes of presentation form", name: #"a\.b\"\000.test"#,
            expected: #""dns":{"name":"a\\.b\\\"\\000.test"}"#),
        Case(testDescription: "the root", name: ".", expected: #""dns":{"name":"."}"#),
    ]

    @Test(arguments: cases) func facts(_ c: Case) {
        let answers = (0..<UInt32(c.answers)).map { IPAddress(v4: 0x0a00_0000 + $0) }
        let line = line(
            c.name,
            NameFacts(
                masked: c.masked, type: c.type, responseCode: c.code, answers: answers, resolver: c.resolver,
                cached: c.cached, count: c.count))
        #expect(line.contains(c.expected + #","bytes_out":"#), "\(line)")
        #expect(line.contains(#""count":"#) == (c.count > 1))
        #expect(isJSON(line))
    }

    @Test func manyAnswersAreCut() {
        for count in [NameFacts.answersMax, NameFacts.answersMax + 1, 1000] {
            let line = line(
                "a.test",
                NameFacts(
                    responseCode: .init("NOERROR", 0),
                    answers: (0..<UInt64(count)).map { IPAddress(high: .max, low: $0) }))
            #expect(line.split(separator: "ffff:ffff:ffff:ffff:").count == NameFacts.answersMax + 1)
            #expect(isJSON(line))
        }
    }

    /// What an event is about is the name that was asked.
    @Test func eventsSayTheName() {
        let finding = FindingRecord(sensor: "s", rule: "r", action: .deny, context: "name", offset: 0, match: "4*1")
        let lines = events("secret.test", NameFacts(masked: [0..<6], type: .init("TXT", 16), count: 2)) {
            $0.findings = [finding]
            ($0.action, $0.reason, $0.threat) = (.deny, .violation, .dnsTunnel)
            $0.evidence = [("score", 812), ("unique", 0), ("odd", -1), ("queries", .max)]
        }
        let kinds = ["threat", "violation", "finding"]
        #expect(lines.count == 3)
        for (line, kind) in zip(lines, kinds) {
            #expect(line.hasPrefix(#"{"kind":"\#(kind)""#) && isJSON(line))
            #expect(line.contains(#","count":2,"dns":{"name":"******.test","type":"TXT"},"action":"deny""#))
            #expect(
                line.contains(
                    #""threat":"dns_tunnel","evidence":{"score":812,"unique":0,"odd":0,"queries":9223372036854775807}"#)
            )
            #expect(!line.contains("secret"))
        }
        #expect(lines[2].contains(#""finding":{"sensor":"s""#))
    }

    /// Of a threat that goes on each question has its record; the event was written once.
    @Test func aThreatThatWasToldIsNotToldAgain() {
        for (findings, kinds) in [(0, []), (1, ["finding"])] {
            let finding = FindingRecord(sensor: "s", rule: "r", action: .deny, context: "name", offset: 0, match: "*")
            let lines = events("a.test", NameFacts()) {
                ($0.action, $0.reason, $0.threat, $0.isToldAlready) = (.deny, .threat, .dnsTunnel, true)
                $0.findings = Array(repeating: finding, count: findings)
            }
            #expect(lines.count == kinds.count)
            for (line, kind) in zip(lines, kinds) { #expect(line.hasPrefix(#"{"kind":"\#(kind)""#)) }
        }
    }

    /// Everything at its longest, every byte an escape: the line keeps within the room that was made for it.
    @Test func theLongestLine() {
        let name = String(repeating: "\u{1}", count: 1200)
        let address = IPAddress(high: .max, low: .max)
        let keys: [StaticString] = ["score", "queries", "unique", "unusual", "label_bytes", "bits_per_byte_x100"]
        withBytes(name) { bytes in
            var record = NameLineTests.record()
            record.names = NameFacts(
                name: bytes, masked: [3..<4], type: .init(nil, .max), responseCode: .init(nil, .max),
                answers: Array(repeating: address, count: 300), resolver: Endpoint(address, .max), cached: .stale,
                count: .max)
            record.evidence = (0..<60).map { (keys[$0 % keys.count], .max) }
            record.threat = .dnsExfiltration
            #expect(isJSON(record.line()))
            var encoder = LineEncoder()
            var events = Buffer()
            #expect(encoder.appendEvents(of: record, to: &events) == 1)
            #expect(isJSON(String(events.text.dropLast())))
        }
    }

    /// An aggregated line is as many transactions in the report.
    @Test(arguments: [
        (#""count":17,"#, 18), ("", 2), (#""count":0,"#, 2), (#""count":9223372036854775807,"#, 1 + 1 << 32),
    ])
    func theReportCounts(_ count: String, _ sessions: Int) {
        var report = EgressReport()
        let whole = line("a.test", NameFacts(type: .init("A", 1), responseCode: .init("NOERROR", 0)))
        let many = whole.replacing(#""dns":"#, with: count + #""dns":"#)
        for line in [whole, many] { withBytes(String(line.dropLast())) { report.add(line: $0) } }
        let rows = report.rows()
        #expect(rows.count == 1 && rows.first?.sessions == sessions && report.badLines == 0)
        #expect(rows.first?.address == endpoint("10.96.0.10:53").address && rows.first?.fqdn == nil)
        #expect(rows.first?.applications == [.dns])
    }
}
