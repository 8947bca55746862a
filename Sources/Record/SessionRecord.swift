import Bytes

/// What gave a session its name.
public enum NamedBy: UInt8, Sendable, CaseIterable {
    case host, authority, sni, connect, dnsMemory

    public var label: StaticString {
        switch self {
        case .host: "host"
        case .authority: "authority"
        case .sni: "sni"
        case .connect: "connect"
        case .dnsMemory: "dns"
        }
    }
}

/// One finding as it is recorded: where, through which decodings, and never the matched text itself.
public struct FindingRecord: Sendable {
    public var sensor: String
    public var rule: String
    public var action: Action
    /// `url`, `header`, `body` or `packet`.
    public var context: String
    public var offset: Int
    /// On the wire.
    public var rawOffset: Int
    public var length: Int
    public var decoded: [String]
    /// Masked: `2*************5`.
    public var match: String
    public var fingerprint: String?
    /// `low`, `medium` or `high`.
    public var confidence: String
    /// Of the rule.
    public var version: String
    /// The masked match among what stood around it, masked as well; empty where none is asked for.
    public var excerpt: String
    /// The whole match, for who has the key.
    public var sealed: String?

    public init(
        sensor: String, rule: String, action: Action, context: String, offset: Int, rawOffset: Int? = nil,
        length: Int = 0, decoded: [String] = [], match: String, fingerprint: String? = nil, confidence: String = "high",
        version: String = "", excerpt: String = "", sealed: String? = nil
    ) {
        self.confidence = confidence
        self.rawOffset = rawOffset ?? offset
        self.length = length
        self.version = version
        self.excerpt = excerpt
        self.sealed = sealed
        self.sensor = sensor
        self.rule = rule
        self.action = action
        self.context = context
        self.offset = offset
        self.decoded = decoded
        self.match = match
        self.fingerprint = fingerprint
    }
}

/// All that one exchange or tunnel leaves behind; filled at its end, encoded at once.
///
/// The pointers need to be valid only during the call that takes the record. Nil means unknown. It is lent and never
/// copied: its dozen references would cost more than a tenth of encoding it.
public struct SessionRecord: ~Copyable {
    /// `open` announces a session that has lived for 60 s; its `session` line with the same id follows at its end.
    public enum Kind: Sendable { case session, open }

    public var kind: Kind
    public var id: RecordID
    /// Unix time at which the session began.
    public var startMicroseconds: Int64
    public var durationMicroseconds: Int64

    public var service: String
    public var pod: String?
    public var mode: Mode

    public var client: Endpoint
    /// Where the client wanted to go.
    public var destination: Endpoint?
    /// Where the gateway went; written only where that is another address.
    public var dialed: Endpoint?
    public var fqdn: DomainName?
    public var namedBy: NamedBy?

    public var application: Application
    public var method: UnsafeRawBufferPointer?
    public var host: UnsafeRawBufferPointer?
    /// The request target; it is recorded without its query.
    public var path: UnsafeRawBufferPointer?
    public var status: Int?

    public var bytesOut: UInt64
    public var bytesIn: UInt64
    public var bytesInspected: UInt64
    /// Why something could not be inspected: one of a few stable words.
    public var uninspectable: StaticString?

    public var action: Action
    /// What Protect would have done.
    public var would: Action
    public var rule: String?
    public var reason: Reason?
    public var threat: Threat?
    public var findings: [FindingRecord]
    public var bytesBeforeVerdict: UInt64
    public var listener: String

    /// Byte ranges that a finding overlaps: written as `*`.
    public var maskedHost: [Range<Int>]
    public var maskedPath: [Range<Int>]
    public var maskedFQDN: [Range<Int>]

    @inlinable public init(
        kind: Kind = .session, id: RecordID, startMicroseconds: Int64, durationMicroseconds: Int64 = 0,
        service: String, pod: String? = nil, mode: Mode, client: Endpoint, destination: Endpoint? = nil,
        dialed: Endpoint? = nil, fqdn: DomainName? = nil, namedBy: NamedBy? = nil, application: Application,
        method: UnsafeRawBufferPointer? = nil, host: UnsafeRawBufferPointer? = nil,
        path: UnsafeRawBufferPointer? = nil, status: Int? = nil, bytesOut: UInt64 = 0, bytesIn: UInt64 = 0,
        bytesInspected: UInt64 = 0, uninspectable: StaticString? = nil, action: Action, would: Action,
        rule: String? = nil, reason: Reason? = nil, threat: Threat? = nil, findings: [FindingRecord] = [],
        bytesBeforeVerdict: UInt64 = 0, listener: String, maskedHost: [Range<Int>] = [],
        maskedPath: [Range<Int>] = [], maskedFQDN: [Range<Int>] = []
    ) {
        self.kind = kind
        self.id = id
        self.startMicroseconds = startMicroseconds
        self.durationMicroseconds = durationMicroseconds
        self.service = service
        self.pod = pod
        self.mode = mode
        self.client = client
        self.destination = destination
        self.dialed = dialed
        self.fqdn = fqdn
        self.namedBy = namedBy
        self.application = application
        self.method = method
        self.host = host
        self.path = path
        self.status = status
        self.bytesOut = bytesOut
        self.bytesIn = bytesIn
        self.bytesInspected = bytesInspected
        self.uninspectable = uninspectable
        self.action = action
        self.would = would
        self.rule = rule
        self.reason = reason
        self.threat = threat
        self.findings = findings
        self.bytesBeforeVerdict = bytesBeforeVerdict
        self.listener = listener
        self.maskedHost = maskedHost
        self.maskedPath = maskedPath
        self.maskedFQDN = maskedFQDN
    }

    /// Whether no allow rule covers the session and the mode made something of it: a violation event is due.
    var isViolation: Bool { action > .allow && (reason == .violation || reason == .rule) }
    var hasEvents: Bool { !findings.isEmpty || hasThreatEvent || isViolation }
    var hasThreatEvent: Bool { threat != nil && !isToldAlready }

    /// Of a DNS transaction.
    public var names: NameFacts?
    /// Of a session in TLS.
    public var tls: TLSRecord?
    /// What a threat was told by, in numbers.
    public var evidence: [(key: StaticString, value: Int)] = []
    /// Its threat has been told already: no event.
    public var isToldAlready = false

    // Bounds of one line, so that a slot can stand for it.

    /// A longer path is cut: what follows is of no use to a reader and of use to whoever wants to fill the disk.
    static let pathBytesMax = 4096
    /// A host is at most 253 bytes, a port and brackets; more is not a host.
    static let hostBytesMax = 512
    static let methodBytesMax = 64
    /// Findings written out; the number of the others is `findings_omitted`.
    static let findingsMax = 32
}
