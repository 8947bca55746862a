import Bytes
import Config
import HTTP
import Loop
import OS
import Policy
import Record
import Upstream

/// One client connection from accept to close: the machine that carries bytes from phase to phase.
///
/// ```
///  accept ─▶ detect ─▶ head ─▶ resolve ─▶ hold ─▶ dial ─▶ exchange ─▶ (head | closing)
///             │  ▲ │     └──▶ refused ──▶ closing
///             │  │ └──▶ tunnel
///             ▼  │
///  mint ─▶ handshake
/// ```
///
/// Events only note what epoll said; `drive` then moves bytes until nothing moves, so no phase calls another in
/// circles. The steps of each phase are in the file of its name in `Phases/`.
final class Session: OriginUser {
    enum Phase: Equatable {
        /// Waiting for the first bytes, or for silence to tell that the server speaks first.
        case detect
        /// TLS that is to be read: its certificate is being made.
        case mint
        /// TLS with the client is being agreed on.
        case handshake
        /// HTTP/2: its streams are sessions of their own.
        case http2
        /// HTTP/1: between two exchanges, or inside a head.
        case head
        /// A record slot is wanted before the head is taken.
        case slot
        /// A name is being looked up.
        case resolve
        /// The body is read before the origin is contacted, up to `hold`.
        case hold
        /// An origin connection is being made.
        case dial
        /// Request and response flow.
        case exchange
        /// Bytes flow unread or through packet sensors.
        case tunnel
        /// The last bytes go out; with `linger` what the client still sends is thrown away so that it can read them.
        case closing(linger: Bool)
        case closed

        /// Nothing is read from the client, so a reset of its connection shows only in what epoll says.
        var waitsForOthers: Bool {
            switch self {
            case .mint, .slot, .resolve, .hold, .dial, .exchange: true
            case .detect, .handshake, .http2, .head, .tunnel, .closing, .closed: false
            }
        }
    }

    unowned(unsafe) let worker: Worker
    let listener: ListenerContext
    let client: Endpoint
    private(set) var identity: Identity
    private var generation: UInt64
    /// The host of a CONNECT request that is being judged.
    var tunnelHost: Host?
    /// The client is silent, and only a name could make what it wants allowed.
    var awaitsName = false
    /// When the first bytes began to be waited for.
    var detectFrom: Ticks
    /// Of `transport.bytesRead`: how far a refused client is read on.
    var lingerUntil: UInt64 = 0
    /// Where the connection was going before it was brought here, or where CONNECT asked it to go.
    var target: Target
    var transport: Transport
    /// Where the client began with TLS.
    var tls: ClientTLS?
    /// Of a connection of HTTP/2.
    var streams: ClientStreams?
    /// One stream of such a connection.
    let isStream: Bool

    var phase = Phase.detect { didSet { looked = false } }
    /// What the client sent that no phase has taken yet. Owns no memory while empty.
    var input = Buffer()
    /// `input` has been looked at and needs more bytes to say anything.
    var looked = false
    var clientEnded = false
    var lastMove: Ticks
    /// When what is under way has to be over; `idle` timeouts look at `lastMove` instead.
    var phaseDeadline = Ticks.never

    var exchange: Exchange?
    var tunnel: Tunnel?
    var origin: Origin?
    /// Of the last origin connection.
    var place: IdleOrigins?
    var standing = Standing()
    /// A slot for the next record is reserved.
    var hasSlot: Bool
    /// Records written for this connection.
    var recorded = 0
    /// Draining, or the client or the origin asked for it: no exchange after this one.
    var isLast = false
    private var isDriving = false

    /// Reads in one go before others have their turn: 16 of 64 KiB.
    private static let movesPerTurn = 16

    init(
        _ transport: consuming Transport, from client: Endpoint, to target: Target, listener: ListenerContext,
        worker: Worker, identity: Identity, isStream: Bool = false
    ) {
        self.transport = transport
        self.isStream = isStream
        self.client = client
        self.target = target
        self.listener = listener
        self.worker = worker
        self.identity = identity
        generation = worker.snapshot.generation
        detectFrom = worker.loop.now
        lastMove = worker.loop.now
        // A stream reserves one when its head has come.
        hasSlot = !isStream
    }

