import Bytes
import HTTP
import OS

/// The streams of one connection of HTTP/2, and the way of their bytes.
///
/// ```
///   transport ──▶ codec ──▶ conduit ──▶ session
///             ◀──       ◀──         ◀──
/// ```
///
/// Sessions are told of what has come when the codec is done with what was read, and the codec is given what they have
/// written once a turn. Owned by one loop.
class Multiplex: HTTP2User {
    unowned(unsafe) let worker: Worker
    private let role: HTTP2Role
    private let isHTTPS: Bool
    final private(set) lazy var codec = HTTP2Connection(
        role: role, isHTTPS: isHTTPS, limits: HTTP2Limits(worker.limits), user: self)
    /// Where heads are read; empty between streams.
    final var requestHead = RequestHead()
    final var responseHead = ResponseHead()
    final var streams: [Int32: MultiplexedStream] = [:]
    /// Since when there is no stream.
    final private(set) var idleSince: Ticks
    /// Streams whose sessions are to be told something.
    private var touched: [(stream: MultiplexedStream, events: Readiness)] = []
    /// Those whose sessions have written something.
    private var written: [MultiplexedStream] = []
    private var frames = Buffer()
    private var wantsOutput = true
    private var isStepping = false
    private var ticked: Ticks

    /// Frames put out at once.
    private static let outputBytes = 64 * 1024

    init(_ role: HTTP2Role, isHTTPS: Bool, worker: Worker) {
        (self.role, self.isHTTPS, self.worker) = (role, isHTTPS, worker)
        (ticked, idleSince) = (worker.loop.now, worker.loop.now)
    }

    // MARK: The transport below

    /// Bytes wait to be written: no more are put out, and none read.
    var isBacklogged: Bool { false }
    var canRead: Bool { false }
    func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO { .wouldBlock }
    func write(_ frames: UnsafeRawBufferPointer) throws(Errno) {}
    /// The peer sends no more.
    func peerLeft() {}
    /// Asks for a step in this turn or the next.
    func wake() {}
    /// The codec has returned: what it told may be acted upon.
    func settle() {}

    // MARK: Moving

    final func step() throws(Errno) -> Bool {
        isStepping = true
        defer { isStepping = false }
        let now = worker.loop.now
        if now - ticked >= .seconds(1) {
            codec.tick()
            ticked = now
        }
        var moved = try putOut()
        guard !isBacklogged, canRead else { return moved }
        let room = worker.room
        switch try read(into: room) {
        case .moved(let count):
            moved = true
            take(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count]))
            _ = try putOut()
        case .wouldBlock: break
        case .ended:
            moved = true
            peerLeft()
        }
        return moved
    }

    final func take(_ bytes: UnsafeRawBufferPointer) {
        wantsOutput = true
        codec.receive(bytes)
        settle()
        tellSessions()
    }

    private func tellSessions() {
        while !touched.isEmpty {
            var now: [(stream: MultiplexedStream, events: Readiness)] = []
            swap(&now, &touched)
            for (stream, events) in now { stream.tell(events) }
        }
    }

    /// Gives the codec what sessions have written, and the transport what the codec makes of it.
    private func putOut() throws(Errno) -> Bool {
        var moved = false
        repeat {
            pump()
            guard wantsOutput, !isBacklogged else { break }
            codec.output(into: &frames, atMost: Multiplex.outputBytes)
            settle()
            wantsOutput = frames.count >= Multiplex.outputBytes
            if !frames.isEmpty {
                moved = true
                defer { frames.release() }
                try write(frames.readable)
            }
            tellSessions()
        } while !written.isEmpty || wantsOutput
        turnEnded()
        return moved
    }

    /// All that could go has gone.
    func turnEnded() {}

    private func pump() {
        while !written.isEmpty {
            var now: [MultiplexedStream] = []
            swap(&now, &written)
            wantsOutput = true
            for stream in now where stream.owner != nil {
                let isGood = stream.pump(for: self)
                stream.conduit.queuedBeyond = codec.queued(stream.id)
                pumped(stream, isGood: isGood)
            }
        }
    }

    /// What the session of a stream had written is with the codec; not `isGood`: it was no message.
    func pumped(_ stream: MultiplexedStream, isGood: Bool) {}

    /// Ends a stream before its time.
    final func cut(_ stream: MultiplexedStream, code: HTTP2Code) {
        codec.reset(stream.id, code: code)
        stream.conduit.breakOff()
        remove(stream, telling: .broken)
    }

    final func remove(_ stream: MultiplexedStream, telling events: Readiness) {
        streams[stream.id] = nil
        stream.leave()
        touched.append((stream, events))
        if streams.isEmpty { idleSince = worker.loop.now }
    }

    /// Says farewell, as far as it goes out at once.
    final func sayGoodbye() {
        if codec.failure == nil, !codec.isFinished {
            codec.goAway()
            codec.goAway()
        }
        codec.output(into: &frames, atMost: Multiplex.outputBytes)
        try? write(frames.readable)
        frames.release()
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

    /// The peer is asked to open no more streams.
    final func drain() {
        codec.goAway()
        wantsOutput = true
    }

    // MARK: Of the streams

    /// Bytes of the peer that wait for their session, and bytes that do so no more.
    func took(_ count: Int) {}
    func gave(_ count: Int, of stream: MultiplexedStream) {
        codec.consumed(stream.id, count)
        wantsOutput = true
        if !isStepping { wake() }
    }

    /// The session of a stream has written something, or is gone.
    final func written(_ stream: MultiplexedStream) {
        written.append(stream)
        if !isStepping { wake() }
    }

    // MARK: Of the codec

    func request(_ id: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool) {}
    func response(_ id: Int32, head: UnsafeRawBufferPointer, ended: Bool) {}

    final func data(_ id: Int32, _ bytes: UnsafeRawBufferPointer) { change(id) { $0.data(bytes) } }
    final func trailers(_ id: Int32, _ lines: UnsafeRawBufferPointer) { change(id) { $0.trailers(lines) } }
    final func ended(_ id: Int32) { change(id) { $0.ended() } }

    final func change(_ id: Int32, _ body: (MultiplexedStream) -> Void) {
        guard let stream = streams[id] else { return }
        body(stream)
        touched.append((stream, .readable))
    }

    final func writable(_ id: Int32) {
        guard let stream = streams[id] else { return }
        stream.conduit.queuedBeyond = 0
        touched.append((stream, .writable))
    }

    final func closed(_ id: Int32) {
        guard let stream = streams[id] else { return }
        stream.conduit.end()
        remove(stream, telling: .readable)
    }

    func reset(_ id: Int32, code: HTTP2Code) {
        guard let stream = streams[id] else { return }
        stream.conduit.breakOff()
        remove(stream, telling: .broken)
    }

    func malformed(_ id: Int32, _ rejection: Rejection) { reset(id, code: .protocolError) }
    func threat(_ kind: HTTP2Threat) {}
    final func goaway(lastStream: Int32, code: HTTP2Code) {}
    final func pong(_ payload: UInt64) {}
}
