import Bytes
import Config
import DNS
import Loop
import OS
import Policy
import Record
import Upstream

/// Answers the questions of clients on one loop: each is read, judged, looked up, answered and recorded.
///
/// ```
///  take ─▶ rate ─▶ read ─▶ judge ─▶ hosts, store ───────────▶ give: classes, memory, answer, record
///            │       │       │           └─▶ ask … answered ──▶ ▲
///            ▼       ▼       └─▶ block: an answer of the operator's choice
///         flooded  malformed
/// ```
///
/// What is asked again and again is not judged anew each time: see `NameStandings`.
final class NameServer: Handler {
    /// What a question has of its moment; questions of one batch share it, but for the id.
    struct Arrival {
        var id: RecordID
        var wallMicroseconds: Int64
        var ticks: Int64
    }

    /// A question that servers are being asked.
    private struct Pending {
        var exchange: NameExchange
        var bytes: ContiguousArray<UInt8>
        var door: Token
        /// Given if nothing better comes.
        var stale: AnswerStore.Hit?
    }

    /// What we take and send in a datagram: the size that crosses every path unfragmented.
    static let payloadSize: UInt16 = 1232

    unowned(unsafe) let worker: Worker
    var digest = NameDigest()
    /// The text of a name while its record is written.
    var nameText = Buffer(capacity: 1024)
    let watch: NameJudge
    var standings = NameStandings()
    /// By the number that the resolver knows them by, which is taken again when it has answered.
    private var pending: ContiguousArray<Pending?> = []
    private var vacant: ContiguousArray<Int> = []
    private var wallMicroseconds: Int64 = 0
    private var ticks: Int64 = 0
    /// Where answers are written before they leave; empty between them.
    private var outbox = Buffer(capacity: 4096)

    init(_ worker: Worker) throws(Errno) {
        self.worker = worker
        watch = NameJudge(worker)
        super.init()
        try worker.loop.add(self, descriptor: nil)
    }

    /// Records that waited for more questions like theirs are due.
    override func expired() {
        digest.write(due: now, to: self)
        worker.loop.setDeadline(self, digest.nextDue)
    }

    /// Under another configuration equal questions are not alike, and what waits would keep the old one alive.
    func adopted() { digest.writeAll(to: self) }

    private var now: Ticks { worker.loop.now }

    // MARK: Questions

    /// Questions are about to be taken: they came at this moment.
    func arrive() {
        wallMicroseconds = worker.wallMicroseconds()
        ticks = worker.microseconds()
    }

    func arrival() -> Arrival {
        Arrival(id: worker.ids.next(at: wallMicroseconds), wallMicroseconds: wallMicroseconds, ticks: ticks)
    }

    /// Takes a message, for whose record the caller has reserved a slot.
    func take(_ bytes: UnsafeRawBufferPointer, from client: Endpoint, to asked: Endpoint, through door: NameDoor) {
        guard worker.hub.rates.take(client.address, now: now, rate: worker.limits.dnsQueriesPerClient) else {
            if watch.tellsFlood(of: client.address, now: now) {
                record(.dnsFlood, from: client, to: asked, at: door.context, bytes: bytes.count)
            } else {
                worker.recorder.release()
                worker.counters.addQuery(action: .deny, responseCode: nil)
            }
            return door.gaveUp()
        }
        switch Query.read(bytes) {
        case .query(let query): take(query, bytes, from: client, to: asked, through: door)
        case .drop:
            record(.dnsMalformed, from: client, to: asked, at: door.context, bytes: bytes.count)
            door.gaveUp()
        case .reject(let rejection):
            ResponseWriter.reject(rejection, in: bytes, payloadSize: NameServer.payloadSize, into: &outbox)
            record(
                rejection.fault == nil ? nil : .dnsMalformed, from: client, to: asked, at: door.context,
                bytes: bytes.count, answered: rejection.code, outbox.count)
            send(to: client, from: asked, through: door)
        }
    }

    private func take(
        _ query: Query, _ bytes: UnsafeRawBufferPointer, from client: Endpoint, to asked: Endpoint,
        through door: NameDoor
    ) {
        let key = key(of: query, bytes, asked)
        let name = query.name(in: bytes)
        let hit = worker.resolver.find(key)
        let snapshot = worker.snapshot
        let standing = hit.flatMap { standings.find($0, for: client.address, to: asked, at: door.context, snapshot) }
        let cut = standing?.answer.cut ?? worker.hub.suffixes.cut(name)
        let tunnel = cut.flatMap { watch.note(client.address, $0, of: name, type: query.type) }
        if let hit, let standing, tunnel == nil {
            if hit.wantsPrefetch { worker.resolver.refresh(key) }
            return give(standing, hit.age, query, bytes, to: client, from: asked, through: door)
        }
        let identity = snapshot.policy.identify(client.address)
        let exchange = NameExchange(
            query, name: hit?.answer.name ?? DomainName(wire: name), from: client, to: asked, at: door.context,
            identity: identity, serviceNumber: worker.serviceNumbers[identity.service], arrival(), bytes: bytes.count,
            snapshot: snapshot)
        watch.judge(exchange, name, cut, tunnel)
        if exchange.action == .deny { return block(exchange, bytes, through: door) }
        if hit == nil, let known = worker.resolver.hosts(key) {
            return give(exchange, bytes, Given(known), through: door)
        }
        if let hit, !hit.isStale {
            if hit.wantsPrefetch { worker.resolver.refresh(key) }
            return give(exchange, bytes, Given(hit), through: door)
        }
        if let hit, !worker.resolver.expectsAnswer(to: key) {
            worker.resolver.refresh(key)
            return give(exchange, bytes, Given(hit), through: door)
        }
        ask(exchange, bytes, key, stale: hit, through: door)
    }

