import Bytes
import DNS
import Loop
import OS
import TLS

/// The names of one loop: `ResolverCore` decides, this opens the sockets and keeps the time.
///
/// It answers the gateway, which opens names (`known`, `lookup`), and the DNS server, whose clients ask for them
/// (`hosts`, `find`, `ask`, `refresh`): from one store and by the same questions, so that both get the same answer.
public final class Resolver: Handler {
    unowned(unsafe) let loop: EventLoop
    private var core: ResolverCore
    private let mark: UInt32?
    /// By the slot of their channel.
    private var channels: ContiguousArray<ResolverChannel?> = []
    private var waiting: [DomainName: [Token]] = [:]
    /// Who may vouch for servers that are asked over TLS; without it none of them is. One trust serves all loops.
    public var trust: Trust?
    /// Of servers of the configuration, since others are not asked over TLS.
    private var tickets: [ServerAddress: Resumption] = [:]
    /// Where streams are read to: the largest message, behind its length.
    let room: UnsafeMutableRawBufferPointer
    /// Questions in datagrams, which all leave by one socket at the end of the turn.
    private var questions = DatagramBatch(each: 512)
    private var leaving: DatagramChannel?
    /// What came on the socket that is read.
    private var answers = DatagramBatch(each: answerBytes)

    /// More than a server may send, by what it is told with the question; what is longer is not understood.
    private static let answerBytes = 4096
    /// Where so many questions wait for servers, nobody is kept waiting by a moment in which answers gather.
    private static let gathersFrom = 32

    /// Called for each token that waited for a name.
    public var wake: (Token) -> Void = { _ in }
    /// Called for each question that a client's server asked, with the number that it gave.
    public var answered: (UInt64, Outcome) -> Void = { _, _ in }

    public init(loop: EventLoop, settings: ResolverSettings, mark: UInt32?) throws(Errno) {
        self.loop = loop
        self.mark = mark
        let pool = RandomPool()
        core = ResolverCore(settings, random: { pool.next() })
        room = .allocate(byteCount: 65_537, alignment: 64)
        super.init()
        try loop.add(self, descriptor: nil)
    }

    deinit { room.deallocate() }

    /// Takes new settings. Kept answers stay if the servers do; whoever waits gets the answer of the new ones.
    public func adopt(_ settings: ResolverSettings) {
        tickets.removeAll()
        core.adopt(settings, now: loop.now)
        work()
    }

    /// Ends its sockets. Nobody is told.
    public func close() {
        for channel in channels {
            channel?.finish()
            if let channel { loop.remove(channel) }
        }
        channels.removeAll()
        leaving = nil
        questions.removeAll()
        waiting.removeAll()
        loop.remove(self)
    }

    public override func expired() {
        core.expired(now: loop.now)
        act()
    }

    public override func resumed() {
        flush()
        act()
    }

    /// Questions under way.
    public var inflight: Int { core.inflight }
    public var cachedAnswers: Int { core.cachedAnswers }
    public var cachedBytes: Int { core.cachedBytes }
}

// MARK: - For the gateway

extension Resolver {
    /// What can be said of a name without asking anybody.
    public func known(_ name: DomainName) -> Answer? { core.known(name, now: loop.now) }

    /// What is known of a name; if nothing is, `wake` follows for `token` when something is, and never before the return.
    public func lookup(_ name: DomainName, for token: Token) -> ResolverCore.Lookup {
        let lookup = core.lookup(name, now: loop.now)
        if lookup == .pending { waiting[name, default: []].append(token) }
        work()
        return lookup
    }
}

// MARK: - For the DNS server

extension Resolver {
    /// What is kept for a question. Allocates nothing.
    public func find(_ key: QuestionKey) -> AnswerStore.Hit? { core.find(key, now: loop.now) }

    /// The answer that the hosts have, which goes before any other.
    public func hosts(_ key: QuestionKey) -> StoredAnswer? { core.hosts(key) }

    /// Asks servers: the one that the key names, or those of the name's zone. Unless it fails at once, `answered` follows
    /// with `number`, exactly once and never before the return. The answer is in the store by then, if it may be.
    ///
    /// - Parameters:
    ///   - name: the key's, unless it is none that a host can have.
    ///   - until: when to be told `.late` if nothing came, because a stale answer is at hand
    ///     (`ResolverCore.stalePatience`).
    ///   - client: who asks, so that nobody has more than its share of what may be under way.
    public func ask(
        _ key: QuestionKey, name: DomainName?, number: UInt64, until: Ticks = .never, client: IPAddress? = nil
    ) -> ForwarderCore.Start {
        let start = core.ask(key, name: name, number: number, until: until, client: client, now: loop.now)
        work()
        return start
    }

