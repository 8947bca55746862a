import Bytes

/// The questions of one loop on their way to servers: who is asked, how often, and what is believed.
///
/// It owns no socket and no clock. The caller carries out what `nextAction` says after each event, and hands in what
/// its sockets receive:
///
///     ask ──▶ .failed                                  (nobody to ask, too much under way, or failed a moment ago)
///      └────▶ .pending ──▶ nextAction: open a channel, send on it, close it
///                  received / failed / expired ──▶ nextAction …
///                                             └──▶ takeFinished: what it came to, and all who waited
///
/// An answer is believed if it comes on the socket its question left by, with its id, its question and its letters
/// (RFC 5452); what lies off the question's chain is `StoredAnswer`'s to drop.
public struct ForwarderCore: ~Copyable {
    public enum Start: Equatable, Sendable {
        /// The outcome comes out of `takeFinished`.
        case pending
        case failed(Failure)
    }

    public enum Kind: Sendable { case datagram, stream }

    /// What the caller shall do now.
    public enum Action: Equatable, Sendable {
        /// Connect a socket to the server, on a port of the kernel's choice; on a stream to one with a name, over TLS.
        case open(Channel, Kind, ServerAddress)
        /// Send what is behind the first two bytes, which are its length; on a stream send those too.
        case send(Channel, ContiguousArray<UInt8>)
        /// Close the socket; it is not spoken of again.
        case close(Channel)
    }

    /// Tries of one question, over all servers and transports.
    static let attemptsMost = 8
    static let retransmission = Milliseconds.seconds(1)
    /// On a stream, where a connection and a handshake may come first.
    static let streamPatience = Milliseconds.seconds(2)
    /// Of one zone; more would never be reached in time.
    static let serversMost = 16
    /// Servers named by questions, kept at once: clients choose them.
    static let namedServersMost = 1024
    /// Sockets open at once.
    static let linesMost = 4096
    static let failuresMost = 4096
    /// How long a server's weakness is remembered.
    static let weaknessTime = Milliseconds.minutes(10)
    /// Who may wait for one answer, for each question that may be under way.
    static let askersPerQuestion = 8

    let random: () -> UInt64
    /// Chooses which of a server's sockets questions leave by.
    var ports: UInt64
    /// Until a question is over.
    private(set) var timeout: Milliseconds
    private(set) var inflightMost: Int

    private(set) var rules = ForwardingRules()
    private var zoneTable = ZoneTable([])
    /// By zone; the last is of names in none.
    private var zoneServers: [[Int]] = [[]]

    var servers: ContiguousArray<Server?> = []
    var serverNumbers: [ServerAddress: Int] = [:]
    var lines: ContiguousArray<Line> = []
    var vacantLines: ContiguousArray<Int> = []
    var askings: ContiguousArray<Asking?> = []
    private var vacantAskings: ContiguousArray<Int> = []
    private var underWay: [Inquiry: Int] = [:]
    private var shares: ClientShares
    private(set) var askersWaiting = 0
    private var failures = FailureMemory(capacity: failuresMost)
    private var sweepAt = Ticks.never

    var actions = Queue<Action>()
    private var finished = Queue<Finished>()

    /// When `expired` shall be called at the latest.
    public private(set) var deadline = Ticks.never

    /// - Parameters:
    ///   - timeout: from a question to its end, whatever is missing.
    ///   - inflightMost: questions under way at once; past it a question fails.
    ///   - random: unpredictable bits; tests hand in a source of their own.
    public init(
        rules: ForwardingRules, timeout: Milliseconds, inflightMost: Int,
        random: @escaping () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) {
        self.random = random
        ports = random()
        shares = ClientShares(key: random())
        self.timeout = timeout
        self.inflightMost = inflightMost
        adopt(rules)
    }

    /// Questions under way.
    public var inflight: Int { askings.count - vacantAskings.count }

    public mutating func nextAction() -> Action? { actions.popFirst() }

    /// The next questions shall leave by other sockets. Those that leave together share one, for a call that takes them all:
    /// a forger has to guess the port of each no less than before.
    public mutating func changePorts() { ports = random() }
    public mutating func takeFinished() -> Finished? { finished.popFirst() }
}

// MARK: - Asking

