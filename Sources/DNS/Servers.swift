import Bytes

/// A server that questions go to: over UDP and TCP in the clear, or over TLS (RFC 7858).
public struct ServerAddress: Hashable, Sendable {
    public var endpoint: Endpoint
    /// The name that its certificate must have; nil: in the clear.
    public var tlsName: DomainName?

    public init(_ endpoint: Endpoint, tlsName: DomainName? = nil) {
        self.endpoint = endpoint
        self.tlsName = tlsName
    }

    /// Parses `10.96.0.10:53` or `tls://9.9.9.9:853#dns.quad9.net`.
    public init?(_ text: some StringProtocol) {
        let scheme = "tls://"
        guard text.hasPrefix(scheme) else {
            guard let endpoint = Endpoint(text), endpoint.port != 0 else { return nil }
            self.init(endpoint)
            return
        }
        let parts = text.dropFirst(scheme.count).split(separator: "#", omittingEmptySubsequences: false)
        guard parts.count == 2, let endpoint = Endpoint(parts[0]), endpoint.port != 0,
            let name = DomainName(String(parts[1]))
        else { return nil }
        self.init(endpoint, tlsName: name)
    }
}

extension ServerAddress: CustomStringConvertible {
    public var description: String {
        tlsName.map { "tls://\(endpoint)#\($0)" } ?? "\(endpoint)"
    }
}

/// Which servers are asked for which names.
public struct ForwardingRules: Equatable, Sendable {
    public struct Zone: Equatable, Sendable {
        public var suffix: DomainName
        public var servers: [ServerAddress]

        public init(suffix: DomainName, servers: [ServerAddress]) {
            self.suffix = suffix
            self.servers = servers
        }
    }

    /// Asked for whatever no zone covers, in order of preference.
    public var servers: [ServerAddress]
    /// The longest suffix wins.
    public var zones: [Zone]

    public init(servers: [ServerAddress] = [], zones: [Zone] = []) {
        self.servers = servers
        self.zones = zones
    }
}

/// Suffixes on the wire, the longest first.
struct ZoneTable {
    private struct Entry {
        let suffix: ContiguousArray<UInt8>
        let zone: Int
    }

    private let entries: [Entry]

    init(_ zones: [ForwardingRules.Zone]) {
        entries = zones.enumerated().map { Entry(suffix: $1.suffix.wire, zone: $0) }
            .sorted { $0.suffix.count > $1.suffix.count }
    }

    /// The index of the zone with the longest suffix of a name, which is on the wire and in lower case.
    func zone(of name: ContiguousArray<UInt8>) -> Int? {
        if entries.isEmpty { return nil }
        return name.withUnsafeBufferPointer { name in
            for entry in entries where isLabel(in: name, at: name.count - entry.suffix.count) {
                if name[(name.count - entry.suffix.count)...].elementsEqual(entry.suffix) { return entry.zone }
            }
            return nil
        }
    }

    /// Whether a label begins at an offset: `notcluster.local` is not within `cluster.local`.
    private func isLabel(in name: UnsafeBufferPointer<UInt8>, at offset: Int) -> Bool {
        var at = 0
        while at < offset, at < name.count { at += 1 + Int(name[at]) }
        return at == offset
    }
}

/// What was seen of a server lately.
///
///     well ──silence──▶ suspect: others are asked first, and a copy of the next question probes it at once
///      ▲                   │ silence again: probed after 1 s, 2 s, 4 s … 60 s
///      └────any answer─────┘
struct Health {
    /// Of tries that began after the failure before: many questions that one outage meets are one failure.
    private(set) var failures = 0
    private var failedAt = Ticks(milliseconds: .min)
    private var probeAt = Ticks.never

    static let probeLeast = Milliseconds.seconds(1)
    static let probeMost = Milliseconds.seconds(60)

    var isWell: Bool { failures == 0 }

    mutating func answered() {
        guard failures > 0 else { return }
        (failures, probeAt) = (0, .never)
    }

    /// A try that began at `began` met silence or no connection.
    mutating func failed(began: Ticks, now: Ticks) {
        guard failures == 0 || began >= failedAt else { return }
        failures += 1
        failedAt = now
        guard failures > 1 else { return probeAt = now }
        let wait = Health.probeLeast.count << Int64(min(failures - 2, 16))
        probeAt = now + min(Milliseconds(wait), Health.probeMost)
    }

    /// Whether a probe shall be sent now; said once.
    mutating func takesProbe(now: Ticks) -> Bool {
        guard probeAt <= now else { return false }
        // Its failure sets the next time.
        probeAt = .never
        return true
    }
}

/// One server as the forwarder knows it. A class, held by one table: it is looked at for every question, and copied for none.
final class Server {
    let address: ServerAddress
    var health = Health()
    /// The line at each of the places that a datagram may leave by.
    var datagrams: ContiguousArray<Int?>
    var stream: Int?
    /// It said that it does not know EDNS (RFC 6891 section 7), and answered without.
    var plainUntil = Ticks(milliseconds: .min)
    /// It does not keep the letters of a question: it is asked where nobody can forge.
    var streamUntil = Ticks(milliseconds: .min)
    /// Of the rules; others were named by questions and go when they are not used.
    var isConfigured: Bool
    /// Questions that hold its number.
    var holders = 0

    /// Sockets that datagrams leave by. A forger must guess the port of the question beside its id, and 64 are cheap to keep.
    static let places = 64

    init(_ address: ServerAddress, isConfigured: Bool) {
        self.address = address
        self.isConfigured = isConfigured
        datagrams = ContiguousArray(repeating: nil, count: Server.places)
    }

    var hasLines: Bool { stream != nil || datagrams.contains { $0 != nil } }
}
