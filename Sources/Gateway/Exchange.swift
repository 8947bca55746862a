import Bytes
import Config
import DLP
import Glibc
import HTTP
import OS
import Policy
import Record

/// One request with its response, or one tunnel: what was asked, what was decided, what has been read and what is held.
///
/// Protocol-neutral in what policy, inspection and records see of it. A worker keeps finished ones for the next request, so
/// that an idle connection owns none and a busy one allocates none.
final class Exchange {
    // What was asked.
    /// The request head as it came; `head` has ranges into it.
    var bytes = Buffer()
    var head = RequestHead()
    var application = Application.tcp
    /// A call of gRPC, by the type of its content: it is answered as one.
    var call: GRPCKind?
    var name: DomainName?
    var namedBy: NamedBy?
    /// How long the name's answer may be believed.
    var nameUntil: Ticks?
    var port: UInt16 = 0
    /// Where it goes.
    var dial: Endpoint?
    /// Name, destination and decision are those of the session's `Standing`.
    var stands = false

    // What was decided.
    var snapshot: Snapshot
    var identity = Identity(service: 0, pod: nil)
    /// The service's number in the metrics, which reloads do not change.
    var serviceNumber = 0
    private(set) var decision: Decision
    /// Whose rule the decision names: another than the snapshot's where it was judged again.
    private var judge: Policy
    /// What `decision` comes to: looked at far more often than it changes.
    private(set) var action = Action.allow
    var threats: [Threat] = []
    let inspection: Inspection
    /// Contexts that the service's sensors read.
    var reads: Contexts = []
    var readsResponse = false
    /// Why something was not inspected, when it was not for the inspection itself to say.
    var uninspectable: Uninspectable?

    // What comes in frames.
    var requestFrames: FrameReader?
    var responseFrames: FrameReader?

    // The request on its way.
    var requestBody = BodyReader.none
    var held = Hold()
    /// The body is judged whole if it ends within the service's `hold`.
    var holds = false
    /// Body bytes read from the client.
    var bytesTaken: UInt64 = 0
    var requestEnded = false
    /// The head has been given to an origin connection.
    var isSent = false
    var isReused = false
    var isRetry = false

    // The response on its way.
    var response = ResponseHead()
    /// A response head that has not come whole yet, or framing that needs more bytes.
    var responseInput = Buffer()
    var responseBody = BodyReader.none
    var heldBack = Hold()
    /// Something of the response has gone to the client.
    var isAnswering = false
    /// The response has no end of its own, so it is judged again when the configuration changes.
    var isStreaming = false
    /// The client never sent a byte: there was nothing to judge.
    var isSilent = false
    /// The origin has answered: what it takes to learn a rule.
    var isAnswered = false

    // What the record says.
    var id: RecordID
    var startMicroseconds: Int64 = 0
    var startTicks: Int64 = 0
    var status: Int?
    var bytesOut: UInt64 = 0
    var bytesIn: UInt64 = 0
    /// What had left when the verdict fell.
    var bytesBeforeVerdict: UInt64 = 0
    /// Spent on reading bodies.
    var inspectionNanoseconds: UInt64 = 0
    /// Ranges of the Host field's value that a finding overlaps.
    var maskedHost: [Range<Int>] = []
    /// When a record line that says `open` is due.
    var openDue = Ticks.never
    /// Bytes of the body at the last look at its rate, and when that was.
    var rateMark: (bytes: UInt64, at: Ticks) = (0, .never)

    init(_ worker: Worker) {
        inspection = Inspection(scratch: worker.scratch)
        snapshot = worker.snapshot
        decision = Decision(mode: .discover, uninspectable: .alert, cover: .uncovered)
        judge = worker.snapshot.policy
        id = worker.ids.next(at: 0)
    }

    var service: Service { snapshot.policy.services[identity.service] }
    var profile: Profile { snapshot.profiles[identity.service] }

    /// What a streamed body may have held. A tail is at most `match_bytes`; only a coding that gives nothing for what it
    /// takes (empty deflate blocks, say) carries it in more.
    var holdMost: Int { profile.hold + snapshot.settings.limits.matchBytes + 64 * 1024 }

    /// Makes the exchange ready for the next request.
    func begin(_ worker: Worker, identity: Identity) {
        snapshot = worker.snapshot
        self.identity = identity
        serviceNumber = worker.serviceNumbers[identity.service]
        startMicroseconds = worker.wallMicroseconds()
        startTicks = worker.microseconds()
        id = worker.ids.next(at: startMicroseconds)
        openDue = worker.loop.now + Exchange.openAfter
        let services = snapshot.policy.services
        decision = Decision(
            mode: services[identity.service].mode, uninspectable: services[identity.service].uninspectable,
            cover: .uncovered)
        action = decision.action
        inspection.reset(profile)
        reads = profile.reads
        readsResponse = !profile.readsResponses.isEmpty
    }