extension ForwarderCore {
    /// Asks a question, or joins whoever asked it already.
    ///
    /// - Parameters:
    ///   - until: when the asker is told `.late` if nothing came; the question goes on for others and for the store.
    ///   - client: of whom no more than a quarter of what may be under way is asked for at once.
    public mutating func ask(
        _ inquiry: Inquiry, for asker: Asker, until: Ticks = .never, client: IPAddress? = nil, now: Ticks
    ) -> Start {
        guard askersWaiting < inflightMost * ForwarderCore.askersPerQuestion else { return .failed(.tooMany) }
        if inquiry.server == nil {
            if let place = underWay[inquiry] {
                askings[place]?.join(asker, until: until)
                askersWaiting += 1
                deadline = min(deadline, until)
                return .pending
            }
            if let failure = failures.find(inquiry, now: now) { return .failed(failure) }
        }
        guard inflight < inflightMost else { return .failed(.tooMany) }
        if let client, shares[client] >= max(1, inflightMost / 4) { return .failed(.tooMany) }
        do throws(Failure) {
            let asking = try asking(inquiry, now: now)
            asking.join(asker, until: until)
            asking.client = client
            // Before it begins: it may be over at once.
            askersWaiting += 1
            if let client { shares[client] += 1 }
            begin(asking, now: now)
            return .pending
        } catch {
            return .failed(error)
        }
    }

    /// Asks a question that nobody waits for, so that its answer is fresh when somebody does. It gives way to others: not
    /// asked where it is under way, failed a moment ago, or half of what may be under way is.
    public mutating func refresh(_ inquiry: Inquiry, now: Ticks) {
        guard inquiry.server == nil, inflight < inflightMost / 2, underWay[inquiry] == nil,
            failures.find(inquiry, now: now) == nil, let asking = try? asking(inquiry, now: now)
        else { return }
        begin(asking, now: now)
    }

    /// Asks the next server at `time` at the latest, where a question is under way.
    mutating func hurry(_ inquiry: Inquiry, by time: Ticks) {
        guard let place = underWay[inquiry], let asking = askings[place], time < asking.retryAt else { return }
        asking.retryAt = time
        deadline = min(deadline, time)
    }

    /// Whether a server that a question would go to has answered lately, or none was ever asked in vain. Where it is false,
    /// a stale answer may be given without waiting (RFC 8767 section 5).
    public func expectsAnswer(to inquiry: Inquiry) -> Bool {
        zoneServers[zone(of: inquiry)].contains { servers[$0]?.health.isWell == true }
    }

    private func zone(of inquiry: Inquiry) -> Int {
        zoneTable.zone(of: inquiry.name) ?? zoneServers.count - 1
    }

    /// Whether a zone of the rules has the question's name.
    public func hasZone(for inquiry: Inquiry) -> Bool { zoneTable.zone(of: inquiry.name) != nil }

    private mutating func asking(_ inquiry: Inquiry, now: Ticks) throws(Failure) -> Asking {
        var servers = zoneServers[zone(of: inquiry)]
        if let server = inquiry.server {
            guard let number = named(ServerAddress(server)) else { throw .tooMany }
            servers = [number]
        }
        guard !servers.isEmpty else { throw .noServers }
        return Asking(inquiry, servers: servers, ends: now + timeout, isProbe: false)
    }

    private mutating func begin(_ asking: Asking, now: Ticks) {
        for server in asking.servers { servers[server]?.holders += 1 }
        let place: Int
        if let vacant = vacantAskings.popLast() {
            place = vacant
            askings[place] = asking
        } else {
            place = askings.count
            askings.append(asking)
        }
        if asking.inquiry.server == nil, !asking.isProbe { underWay[asking.inquiry] = place }
        askNextServer(place, now: now)
        deadline = min(deadline, asking.deadline)
        if sweepAt == .never {
            sweepAt = now + Line.idleMost
            deadline = min(deadline, sweepAt)
        }
    }

    /// Sees whether a server that failed is well again, by a copy of a question that others are asked.
    mutating func probe(_ server: Int, with inquiry: Inquiry, now: Ticks) {
        begin(
            Asking(inquiry, servers: [server], ends: now + ForwarderCore.streamPatience, isProbe: true), now: now)
    }
}

// MARK: - Ending

extension ForwarderCore {
    /// Ends a question; whoever waits gets its outcome.
    mutating func settle(_ place: Int, _ outcome: Outcome, now: Ticks) {
        guard let asking = askings[place] else { return }
        askings[place] = nil
        vacantAskings.append(place)
        releaseAll(of: asking, now: now)
        for server in asking.servers { servers[server]?.holders -= 1 }
        if asking.isProbe { return }
        askersWaiting -= asking.askers.count
        if let client = asking.client { shares[client] -= 1 }
        if asking.inquiry.server == nil {
            underWay[asking.inquiry] = nil
            if case .failed(let failure) = outcome {
                // RFC 9520 section 3.2: for a second at least; spread, so that they do not return together.
                let life = Milliseconds(1000 + Int64(random() % 1000))
                failures.insert(failure, for: asking.inquiry, until: now + life)
            }
        }
        finished.append(Finished(asking.inquiry, outcome, askers: asking.askers))
    }

