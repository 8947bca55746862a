import Bytes
import Testing

@testable import Record

/// The lines as scripts read them.
@Suite struct LineTests {
    @Test func everyField() {
        let finding = FindingRecord(
            sensor: "ssn-fr", rule: "nir", action: .alert, context: "body", offset: 118, rawOffset: 18, length: 15,
            decoded: ["gzip"], match: "2*************5", fingerprint: "hmac1", version: "0f1e2d3c",
            excerpt: "nir: 2*************5 \"x\"", sealed: "AbC+/=")
        let line = withBytes("POST") { method in
            withBytes("canarytokens.com") { host in
                withBytes("/stuff/collect?ssn=2840575123456") { path in
                    SessionRecord(
                        id: RecordID(high: 0, low: 0), startMicroseconds: someTime, durationMicroseconds: 1834,
                        service: "dh157.default", pod: "dh157", mode: .monitor, client: endpoint("10.244.0.9:51544"),
                        destination: endpoint("52.18.63.80:80"), dialed: endpoint("[2001:db8::1]:80"),
                        fqdn: DomainName("canarytokens.com"), namedBy: .host, application: .http, method: method,
                        host: host, path: path, status: 200, bytesOut: 512, bytesIn: 90, bytesInspected: 512,
                        uninspectable: "decode_depth", action: .alert, would: .deny, rule: "*.com", reason: .threat,
                        threat: .hostIPMismatch, findings: [finding], bytesBeforeVerdict: 7, listener: "egress"
                    ).line()
                }
            }
        }
        let expected =
            #"{"kind":"session","id":"00000000000000000000000000","time":"2026-11-21T10:00:00.123Z","#
            + #""duration_us":1834,"service":"dh157.default","pod":"dh157","mode":"monitor","#
            + #""client":"10.244.0.9:51544","destination":"52.18.63.80:80","dialed":"[2001:db8::1]:80","#
            + #""fqdn":"canarytokens.com","named_by":"host","application":"HTTP","method":"POST","#
            + #""host":"canarytokens.com","path":"/stuff/collect","status":200,"bytes_out":512,"bytes_in":90,"#
            + #""bytes_inspected":512,"uninspectable":"decode_depth","action":"alert","would":"deny","rule":"*.com","#
            + #""reason":"threat","threat":"host_ip_mismatch","findings":[{"sensor":"ssn-fr","rule":"nir","#
            + #""version":"0f1e2d3c","action":"alert","confidence":"high","context":"body","offset":118,"raw_offset":18,"#
            + #""length":15,"decoded":["gzip"],"match":"2*************5","excerpt":"nir: 2*************5 \"x\"","#
            + #""fingerprint":"hmac1","sealed":"AbC+/="}],"bytes_before_verdict":7,"listener":"egress"}"# + "\n"
        #expect(line == expected)
        #expect(withBytes(line) { SessionLine($0) } != nil)
    }

    @Test func whatIsUnknownIsAbsent() {
        let line = SessionRecord(
            kind: .open, id: RecordID(high: 0, low: 0), startMicroseconds: 0, service: "unknown", mode: .discover,
            client: endpoint("10.0.0.1:1"), application: .tcp, action: .allow, would: .deny, listener: "egress"
        ).line()
        let expected =
            #"{"kind":"open","id":"00000000000000000000000000","time":"1970-01-01T00:00:00.000Z","duration_us":0,"#
            + #""service":"unknown","mode":"discover","client":"10.0.0.1:1","application":"TCP","bytes_out":0,"#
            + #""bytes_in":0,"bytes_inspected":0,"uninspectable":null,"action":"allow","would":"deny","rule":null,"#
            + #""findings":[],"bytes_before_verdict":0,"listener":"egress"}"# + "\n"
        #expect(line == expected)
    }

    @Test func dialedIsWrittenOnlyWhereItDiffers() {
        var record = SessionRecord.sample()
        record.dialed = record.destination
        #expect(!record.line().contains("dialed"))
        record.destination = nil
        #expect(record.line().contains(#""dialed":"52.18.63.80:80""#))
    }

    @Test(arguments: [
        ("/a", [], "/a"),
        ("/a?secret", [], "/a"),
        ("?secret", [], ""),
        ("/card/4111111111111111/x", [6..<22], "/card/****************/x"),
        ("/card/4111", [6..<400], "/card/****"),
        ("/a?4111", [3..<7], "/a"),
        ("/ab/cd", [0..<2, 4..<6], "**b/**"),
        ("/é", [1..<3], "/**"),
        // Half a character masked leaves the other half as what it is: not UTF-8.
        ("/é", [1..<2], "/*\u{fffd}"),
    ])
    func paths(_ path: String, _ masked: [Range<Int>], _ expected: String) {
        let line = withBytes(path) { bytes in
            var record = SessionRecord.sample()
            record.path = bytes
            record.maskedPath = masked
            return record.line()
        }
        #expect(line.contains("\"path\":\"\(expected)\","))
    }