    /// Under `original` the answers of the resolver that the client meant are kept for whoever means it too.
    private func key(of query: Query, _ bytes: UnsafeRawBufferPointer, _ asked: Endpoint) -> QuestionKey {
        let key = query.key(in: bytes)
        guard worker.snapshot.settings.dns.original, !worker.isOwnListener(asked), !worker.resolver.hasZone(for: key)
        else { return key }
        return query.key(in: bytes, server: asked)
    }

    // MARK: Servers

    private func ask(
        _ exchange: NameExchange, _ bytes: UnsafeRawBufferPointer, _ key: QuestionKey, stale: AnswerStore.Hit?,
        through door: NameDoor
    ) {
        if vacant.isEmpty {
            vacant.append(pending.count)
            pending.append(nil)
        }
        let number = vacant[vacant.count - 1]
        let until = stale == nil ? Ticks.never : now + ResolverCore.stalePatience
        let start = worker.resolver.ask(
            key, name: exchange.name, number: UInt64(number), until: until, client: exchange.client.address)
        switch start {
        case .pending:
            vacant.removeLast()
            pending[number] = Pending(
                exchange: exchange, bytes: ContiguousArray(bytes), door: door.token, stale: stale)
        case .failed(let failure):
            if let stale { return give(exchange, bytes, Given(stale), through: door) }
            fail(exchange, bytes, failure, through: door)
        }
    }

    /// What servers were asked has come to something.
    func answered(_ number: UInt64, _ outcome: Outcome) {
        let number = Int(number)
        guard pending.indices.contains(number), let waiting = pending[number].take() else { return }
        vacant.append(number)
        guard let door = worker.loop.handler(waiting.door) as? NameDoor else { return giveUp(waiting) }
        waiting.bytes.withUnsafeBytes { bytes in
            switch outcome {
            case .answer(let answer, let server):
                give(waiting.exchange, bytes, Given(answer, from: server), through: door)
            case .failed(let failure):
                if let stale = waiting.stale { return give(waiting.exchange, bytes, Given(stale), through: door) }
                fail(waiting.exchange, bytes, failure, through: door)
            }
        }
    }

    /// The worker ends: what is still under way leaves its record.
    func end() {
        for case .some(let waiting) in pending { giveUp(waiting) }
        pending.removeAll()
        vacant.removeAll()
        digest.writeAll(to: self)
    }

    /// There is nobody any more to give the answer to.
    private func giveUp(_ waiting: Pending) {
        waiting.bytes.withUnsafeBytes { _ = record(waiting.exchange, NameFacts(), nil, bytesIn: 0, question: $0) }
    }

    // MARK: Answers

    /// An answer on its way to a client.
    struct Given {
        var answer: StoredAnswer
        var age: UInt32 = 0
        var cached: NameFacts.Cached?
        var resolver: Endpoint?
        /// Found in the store, where it is asked for often.
        var hot: StoredAnswer?

        init(_ own: StoredAnswer) { answer = own }

        init(_ hit: AnswerStore.Hit) {
            (answer, age, cached) = (hit.answer, hit.age, hit.isStale ? .stale : .yes)
            if hit.isHot, !hit.isStale { hot = hit.answer }
        }

        init(_ answer: StoredAnswer, from server: Endpoint) {
            (self.answer, resolver, cached) = (answer, server, .no)
        }
    }

    /// Answers, unless the answer itself is what must not be given.
    private func give(
        _ exchange: NameExchange, _ bytes: UnsafeRawBufferPointer, _ given: Given, through door: NameDoor
    ) {
        var given = given
        watch.judge(exchange, given.answer, bytes)
        if let fit = watch.fit(given.answer, for: exchange) { given.answer = fit }
        if exchange.action == .deny,
            exchange.isTunnel || given.answer.addresses.isEmpty && !given.answer.hasServiceBinding
        {
            return block(exchange, bytes, resolver: given.resolver, through: door)
        }
        if let name = exchange.name, !isOriginal(exchange) {
            let left = given.answer.timeToLive > given.age ? given.answer.timeToLive - given.age : 0
            remember(
                exchange.keeper, name, given.answer, given.cached == .stale ? ResponseWriter.staleTimeToLive : left)
        }
        write(given.answer, given.age, isStale: given.cached == .stale, to: exchange.query, bytes, through: door)
        let facts = NameFacts(answers: given.answer.addresses, resolver: given.resolver, cached: given.cached)
        let stands = given.hot.map { standings.wants(exchange, $0) } ?? false
        let frames = finish(exchange, bytes, facts, given.answer.responseCode, through: door, framing: stands)
        if let hot = given.hot, let frames, let cut = worker.hub.suffixes.cut(exchange.query.name(in: bytes)) {
            standings.keep(exchange, hot, cut, given: given.answer, frames)
        }
        learn(exchange, given.answer)
    }

