import Bytes
import Config
import DLP
import DNS
import Loop
import OS
import Policy
import Record
import Upstream

/// One event loop and all that belongs to it: its listeners, sessions, origin connections, lookups, scratch and counters.
///
/// Nothing here is shared: other threads hand in snapshots and take out counters by posting to the loop.
final class Worker {
    let loop: EventLoop
    let hub: Hub
    let recorder: Recorder
    let scratch = Scratch()
    let pool: OriginPool
    private(set) lazy var shared = SharedOrigins(self)
    let resolver: Resolver
    private(set) var snapshot: Snapshot
    /// By index of the snapshot's services.
    private(set) var serviceNumbers: [Int]
    /// Likewise: whether a rule of the service allows addresses, whatever their names.
    private var addressRules: [Bool]
    /// Yielded from where they lie, not copied: they are some hundred bytes, and looked at for every read.
    var limits: Limits { _read { yield snapshot.settings.limits } }
    var ids = RecordIDs()
    var counters: Counters
    /// Where reads go. 64 KiB: larger ones did not lower the calls per body.
    let room: UnsafeMutableRawBufferPointer
    /// Where heads and chunk framing are written before they leave; empty between steps.
    var outbox = Buffer(capacity: 16 * 1024)
    private(set) var heldBytes = 0
    private(set) var isDraining = false
    private var hasDrained = false

    /// Where there is a `dns` listener.
    private(set) var names: NameServer?
    private var listeners: [Listener] = []
    private(set) var nameDoors: [NameDatagrams] = []
    private var spareExchanges: [Exchange] = []
    private var sparePipes: [PipeLoan] = []
    private var slotWaiters: [Token] = []
    private var holdWaiters: Set<Token> = []
    private(set) var sessions = 0
    private var flushDue = Ticks.never

    /// Exchanges and pipes kept for the next user; more are made when more are needed at once.
    private static let sparesKept = 64

    init(hub: Hub, snapshot: Snapshot, mailbox: Mailbox) throws(Errno) {
        loop = try EventLoop(mailbox: mailbox)
        self.hub = hub
        self.snapshot = snapshot
        recorder = Recorder(writer: hub.writer)
        serviceNumbers = hub.numbers(of: snapshot.policy.services)
        addressRules = Worker.addressRules(snapshot.policy)
        counters = Counters(services: hub.servicesNumbered)
        room = .allocate(byteCount: 64 * 1024, alignment: 64)
        pool = OriginPool(loop: loop, mark: hub.mark, room: room)
        pool.trust = snapshot.trust
        resolver = try Resolver(loop: loop, settings: Worker.resolverSettings(snapshot, hub), mark: hub.mark)
        pool.connectTook = { [unowned self] in counters.addUpstreamConnect(microseconds: $0.count * 1000) }
        pool.counted = { [unowned self] in $0 > 0 ? counters.opened(.upstream) : counters.closed(.upstream) }
        resolver.wake = { [unowned self] in wake($0) }
        resolver.answered = { [unowned self] in names?.answered($0, $1) }
        resolver.trust = snapshot.trust
        loop.turnEnded = { [unowned self] in flushRecords() }
    }

    deinit { room.deallocate() }

    private static func resolverSettings(_ snapshot: Snapshot, _ hub: Hub) -> ResolverSettings {
        let dns = snapshot.settings.dns
        func address(_ resolver: DNSSettings.Resolver) -> ServerAddress {
            ServerAddress(resolver.endpoint, tlsName: resolver.tlsName)
        }
        // A machine whose names come from the gateway itself would have it ask itself.
        let servers =
            dns.resolvers.isEmpty
            ? hub.systemResolvers.filter { !hub.isOwnListener($0) }.map { ServerAddress($0) }
            : dns.resolvers.map(address)
        var hosts = hub.hostsFile
        for entry in dns.hosts { hosts.set(entry.name, entry.addresses) }
        var settings = ResolverSettings(
            rules: ForwardingRules(
                servers: servers,
                zones: dns.zones.map { .init(suffix: $0.suffix, servers: $0.resolvers.map(address)) }),
            hosts: hosts, limits: snapshot.settings.limits)
        settings.inflightMost = snapshot.settings.limits.dnsInflight
        settings.cacheBytes = snapshot.settings.limits.dnsCache
        settings.serveStale = dns.serveStale
        return settings
    }

    // MARK: Listening

    func listen(_ settings: ListenerSettings) throws(Errno) {
        let context = ListenerContext(settings)
        if context.isForNames {
            if names == nil { names = try NameServer(self) }
            // A socket for IPv6 takes none of IPv4, whose packet information is another's.
            for address in settings.address.address == .anyV6 ? [IPAddress.anyV6, .anyV4] : [settings.address.address] {
                let door = try NameDatagrams(context, worker: self, at: Endpoint(address, settings.address.port))
                try door.open()
                nameDoors.append(door)
            }
        }
        let listener = try Listener(context, worker: self)
        try listener.open()
        listeners.append(listener)
    }

