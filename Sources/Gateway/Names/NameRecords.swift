import Bytes
import DLP
import DNS
import OS
import Policy
import Record

import struct Policy.Question

/// What a question leaves behind: its record and its counts.
extension NameServer {
    /// What a record says of a question that waits for others like it.
    struct Kept {
        var name: ContiguousArray<UInt8>
        var facts: NameFacts
        var code: ResponseCode?
        var bytesIn: Int
        var duration: Int64
    }

    /// - Parameters:
    ///   - facts: what it was answered; name, type and code are added here.
    ///   - code: nil where nothing was answered.
    ///   - question: the query.
    ///   - framing: whether the frames of its line are wanted.
    @discardableResult
    func record(
        _ exchange: NameExchange, _ facts: NameFacts, _ code: ResponseCode?, bytesIn: Int,
        question: UnsafeRawBufferPointer, framing: Bool = false
    ) -> NameFrames? {
        count(exchange, code, bytesIn)
        let duration = worker.microseconds() - exchange.startTicks
        let within = exchange.snapshot.settings.dns.aggregate
        let name = exchange.query.name(in: question)
        if within > .zero, exchange.isPlain, exchange.snapshot === worker.snapshot {
            let name = ContiguousArray(name)
            let key = NameDigest.Key(
                client: exchange.client.address, asked: exchange.asked, name: name, type: exchange.query.type.rawValue,
                code: code?.rawValue ?? .max)
            let taken = digest.take(
                key, exchange, Kept(name: name, facts: facts, code: code, bytesIn: bytesIn, duration: duration),
                within: within, now: worker.loop.now)
            switch taken {
            case .joined:
                worker.recorder.release()
                return nil
            case .begun:
                worker.loop.setDeadline(self, digest.nextDue)
                return nil
            case .refused: break
            }
        }
        return write(exchange, name, facts, code, bytesIn: bytesIn, duration: duration, framing: framing)
    }

    func write(_ exchange: NameExchange, _ kept: Kept, count: Int) {
        var facts = kept.facts
        facts.count = count
        kept.name.withUnsafeBytes {
            _ = write(exchange, $0, facts, kept.code, bytesIn: kept.bytesIn, duration: kept.duration, framing: false)
        }
    }

    private func write(
        _ exchange: NameExchange, _ name: UnsafeRawBufferPointer, _ facts: NameFacts, _ code: ResponseCode?,
        bytesIn: Int, duration: Int64, framing: Bool
    ) -> NameFrames? {
        var facts = facts
        nameText.removeAll()
        nameText.append(presentation: name)
        facts.name = nameText.readable
        if exchange.maskedBytes > 0 {
            // The registered domain stays: it says whom the data was for.
            let end = nameText.count
            nameText.append(presentation: UnsafeRawBufferPointer(rebasing: name[exchange.maskedBytes...]))
            let rest = nameText.count - end
            nameText.dropLast(rest)
            facts.masked = [0..<max(end - rest - 1, 0)]
        }
        facts.type = NameFacts.Code(exchange.query.type.label, exchange.query.type.rawValue)
        facts.responseCode = code.map { NameFacts.Code($0.label, $0.rawValue) }
        guard exchange.isPlain, exchange.inspected == 0, exchange.snapshot === worker.snapshot else {
            worker.recorder.append(session(exchange, facts, bytesIn, duration))
            return nil
        }
        if !framing, let asker = standings.frame(of: exchange) {
            let transaction = FramedTransaction(
                id: exchange.id, startMicroseconds: exchange.startMicroseconds, durationMicroseconds: duration,
                port: exchange.client.port, bytesOut: UInt64(exchange.bytesOut), bytesIn: UInt64(bytesIn))
            worker.recorder.append(transaction, asker, facts, rule: exchange.decision.rule?.text)
            return nil
        }
        let frames = worker.recorder.appendFraming(session(exchange, facts, bytesIn, duration))
        if let frames { standings.keep(exchange, frames.asker) }
        return framing ? frames : nil
    }

