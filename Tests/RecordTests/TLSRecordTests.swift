import Bytes
import Testing

@testable import Record

/// The `tls` object of lines, as scripts read it.
@Suite struct TLSRecordTests {
    private static let whole = TLSRecord(
        version: "1.3", cipher: "TLS_AES_128_GCM_SHA256", alpn: "h2", sni: "canarytokens.com",
        ja4: "t13d1516h2_8daaf6152771_e5627efa2ab1", handling: .intercepted, why: "untrusted_authority",
        issuer: "CN=R11,O=Let's Encrypt,C=US", fingerprint: String(repeating: "5e", count: 32),
        upstreamVersion: "1.2")

    private func record(_ tls: TLSRecord?) -> SessionRecord {
        var record = SessionRecord.sample()
        record.tls = tls
        return record
    }

    private func events(_ record: borrowing SessionRecord) -> [String] {
        var encoder = LineEncoder()
        var text = Buffer()
        _ = encoder.appendEvents(of: record, to: &text)
        return text.text.split(separator: "\n").map(String.init)
    }

    @Test func everyField() {
        let fingerprint = String(repeating: "5e", count: 32)
        let expected =
            #""application":"HTTP","tls":{"version":"1.3","cipher":"TLS_AES_128_GCM_SHA256","alpn":"h2","#
            + #""sni":"canarytokens.com","ja4":"t13d1516h2_8daaf6152771_e5627efa2ab1","handling":"intercepted","#
            + #""why":"untrusted_authority","issuer":"CN=R11,O=Let's Encrypt,C=US","fingerprint":"\#(fingerprint)","#
            + #""upstream_version":"1.2"},"bytes_out":0,"#
        let line = record(TLSRecordTests.whole).line()
        #expect(line.contains(expected))
        #expect(isJSON(String(line.dropLast())))
        // A slot stands for a line such as this.
        #expect(line.utf8.count <= Recorder.slotBytes)
    }

