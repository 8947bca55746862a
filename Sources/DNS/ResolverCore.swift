import Bytes

/// The lookups of one loop: cache, coalescing, retries, and the checks that keep forged answers out.
///
/// It owns no socket and no clock. The caller carries out what `nextAction` says after each event, and hands in what
/// its sockets receive:
///
///     lookup ──▶ .known                                   (hosts file, cache, or nothing to ask)
///        └─────▶ .pending ──▶ nextAction: open a socket for a slot and send; close it
///                    received / receivedTCP / failed / expired ──▶ nextAction …
///                                                             └──▶ takeFinished: (name, answer)
public struct ResolverCore {
    public enum Lookup: Equatable, Sendable {
        case known(Answer)
        /// The answer will come out of `takeFinished`, once for all who asked meanwhile.
        case pending
    }

    /// What the caller shall do now. Every try has a slot and a socket of its own, so that a forger must guess the
    /// port as well (RFC 5452 section 4.5).
    public enum Action: Equatable, Sendable {
        /// Open a UDP socket on a port of the kernel's choice, connect it to the server, send the bytes.
        case sendUDP(server: Endpoint, slot: Slot, bytes: ContiguousArray<UInt8>)
        /// Connect to the server and send the bytes, whose first two are their length.
        case sendTCP(server: Endpoint, slot: Slot, bytes: ContiguousArray<UInt8>)
        /// Close the slot's socket; it is not spoken of again.
        case close(Slot)
    }

    /// Lookups under way; each holds two to a dozen sockets. Past it a lookup fails at once.
    static let inquiriesMax = 1024
    /// Tries of one question, over all servers and transports.
    static let attemptsMax = 8
    static let retransmission = Milliseconds.seconds(1)
    /// What the second half of a lookup gets when the first has addresses: servers exist that never answer for AAAA.
    static let halfGrace = Milliseconds(500)
    /// And when it is asked again, in case a datagram was lost.
    static let halfRetry = Milliseconds(200)

    private let servers: [Endpoint]
    private let hosts: HostsFile
    private let timeout: Milliseconds
    private let random: () -> UInt64
    private var cache: AnswerCache
    private var inquiries: [DomainName: Inquiry] = [:]
    private var owners: [Slot: (name: DomainName, half: Int)] = [:]
    private var lastSlot: UInt64 = 0
    /// The server asked first; it moves on when that server is silent.
    private var preferred = 0
    private var actions = Queue<Action>()
    private var finished = Queue<(DomainName, Answer)>()

    /// When `expired` shall be called at the latest.
    public private(set) var deadline = Ticks.never

    /// - Parameter random: unpredictable bits; tests hand in a seeded source.
    public init(
        servers: [Endpoint], limits: Limits, hosts: HostsFile = HostsFile(),
        random: @escaping () -> UInt64 = { UInt64.random(in: .min ... .max) }
    ) {
        self.servers = servers
        self.hosts = hosts
        self.random = random
        timeout = limits.resolveTimeout
        cache = AnswerCache(capacity: limits.resolverCache)
    }

    public var cachedNames: Int { cache.count }

    /// What can be said of a name without asking anybody.
    public mutating func known(_ name: DomainName, now: Ticks) -> Answer? {
        if let addresses = hosts.addresses(of: name) {
            return Answer(addresses: addresses, ttlSeconds: Answer.ttl.upperBound, outcome: .addresses)
        }
        return cache.find(name, now: now)
    }

    /// Asks for the addresses of a name, A and AAAA together.
    public mutating func lookup(_ name: DomainName, now: Ticks) -> Lookup {
        if let answer = known(name, now: now) { return .known(answer) }
        if inquiries[name] != nil { return .pending }
        guard !servers.isEmpty else {
            return .known(Answer(ttlSeconds: 1, outcome: .failed("no resolver is configured")))
        }
        guard inquiries.count < ResolverCore.inquiriesMax else {
            return .known(Answer(ttlSeconds: 1, outcome: .failed("too many lookups under way")))
        }
        var inquiry = Inquiry(
            name: name, ends: now + timeout,
            askings: [RecordType.a, .aaaa].map { Asking(type: $0, firstServer: preferred) })
        for half in inquiry.askings.indices { askNextServer(&inquiry, half, now: now) }
        deadline = min(deadline, inquiry.deadline)
        inquiries[name] = inquiry
        return .pending
    }

    public mutating func nextAction() -> Action? { actions.popFirst() }

    /// The name whose waiting callers can go on.
    public mutating func takeFinished() -> (DomainName, Answer)? { finished.popFirst() }
}

// MARK: - Events

