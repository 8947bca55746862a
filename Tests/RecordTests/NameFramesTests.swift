import Bytes
import Testing

@testable import Record

/// Lines of DNS transactions that are put together from frames read as if they had been written whole.
@Suite struct NameFramesTests {
    /// A line whose every varying part is other than the frames' own.
    private static func record(_ client: String, _ bytes: UInt64, _ rule: String?) -> SessionRecord {
        var record = SessionRecord(
            id: RecordID(high: bytes, low: 7), startMicroseconds: someTime + Int64(bytes) * 1_000_000,
            durationMicroseconds: Int64(bytes), service: "myapp.default", pod: "my\"app", mode: .protect,
            client: endpoint(client), destination: endpoint("9.9.9.9:53"), application: .dns, bytesOut: bytes,
            bytesIn: bytes * 2, action: .allow, would: .allow, rule: rule, listener: "dns")
        record.names = NameFacts(
            type: .init("A", 1), responseCode: .init("NOERROR", 0), answers: [IPAddress(v4: 0x3412_3f50)], cached: .yes)
        return record
    }

    @Test(arguments: [
        ("10.244.0.17:53001", "10.244.0.17:7"), ("10.244.0.17:9", "10.244.0.17:65535"),
        ("[fd00:244::17]:80", "[fd00:244::17]:12345"),
    ])
    func aFramedLineIsTheWholeLine(first: String, second: String) {
        var encoder = LineEncoder()
        var line = Buffer()
        // The line is not the first of its batch.
        line.append("{}\n")
        let kept = NameFramesTests.record(first, 71, "myapp.default/2")
        let places = encoder.append(kept, to: &line)
        let frames = NameFrames(places, of: line.readable, port: kept.client.port)
        let other = NameFramesTests.record(second, 412_345, "myapp.default/2")
        var framed = Buffer()
        encoder.append(
            FramedTransaction(
                id: other.id, startMicroseconds: other.startMicroseconds,
                durationMicroseconds: other.durationMicroseconds, port: other.client.port, bytesOut: other.bytesOut,
                bytesIn: other.bytesIn), frames.asker, frames.answer, to: &framed)
        #expect(String(decoding: framed.readable, as: UTF8.self) == other.line())
    }

    @Test(arguments: ["myapp.default/2", nil]) func aLineWithoutAFrameOfTheAnswerIsTheWholeLine(rule: String?) {
        var encoder = LineEncoder()
        var line = Buffer()
        let kept = NameFramesTests.record("10.244.0.17:53001", 71, "another/1")
        let frames = NameFrames(encoder.append(kept, to: &line), of: line.readable, port: kept.client.port)
        let whole = NameFramesTests.record("10.244.0.17:40", 3, rule)
        var framed = Buffer()
        guard let names = whole.names else { return #expect(Bool(false)) }
        encoder.append(
            FramedTransaction(
                id: whole.id, startMicroseconds: whole.startMicroseconds,
                durationMicroseconds: whole.durationMicroseconds, port: 40, bytesOut: 3, bytesIn: 6), frames.asker,
            names, rule: rule, to: &framed)
        #expect(String(decoding: framed.readable, as: UTF8.self) == whole.line())
    }

    @Test func anyAskerGoesWithAnyAnswer() {
        var encoder = LineEncoder()
        func frames(_ record: borrowing SessionRecord) -> NameFrames {
            var line = Buffer()
            let places = encoder.append(record, to: &line)
            return NameFrames(places, of: line.readable, port: record.client.port)
        }
        let one = frames(NameFramesTests.record("10.244.0.17:53001", 1, "myapp.default/2"))
        let two = frames(NameFramesTests.record("10.244.0.18:1", 2, nil))
        let whole = NameFramesTests.record("10.244.0.18:40", 3, "myapp.default/2")
        var framed = Buffer()
        encoder.append(
            FramedTransaction(
                id: whole.id, startMicroseconds: whole.startMicroseconds,
                durationMicroseconds: whole.durationMicroseconds, port: 40, bytesOut: 3, bytesIn: 6), two.asker,
            one.answer, to: &framed)
        #expect(String(decoding: framed.readable, as: UTF8.self) == whole.line())
    }
}
