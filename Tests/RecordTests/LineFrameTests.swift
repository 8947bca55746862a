import Bytes
import Testing

@testable import Record

/// A line in a frame is the line that the whole record would have been.
@Suite struct LineFrameTests {
    /// SplitMix64: the same facts in every run.
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
            return word ^ word >> 31
        }

        mutating func number() -> UInt64 { next() >> UInt64.random(in: 0...63, using: &self) }

        mutating func text(_ most: Int) -> String {
            let letters = Array("abcxyz019./-_?\"\\\n\u{1}é漢 ")
            return String(
                (0..<Int.random(in: 0...most, using: &self)).map { _ in letters.randomElement(using: &self) ?? "a" })
        }

        mutating func maybe<Value>(_ value: Value) -> Value? { Bool.random(using: &self) ? value : nil }

        mutating func endpoint() -> Endpoint {
            let address =
                Bool.random(using: &self)
                ? IPAddress(v4: UInt32(truncatingIfNeeded: next()))
                : IPAddress(high: next(), low: number())
            return Endpoint(address, UInt16(truncatingIfNeeded: next()))
        }
    }

    /// What the lines of a connection have in common.
    private struct Parties {
        var service, listener: String
        var pod, rule: String?
        var mode: Mode
        var client: Endpoint
        var destination, dialed: Endpoint?
        var fqdn: DomainName?
        var namedBy: NamedBy?
        var would: Action
        var reason: Reason?
        var tls: TLSRecord?

        init(_ random: inout Seeded) {
            (service, listener) = (random.text(20), random.text(8))
            (pod, rule) = (random.maybe(random.text(9)), random.maybe(random.text(9)))
            mode = Mode.allCases.randomElement(using: &random) ?? .discover
            client = random.endpoint()
            (destination, dialed) = (random.maybe(random.endpoint()), random.maybe(random.endpoint()))
            if Bool.random(using: &random) { dialed = destination }
            fqdn = random.maybe(DomainName("n\(random.next() % 1000).example.com")).flatMap { $0 }
            namedBy = random.maybe(NamedBy.host)
            would = Action.allCases.randomElement(using: &random) ?? .allow
            reason = random.maybe(Reason.violation)
            tls = random.maybe(
                TLSRecord(
                    alpn: random.maybe(random.text(9)), sni: random.text(300), handling: .intercepted,
                    issuer: random.maybe(random.text(300))))
        }
    }

    /// What is an exchange's own.
    private struct Facts {
        var id: RecordID
        var start, duration: Int64
        var method, host, path: String?
        var status: Int?
        var out, inward, inspected: UInt64

        init(_ random: inout Seeded) {
            id = RecordID(high: random.next(), low: random.next())
            start = Int64(random.next() >> 13)
            duration = Int64(random.number() >> 1) - 5
            (method, host) = (random.maybe(random.text(90)), random.maybe(random.text(600)))
            path = random.maybe("/" + random.text(Bool.random(using: &random) ? 40 : 5000))
            status = random.maybe(Int(random.next() % 700))
            (out, inward, inspected) = (random.number(), random.number(), random.number())
        }

        func withPointers(_ body: (FramedExchange) -> Void) {
            func pointer(_ text: String?, _ body: (UnsafeRawBufferPointer?) -> Void) {
                if let text { withBytes(text) { body($0) } } else { body(nil) }
            }
            pointer(method) { method in
                pointer(host) { host in
                    pointer(path) { path in
                        body(
                            FramedExchange(
                                id: id, startMicroseconds: start, durationMicroseconds: duration, method: method,
                                host: host,
                                path: path, status: status, bytesOut: out, bytesIn: inward, bytesInspected: inspected))
                    }
                }
            }
        }
    }

    private static func record(_ exchange: FramedExchange, _ parties: Parties) -> SessionRecord {
        var record = SessionRecord(
            id: exchange.id, startMicroseconds: exchange.startMicroseconds,
            durationMicroseconds: exchange.durationMicroseconds, service: parties.service, pod: parties.pod,
            mode: parties.mode, client: parties.client, destination: parties.destination, dialed: parties.dialed,
            fqdn: parties.fqdn, namedBy: parties.namedBy, application: .http, method: exchange.method,
            host: exchange.host, path: exchange.path, status: exchange.status, bytesOut: exchange.bytesOut,
            bytesIn: exchange.bytesIn, bytesInspected: exchange.bytesInspected, action: .allow, would: parties.would,
            rule: parties.rule, reason: parties.reason, listener: parties.listener)
        record.tls = parties.tls
        return record
    }

    @Test func isTheWholeLine() {
        var random = Seeded(state: 7)
        for round in 0..<200 {
            let parties = Parties(&random)
            var encoder = LineEncoder()
            var line = Buffer()
            var frame = LineFrame()
            // The line that the frame is taken from need not be the first of its batch.
            if round % 2 == 1 { line.append("before\n") }
            Facts(&random).withPointers { exchange in
                let places = encoder.append(LineFrameTests.record(exchange, parties), to: &line)
                frame.take(places, of: line.readable)
            }
            let isEmpty = frame.isEmpty
            #expect(!isEmpty)
            for _ in 0..<10 {
                Facts(&random).withPointers { exchange in
                    var framed = Buffer()
                    encoder.append(exchange, in: frame, to: &framed)
                    let whole = LineFrameTests.record(exchange, parties).line()
                    if framed.text != whole { Issue.record("\(framed.text) is not \(whole)") }
                }
            }
        }
    }

    @Test func isEmptyUntilALineWasTaken() {
        let frame = LineFrame()
        let (isEmpty, count) = (frame.isEmpty, frame.count)
        #expect(isEmpty && count == 0)
    }

    /// A framed record gives its slot back and is counted and written as any other.
    @Test func recordersFrame() throws {
        let directory = TemporaryDirectory()
        let writer = try RecordWriter.open(RecordWriter.Settings(directory: directory.path))
        let recorder = Recorder(writer: writer)
        var random = Seeded(state: 3)
        let parties = Parties(&random)
        var frame = LineFrame()
        #expect(recorder.reserve(upTo: 3) == 3)
        var expected: [String] = []
        for number in 0..<3 {
            Facts(&random).withPointers { exchange in
                if number == 0 {
                    recorder.append(LineFrameTests.record(exchange, parties), keeping: &frame)
                } else {
                    recorder.append(exchange, in: frame)
                }
                expected.append(String(LineFrameTests.record(exchange, parties).line().dropLast()))
            }
            #expect(recorder.reserved == 2 - number)
        }
        recorder.flush()
        #expect(writer.drain(timeout: .seconds(10)))
        #expect(directory.lines("sessions.jsonl") == expected)
        #expect(writer.written == 3 && directory.lines("events.jsonl").isEmpty)
    }
}