    @Test func namesAreMasked() {
        let line = withBytes("2840575123456.evil.example") { host in
            var record = SessionRecord.sample()
            record.host = host
            record.fqdn = DomainName("2840575123456.evil.example")
            record.maskedHost = [0..<13]
            record.maskedFQDN = [1..<12]
            return record.line()
        }
        #expect(line.contains(#""host":"*************.evil.example","#))
        #expect(line.contains(#""fqdn":"2***********6.evil.example","#))
    }

    @Test func longThingsAreCut() {
        for extra in [0, 1] {
            let path = "/" + String(repeating: "x", count: SessionRecord.pathBytesMax - 1 + extra)
            let line = withBytes(path) { bytes in
                var record = SessionRecord.sample()
                record.path = bytes
                record.method = bytes
                record.host = bytes
                return record.line()
            }
            #expect(line.contains("\"path\":\"\(path.prefix(SessionRecord.pathBytesMax))\""))
            #expect(line.contains("\"method\":\"\(path.prefix(SessionRecord.methodBytesMax))\""))
            #expect(line.contains("\"host\":\"\(path.prefix(SessionRecord.hostBytesMax))\""))
        }
        let finding = FindingRecord(
            sensor: "s", rule: "r", action: .alert, context: "body", offset: -1, match: "*")
        for (count, omitted) in [(SessionRecord.findingsMax, 0), (SessionRecord.findingsMax + 5, 5)] {
            let line = SessionRecord.sample(findings: Array(repeating: finding, count: count)).line()
            #expect(line.contains("findings_omitted\":\(omitted)") == (omitted > 0))
            #expect(line.split(separator: "\"sensor\"").count == SessionRecord.findingsMax + 1)
            #expect(!line.contains("fingerprint"))
        }
    }