    /// A session that lives longer says so before its end.
    static let openAfter = Milliseconds.seconds(60)

    /// Forgets the last request; keeps the memory that the next one needs, and gives back what was unusually large.
    func shed() {
        bytes.shed()
        head.reset()
        response.reset()
        responseInput.shed()
        held.clear()
        heldBack.clear()
        (requestBody, responseBody) = (.none, .none)
        (application, name, namedBy, nameUntil, port, dial, stands) = (.tcp, nil, nil, nil, 0, nil, false)
        (call, requestFrames, responseFrames) = (nil, nil, nil)
        if !threats.isEmpty { threats = [] }
        (reads, readsResponse, uninspectable) = ([], false, nil)
        (holds, bytesTaken, requestEnded, isSent, isReused, isRetry) = (false, 0, false, false, false, false)
        (isAnswering, isAnswered, isStreaming, isSilent) = (false, false, false, false)
        (status, bytesOut, bytesIn, bytesBeforeVerdict) = (nil, 0, 0, 0)
        if !maskedHost.isEmpty { maskedHost = [] }
        rateMark = (0, .never)
        inspectionNanoseconds = 0
    }

    // MARK: Judging

    /// Has the sensors read what came next of a body or tunnel, and keeps the time that it takes.
    func feed(_ side: Side, _ data: UnsafeRawBufferPointer, end: Bool) {
        let start = Clock.nanoseconds()
        if let frames = side == .request ? requestFrames : responseFrames {
            frames.read(data, end: end, for: inspection)
        } else {
            inspection.feed(side, data, end: end)
        }
        inspectionNanoseconds &+= UInt64(Clock.nanoseconds() - start)
    }

    /// Takes the connection's own destination for the exchange's: nothing better is known of it.
    func aim(at target: Target) {
        dial = target.endpoint
        port = target.endpoint?.port ?? target.port ?? 0
        decide()
    }

    /// Decides by what is known so far, under the exchange's own snapshot.
    func decide() {
        judge(snapshot.policy, identity)
    }

    /// Takes over the decision about the exchange before it.
    func follow(_ standing: Decision) {
        decision = standing
        action = standing.action
        stands = true
    }

    /// Decides again by destination under another policy; what was seen stays seen.
    func judge(_ policy: Policy, _ identity: Identity) {
        let question = Question(
            service: identity.service, name: name, address: dial?.address, port: port, application: application)
        if policy !== judge { judge = policy }
        stands = false
        let services = policy.services
        var fresh = Decision(
            mode: services[identity.service].mode, uninspectable: services[identity.service].uninspectable,
            cover: policy.cover(question))
        for threat in threats { fresh.note(threat) }
        action = fresh.action
        decision = fresh
        noteInspection()
    }

    /// Denied, and nothing that is said inside could make it allowed.
    var isDeniedWhateverComes: Bool {
        guard action == .deny else { return false }
        guard decision.reason == .rule || decision.reason == .violation else { return true }
        return !snapshot.policy.couldAllow(
            service: identity.service, name: name, address: dial?.address, port: port)
    }

    func note(_ threat: Threat) {
        threats.append(threat)
        decision.note(threat)
        action = decision.action
    }

    /// Takes over what the inspection has found so far.
    func noteInspection() {
        let verdict = inspection.verdict
        if inspection.sawHoneytoken, !threats.contains(.honeytoken) { note(.honeytoken) }
        if verdict > .allow {
            decision.note(finding: verdict)
            action = decision.action
        }
        if uninspectable != nil || inspection.uninspectable != nil {
            if case .decompressionBomb? = inspection.uninspectable, !threats.contains(.decompressionBomb) {
                note(.decompressionBomb)
            }
            decision.note(uninspectable: service.uninspectable)
            action = decision.action
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether a field's value begins so.
    func starts(with text: StaticString, at range: Range<Int>) -> Bool {
        guard let baseAddress, range.count >= text.utf8CodeUnitCount else { return false }
        return memcmp(baseAddress + range.lowerBound, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}

extension Buffer {
    /// Empties the buffer, and gives its memory back if it grew beyond what heads need.
    mutating func shed() {
        if capacity > 16 * 1024 { release() } else { removeAll() }
    }
}
