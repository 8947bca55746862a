import Bytes

/// What a loop's resolver works with.
public struct ResolverSettings: Sendable, Equatable {
    public var rules: ForwardingRules
    /// They go before any server's names.
    public var hosts: Hosts
    /// From a question to its end, whatever is missing.
    public var timeout: Milliseconds
    /// Questions under way at once. 4096: with half a second each, four times what one core forwards.
    public var inflightMost = 4096
    /// Of kept answers.
    public var cacheBytes = 64 << 20
    /// How long an answer is kept past its time, in case no server answers (RFC 8767 section 5).
    public var serveStale = Milliseconds.seconds(86_400)

    public init(rules: ForwardingRules, hosts: Hosts, limits: Limits) {
        self.rules = rules
        self.hosts = hosts
        timeout = limits.resolveTimeout
    }
}

/// All that a loop knows of names: hosts, kept answers, questions under way, and its own lookups of addresses. A client
/// that asks for a name and the gateway that opens it get the same answer.
///
/// It owns no socket and no clock:
///
///     find / hosts ──▶ an answer that is known
///     ask / lookup ──▶ .pending ──▶ nextAction …, received / failed / expired …
///                                        └──▶ takeFinished: for clients      takeFinishedLookup: for the gateway
public struct ResolverCore: ~Copyable {
    public enum Lookup: Equatable, Sendable {
        case known(Answer)
        /// The name will come out of `takeFinishedLookup`, once for all who asked meanwhile.
        case pending
    }

    /// Lookups of addresses under way.
    static let lookupsMost = 1024
    /// What the second half of a lookup gets when the first has addresses: servers exist that never answer for AAAA.
    static let halfGrace = Milliseconds(500)
    /// And when it is asked again, in case a datagram was lost.
    static let halfRetry = Milliseconds(200)
    /// What a question gets where a stale answer is at hand (RFC 8767 section 5: the client response timer).
    public static let stalePatience = Milliseconds(1800)
    /// Answers of lookups that are not in the store, or not whole there.
    static let notesMost = 1024

    private var settings: ResolverSettings
    private let random: () -> UInt64
    private var store: AnswerStore
    private var forwarder: ForwarderCore
    private var lookups: [UInt64: AddressLookup] = [:]
    private var lookupNumbers: [DomainName: UInt64] = [:]
    private var lastLookup: UInt64 = 0
    private var lookupDeadline = Ticks.never
    /// What lookups came to, for as long as nothing better is in the store.
    private var notes = AnswerCache(capacity: notesMost)
    private var finished = Queue<Finished>()
    private var finishedLookups = Queue<DomainName>()

    /// - Parameter random: unpredictable bits; tests hand in a seeded source.
    public init(_ settings: ResolverSettings, random: @escaping () -> UInt64 = { UInt64.random(in: .min ... .max) }) {
        self.settings = settings
        self.random = random
        store = AnswerStore(bytesMax: settings.cacheBytes, staleFor: settings.serveStale, random: random)
        forwarder = ForwarderCore(
            rules: settings.rules, timeout: settings.timeout, inflightMost: settings.inflightMost, random: random)
    }

    /// When `expired` shall be called at the latest.
    public var deadline: Ticks { min(forwarder.deadline, lookupDeadline) }
    /// Questions under way.
    public var inflight: Int { forwarder.inflight }
    public var cachedAnswers: Int { store.count }
    public var cachedBytes: Int { store.bytes }

    /// Takes new settings. Kept answers stay, unless servers or hosts have changed: others may answer otherwise. Whoever
    /// waits gets the answer of the new ones.
    public mutating func adopt(_ fresh: ResolverSettings, now: Ticks) {
        let keepsAnswers =
            fresh.rules == settings.rules && fresh.hosts == settings.hosts && fresh.cacheBytes == settings.cacheBytes
            && fresh.serveStale == settings.serveStale
        if !keepsAnswers {
            store = AnswerStore(bytesMax: fresh.cacheBytes, staleFor: fresh.serveStale, random: random)
        }
        settings = fresh
        notes = AnswerCache(capacity: ResolverCore.notesMost)
        forwarder.adopt(fresh.rules, timeout: fresh.timeout, inflightMost: fresh.inflightMost, now: now)
        collect(now: now)
    }
}

// MARK: - Questions of clients

extension ResolverCore {
    /// What is kept for a question, which is then for no name of the hosts. Allocates nothing.
    public mutating func find(_ key: QuestionKey, now: Ticks) -> AnswerStore.Hit? { store.find(key, now: now) }

    /// The answer that the hosts have for a question: addresses, or that there is no such record. Allocates only if the
    /// name is one of theirs.
    public func hosts(_ key: QuestionKey) -> StoredAnswer? { settings.hosts.answer(key) }

