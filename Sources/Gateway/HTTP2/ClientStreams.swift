import Bytes
import HTTP
import OS
import Policy
import Upstream

/// The streams of one client connection of HTTP/2. Each is judged, read and recorded as an exchange of its own, by a session
/// that speaks HTTP/1.1 with us through a conduit; so whatever holds for a request holds for a stream.
///
/// ```
///   transport ──▶ codec ──▶ conduit ──▶ session ─ ─ ▶ outside
///             ◀──       ◀──         ◀──         ◀ ─ ─
/// ```
///
/// Sessions are told of what has come when the codec is done with what was read, and the codec is given what they have
/// written once a turn.
final class ClientStreams: HTTP2User {
    private unowned(unsafe) let connection: Session
    private lazy var codec = HTTP2Connection(role: .server, limits: HTTP2Limits(connection.limits), user: self)
    private var streams: [Int32: ClientStream] = [:]
    /// Streams whose sessions are to be told something.
    private var touched: [(stream: ClientStream, events: Readiness)] = []
    /// Those whose sessions have written something.
    private var written: [ClientStream] = []
    private var frames = Buffer()
    /// Seen by the codec, and written down when it has returned.
    private var threats: [Threat] = []
    /// There is no room for a record of them.
    private var wantsToLeave = false
    /// Bytes of requests that their sessions have not read.
    private var held = 0
    /// Content that nobody but the client keeps from leaving, and when there was last less of it.
    private var stalled: (bytes: Int, since: Ticks)
    private var isStepping = false
    private var wantsOutput = true
    private var ticked: Ticks
    /// Since when there is no stream.
    private var idleSince: Ticks

    /// Frames put out at once.
    private static let outputBytes = 64 * 1024

    init(_ connection: Session) {
        self.connection = connection
        (ticked, idleSince) = (connection.now, connection.now)
        stalled = (0, connection.now)
    }

    /// Beyond this the connection is not read: what waits for a verdict or for the outside is bounded.
    private static let heldMost = 1 << 20

    /// When the connection is over if nothing happens. Streams that are at work keep their own time.
    var deadline: Ticks {
        if streams.isEmpty { return idleSince + connection.limits.idleTimeout }
        if streams.values.contains(where: { $0.session != nil && !$0.responseEnded }) { return .never }
        let bytes = streams.keys.reduce(0) { $0 + codec.queued($1) }
        if bytes != stalled.bytes { stalled = (bytes, connection.now) }
        return stalled.since + connection.limits.writeTimeout
    }

    // MARK: Moving

    func step() throws(Errno) -> Bool {
        isStepping = true
        defer { isStepping = false }
        let now = connection.now
        if now - ticked >= .seconds(1) {
            codec.tick()
            ticked = now
        }
        if !connection.input.isEmpty {
            // What told that this is HTTP/2.
            var first = Buffer()
            swap(&first, &connection.input)
            take(first.readable)
        }
        var moved = try putOut()
        guard connection.phase == .http2, connection.transport.readable, !connection.transport.isBacklogged,
            held < ClientStreams.heldMost
        else { return moved }
        let room = connection.worker.room
        switch try connection.transport.read(into: room) {
        case .moved(let count):
            moved = true
            connection.lastMove = now
            take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
            _ = try putOut()
        case .wouldBlock: break
        case .ended:
            connection.clientEnded = true
            connection.phase = .closed
            return true
        }
        return moved
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        wantsOutput = true
        codec.receive(bytes)
        noteThreats()
        tellSessions()
    }

    private func tellSessions() {
        while !touched.isEmpty {
            var now: [(stream: ClientStream, events: Readiness)] = []
            swap(&now, &touched)
            for (stream, events) in now { stream.session?.ready(events) }
        }
    }

    /// Gives the codec what sessions have written, and the transport what the codec makes of it.
    private func putOut() throws(Errno) -> Bool {
        var moved = false
        repeat {
            pump()
            guard wantsOutput, !connection.transport.isBacklogged else { break }
            codec.output(into: &frames, atMost: ClientStreams.outputBytes)
            noteThreats()
            wantsOutput = frames.count >= ClientStreams.outputBytes
            if !frames.isEmpty {
                moved = true
                connection.lastMove = connection.now
                defer { frames.release() }
                try connection.transport.write(frames.readable)
            }
            tellSessions()
        } while !written.isEmpty || wantsOutput
        if wantsToLeave || codec.failure != nil || codec.isFinished || connection.isLast && streams.isEmpty { leave() }
        return moved
    }