    private func session(
        _ exchange: NameExchange, _ facts: NameFacts, _ bytesIn: Int, _ duration: Int64
    ) -> SessionRecord {
        var record = SessionRecord(
            id: exchange.id, startMicroseconds: exchange.startMicroseconds, durationMicroseconds: duration,
            service: exchange.service.name, pod: exchange.snapshot.policy.podName(exchange.identity),
            mode: exchange.decision.mode, client: exchange.client, destination: exchange.asked, application: .dns,
            bytesOut: UInt64(exchange.bytesOut), bytesIn: UInt64(bytesIn), bytesInspected: exchange.inspected,
            action: exchange.action, would: exchange.decision.would, rule: exchange.decision.rule?.text,
            reason: exchange.decision.reason, threat: exchange.decision.threat,
            findings: exchange.findings.map(FindingRecord.init), listener: exchange.listener.name)
        record.names = facts
        record.evidence = exchange.evidence
        record.isToldAlready = exchange.isToldAlready
        return record
    }

    /// Records what stands.
    func record(
        _ standing: NameStandings.Found, from client: Endpoint, bytesOut: Int, bytesIn: Int, _ code: ResponseCode
    ) {
        let service = standing.asker.serviceNumber
        worker.counters.addSession(service: service, application: .dns, action: .allow)
        worker.counters.addBytes(service: service, out: UInt64(bytesOut), in: UInt64(bytesIn))
        worker.counters.addQuery(action: .allow, responseCode: code.rawValue)
        let arrival = arrival()
        worker.recorder.append(
            FramedTransaction(
                id: arrival.id, startMicroseconds: arrival.wallMicroseconds,
                durationMicroseconds: worker.microseconds() - arrival.ticks, port: client.port,
                bytesOut: UInt64(bytesOut), bytesIn: UInt64(bytesIn)),
            standing.asker.frame, standing.answer.frame)
    }

    private func count(_ exchange: NameExchange, _ code: ResponseCode?, _ bytesIn: Int) {
        let service = exchange.serviceNumber
        worker.counters.addSession(service: service, application: .dns, action: exchange.action)
        worker.counters.addBytes(service: service, out: UInt64(exchange.bytesOut), in: UInt64(bytesIn))
        worker.counters.addQuery(action: exchange.action, responseCode: code?.rawValue)
        for finding in exchange.findings {
            worker.counters.addFinding(
                service: service, sensor: worker.hub.number(ofSensor: finding.sensor), action: finding.action)
        }
        worker.counters.addInspected(bytes: exchange.inspected, nanoseconds: 0)
    }

    /// Records what is no question: a message that cannot be read, or one too many.
    func record(
        _ threat: Threat?, from client: Endpoint, to asked: Endpoint, at listener: ListenerContext, bytes: Int,
        answered code: ResponseCode? = nil, _ bytesIn: Int = 0
    ) {
        let policy = worker.snapshot.policy
        let identity = policy.identify(client.address)
        let service = policy.services[identity.service]
        var decision = Decision(
            service: service,
            cover: policy.cover(
                Question(
                    service: identity.service, name: nil, address: asked.address, port: asked.port, application: .dns)))
        if let threat { decision.note(threat) }
        let arrival = arrival()
        var record = SessionRecord(
            id: arrival.id, startMicroseconds: arrival.wallMicroseconds, service: service.name,
            pod: policy.podName(identity), mode: service.mode, client: client, destination: asked, application: .dns,
            bytesOut: UInt64(bytes), bytesIn: UInt64(bytesIn), action: decision.action, would: decision.would,
            rule: decision.rule?.text, reason: decision.reason, threat: decision.threat, listener: listener.name)
        record.names = NameFacts(responseCode: code.map { NameFacts.Code($0.label, $0.rawValue) })
        worker.recorder.append(record)
        worker.counters.addSession(
            service: worker.serviceNumbers[identity.service], application: .dns, action: decision.action)
        worker.counters.addQuery(action: decision.action, responseCode: code?.rawValue)
    }
}

extension NameExchange {
    /// There is nothing to be said of it but that it was asked and answered.
    var isPlain: Bool { action == .allow && decision.would == .allow && findings.isEmpty && decision.threat == nil }
}