    /// Asks servers, or joins whoever asks already; `takeFinished` gives the outcome with the number in it.
    public mutating func ask(
        _ key: QuestionKey, name: DomainName?, number: UInt64, until: Ticks, client: IPAddress?, now: Ticks
    ) -> ForwarderCore.Start {
        defer { collect(now: now) }
        let inquiry = Inquiry(key, host: .some(name))
        return forwarder.ask(inquiry, for: .client(number), until: until, client: client, now: now)
    }

    /// Asks for what is kept and soon past its time, or past it; nobody waits.
    public mutating func refresh(_ key: QuestionKey, now: Ticks) {
        forwarder.refresh(Inquiry(key), now: now)
        collect(now: now)
    }

    /// Whether servers are expected to answer; where not, what is stale may be given at once.
    public func expectsAnswer(to key: QuestionKey) -> Bool { forwarder.expectsAnswer(to: Inquiry(key)) }

    /// Whether the rules have a zone for the name, which then goes before the server that a client meant.
    public func hasZone(for key: QuestionKey) -> Bool { forwarder.hasZone(for: Inquiry(key)) }

    /// Something waits to be taken.
    public var hasFinished: Bool { !finished.isEmpty || !finishedLookups.isEmpty }

    /// Outcomes, each with the askers that are clients; answers are in the store already.
    public mutating func takeFinished() -> Finished? { finished.popFirst() }
}

// MARK: - Lookups of the gateway

extension ResolverCore {
    /// What can be said of a name without asking anybody.
    public mutating func known(_ name: DomainName, now: Ticks) -> Answer? {
        if let addresses = settings.hosts.addresses(of: name) {
            return Answer(addresses: addresses, ttlSeconds: Answer.ttl.upperBound, outcome: .addresses)
        }
        return kept(name, now: now) ?? notes.find(name, now: now)
    }

    /// On the path of every request: the name is written once, and nothing is allocated unless both halves have addresses.
    private mutating func kept(_ name: DomainName, now: Ticks) -> Answer? {
        withUnsafeTemporaryAllocation(byteCount: name.bytes.count + 2, alignment: 8) { room in
            name.write(into: room)
            let wire = UnsafeRawBufferPointer(room)
            guard let v4 = store.find(QuestionKey(name: wire, type: .a), now: now), !v4.isStale,
                let v6 = store.find(QuestionKey(name: wire, type: .aaaa), now: now), !v6.isStale
            else { return nil }
            return Answer(Finding(v4.answer, age: v4.age), Finding(v6.answer, age: v6.age))
        }
    }

    /// Asks for the addresses of a name, A and AAAA together.
    public mutating func lookup(_ name: DomainName, now: Ticks) -> Lookup {
        if let answer = known(name, now: now) { return .known(answer) }
        if lookupNumbers[name] != nil { return .pending }
        guard lookups.count < ResolverCore.lookupsMost else {
            return .known(Answer(ttlSeconds: 1, outcome: .failed(Failure.tooMany.reason)))
        }
        lastLookup += 1
        var lookup = AddressLookup(name)
        for type in AddressLookup.types { begin(type, of: &lookup, now: now) }
        if let answer = lookup.answer {
            // Over at once.
            note(answer, of: name, now: now)
            return .known(answer)
        }
        lookups[lastLookup] = lookup
        lookupNumbers[name] = lastLookup
        update(lastLookup, now: now)
        collect(now: now)
        return .pending
    }

    /// The name whose waiting callers can go on.
    public mutating func takeFinishedLookup() -> DomainName? { finishedLookups.popFirst() }

    private mutating func begin(_ type: RecordType, of lookup: inout AddressLookup, now: Ticks) {
        if let kept = kept(lookup.name, type, now: now) { return lookup.settle(type, kept) }
        let inquiry = Inquiry(lookup.name, type)
        switch forwarder.ask(inquiry, for: .lookup(lastLookup, type), now: now) {
        case .failed(let failure): lookup.settle(type, finding(of: failure, lookup.name, type, now: now))
        case .pending:
            if stale(lookup.name, type, now: now) != nil { lookup.ends = now + ResolverCore.stalePatience }
        }
    }

    private mutating func kept(_ name: DomainName, _ type: RecordType, now: Ticks) -> Finding? {
        guard let hit = hit(name, type, now: now), !hit.isStale else { return nil }
        return Finding(hit.answer, age: hit.age)
    }

    /// Addresses past their time, good for a moment.
    private mutating func stale(_ name: DomainName, _ type: RecordType, now: Ticks) -> Finding? {
        guard let hit = hit(name, type, now: now), hit.isStale, !hit.answer.addresses.isEmpty else { return nil }
        return .addresses(hit.answer.addresses, ttl: Answer.partialTTL)
    }

