import Bytes
import DLP
import DNS
import Loop
import Policy

/// What is wrong with a question or with its answer, beside what the rules say: abuse of the protocol, data in names, and
/// addresses that lead inward.
final class NameJudge {
    private unowned(unsafe) let worker: Worker
    private let inspection: Inspection
    private var text = Buffer(capacity: 1024)
    private var bounds: NameWatch.Bounds
    private var generation: UInt64
    /// Clients whose flood was told, and until when it is not told again.
    private var floods: [IPAddress: Ticks] = [:]

    private static let floodsMost = 1024
    private static let floodPeriod = Milliseconds.seconds(1)

    init(_ worker: Worker) {
        self.worker = worker
        inspection = Inspection(scratch: worker.scratch)
        bounds = NameWatch.Bounds(worker.limits)
        generation = worker.snapshot.generation
    }

    // MARK: Floods

    /// Once a second for each client: a record for each of its questions would be another flood.
    func tellsFlood(of client: IPAddress, now: Ticks) -> Bool {
        if let until = floods[client], until > now { return false }
        if floods.count >= NameJudge.floodsMost { floods = floods.filter { $0.value > now } }
        guard floods.count < NameJudge.floodsMost else { return false }
        floods[client] = now + NameJudge.floodPeriod
        return true
    }

    // MARK: Questions

    /// Types that no client needs from a resolver: zone transfers, all records at once, and a carrier of bytes (RFC 1035
    /// section 3.3.10).
    func isAbuse(_ type: RecordType) -> Bool { threat(of: type) != nil }

    private func threat(of type: RecordType) -> Threat? {
        switch type {
        case .axfr, .ixfr: .dnsZoneTransfer
        case .null: .dnsNull
        case .any: .dnsAny
        default: nil
        }
    }

    /// Adds a question to the sums of its client; nil unless that makes a tunnel, or is part of one. Once for each question.
    func note(
        _ client: IPAddress, _ cut: NameCut, of name: UnsafeRawBufferPointer, type: RecordType
    ) -> NameWatch.Tunnel? {
        if generation != worker.snapshot.generation {
            generation = worker.snapshot.generation
            bounds = NameWatch.Bounds(worker.limits)
        }
        return worker.hub.watch.note(client, cut, of: name, type: type, now: worker.loop.now, bounds)
    }

    /// - Parameters:
    ///   - name: as it stands on the wire.
    ///   - tunnel: what `note` said to the question.
    func judge(
        _ exchange: NameExchange, _ name: UnsafeRawBufferPointer, _ cut: NameCut?, _ tunnel: NameWatch.Tunnel?
    ) {
        if let threat = threat(of: exchange.query.type) { exchange.note(threat) }
        if let tunnel { exchange.note(tunnel) }
        let profile = exchange.snapshot.profiles[exchange.identity.service]
        if let cut, profile.reads.contains(.name) { read(exchange, cut, name, profile) }
    }

    /// Has the service's sensors read the labels, together with those that the client asked for before.
    private func read(
        _ exchange: NameExchange, _ cut: NameCut, _ name: UnsafeRawBufferPointer, _ profile: Profile
    ) {
        var found: [Finding] = []
        var read = 0
        func scan(_ bytes: UnsafeRawBufferPointer, from fresh: Int, _ coding: TextCoding) {
            inspection.reset(profile)
            inspection.scan(bytes, as: .name)
            read += bytes.count - fresh
            for var finding in inspection.findings where Int(finding.offset) + finding.length > fresh {
                // A secret may be read in more than one way.
                guard !found.contains(where: { $0.sensor == finding.sensor && $0.rule == finding.rule }) else {
                    continue
                }
                if let label = coding.label { finding.decoded = [label] }
                found.append(finding)
            }
        }
        text.removeAll()
        text.append(presentation: name)
        scan(text.readable, from: 0, .plain)
        // Addresses that are looked up backwards, and in block lists, are digits in labels: together they would be any number.
        if !cut.isTrusted, !NameJudge.isReverse(name) {
            worker.hub.decode(exchange.client.address, cut, of: name, now: worker.loop.now) {
                scan($0.bytes, from: $0.fresh, $0.coding)
            }
        }
        exchange.noteRead(read)
        for finding in found { exchange.note(finding, below: cut.below) }
    }

    /// Within `arpa` (RFC 3172).
    private static func isReverse(_ name: UnsafeRawBufferPointer) -> Bool {
        let arpa: StaticString = "\u{4}arpa"
        return name.count > 6
            && name.suffix(6).dropLast().elementsEqual(
                UnsafeRawBufferPointer(start: arpa.utf8Start, count: arpa.utf8CodeUnitCount)
            ) { $0 == $1 || $0 | 0x20 == $1 }
    }

    // MARK: Answers

    /// Judges what an answer says: every address of it counts, and every hint.
    func judge(_ exchange: NameExchange, _ answer: StoredAnswer, _ bytes: UnsafeRawBufferPointer) {
        for address in answer.addresses { judge(exchange, address) }
        for hint in answer.hints { judge(exchange, hint) }
        guard exchange.query.type != .a, exchange.query.type != .aaaa else { return }
        let hub = worker.hub
        let name = exchange.query.name(in: bytes)
        if let cut = hub.suffixes.cut(name),
            let tunnel = hub.watch.answered(
                exchange.client.address, cut, type: exchange.query.type, bytes: answer.bytes.count,
                now: worker.loop.now, bounds)
        {
            exchange.note(tunnel)
        }
    }

    private func judge(_ exchange: NameExchange, _ address: IPAddress) {
        switch verdict(exchange, address) {
        case .outward: break
        case .inward: exchange.note(.inwardAddress)
        case .privateBehindName: exchange.note(.rebinding)
        }
    }

    private func verdict(_ exchange: NameExchange, _ address: IPAddress) -> AddressVerdict {
        exchange.snapshot.policy.classify(address, name: exchange.name, service: exchange.identity.service)
    }

    /// The answer without addresses that the client must not have, and without what would take it out of sight where its TLS
    /// is to be read; nil where nothing is to be taken out.
    func fit(_ answer: StoredAnswer, for exchange: NameExchange) -> StoredAnswer? {
        guard answer.hasServiceBinding || exchange.action == .deny else { return nil }
        let isRead = exchange.snapshot.inspects(exchange.name, service: exchange.identity.service)
        return answer.rewritten(
            keeping: { address in
                switch verdict(exchange, address) {
                case .outward: true
                case .inward: false
                case .privateBehindName: exchange.decision.mode != .protect
                }
            }, dropsECH: isRead, dropsHTTP3: isRead)
    }
}

extension TextCoding {
    /// As findings name a decoding; nil for what was read as it stands.
    fileprivate var label: String? {
        switch self {
        case .plain: nil
        case .hexadecimal: "hex"
        case .base32: "base32"
        case .base32Hex: "base32hex"
        case .base64: "base64"
        }
    }
}
