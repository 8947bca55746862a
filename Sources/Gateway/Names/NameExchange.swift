import Bytes
import Config
import DLP
import DNS
import Policy
import Record

import struct Policy.Question

/// One question of a client, from its arrival to its record. A class: it goes through a dozen hands.
final class NameExchange {
    let query: Query
    let client: Endpoint
    /// The resolver that the client asked.
    let asked: Endpoint
    let listener: ListenerContext
    let identity: Identity
    let serviceNumber: Int
    /// As the policy knows it: absent where it is none that a host can have.
    let name: DomainName?
    let id: RecordID
    let startMicroseconds: Int64
    let startTicks: Int64
    let bytesOut: Int
    private(set) var decision: Decision
    private(set) var action: Action
    private(set) var findings: [Finding] = []
    private(set) var inspected: UInt64 = 0
    /// Bytes at the front of the name on the wire that a finding is in, and that no record shows.
    private(set) var maskedBytes = 0
    private(set) var evidence: [(key: StaticString, value: Int)] = []
    /// Its threat has been told, and goes on.
    private(set) var isToldAlready = false
    let snapshot: Snapshot

    init(
        _ query: Query, name: DomainName?, from client: Endpoint, to asked: Endpoint, at listener: ListenerContext,
        identity: Identity, serviceNumber: Int, _ arrival: NameServer.Arrival, bytes: Int, snapshot: Snapshot
    ) {
        self.query = query
        self.name = name
        self.client = client
        self.asked = asked
        self.listener = listener
        self.identity = identity
        self.serviceNumber = serviceNumber
        id = arrival.id
        startMicroseconds = arrival.wallMicroseconds
        startTicks = arrival.ticks
        bytesOut = bytes
        self.snapshot = snapshot
        let policy = snapshot.policy
        // `to` is the question's name, and an address only for a range (`rules`): the resolver's.
        let isAnsweredHere = !snapshot.settings.dns.original
        let question = Question(
            service: identity.service, name: name, address: asked.address, port: asked.port, application: .dns,
            isAnsweredHere: isAnsweredHere)
        decision = Decision(service: policy.services[identity.service], cover: policy.cover(question))
        action = decision.action
    }

    var isTunnel: Bool { !evidence.isEmpty }

    /// Who remembers what is answered.
    var keeper: IPAddress { snapshot.policy.keeper(identity, client.address) }
    var service: Service { snapshot.policy.services[identity.service] }

    func note(_ threat: Threat) {
        decision.note(threat)
        action = decision.action
    }

    func note(_ finding: Finding, below: Range<Int>) {
        findings.append(finding)
        maskedBytes = below.upperBound
        decision.note(finding: finding.action)
        if finding.sensor == Honeytoken.sensor { decision.note(.honeytoken) }
        action = decision.action
    }

    func noteRead(_ bytes: Int) { inspected += UInt64(bytes) }

    func note(_ tunnel: NameWatch.Tunnel) {
        // What goes one way asks for addresses; who wants an answer back asks for types that can carry one.
        note(tunnel.evidence.unusual == 0 && tunnel.evidence.answerBytes == 0 ? .dnsExfiltration : .dnsTunnel)
        // Seen in the question and again in the answer: news once is news.
        isToldAlready = (evidence.isEmpty || isToldAlready) && !tunnel.isNew
        let facts = tunnel.evidence
        evidence = [
            ("score", facts.score), ("queries", facts.queries), ("unique", facts.unique), ("unusual", facts.unusual),
            ("label_bytes", facts.labelBytes), ("bits_per_byte_x100", Int(facts.bitsPerByte * 100)),
            ("answer_bytes", facts.answerBytes), ("seconds", facts.seconds),
        ]
    }
}
