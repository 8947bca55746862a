import Bytes
import DLP
import OS
import Policy
import Record

/// What a finished exchange leaves behind: its record, its counts, and the rule that it taught.
extension Worker {
    func microseconds() -> Int64 { Clock.microseconds() }
    func wallMicroseconds() -> Int64 { Clock.wallMicroseconds() }

    func append(_ exchange: Exchange, of session: Session, as kind: SessionRecord.Kind = .session) {
        let uninspectable = exchange.uninspectable ?? exchange.inspection.uninspectable
        let isPlain =
            exchange.stands && kind == .session && exchange.action == .allow && uninspectable == nil
            && exchange.inspection.findingsCount == 0
        if isPlain, !session.standing.frame.isEmpty {
            recorder.append(framed(exchange), in: session.standing.frame)
        } else {
            record(exchange, of: session, as: kind, uninspectable, framing: isPlain)
        }
        guard kind == .session else { return }
        count(exchange, uninspectable)
        if exchange.decision.mayLearn, exchange.isAnswered { learn(exchange) }
    }

    /// What there is to say of an exchange that its session's frame does not.
    private func framed(_ exchange: Exchange) -> FramedExchange {
        let bytes = exchange.bytes.readable
        return FramedExchange(
            id: exchange.id, startMicroseconds: exchange.startMicroseconds,
            durationMicroseconds: microseconds() - exchange.startTicks,
            method: UnsafeRawBufferPointer(rebasing: bytes[exchange.head.methodRange]),
            host: exchange.head.host.isEmpty ? nil : UnsafeRawBufferPointer(rebasing: bytes[exchange.head.host]),
            path: UnsafeRawBufferPointer(rebasing: bytes[exchange.head.path]), status: exchange.status,
            bytesOut: exchange.bytesOut, bytesIn: exchange.bytesIn,
            bytesInspected: exchange.inspection.inspectedBytes)
    }

    private func record(
        _ exchange: Exchange, of session: Session, as kind: SessionRecord.Kind, _ uninspectable: Uninspectable?,
        framing: Bool
    ) {
        let bytes = exchange.bytes.readable
        let inspection = exchange.inspection
        var findings: [FindingRecord] = []
        var maskedPath: [Range<Int>] = []
        if !inspection.findings.isEmpty {
            findings = inspection.findings.map(FindingRecord.init)
            for finding in inspection.findings where finding.context == .url {
                // Where a decoded match lies in the path as it was sent is not known: none of it is written.
                maskedPath.append(
                    finding.decoded.isEmpty
                        ? Int(finding.rawOffset)..<Int(finding.rawOffset) + finding.length
                        : 0..<exchange.head.path.count)
            }
        }
        let isHTTP = exchange.application.isHTTP && !exchange.head.methodRange.isEmpty
        let duration = microseconds() - exchange.startTicks
        var record = SessionRecord(
            kind: kind, id: exchange.id, startMicroseconds: exchange.startMicroseconds,
            durationMicroseconds: duration, service: exchange.service.name,
            pod: exchange.snapshot.policy.podName(exchange.identity), mode: exchange.decision.mode,
            client: session.client,
            destination: session.target.endpoint ?? exchange.dial, dialed: exchange.dial, fqdn: exchange.name,
            namedBy: exchange.namedBy, application: exchange.application,
            method: isHTTP ? UnsafeRawBufferPointer(rebasing: bytes[exchange.head.methodRange]) : nil,
            host: isHTTP && !exchange.head.host.isEmpty
                ? UnsafeRawBufferPointer(rebasing: bytes[exchange.head.host]) : nil,
            path: isHTTP ? UnsafeRawBufferPointer(rebasing: bytes[exchange.head.path]) : nil,
            status: exchange.status,
            bytesOut: exchange.bytesOut, bytesIn: exchange.bytesIn, bytesInspected: inspection.inspectedBytes,
            uninspectable: uninspectable?.label, action: exchange.isSilent ? .allow : exchange.action,
            would: exchange.isSilent ? .allow : exchange.decision.would, rule: exchange.decision.rule?.text,
            reason: exchange.isSilent ? nil : exchange.decision.reason, threat: exchange.decision.threat,
            findings: findings,
            bytesBeforeVerdict: exchange.bytesBeforeVerdict, listener: session.listener.name,
            maskedHost: exchange.maskedHost, maskedPath: maskedPath, maskedFQDN: exchange.maskedHost)
        record.tls = session.tls?.record(denied: exchange.action == .deny)
        if framing {
            recorder.append(record, keeping: &session.standing.frame)
        } else {
            recorder.append(record)
        }
    }

    private func count(_ exchange: Exchange, _ uninspectable: Uninspectable?) {
        let service = exchange.serviceNumber
        counters.addSession(
            service: service, application: exchange.application,
            action: exchange.isSilent ? .allow : exchange.action)
        counters.addBytes(service: service, out: exchange.bytesOut, in: exchange.bytesIn)
        if let uninspectable { counters.addUninspectable(reason: uninspectable.label) }
        for finding in exchange.inspection.findings {
            counters.addFinding(service: service, sensor: hub.number(ofSensor: finding.sensor), action: finding.action)
        }
        counters.addInspected(
            bytes: exchange.inspection.inspectedBytes, nanoseconds: exchange.inspectionNanoseconds)
    }

    private func learn(_ exchange: Exchange) {
        guard let address = exchange.dial?.address else { return }
        learn(
            exchange.service, exchange.name.map { .name($0) } ?? .address(address), port: exchange.port,
            application: exchange.application)
    }

    func learn(_ service: Service, _ host: Host, port: UInt16, application: Application) {
        let outcome = hub.learned.learn(service: service.name, host: host, port: port, application: application)
        if case .full(first: true) = outcome {
            recorder.event(
                "learning_stopped", at: wallMicroseconds(), service: service.name,
                message: "learned_per_service rules have been learned; what comes beyond is counted and not learned",
                count: UInt64(limits.learnedPerService))
        }
    }

    /// A client with more connections than it may have; told once a second, counted always.
    func countRefusedConnection(from client: Endpoint, at listener: ListenerContext) {
        let identity = snapshot.policy.identify(client.address)
        let service = snapshot.policy.services[identity.service]
        var decision = Decision(service: service, cover: .uncovered)
        decision.note(.connectionFlood)
        let now = wallMicroseconds()
        recorder.append(
            SessionRecord(
                id: ids.next(at: now), startMicroseconds: now, service: service.name,
                pod: snapshot.policy.podName(identity), mode: service.mode, client: client, application: .tcp,
                action: decision.action, would: decision.would, reason: decision.reason, threat: decision.threat,
                listener: listener.name))
    }
}

extension Application {
    /// Requests, whatever carries them.
    fileprivate var isHTTP: Bool {
        switch self {
        case .http, .http2, .grpc, .webSocket: true
        default: false
        }
    }
}

extension FindingRecord {
    init(_ finding: Finding) {
        self.init(
            sensor: finding.sensor, rule: finding.rule, action: finding.action, context: finding.context.label,
            offset: Int(clamping: finding.offset), rawOffset: Int(clamping: finding.rawOffset), length: finding.length,
            decoded: finding.decoded, match: finding.match, fingerprint: finding.fingerprint,
            confidence: finding.confidence.label, version: finding.version, excerpt: finding.excerpt,
            sealed: finding.sealed)
    }
}

extension Contexts {
    /// The one context of a finding, as users write it.
    var label: String {
        switch self {
        case .url: "url"
        case .header: "header"
        case .body: "body"
        case .name: "name"
        default: "packet"
        }
    }
}
