import Bytes
import Config
import DNS
import Loop
import OS
import Policy
import Record

/// What all loops share: nothing that changes on the path of a byte.
///
/// Everything here is immutable, or has its own lock and is touched a few times a session at most.
final class Hub: Sendable {
    let writer: RecordWriter
    let learned: LearnedRules
    /// SO_MARK of our own connections; nil without CAP_NET_ADMIN.
    let mark: UInt32?
    let systemResolvers: [Endpoint]
    let hostsFile: Hosts
    /// Which client was told which name for which address.
    let memory: NameMemory
    /// How often each client asks for names.
    let rates = ClientRates()
    /// What clients carry out in names, and how names are cut for it.
    let watch: NameWatch
    let suffixes: PublicSuffixes
    /// What clients spread over the labels of many questions, put together. Shared, for the kernel spreads a client's
    /// questions over the loops; two of them meet at a lock only if they are of one client and one domain.
    private let decoders: [SharedDecoder]
    private static let decodersCount = 64
    let log: Log
    private let ownAddresses: Set<IPAddress>
    private let listeners: [Endpoint]
    private let clients = Guarded<[IPAddress: Int]>([:])
    private let numbers = Guarded(Numbers())
    /// What interception shows to clients.
    let leaves: LeafStore
    /// What is not read for a while though it is to be.
    let bypass = Bypass()
    private let whenDrained = Guarded<(@Sendable () -> Void)?>(nil)

    /// Names of services and sensors by the number that the metrics know them by; a number is never used again.
    private struct Numbers {
        var services: [String: Int] = [:]
        var sensors: [String: Int] = [:]
    }

    init(
        writer: RecordWriter, learned: LearnedRules, mark: UInt32?, systemResolvers: [Endpoint], hostsFile: Hosts,
        suffixes: PublicSuffixes, limits: Limits, log: Log, ownAddresses: [IPAddress], listeners: [Endpoint]
    ) {
        self.writer = writer
        self.learned = learned
        self.mark = mark
        self.systemResolvers = systemResolvers
        self.hostsFile = hostsFile
        self.suffixes = suffixes
        memory = NameMemory(capacity: limits.dnsMemory)
        watch = NameWatch(pairs: limits.dnsTunnelPairs)
        let pairs = max(limits.dnsTunnelPairs / 16 / Hub.decodersCount, 1)
        decoders = (0..<Hub.decodersCount).map { _ in SharedDecoder(pairs: pairs) }
        self.log = log
        leaves = LeafStore(log: log)
        self.ownAddresses = Set(ownAddresses)
        self.listeners = listeners
    }

    /// Whether a connection to `endpoint` would come straight back.
    func isOwnListener(_ endpoint: Endpoint) -> Bool {
        for listener in listeners where listener.port == endpoint.port {
            let isAny = listener.address == .anyV4 || listener.address == .anyV6
            if listener.address == endpoint.address || isAny && ownAddresses.contains(endpoint.address) { return true }
        }
        return false
    }

    // MARK: Names

    /// Hands out what a question adds to what its client said before in names of the domain.
    func decode(
        _ client: IPAddress, _ cut: NameCut, of name: UnsafeRawBufferPointer, now: Ticks,
        _ body: (LabelDecoder.View) -> Void
    ) {
        decoders[LabelDecoder.shard(client, cut, of: decoders.count)].decoder.withLock {
            $0.take(client, cut, of: name, now: now, body)
        }
    }

    // MARK: Clients

    /// Counts one more connection of a client, unless it has `most` on all loops together.
    func admit(_ client: IPAddress, most: Int) -> Bool {
        clients.withLock { clients in
            let count = clients[client, default: 0]
            guard count < most else { return false }
            clients[client] = count + 1
            return true
        }
    }

    func leave(_ client: IPAddress) {
        clients.withLock { clients in
            if let count = clients[client] { clients[client] = count > 1 ? count - 1 : nil }
        }
    }

    // MARK: Numbers

    func numbers(of services: [Service]) -> [Int] {
        numbers.withLock { numbers in
            services.map { service in
                if let known = numbers.services[service.name] { return known }
                let fresh = numbers.services.count
                numbers.services[service.name] = fresh
                return fresh
            }
        }
    }

    func number(ofSensor name: String) -> Int {
        numbers.withLock { numbers in
            if let known = numbers.sensors[name] { return known }
            let fresh = numbers.sensors.count
            numbers.sensors[name] = fresh
            return fresh
        }
    }

    var servicesNumbered: Int { numbers.withLock { $0.services.count } }

    /// The names in the order of their numbers.
    var numberedNames: (services: [String], sensors: [String]) {
        numbers.withLock { numbers in
            func ordered(_ table: [String: Int]) -> [String] { table.sorted { $0.value < $1.value }.map(\.key) }
            return (ordered(numbers.services), ordered(numbers.sensors))
        }
    }

    // MARK: Draining

    func onDrained(_ call: @escaping @Sendable () -> Void) { whenDrained.withLock { $0 = call } }

    /// A worker has closed its last session.
    func drained() { whenDrained.withLock { $0 }?() }
}

/// A lock cannot lie in an array by itself.
private final class SharedDecoder: Sendable {
    let decoder: Guarded<LabelDecoder>

    init(pairs: Int) { decoder = Guarded(LabelDecoder(pairs: pairs)) }
}
