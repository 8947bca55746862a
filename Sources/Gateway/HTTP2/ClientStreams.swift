import Bytes
import HTTP
import OS
import Policy
import Upstream

/// The streams of one client connection of HTTP/2. Each is judged, read and recorded as an exchange of its own, by a session
/// that speaks HTTP/1.1 with us through a conduit; so whatever holds for a request holds for a stream.
final class ClientStreams: Multiplex {
    private unowned(unsafe) let connection: Session
    /// Seen by the codec, and written down when it has returned.
    private var threats: [Threat] = []
    /// There is no room for a record of them.
    private var wantsToLeave = false
    /// Bytes of requests that their sessions have not read.
    private var held = 0
    /// Content that nobody but the client keeps from leaving, and when there was last less of it.
    private var stalled: (bytes: Int, since: Ticks)

    init(_ connection: Session) {
        self.connection = connection
        stalled = (0, connection.now)
        super.init(.server, isHTTPS: connection.isSecure, worker: connection.worker)
    }

    /// When the connection is over if nothing happens. Streams that are at work keep their own time.
    var deadline: Ticks {
        if streams.isEmpty { return idleSince + connection.limits.idleTimeout }
        if streams.values.contains(where: { !$0.isUnread }) { return .never }
        let bytes = streams.keys.reduce(0) { $0 + codec.queued($1) }
        if bytes != stalled.bytes { stalled = (bytes, connection.now) }
        return stalled.since + connection.limits.writeTimeout
    }

    // MARK: The client's connection

    /// What told that this is HTTP/2.
    func begin() {
        var first = Buffer()
        swap(&first, &connection.input)
        take(first.readable)
    }

    override var isBacklogged: Bool { connection.transport.isBacklogged }

    /// Beyond `hold_total` who holds something is not read: what waits for a verdict or for the outside is bounded.
    override var canRead: Bool {
        connection.phase == .http2 && connection.transport.readable
            && (held == 0 || worker.heldBytes < worker.limits.holdTotal)
    }

    override func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        let result = try connection.transport.read(into: room)
        if case .moved = result { connection.lastMove = connection.now }
        return result
    }

    override func write(_ frames: UnsafeRawBufferPointer) throws(Errno) {
        connection.lastMove = connection.now
        try connection.transport.write(frames)
    }

    override func peerLeft() {
        connection.clientEnded = true
        connection.phase = .closed
    }

    override func wake() { worker.loop.again(connection) }

    /// Threats are written down, not from within the codec, which a record may need to leave.
    override func settle() {
        for threat in threats where !connection.noteThreat(threat) { wantsToLeave = true }
        threats.removeAll()
    }

    override func turnEnded() {
        if wantsToLeave || codec.failure != nil || codec.isFinished || connection.isLast && streams.isEmpty { leave() }
    }

    /// Nothing more is expected of the connection.
    func leave() {
        sayGoodbye()
        end()
        // Who is still sending would lose what it is told to a reset.
        connection.phase = .closing(linger: codec.failure != nil)
    }

    // MARK: Of the streams

    override func pumped(_ stream: MultiplexedStream, isGood: Bool) {
        if !isGood {
            cut(stream, code: .internalError)
        } else if stream.hasEnded, !stream.peerEnded {
            // What nobody reads need not be sent (RFC 9113 section 8.1).
            codec.reset(stream.id, code: .noError)
            stream.conduit.end()
            remove(stream, telling: .readable)
        }
    }

    override func took(_ count: Int) {
        held += count
        worker.held(count)
    }

    override func gave(_ count: Int, of stream: MultiplexedStream) {
        held -= count
        worker.released(count)
        super.gave(count, of: stream)
    }

    // MARK: Of the codec

    override func request(_ id: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool) {
        let stream = ClientStream(
            id, head: head, kind: kind, isChunked: codec.isChunked(id), ended: ended, owner: self)
        guard let session = Session.stream(stream.conduit, of: connection) else {
            return codec.reset(id, code: .refusedStream)
        }
        stream.session = session
        streams[id] = stream
        connection.recorded += 1
        change(id) { _ in }
    }

    override func malformed(_ id: Int32, _ rejection: Rejection) {
        if let exchange = (streams[id] as? ClientStream)?.session?.exchange {
            exchange.note(rejection.threat)
        } else {
            // Nothing was shown of it, or it came together with its head, which nobody has looked at yet.
            threats.append(rejection.threat)
        }
        reset(id, code: .protocolError)
    }

    override func threat(_ kind: HTTP2Threat) { threats.append(kind.threat) }
}

extension HTTP2Threat {
    fileprivate var threat: Threat {
        switch self {
        case .rapidReset: .http2RapidReset
        case .continuationFlood: .http2ContinuationFlood
        case .headerBomb: .http2HeaderBomb
        case .controlFlood: .http2ControlFlood
        }
    }
}