    /// A session for one stream of a connection of HTTP/2; nil where the loop has no room for it.
    static func stream(_ conduit: Conduit, of connection: Session) -> Session? {
        let session = Session(
            Transport(conduit), from: connection.client, to: connection.target, listener: connection.listener,
            worker: connection.worker, identity: connection.identity, isStream: true)
        session.generation = connection.generation
        session.tls = connection.tls.map(ClientTLS.init(like:))
        session.phase = .head
        session.isLast = connection.worker.isDraining
        guard (try? connection.worker.loop.add(session, descriptor: nil)) != nil else { return nil }
        return session
    }

    /// The client's bytes were encrypted on their way to us.
    var isSecure: Bool { tls?.handling == .intercepted }

    /// The exchange under way, or a new one under the snapshot of this moment.
    func currentExchange() -> Exchange {
        if let exchange { return exchange }
        if generation != worker.snapshot.generation {
            generation = worker.snapshot.generation
            identity = worker.snapshot.policy.identify(client.address)
        }
        let fresh = worker.exchange(for: identity)
        exchange = fresh
        return fresh
    }

    var now: Ticks { worker.loop.now }
    var limits: Limits { _read { yield worker.limits } }

    // MARK: Events

    override func ready(_ events: Readiness) {
        transport.note(events)
        drive()
    }

    override func originReady() { drive() }
    override func originConnected() { drive() }

    /// A connection that others wait for, too, is ready for this exchange to ask again.
    func askAgain() {
        guard phase == .dial, origin == nil, let exchange else { return }
        dial(exchange)
        drive()
    }

    /// Such a connection is for this exchange alone; false where it is not wanted any more.
    func take(_ origin: Origin) -> Bool {
        guard phase == .dial, self.origin == nil, exchange != nil else { return false }
        origin.hand(to: self)
        self.origin = origin
        place = origin.place
        drive()
        return true
    }
    override func resumed() {
        endLull()
        drive()
    }

    override func originFailed(_ fault: OriginFault) {
        guard phase == .dial else { return }
        origin = nil
        dialFailed(fault)
        drive()
    }

    override func expired() {
        timeUp()
        drive()
    }

    /// A record slot has become free, a name has been looked up, or held bytes have gone: whatever was waited for.
    func wake() {
        switch phase {
        case .slot: phase = .head
        case .resolve: resolved()
        default: break
        }
        drive()
    }

    // MARK: Configuration and drain

    /// What only flows is judged again by its destination under each new configuration, and cut if now denied.
    func judgeAgain(under snapshot: Snapshot) {
        guard let exchange, phase == .tunnel || phase == .exchange && exchange.isStreaming else { return }
        let (policy, identity) = (snapshot.policy, snapshot.policy.identify(client.address))
        exchange.judge(policy, identity)
        guard exchange.action == .deny else { return }
        // What the server will say is not known yet, and may be allowed.
        if tunnel?.awaitsServer == true, exchange.threats.isEmpty,
            policy.couldAllow(
                service: identity.service, name: exchange.name, address: exchange.dial?.address, port: exchange.port)
        {
            return
        }
        exchange.bytesBeforeVerdict = exchange.bytesOut
        if tunnel != nil { refuseTunnel(exchange) } else { cut(exchange) }
        drive()
    }

    /// No exchange begins after this one.
    func drain() {
        isLast = true
        streams?.drain()
        if phase == .detect || phase == .head, input.isEmpty { phase = .closing(linger: false) }
        // Nothing has been said in it yet, so nothing is lost with it.
        if phase == .tunnel, let exchange, tunnel?.awaitsServer == true { tunnelEnded(exchange) }
        drive()
    }

    /// The worker ends: the record is written with what is known.
    func end() {
        phase = .closed
        drive()
    }

    // MARK: Moving

