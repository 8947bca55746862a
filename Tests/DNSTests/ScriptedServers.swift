import Bytes
import Testing

@testable import DNS

/// What a core has sent and opened, and replies as servers give them. It holds the caller's side of the contract: every
/// channel is opened once and closed once, and nothing is sent on one that is not open.
struct ScriptedServers {
    struct Sent: Equatable {
        let channel: Channel
        let server: ServerAddress
        /// Without its length.
        let query: [UInt8]
        let overStream: Bool

        var id: UInt16 { UInt16(query[0]) << 8 | UInt16(query[1]) }
        var type: RecordType? { query.withUnsafeBytes { try? Question(reading: $0, at: Header.length).type } }
        var hasEDNS: Bool { query[11] == 1 }
        /// The first label, with its letters.
        var label: String { String(decoding: query[13..<13 + Int(query[12])], as: UTF8.self) }
    }

    private(set) var open: [Channel: (kind: ForwarderCore.Kind, server: ServerAddress)] = [:]
    private(set) var opened = 0
    var sent: [Sent] = []

    mutating func carryOut(_ action: ForwarderCore.Action) {
        switch action {
        case .open(let channel, let kind, let server):
            #expect(open[channel] == nil)
            open[channel] = (kind, server)
            opened += 1
        case .send(let channel, let bytes):
            guard let to = open[channel] else { return #expect(Bool(false), "sent on a closed channel") }
            #expect(Array(bytes.prefix(2)) == Packet.be16(bytes.count - 2))
            sent.append(
                Sent(
                    channel: channel, server: to.server, query: Array(bytes.dropFirst(2)),
                    overStream: to.kind == .stream))
        case .close(let channel):
            #expect(open.removeValue(forKey: channel) != nil)
        }
    }

    mutating func lost(_ channel: Channel) { open[channel] = nil }
}

/// Bits that differ and are the same in every run.
final class SeededBits {
    private var state: UInt64
    init(_ seed: UInt64 = 1) { state = seed }

    func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return bits ^ bits >> 31
    }
}

let serverOne = ServerAddress(Endpoint(address("10.0.0.1"), 53))
let serverTwo = ServerAddress(Endpoint(address("10.0.0.2"), 53))

/// A forwarder with scripted servers and a clock of its own.
final class ForwarderWorld {
    var core: ForwarderCore
    var now = Ticks(milliseconds: 1_000_000)
    var net = ScriptedServers()
    var finished: [Finished] = []

    init(
        _ rules: ForwardingRules = ForwardingRules(servers: [serverOne, serverTwo]), inflight: Int = 100,
        random: @escaping () -> UInt64 = SeededBits().next
    ) {
        core = ForwarderCore(rules: rules, timeout: .seconds(5), inflightMost: inflight, random: random)
    }

    var sent: [ScriptedServers.Sent] { net.sent }

    static func inquiry(
        _ text: String, _ type: RecordType = .a, server: Endpoint? = nil, isDNSSECOK: Bool = false
    ) -> Inquiry {
        Inquiry(name: name(text).wire, type: type, isDNSSECOK: isDNSSECOK, server: server)
    }

    @discardableResult
    func ask(
        _ inquiry: Inquiry, for number: UInt64 = 0, until: Ticks = .never, client: IPAddress? = nil
    ) -> ForwarderCore.Start {
        defer { act() }
        return core.ask(inquiry, for: .client(number), until: until, client: client, now: now)
    }

    @discardableResult
    func ask(_ text: String, for number: UInt64 = 0) -> ForwarderCore.Start {
        ask(ForwarderWorld.inquiry(text), for: number)
    }

    func act() {
        while let action = core.nextAction() { net.carryOut(action) }
        core.changePorts()
        while let over = core.takeFinished() { finished.append(over) }
    }

    func pass(_ milliseconds: Int64) {
        now = now + Milliseconds(milliseconds)
        core.expired(now: now)
        act()
    }

    func deliver(_ bytes: [UInt8], on sent: ScriptedServers.Sent, cut: Int = .max) {
        let stream = sent.overStream ? Packet.be16(bytes.count) + bytes : bytes
        receive(stream, on: sent.channel, cut: sent.overStream ? cut : .max)
    }

    func receive(_ bytes: [UInt8], on channel: Channel, cut: Int = .max) {
        for start in stride(from: 0, to: max(bytes.count, 1), by: min(cut, max(bytes.count, 1))) {
            bytes[start..<min(bytes.count, start + min(cut, bytes.count))].withUnsafeBytes {
                core.received($0, on: channel, now: now)
            }
            act()
        }
    }

    func reply(
        _ to: ScriptedServers.Sent, flags: UInt16 = 0x8180, _ records: [[UInt8]] = [Packet.a("192.0.2.1")],
        authorities: [[UInt8]] = []
    ) {
        deliver(Packet.reply(to: to.query, flags: flags, records: records, authorities: authorities), on: to)
    }

    func fail(_ channel: Channel, because reason: String? = nil) {
        core.failed(channel, because: reason, now: now)
        act()
    }

    func expectsAnswer(_ text: String) -> Bool { core.expectsAnswer(to: ForwarderWorld.inquiry(text)) }
    func hasZone(_ text: String) -> Bool { core.hasZone(for: ForwarderWorld.inquiry(text)) }

    /// What came out since the last call: addresses, or the reason of a failure.
    func outcomes() -> [String] {
        defer { finished = [] }
        return finished.map { over in
            switch over.outcome {
            case .answer(let answer, _): answer.addresses.map(\.description).joined(separator: " ")
            case .failed(let failure): failure.reason
            }
        }
    }
}

extension QueryWriter {
    /// A query without a length in front.
    static func write(
        id: UInt16, name: DomainName, type: RecordType, into buffer: inout Buffer, edns: UInt16? = payloadSize,
        capitals: UInt64 = 0
    ) {
        let query = query(id: id, Inquiry(name, type), edns: edns != nil, capitals: capitals)
        query.withUnsafeBytes { buffer.append(UnsafeRawBufferPointer(rebasing: $0.dropFirst(2))) }
    }
}