    // MARK: Sessions

    /// Counts one more connection of a client, if it may have one; `hub.leave` when it is over.
    func admits(_ client: IPAddress) -> Bool {
        sessions < limits.connections && hub.admit(client, most: limits.connectionsPerClient)
    }

    func opened() {
        sessions += 1
        counters.opened(.client)
    }

    func closed(_ connection: Handler, from client: Endpoint) {
        sessions -= 1
        hub.leave(client.address)
        counters.closed(.client)
        loop.remove(connection)
        tellDrained()
    }

    private func wake(_ token: Token) {
        guard let handler = loop.handler(token) else { return }
        if let session = handler as? Session { session.wake() } else { handler.resumed() }
    }

    func waitForSlot(_ token: Token) { slotWaiters.append(token) }

    /// The record writer has room again.
    func recordsResumed() {
        let waiters = slotWaiters
        slotWaiters.removeAll()
        for listener in listeners { listener.resumed() }
        for door in nameDoors { door.resumed() }
        for token in waiters { wake(token) }
    }

    func waitForHold(_ session: Session) { holdWaiters.insert(session.token) }

    func held(_ count: Int) { heldBytes += count }

    func released(_ count: Int) {
        heldBytes -= count
        guard !holdWaiters.isEmpty, heldBytes < limits.holdTotal else { return }
        let waiters = holdWaiters
        holdWaiters.removeAll()
        for token in waiters { if let session = loop.handler(token) { loop.again(session) } }
    }

    // MARK: What is kept for reuse

    func exchange(for identity: Identity) -> Exchange {
        let exchange = spareExchanges.popLast() ?? Exchange(self)
        exchange.begin(self, identity: identity)
        return exchange
    }

    func recycle(_ exchange: Exchange) {
        guard spareExchanges.count < Worker.sparesKept, exchange.snapshot === snapshot else { return }
        exchange.shed()
        spareExchanges.append(exchange)
    }

    func lendPipe() throws(Errno) -> PipeLoan {
        if let spare = sparePipes.popLast() { return spare }
        return try PipeLoan()
    }

    func takeBack(_ pipe: PipeLoan) {
        if sparePipes.count < Worker.sparesKept { sparePipes.append(pipe) }
    }

    // MARK: Configuration

    /// Takes a new snapshot: what begins from now on is judged by it, and what only flows is judged again.
    func adopt(_ fresh: Snapshot) {
        snapshot = fresh
        serviceNumbers = hub.numbers(of: fresh.policy.services)
        addressRules = Worker.addressRules(fresh.policy)
        counters.grow(services: hub.servicesNumbered)
        resolver.adopt(Worker.resolverSettings(fresh, hub))
        resolver.trust = fresh.trust
        pool.trust = fresh.trust
        loop.forEachHandler { ($0 as? Session)?.judgeAgain(under: fresh) }
        names?.adopted()
        // Spares would keep the old snapshot alive.
        spareExchanges.removeAll()
    }

    /// Takes no new connections, lets exchanges finish, and closes what is idle.
    func drain() {
        isDraining = true
        for listener in listeners { listener.close() }
        listeners.removeAll()
        pool.retire()
        shared.retire()
        loop.forEachHandler {
            ($0 as? Session)?.drain()
            ($0 as? NameDoor)?.drain()
        }
        tellDrained()
    }

    /// Once: the last session of a draining worker has closed.
    private func tellDrained() {
        guard isDraining, sessions == 0, !hasDrained else { return }
        hasDrained = true
        hub.drained()
    }

    /// The loop has stopped: what is still open leaves its records.
    func end() {
        loop.forEachHandler { ($0 as? Session)?.end() }
        names?.end()
        pool.retire()
        recorder.flush()
    }

    private static func addressRules(_ policy: Policy) -> [Bool] {
        policy.services.map { service in
            policy.rules(of: service.index).contains { $0.action == .allow && policy.speaksOfAddresses($0) }
        }
    }

    /// Whether an address could be allowed to the exchange's service though its name is not.
    func allowsAddresses(_ exchange: Exchange) -> Bool {
        let rules = exchange.snapshot === snapshot ? addressRules : Worker.addressRules(exchange.snapshot.policy)
        return rules[exchange.identity.service]
    }

    func isOwnListener(_ endpoint: Endpoint) -> Bool { hub.isOwnListener(endpoint) }

    // MARK: Records

    private func flushRecords() {
        guard recorder.pendingBytes > 0 else { return }
        if recorder.wantsFlush || loop.now >= flushDue {
            recorder.flush()
            flushDue = .never
            loop.longestSleep = 60_000
        } else if flushDue == .never {
            flushDue = loop.now + snapshot.settings.records.flush
            loop.longestSleep = snapshot.settings.records.flush.count
        }
    }
}