    /// Moves bytes until nothing moves, or until others should have their turn.
    func drive() {
        guard !isDriving, token != .none else { return }
        isDriving = true
        var moves = 0
        do throws(Errno) {
            while phase != .closed {
                let moved = try step()
                if !moved { break }
                moves += 1
                if moves == Session.movesPerTurn {
                    worker.loop.again(self)
                    break
                }
            }
        } catch {
            clientBroke()
        }
        isDriving = false
        if phase == .closed { close() } else { keepTime() }
    }

    /// At `hold_total` a hold that has not begun waits unread; those that have begun go on, so that they end.
    var waitsForHold: Bool {
        phase == .hold && worker.heldBytes >= limits.holdTotal && exchange?.held.isEmpty == true
    }

    private func step() throws(Errno) -> Bool {
        if transport.isBroken, phase.waitsForOthers { throw .reset }
        var moved = false
        if transport.isBacklogged, transport.isWritable {
            let before = transport.backlogCount
            _ = try transport.flush()
            if transport.backlogCount < before {
                lastMove = now
                moved = true
            }
        }
        switch phase {
        case .detect:
            return try takeInput() || moved
        case .handshake:
            return try stepHandshake() || moved
        case .http2:
            if !input.isEmpty { streams?.begin() }
            return try streams?.step() ?? false || moved
        case .head:
            // Who does not read the answers is not asked for more requests.
            if transport.isBacklogged { return moved }
            return try takeInput() || moved
        case .hold:
            if waitsForHold {
                worker.waitForHold(self)
                return moved
            }
            return try takeInput() || moved
        case .dial:
            guard let origin, origin.isConnected else { return moved }
            sendHead()
            return true
        case .exchange:
            // First the response: an origin that has answered and closed takes no more of the request.
            let down = try stepResponse()
            let up = try stepRequest()
            return up || down || moved
        case .tunnel:
            return try stepTunnel() || moved
        case .closing(let linger):
            return try stepClosing(linger: linger) || moved
        case .mint, .slot, .resolve, .closed:
            return moved
        }
    }

    /// Gives the phase what the client has sent: first what it has not taken yet, else a fresh read.
    func takeInput() throws(Errno) -> Bool {
        if !input.isEmpty, !looked {
            looked = true
            let consumed = consume(input.readable)
            drop(consumed)
            if consumed > 0 || !looked { return true }
        }
        guard transport.readable else { return false }
        let room = worker.room
        switch try transport.read(into: room) {
        case .moved(0): return true
        case .moved(let count):
            lastMove = now
            let fresh = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
            looked = true
            if input.isEmpty {
                var rest = fresh[...]
                // A head is followed by its body: the next phase takes its own from here, too.
                repeat {
                    looked = true
                    let consumed = consume(UnsafeRawBufferPointer(rebasing: rest))
                    rest = rest.dropFirst(consumed)
                    if consumed == 0 { break }
                } while !looked && !rest.isEmpty
                input.append(UnsafeRawBufferPointer(rebasing: rest))
            } else {
                input.append(fresh)
                drop(consume(input.readable))
            }
            return true
        case .wouldBlock:
            return false
        case .ended:
            clientEnded = true
            inputEnded()
            return true
        }
    }

    private func drop(_ count: Int) {
        input.consume(count)
        if input.isEmpty { input.release() }
    }

    /// Hands bytes to the phase; answers how many it has taken.
    private func consume(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch phase {
        case .detect: detect(bytes)
        case .head: takeHead(bytes)
        case .hold, .exchange: takeBody(bytes)
        case .closing: bytes.count
        case .mint, .handshake, .http2, .slot, .resolve, .dial, .tunnel, .closed: 0
        }
    }

    /// The client sends no more.
    private func inputEnded() {
        switch phase {
        case .detect: detectEnded()
        case .head:
            if !input.isEmpty, let exchange {
                abandon(exchange, as: nil)
            } else {
                phase = .closed
            }
        case .hold, .exchange:
            if let exchange, !exchange.requestEnded { abandon(exchange, as: nil) }
        case .closing: phase = .closed
        case .mint, .handshake, .http2, .slot, .resolve, .dial, .tunnel, .closed: break
        }
    }
}