    /// Time has passed: asks next servers, ends what is over, and closes what is not used.
    public mutating func expired(now: Ticks) {
        guard deadline <= now else { return }
        for place in askings.indices {
            guard let asking = askings[place], asking.deadline <= now else { continue }
            noteSilence(place, now: now)
            if asking.ends <= now {
                settle(place, .failed(asking.failure ?? .silent), now: now)
                continue
            }
            if asking.retryAt <= now { askNextServer(place, now: now) }
            dismiss(place, now: now)
        }
        if sweepAt <= now { sweep(now: now) }
        deadline = askings.reduce(sweepAt) { min($0, $1?.deadline ?? .never) }
    }

    /// Tells those who would wait no longer.
    private mutating func dismiss(_ place: Int, now: Ticks) {
        guard let asking = askings[place], asking.patience.contains(where: { $0 <= now }) else { return }
        let gone = asking.patience.indices.filter { asking.patience[$0] <= now }
        let askers = ContiguousArray(gone.map { asking.askers[$0] })
        for index in gone.reversed() {
            asking.askers.remove(at: index)
            asking.patience.remove(at: index)
        }
        askersWaiting -= askers.count
        finished.append(Finished(asking.inquiry, .failed(.late), askers: askers))
    }

    private mutating func sweep(now: Ticks) {
        closeIdleLines(now: now)
        for number in servers.indices {
            guard let server = servers[number], !server.isConfigured, server.holders == 0, !server.hasLines else {
                continue
            }
            forget(number)
        }
        let isIdle = inflight == 0 && lines.count == vacantLines.count
        sweepAt = isIdle ? .never : now + Line.idleMost
    }
}

// MARK: - Rules

extension ForwarderCore {
    /// Takes new rules and bounds. Servers that stay keep their health and their sockets; questions whose servers are others
    /// now are asked anew, for whoever waits.
    public mutating func adopt(_ fresh: ForwardingRules, timeout: Milliseconds, inflightMost: Int, now: Ticks) {
        self.timeout = timeout
        self.inflightMost = inflightMost
        guard fresh != rules else { return }
        failures.removeAll()
        let before = servers.indices.filter { servers[$0]?.isConfigured == true }
        for number in before { servers[number]?.isConfigured = false }
        adopt(fresh)
        // They go when nothing is left on their lines.
        let gone = Set(before.filter { servers[$0]?.isConfigured == false })
        for place in askings.indices {
            guard let asking = askings[place], asking.inquiry.server == nil else { continue }
            if asking.isProbe {
                if gone.contains(asking.servers[0]) { settle(place, .failed(.silent), now: now) }
            } else if asking.servers != zoneServers[zone(of: asking.inquiry)] {
                restart(place, now: now)
            }
        }
    }

    private mutating func adopt(_ fresh: ForwardingRules) {
        rules = fresh
        zoneTable = ZoneTable(fresh.zones)
        let lists = fresh.zones.map(\.servers) + [fresh.servers]
        zoneServers = lists.map { list in
            list.prefix(ForwarderCore.serversMost).map { address in
                let number = serverNumbers[address] ?? add(address)
                servers[number]?.isConfigured = true
                return number
            }
        }
    }

    private mutating func restart(_ place: Int, now: Ticks) {
        guard let asking = askings[place] else { return }
        releaseAll(of: asking, now: now)
        for server in asking.servers { servers[server]?.holders -= 1 }
        let fresh = zoneServers[zone(of: asking.inquiry)]
        for server in fresh { servers[server]?.holders += 1 }
        asking.restart(fresh)
        guard !fresh.isEmpty else { return settle(place, .failed(.noServers), now: now) }
        askNextServer(place, now: now)
        deadline = min(deadline, asking.deadline)
    }

    private mutating func add(_ address: ServerAddress) -> Int {
        let number = servers.firstIndex { $0 == nil } ?? servers.count
        if number == servers.count { servers.append(nil) }
        servers[number] = Server(address, isConfigured: false)
        serverNumbers[address] = number
        return number
    }

    /// The number of a server that a question names.
    private mutating func named(_ address: ServerAddress) -> Int? {
        if let number = serverNumbers[address] { return number }
        if serverNumbers.count >= ForwarderCore.namedServersMost {
            let unused = servers.indices.first { servers[$0].map { !$0.isConfigured && $0.holders == 0 } ?? false }
            guard let unused else { return nil }
            closeLines(of: unused)
            forget(unused)
        }
        return add(address)
    }

    private mutating func forget(_ number: Int) {
        if let address = servers[number]?.address { serverNumbers[address] = nil }
        servers[number] = nil
    }
}