    /// Asks for what is kept and in use and soon past its time (`wantsPrefetch`), or past it; nobody waits.
    public func refresh(_ key: QuestionKey) {
        core.refresh(key, now: loop.now)
        work()
    }

    /// Whether a server for the name has answered lately or was not asked; if not, what is stale may be given at once.
    public func expectsAnswer(to key: QuestionKey) -> Bool { core.expectsAnswer(to: key) }

    /// Whether a zone of the configuration has the name, and so goes before the resolver that a client meant.
    public func hasZone(for key: QuestionKey) -> Bool { core.hasZone(for: key) }
}

// MARK: - Events

extension Resolver {
    func received(_ channel: ResolverChannel, _ bytes: UnsafeRawBufferPointer) {
        core.received(bytes, on: channel.channel, now: loop.now)
        act()
    }

    /// Datagrams wait on a socket. Where more do than are read in a call, the loop says so again.
    func readable(_ channel: DatagramChannel) {
        do throws(Errno) {
            for index in 0..<(try answers.receive(from: channel.socket, addressed: false)) {
                core.received(answers[index], on: channel.channel, now: loop.now)
            }
        } catch {
            core.failed(channel.channel, now: loop.now)
        }
        act()
        gather()
    }

    func failed(_ channel: ResolverChannel, because reason: String? = nil) {
        core.failed(channel.channel, because: reason, now: loop.now)
        act()
    }

    /// Sends a question with those that leave by the same socket.
    func send(_ question: UnsafeRawBufferPointer, by channel: DatagramChannel) {
        if leaving !== channel || questions.isFull { flush() }
        leaving = channel
        questions.append(question)
        loop.again(self)
    }

    /// What follows from a failure is for the caller to carry out. A datagram for which there is no room is a lost one.
    private func flush() {
        guard let channel = leaving else { return }
        leaving = nil
        if questions.send(on: channel.socket).refusal != nil { core.failed(channel.channel, now: loop.now) }
        core.changePorts()
        gather()
    }

    private func gather() { if core.inflight >= Resolver.gathersFrom { loop.gather() } }

    private func act() {
        carryOut()
        tell()
    }

    /// Who asked does not wait yet, and who waits for other names must not be called in the middle of what this one does:
    /// where something is over already, it is told later.
    private func work() {
        carryOut()
        if core.hasFinished { loop.again(self) }
    }

    private func tell() {
        while let over = core.takeFinished() {
            for case .client(let number) in over.askers { answered(number, over.outcome) }
        }
        while let name = core.takeFinishedLookup() {
            for token in waiting.removeValue(forKey: name) ?? [] { wake(token) }
        }
    }

    /// Carries out what the core wants until it wants nothing more.
    private func carryOut() {
        while let action = core.nextAction() {
            switch action {
            case .open(let channel, let kind, let server): open(channel, kind, server)
            case .send(let channel, let message): self[channel]?.send(message)
            case .close(let channel):
                guard let closing = self[channel] else { continue }
                if closing === leaving { flush() }
                channels[channel.slot] = nil
                closing.finish()
                loop.remove(closing)
            }
        }
        loop.setDeadline(self, core.deadline)
    }

    private subscript(channel: Channel) -> ResolverChannel? {
        guard channel.slot < channels.count, let found = channels[channel.slot], found.channel == channel else {
            return nil
        }
        return found
    }

    private func open(_ channel: Channel, _ kind: ForwarderCore.Kind, _ server: ServerAddress) {
        while channels.count <= channel.slot { channels.append(nil) }
        do throws(Errno) {
            switch kind {
            case .datagram:
                let opened = try DatagramChannel(channel, to: server.endpoint, resolver: self, mark: mark)
                try opened.open(on: loop)
                channels[channel.slot] = opened
            case .stream:
                guard server.tlsName == nil || trust != nil else {
                    core.failed(channel, because: "\(server): no authority is trusted to vouch for it", now: loop.now)
                    return
                }
                let opened = try StreamChannel(
                    channel, to: server, session: session(with: server), resolver: self, mark: mark)
                try opened.open(on: loop)
                channels[channel.slot] = opened
            }
        } catch {
            core.failed(channel, now: loop.now)
        }
    }

    private func session(with server: ServerAddress) -> TLSSession? {
        guard let name = server.tlsName, let trust else { return nil }
        return TLSSession(trust: trust, name: .name(name), resuming: tickets[server])
    }

    /// Keeps what lets the next connection to a server begin with less.
    func keep(_ ticket: Resumption, of server: ServerAddress) { tickets[server] = ticket }
}