    /// Answers what stands.
    private func give(
        _ standing: NameStandings.Found, _ age: UInt32, _ query: Query, _ bytes: UnsafeRawBufferPointer,
        to client: Endpoint, from asked: Endpoint, through door: NameDoor
    ) {
        let (asker, answer) = (standing.asker, standing.answer.given)
        if let name = answer.name {
            remember(asker.keeper, name, answer, answer.timeToLive > age ? answer.timeToLive - age : 0)
        }
        write(answer, age, isStale: false, to: query, bytes, through: door)
        record(standing, from: client, bytesOut: bytes.count, bytesIn: outbox.count, answer.responseCode)
        send(to: client, from: asked, through: door)
    }

    private func write(
        _ answer: StoredAnswer, _ age: UInt32, isStale: Bool, to query: Query, _ bytes: UnsafeRawBufferPointer,
        through door: NameDoor
    ) {
        ResponseWriter.write(
            answer, age: age, isStale: isStale, to: query, in: bytes,
            sizeMax: door.isStream ? Int(UInt16.max) : query.datagramMax(Int(NameServer.payloadSize)),
            payloadSize: NameServer.payloadSize, into: &outbox)
    }

    /// Who was told what, before it is told: the connection may come to another loop at once.
    private func remember(_ keeper: IPAddress, _ name: DomainName, _ answer: StoredAnswer, _ seconds: UInt32) {
        let (memory, now) = (worker.hub.memory, now)
        let until = now + .seconds(Int64(seconds))
        for address in answer.addresses {
            memory.remember(client: keeper, address: address, name: name, until: until, now: now)
        }
        for address in answer.hints {
            memory.remember(client: keeper, address: address, name: name, until: until, now: now)
        }
    }

    /// What a resolver of the client's choice says is not for us to remember.
    private func isOriginal(_ exchange: NameExchange) -> Bool {
        exchange.snapshot.settings.dns.original && !worker.isOwnListener(exchange.asked)
    }

    private func learn(_ exchange: NameExchange, _ answer: StoredAnswer) {
        guard exchange.decision.mayLearn, let name = exchange.name, answer.responseCode == .noError, !answer.isNegative
        else { return }
        worker.learn(
            exchange.service, .name(name), port: exchange.asked.port, application: .dns)
    }

    /// The answer that the configuration has for what is denied, with the reason for clients that can read it.
    private func block(
        _ exchange: NameExchange, _ bytes: UnsafeRawBufferPointer, resolver: Endpoint? = nil, through door: NameDoor
    ) {
        let settings = exchange.snapshot.settings.dns
        var (code, addresses): (ResponseCode, [IPAddress]) = (.noSuchName, [])
        switch settings.blockAnswer {
        case .nxdomain: break
        case .refused: code = .refused
        case .address(let address): (code, addresses) = (.noError, [address])
        }
        // Of a name that exists for others nothing is said: it is the kind of the question that is refused.
        if watch.isAbuse(exchange.query.type) { (code, addresses) = (.refused, []) }
        ResponseWriter.refuse(
            exchange.query, in: bytes, code, extended: .blocked, addresses: addresses,
            timeToLive: UInt32(clamping: settings.blockTTL.count / 1000), payloadSize: NameServer.payloadSize,
            into: &outbox)
        finish(exchange, bytes, NameFacts(resolver: resolver), code, through: door)
    }

    private func fail(
        _ exchange: NameExchange, _ bytes: UnsafeRawBufferPointer, _ failure: Failure, through door: NameDoor
    ) {
        ResponseWriter.refuse(
            exchange.query, in: bytes, .serverFailure, extended: failure.extendedError,
            payloadSize: NameServer.payloadSize, into: &outbox)
        finish(exchange, bytes, NameFacts(), .serverFailure, through: door)
    }

    /// The answer is written: it is recorded and leaves.
    @discardableResult
    private func finish(
        _ exchange: NameExchange, _ bytes: UnsafeRawBufferPointer, _ facts: NameFacts, _ code: ResponseCode,
        through door: NameDoor, framing: Bool = false
    ) -> NameFrames? {
        let frames = record(exchange, facts, code, bytesIn: outbox.count, question: bytes, framing: framing)
        send(to: exchange.client, from: exchange.asked, through: door)
        return frames
    }

    private func send(to client: Endpoint, from asked: Endpoint, through door: NameDoor) {
        door.answer(outbox.readable, to: client, from: asked)
        outbox.removeAll()
    }
}