extension ResolverCore {
    /// A datagram came to the slot's socket. What does not answer its question is ignored (RFC 5452 section 9.1).
    public mutating func received(
        _ datagram: UnsafeRawBufferPointer, from source: Endpoint, slot: Slot, now: Ticks
    ) {
        withAttempt(slot, now: now) { core, inquiry, half, index in
            let attempt = inquiry.askings[half].attempts[index]
            guard !attempt.overTCP, core.servers[attempt.server] == source else { return }
            core.judge(datagram, of: attempt, &inquiry, half, now: now)
        }
    }

    /// Bytes came on the slot's connection, cut anywhere.
    public mutating func receivedTCP(_ bytes: UnsafeRawBufferPointer, slot: Slot, now: Ticks) {
        withAttempt(slot, now: now) { core, inquiry, half, index in
            guard inquiry.askings[half].attempts[index].overTCP else { return }
            inquiry.askings[half].attempts[index].append(bytes)
            let attempt = inquiry.askings[half].attempts[index]
            guard let length = attempt.messageLength, attempt.stream.count == 2 + length else { return }
            attempt.stream.withUnsafeBytes { stream in
                let message = UnsafeRawBufferPointer(rebasing: stream.dropFirst(2))
                core.judge(message, of: attempt, &inquiry, half, now: now)
            }
        }
    }

    /// The slot's socket could not be opened, was refused, or ended.
    public mutating func failed(_ slot: Slot, now: Ticks) {
        withAttempt(slot, now: now) { core, inquiry, half, index in
            let attempt = inquiry.askings[half].attempts[index]
            core.leave(attempt.server)
            core.giveUp(attempt, &inquiry, half, "no connection to \(core.servers[attempt.server])", now: now)
        }
    }

    /// Time has passed: asks next servers, and ends lookups that are over.
    public mutating func expired(now: Ticks) {
        guard deadline <= now else { return }
        let due = inquiries.values.filter { $0.deadline <= now }.map(\.name)
        for name in due {
            guard var inquiry = inquiries.removeValue(forKey: name) else { continue }
            for half in inquiry.askings.indices where inquiry.askings[half].finding == nil {
                if inquiry.ends <= now {
                    let reason = inquiry.askings[half].failure ?? "no answer from any server in time"
                    settle(&inquiry, half, .failed(reason))
                } else if inquiry.askings[half].retryAt <= now {
                    if let silent = inquiry.askings[half].attempts.last?.server { leave(silent) }
                    askNextServer(&inquiry, half, now: now)
                }
            }
            conclude(inquiry, now: now)
        }
        deadline = inquiries.values.reduce(.never) { min($0, $1.deadline) }
    }

    /// Takes the inquiry that a slot belongs to out of the table, lets `body` work on it, and puts it back or ends it.
    private mutating func withAttempt(
        _ slot: Slot, now: Ticks, _ body: (inout ResolverCore, inout Inquiry, Int, Int) -> Void
    ) {
        guard let owner = owners[slot], var inquiry = inquiries.removeValue(forKey: owner.name) else { return }
        if let index = inquiry.askings[owner.half].attempts.firstIndex(where: { $0.slot == slot }) {
            body(&self, &inquiry, owner.half, index)
        }
        conclude(inquiry, now: now)
    }
}

// MARK: - Questions

extension ResolverCore {
    private mutating func askNextServer(_ inquiry: inout Inquiry, _ half: Int, now: Ticks) {
        let asking = inquiry.askings[half]
        guard asking.attemptsMade < ResolverCore.attemptsMax else {
            inquiry.askings[half].retryAt = .never
            return
        }
        let server = (asking.firstServer + asking.serversAsked) % servers.count
        // Letters in random case only on the first round: a server that does not repeat them is still understood.
        ask(server, &inquiry, half, edns: true, mixed: asking.serversAsked < servers.count, overTCP: false)
        inquiry.askings[half].serversAsked += 1
        inquiry.askings[half].retryAt = now + ResolverCore.retransmission
    }

    private mutating func ask(
        _ server: Int, _ inquiry: inout Inquiry, _ half: Int, edns: Bool, mixed: Bool, overTCP: Bool
    ) {
        lastSlot += 1
        let slot = Slot(number: lastSlot)
        var buffer = Buffer(capacity: 300)
        QueryWriter.write(
            id: UInt16(truncatingIfNeeded: random()), name: inquiry.name, type: inquiry.askings[half].type,
            into: &buffer, edns: edns ? QueryWriter.payloadSize : nil, capitals: mixed ? random() : 0)
        let query = ContiguousArray(buffer.readable)
        inquiry.askings[half].attempts.append(Attempt(slot: slot, server: server, overTCP: overTCP, query: query))
        inquiry.askings[half].attemptsMade += 1
        owners[slot] = (inquiry.name, half)
        if overTCP {
            let length = [UInt8(truncatingIfNeeded: query.count >> 8), UInt8(truncatingIfNeeded: query.count)]
            actions.append(.sendTCP(server: servers[server], slot: slot, bytes: length + query))
        } else {
            actions.append(.sendUDP(server: servers[server], slot: slot, bytes: query))
        }
    }