    private mutating func hit(_ name: DomainName, _ type: RecordType, now: Ticks) -> AnswerStore.Hit? {
        withUnsafeTemporaryAllocation(byteCount: name.bytes.count + 2, alignment: 1) { room in
            name.write(into: room)
            let key = QuestionKey(name: UnsafeRawBufferPointer(room), type: type)
            return store.find(key, now: now)
        }
    }

    private mutating func finding(
        of failure: Failure, _ name: DomainName, _ type: RecordType, now: Ticks
    ) -> Finding {
        stale(name, type, now: now) ?? .failed(failure.reason)
    }

    /// One half has come to something. Out of the way of what clients wait for.
    @inline(never)
    private mutating func settle(_ number: UInt64, _ type: RecordType, _ outcome: Outcome, now: Ticks) {
        guard var lookup = lookups[number] else { return }
        switch outcome {
        case .answer(let answer, _): lookup.settle(type, Finding(answer))
        case .failed(let failure): lookup.settle(type, finding(of: failure, lookup.name, type, now: now))
        }
        lookups[number] = lookup
        update(number, now: now)
    }

    /// Ends a lookup that is whole, and gives one that lacks a half a short time only.
    private mutating func update(_ number: UInt64, now: Ticks) {
        guard let lookup = lookups[number] else { return }
        if let answer = lookup.answer { return conclude(number, answer, now: now) }
        if let lacking = lookup.lacking {
            let end = now + ResolverCore.halfGrace
            if end < lookup.ends { lookups[number]?.ends = end }
            forwarder.hurry(Inquiry(lookup.name, lacking), by: now + ResolverCore.halfRetry)
        }
        lookupDeadline = min(lookupDeadline, lookups[number]?.ends ?? .never)
    }

    private mutating func conclude(_ number: UInt64, _ answer: Answer, now: Ticks) {
        guard let lookup = lookups.removeValue(forKey: number) else { return }
        lookupNumbers[lookup.name] = nil
        note(answer, of: lookup.name, now: now)
        finishedLookups.append(lookup.name)
    }

    /// Whoever waited asks again in a moment, and shall find what it waited for, even if it was not to be kept.
    private mutating func note(_ answer: Answer, of name: DomainName, now: Ticks) {
        var life = Milliseconds.seconds(Int64(min(answer.ttlSeconds, Answer.partialTTL)))
        // RFC 9520 section 3.2: failures are remembered for a second at least; spread, so that they do not return together.
        if case .failed = answer.outcome { life = Milliseconds(1000 + Int64(random() % 1000)) }
        notes.insert(answer, for: name, until: now + life, now: now)
    }
}

// MARK: - Events

extension ResolverCore {
    public mutating func nextAction() -> ForwarderCore.Action? { forwarder.nextAction() }

    /// The next questions shall leave by other sockets.
    public mutating func changePorts() { forwarder.changePorts() }

    /// A datagram came, or bytes of a stream, cut anywhere.
    public mutating func received(_ bytes: UnsafeRawBufferPointer, on channel: Channel, now: Ticks) {
        forwarder.received(bytes, on: channel, now: now)
        collect(now: now)
    }

    /// A channel could not be opened, was refused, or has ended.
    public mutating func failed(_ channel: Channel, because reason: String? = nil, now: Ticks) {
        forwarder.failed(channel, because: reason, now: now)
        collect(now: now)
    }

    /// Time has passed.
    public mutating func expired(now: Ticks) {
        forwarder.expired(now: now)
        collect(now: now)
        guard lookupDeadline <= now else { return }
        for (number, lookup) in lookups where lookup.ends <= now {
            for type in lookup.missing { settle(number, type, .failed(.silent), now: now) }
        }
        lookupDeadline = lookups.values.reduce(.never) { min($0, $1.ends) }
    }

    /// Hosts go before what is kept, and may have come while servers were asked: who finds an answer need not ask them.
    private mutating func keep(_ answer: StoredAnswer, for key: QuestionKey, now: Ticks) {
        if answer.lifetimeSeconds > 0, settings.hosts.answer(key) == nil { store.insert(answer, for: key, now: now) }
    }

    /// Keeps what was answered, and hands it to who waits.
    private mutating func collect(now: Ticks) {
        while let over = forwarder.takeFinished() {
            // What a client's own choice of server answered is for it alone.
            if case .answer(let answer, _) = over.outcome, over.inquiry.server == nil {
                over.inquiry.withKey { keep(answer, for: $0, now: now) }
            }
            var hasClients = false
            for asker in over.askers {
                switch asker {
                case .client: hasClients = true
                case .lookup(let number, let type): settle(number, type, over.outcome, now: now)
                }
            }
            if hasClients { finished.append(over) }
        }
    }
}