    /// Everything at its longest, every byte an escape: the line keeps within the room that was made for it.
    @Test func theLongestLine() {
        let text = String(repeating: "\u{1}", count: 5000)
        let address = endpoint("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")
        let other = endpoint("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535")
        let name = DomainName([63, 63, 63, 61].map { String(repeating: "x", count: $0) }.joined(separator: "."))
        let finding = FindingRecord(
            sensor: text, rule: text, action: .redact, context: text, offset: .max, decoded: [text, text], match: text,
            fingerprint: text)
        let written = withBytes(text) { bytes in
            let record = SessionRecord(
                id: RecordID(high: .max, low: .max), startMicroseconds: .max, durationMicroseconds: .max, service: text,
                pod: text, mode: .discover, client: address, destination: address, dialed: other, fqdn: name,
                namedBy: .authority, application: .webSocket, method: bytes, host: bytes, path: bytes, status: .max,
                bytesOut: .max, bytesIn: .max, bytesInspected: .max, uninspectable: "decompression_bomb",
                action: .redact, would: .redact, rule: text, reason: .violation, threat: .decompressionBomb,
                findings: Array(repeating: finding, count: 40), bytesBeforeVerdict: .max, listener: text)
            var encoder = LineEncoder()
            var events = Buffer()
            let count = encoder.appendEvents(of: record, to: &events)
            #expect(count == 2 + SessionRecord.findingsMax)
            return [record.line()] + events.text.split(separator: "\n").map(String.init)
        }
        #expect(name != nil)
        for line in written { #expect(isJSON(line)) }
    }

    // MARK: Strings

    @Test(arguments: [
        ([], ""),
        (Array("plain".utf8), "plain"),
        (Array("exactly8".utf8), "exactly8"),
        (Array("a \"quoted\\path\"".utf8), #"a \"quoted\\path\""#),
        ([0x00, 0x1f, 0x7f], #"\u0000\u001f\u007f"#),
        (Array("line\nfeed\ttab\rreturn".utf8), #"line\nfeed\ttab\rreturn"#),
        (Array("éß漢🎉".utf8), "éß漢🎉"),
        // C1 controls drive terminals: escaped though they are good UTF-8.
        ([0xc2, 0x9b, 0xc2, 0xa0], #"\u009b"# + "\u{a0}"),
        // Not UTF-8: a lone continuation, an overlong slash, a surrogate, past the end, cut short.
        ([0x80], "\u{fffd}"),
        ([0xc0, 0xaf], "\u{fffd}\u{fffd}"),
        ([0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"),
        ([0xf4, 0x90, 0x80, 0x80], "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ([0xe2, 0x82], "\u{fffd}\u{fffd}"),
        ([0x61, 0xff, 0x62], "a\u{fffd}b"),
    ])
    func strings(_ bytes: [UInt8], _ expected: String) {
        var text = Buffer()
        bytes.withUnsafeBytes { text.append(quoted: $0) }
        #expect(text.text == "\"\(expected)\"")
    }

    /// Every byte at every place of strings of every length near the word: the fast check misses none.
    @Test func everyByteAtEveryPlace() {
        for length in 1...17 {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var bytes = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    bytes[place] = byte
                    let isPlain = bytes.withUnsafeBytes { isPlainJSON($0) }
                    let expected = (0x20..<0x7f).contains(byte) && byte != 0x22 && byte != 0x5c
                    if isPlain != expected { Issue.record("byte \(byte) at \(place) of \(length)") }
                }
            }
        }
    }

    // MARK: Numbers and addresses

    @Test func everyLengthOfNumber() {
        var power: UInt64 = 1
        for _ in 0..<20 {
            for value in [power &- 1, power, power &+ 1, power &* 2, power &* 7 / 3, .max] {
                var line = Buffer()
                var out = line.cursor(20)
                out.put(decimal: value)
                line.wrote(out.count)
                if line.text != String(value) { Issue.record("\(value) as \(line.text)") }
            }
            power = power &* 10
        }
    }

    @Test func everyOctet() {
        for octet in UInt32(0)...255 {
            for port: UInt16 in [0, 9, 10, 80, 443, 8080, 65_535] {
                let bits = octet << 24 | (255 - octet) << 16 | octet << 8 | octet / 2
                var line = Buffer()
                var out = line.cursor(21)
                out.put(v4: bits, port: port)
                line.wrote(out.count)
                if line.text != Endpoint(IPAddress(v4: bits), port).description { Issue.record("\(octet)") }
            }
        }
    }

    // MARK: Events

    @Test(
        arguments: [
            (Action.allow, Reason?.none, Threat?.none, 0, []),
            (.allow, .violation, nil, 0, []),
            (.alert, .violation, nil, 0, ["violation"]),
            (.deny, .rule, nil, 0, ["violation"]),
            (.deny, .threat, .rebinding, 0, ["threat"]),
            (.alert, .finding, nil, 2, ["finding", "finding"]),
            (.alert, .violation, .noSNI, 1, ["threat", "violation", "finding"]),
        ] as [(Action, Reason?, Threat?, Int, [String])])
    func events(_ action: Action, _ reason: Reason?, _ threat: Threat?, _ findings: Int, _ kinds: [String]) {
        let finding = FindingRecord(sensor: "s", rule: "r", action: .alert, context: "url", offset: 0, match: "4*1")
        var record = SessionRecord.sample(7, findings: Array(repeating: finding, count: findings))
        (record.action, record.reason, record.threat) = (action, reason, threat)
        #expect(record.hasEvents == !kinds.isEmpty)
        var encoder = LineEncoder()
        var text = Buffer()
        let count = encoder.appendEvents(of: record, to: &text)
        let lines = text.text.split(separator: "\n")
        #expect(count == kinds.count)
        #expect(lines.count == kinds.count)
        for (line, kind) in zip(lines, kinds) {
            #expect(line.hasPrefix(#"{"kind":"\#(kind)","id":"00000000000000000000000007","time":"#))
            #expect(line.contains(#""finding":{"sensor":"s","rule":"r","#) == (kind == "finding"))
            #expect(line.contains(#""threat":""#) == (threat != nil))
            #expect(isJSON(String(line)))
        }
    }

    @Test func eventsOfTheGateway() {
        var encoder = LineEncoder()
        var line = Buffer()
        encoder.append(
            event: "learning_stopped", id: nil, microseconds: someTime, service: "a\"b", message: "limit", count: 1000,
            to: &line)
        #expect(
            line.text == #"{"kind":"learning_stopped","time":"2026-11-21T10:00:00.123Z","service":"a\"b","#
                + #""message":"limit","count":1000}"# + "\n")
    }
}

func isJSON(_ text: String) -> Bool {
    withBytes(text) { bytes in
        var reader = JSONReader(bytes)
        do throws(JSONError) {
            try reader.skip()
            try reader.end()
            return true
        } catch {
            return false
        }
    }
}