    @Test(arguments: [
        (TLSRecord(handling: .refused), #""tls":{"handling":"refused"},"#),
        (TLSRecord(version: "1.2", handling: .passed), #""tls":{"version":"1.2","handling":"passed"},"#),
        (
            TLSRecord(sni: "a.test", handling: .passed, why: "tls.passthrough"),
            #""tls":{"sni":"a.test","handling":"passed","why":"tls.passthrough"},"#
        ),
        (
            TLSRecord(handling: .intercepted, upstreamVersion: "1.3"),
            #""tls":{"handling":"intercepted","upstream_version":"1.3"},"#
        ),
        (
            TLSRecord(handling: .intercepted, upstreamVersion: "1.3", isPinned: true),
            #""tls":{"handling":"intercepted","upstream_version":"1.3","pinned":true},"#
        ),
        (
            TLSRecord(handling: .refused, why: "untrusted_authority", alert: "unknown CA (48)"),
            #""tls":{"handling":"refused","why":"untrusted_authority","alert":"unknown CA (48)"},"#
        ),
    ])
    func whatIsUnknownIsAbsent(_ tls: TLSRecord, _ expected: String) {
        #expect(record(tls).line().contains(#""application":"HTTP","# + expected + #""bytes_out""#))
    }

    @Test func aSessionWithoutTLSSaysNothingOfIt() { #expect(!record(nil).line().contains("tls")) }

    /// At the bound and one beyond it.
    @Test(arguments: [0, 1])
    func longTextsAreCut(_ extra: Int) {
        func text(_ most: Int) -> String { String(repeating: "x", count: most + extra) }
        let word = text(TLSRecord.wordBytesMax)
        let name = text(TLSRecord.nameBytesMax)
        let line = record(
            TLSRecord(
                version: word, cipher: word, alpn: name, sni: name, ja4: word, handling: .passed,
                why: text(TLSRecord.whyBytesMax), issuer: text(TLSRecord.issuerBytesMax), fingerprint: word,
                upstreamVersion: word, isPinned: true)
        ).line()
        for key in ["version", "cipher", "ja4", "fingerprint", "upstream_version"] {
            #expect(line.contains("\"\(key)\":\"\(word.prefix(TLSRecord.wordBytesMax))\""))
        }
        for key in ["alpn", "sni"] { #expect(line.contains("\"\(key)\":\"\(name.prefix(255))\"")) }
        #expect(line.contains("\"why\":\"\(String(repeating: "x", count: 128))\""))
        #expect(line.contains("\"issuer\":\"\(String(repeating: "x", count: 256))\""))
    }

    /// Everything at its longest and every byte an escape, beside a session that is so too: within the room made for it.
    @Test func theLongestObject() {
        let text = String(repeating: "\u{1}", count: 5000)
        let finding = FindingRecord(sensor: text, rule: text, action: .deny, context: text, offset: 0, match: text)
        let written = withBytes(text) { bytes in
            var record = SessionRecord.sample(findings: [finding])
            (record.host, record.path, record.method) = (bytes, bytes, bytes)
            (record.rule, record.listener, record.threat) = (text, text, .untrustedUpstream)
            record.tls = TLSRecord(
                version: text, cipher: text, alpn: text, sni: text, ja4: text, handling: .intercepted, why: text,
                alert: text, issuer: text, fingerprint: text, upstreamVersion: text, isPinned: true)
            return [String(record.line().dropLast())] + events(record)
        }
        #expect(written.count == 3)
        for line in written { #expect(isJSON(line)) }
    }

    @Test func whatPeersWroteIsEscaped() {
        let line = record(TLSRecord(alpn: "h\"2\n", handling: .passed, issuer: "CN=\u{1b}[2J\\é")).line()
        #expect(line.contains(##""alpn":"h\"2\n""##) && line.contains(##""issuer":"CN=\u001b[2J\\é""##))
    }

    @Test func theNameIsMasked() {
        var record = record(TLSRecord(sni: "2840575123456.evil.example", maskedSNI: [0..<13], handling: .passed))
        #expect(record.line().contains(#""sni":"*************.evil.example""#))
        // As the session's name it is masked with it; another name is not touched.
        record.fqdn = DomainName("2840575123456.evil.example")
        record.maskedFQDN = [1..<12]
        record.tls?.maskedSNI = []
        #expect(record.line().contains(#""sni":"2***********6.evil.example""#))
        record.tls?.sni = "other.example"
        #expect(record.line().contains(#""sni":"other.example""#))
    }

    @Test func eventsSayItToo() {
        var record = record(TLSRecordTests.whole)
        (record.action, record.reason, record.threat) = (.alert, .violation, .sniHostMismatch)
        let lines = events(record)
        #expect(lines.count == 2)
        for line in lines { #expect(line.contains(#""sni":"canarytokens.com""#) && isJSON(line)) }
    }

    /// The report passes it over: what is in it does not pass for a field of the session.
    @Test func readersSkipIt() throws {
        let tls = TLSRecord(sni: "action", handling: .refused, why: "\"},\"action\":\"deny\"")
        let read = withBytes(record(tls).line()) { SessionLine($0) }
        let without = withBytes(record(nil).line()) { SessionLine($0) }
        let line = try #require(read)
        let plain = try #require(without)
        #expect(line.action == .allow && line.id == plain.id && line.application == plain.application)
        #expect(line.service == plain.service && line.destination == plain.destination && line.fqdn == nil)
    }

    /// A connection has its TLS once, and all of its lines have it.
    @Test func framesHaveIt() {
        var encoder = LineEncoder()
        var line = Buffer()
        var framed = Buffer()
        var frame = LineFrame()
        frame.take(encoder.append(record(TLSRecordTests.whole), to: &line), of: line.readable)
        let exchange = FramedExchange(
            id: RecordID(high: 0, low: 0), startMicroseconds: someTime, durationMicroseconds: 1834, method: nil,
            host: nil, path: nil, status: nil, bytesOut: 0, bytesIn: 0, bytesInspected: 0)
        encoder.append(exchange, in: frame, to: &framed)
        #expect(framed.text == line.text && framed.text.contains(#""tls":{"version":"1.3","#))
    }
}