    private func pump() {
        while !written.isEmpty {
            var now: [ClientStream] = []
            swap(&now, &written)
            wantsOutput = true
            for stream in now where stream.owner != nil { pump(stream) }
        }
    }

    private func pump(_ stream: ClientStream) {
        let isGood = stream.pump(codec, connection.limits)
        stream.conduit.queuedBeyond = codec.queued(stream.id)
        if !isGood {
            codec.reset(stream.id, code: .internalError)
            stream.conduit.breakOff()
            remove(stream, telling: .broken)
        } else if stream.responseEnded, !stream.requestEnded {
            // What nobody reads need not be sent (RFC 9113 section 8.1).
            codec.reset(stream.id, code: .noError)
            stream.conduit.end()
            remove(stream, telling: .readable)
        }
    }

    /// Not from within the codec, which a record may need to leave.
    private func noteThreats() {
        for threat in threats where !connection.noteThreat(threat) { wantsToLeave = true }
        threats.removeAll()
    }

    private func remove(_ stream: ClientStream, telling events: Readiness) {
        streams[stream.id] = nil
        stream.leave()
        touched.append((stream, events))
        if streams.isEmpty { idleSince = connection.now }
    }

    /// Nothing more is expected of the connection.
    func leave() {
        if codec.failure == nil, !codec.isFinished {
            codec.goAway()
            codec.goAway()
        }
        codec.output(into: &frames, atMost: ClientStreams.outputBytes)
        try? connection.transport.write(frames.readable)
        frames.release()
        end()
        // Who is still sending would lose what it is told to a reset.
        connection.phase = .closing(linger: codec.failure != nil)
    }

    /// The connection drains: the client is asked to open no more streams.
    func drain() {
        codec.goAway()
        wantsOutput = true
    }

    /// The connection is over: so are its streams.
    func end() {
        for stream in streams.values {
            stream.conduit.breakOff()
            stream.leave()
            touched.append((stream, .broken))
        }
        streams.removeAll()
        tellSessions()
    }

    // MARK: Of the streams

    func took(_ count: Int) {
        held += count
        connection.worker.held(count)
    }

    func gave(_ count: Int) {
        held -= count
        connection.worker.released(count)
    }

    func consumed(_ id: Int32, _ count: Int) {
        codec.consumed(id, count)
        wantsOutput = true
        wakeConnection()
    }

    /// The session of a stream has written something, or is gone.
    func written(_ stream: ClientStream) {
        written.append(stream)
        wakeConnection()
    }

    private func wakeConnection() {
        if !isStepping { connection.worker.loop.again(connection) }
    }

    // MARK: Of the codec

    func request(_ id: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool) {
        let stream = ClientStream(id, head: head, kind: kind, ended: ended, limits: connection.limits, owner: self)
        guard let session = Session.stream(stream.conduit, of: connection) else {
            return codec.reset(id, code: .refusedStream)
        }
        stream.session = session
        streams[id] = stream
        connection.recorded += 1
        touched.append((stream, .readable))
    }

    func data(_ id: Int32, _ bytes: UnsafeRawBufferPointer) { change(id) { $0.data(bytes) } }
    func trailers(_ id: Int32, _ lines: UnsafeRawBufferPointer) { change(id) { $0.trailers(lines) } }
    func ended(_ id: Int32) { change(id) { $0.ended() } }

    private func change(_ id: Int32, _ body: (ClientStream) -> Void) {
        guard let stream = streams[id] else { return }
        body(stream)
        touched.append((stream, .readable))
    }

    func writable(_ id: Int32) {
        guard let stream = streams[id] else { return }
        stream.conduit.queuedBeyond = 0
        touched.append((stream, .writable))
    }

    func closed(_ id: Int32) {
        guard let stream = streams[id] else { return }
        stream.conduit.end()
        remove(stream, telling: .readable)
    }

    func reset(_ id: Int32, code: HTTP2Code) {
        guard let stream = streams[id] else { return }
        stream.conduit.breakOff()
        remove(stream, telling: .broken)
    }

    func malformed(_ id: Int32, _ rejection: Rejection) {
        guard let stream = streams[id] else { return threats.append(rejection.threat) }
        stream.session?.exchange?.note(rejection.threat)
        reset(id, code: .protocolError)
    }

    func threat(_ kind: HTTP2Threat) { threats.append(kind.threat) }

    func response(_ id: Int32, head: UnsafeRawBufferPointer, ended: Bool) {}
    func goaway(lastStream: Int32, code: HTTP2Code) {}
    func pong(_ payload: UInt64) {}
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