    private mutating func judge(
        _ message: UnsafeRawBufferPointer, of attempt: Attempt, _ inquiry: inout Inquiry, _ half: Int, now: Ticks
    ) {
        let reply = attempt.query.withUnsafeBytes { query in
            Reply(message, to: query, type: inquiry.askings[half].type, overTCP: attempt.overTCP)
        }
        switch reply {
        case .stray where !attempt.overTCP:
            break
        case .stray:
            giveUp(attempt, &inquiry, half, "the server answered another question", now: now)
        case .found(let finding):
            settle(&inquiry, half, finding)
        case .truncated, .otherLetters:
            askAgain(attempt, &inquiry, half, edns: true, overTCP: true, now: now)
        case .plainOnly:
            askAgain(attempt, &inquiry, half, edns: false, overTCP: attempt.overTCP, now: now)
        case .refused(let reason):
            giveUp(attempt, &inquiry, half, reason, now: now)
        }
    }

    /// Asks the same server in another way.
    private mutating func askAgain(
        _ attempt: Attempt, _ inquiry: inout Inquiry, _ half: Int, edns: Bool, overTCP: Bool, now: Ticks
    ) {
        guard inquiry.askings[half].attemptsMade < ResolverCore.attemptsMax else {
            giveUp(attempt, &inquiry, half, "no usable answer from \(servers[attempt.server])", now: now)
            return
        }
        close(attempt, &inquiry, half)
        ask(attempt.server, &inquiry, half, edns: edns, mixed: false, overTCP: overTCP)
    }

    /// Ends a try that failed: the next server is asked at once; when none is left the question has failed.
    private mutating func giveUp(
        _ attempt: Attempt, _ inquiry: inout Inquiry, _ half: Int, _ reason: String, now: Ticks
    ) {
        close(attempt, &inquiry, half)
        inquiry.askings[half].failure = reason
        let asking = inquiry.askings[half]
        if asking.serversAsked < servers.count, asking.attemptsMade < ResolverCore.attemptsMax {
            askNextServer(&inquiry, half, now: now)
        } else if asking.attempts.isEmpty {
            settle(&inquiry, half, .failed(reason))
        }
    }

    /// New lookups begin with another server.
    private mutating func leave(_ server: Int) {
        if server == preferred { preferred = (preferred + 1) % servers.count }
    }

    private mutating func settle(_ inquiry: inout Inquiry, _ half: Int, _ finding: Finding) {
        inquiry.askings[half].finding = finding
        for attempt in inquiry.askings[half].attempts { close(attempt, &inquiry, half) }
    }

    private mutating func close(_ attempt: Attempt, _ inquiry: inout Inquiry, _ half: Int) {
        inquiry.askings[half].attempts.removeAll { $0.slot == attempt.slot }
        owners[attempt.slot] = nil
        actions.append(.close(attempt.slot))
    }

    /// Answers the callers if both halves are settled; else puts the inquiry back.
    private mutating func conclude(_ inquiry: Inquiry, now: Ticks) {
        var inquiry = inquiry
        guard let v4 = inquiry.askings[0].finding, let v6 = inquiry.askings[1].finding else {
            inquiry.hurry(by: now + ResolverCore.halfGrace, retryAt: now + ResolverCore.halfRetry)
            deadline = min(deadline, inquiry.deadline)
            inquiries[inquiry.name] = inquiry
            return
        }
        let answer = Answer(v4, v6)
        var life = Milliseconds.seconds(Int64(answer.ttlSeconds))
        // RFC 9520 section 3.2: failures are remembered for a second at least; spread, so that they do not return together.
        if case .failed = answer.outcome { life = Milliseconds(1000 + Int64(random() % 1000)) }
        cache.insert(answer, for: inquiry.name, until: now + life, now: now)
        finished.append((inquiry.name, answer))
    }
}

extension Attempt {
    /// The length that the stream announces, once it is there.
    var messageLength: Int? {
        stream.count >= 2 ? Int(stream[0]) << 8 | Int(stream[1]) : nil
    }

    /// Takes what belongs to one message; what follows it is not asked for.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if let length = messageLength, stream.count == 2 + length { return }
            stream.append(byte)
        }
    }
}
