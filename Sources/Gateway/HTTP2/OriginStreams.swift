import Bytes
import HTTP
import OS
import Upstream

/// The streams of one connection of HTTP/2 to a server. Each is the origin of one exchange, which speaks HTTP/1.1 with it
/// through a conduit.
final class OriginStreams: Multiplex {
    private unowned(unsafe) let shared: SharedOrigin
    /// Streams whose requests have not come to the codec.
    private var opening: [OriginStream] = []
    /// When the server was last heard of.
    private var heard: Ticks

    init(_ shared: SharedOrigin, isHTTPS: Bool, worker: Worker) {
        self.shared = shared
        heard = worker.loop.now
        super.init(.client, isHTTPS: isHTTPS, worker: worker)
    }

    private static let suspicious = Milliseconds(500)

    var isEmpty: Bool { streams.isEmpty && opening.isEmpty }

    /// Whether one more request would be taken now.
    var hasRoom: Bool { codec.streamsFree > opening.count }

    /// A stream for one exchange. Its request is sent at the end of the turn.
    func open(on connection: Origin, for user: OriginUser) -> Origin? {
        let stream = OriginStream(on: connection, for: user, owner: self)
        opening.append(stream)
        return stream.origin
    }

    // MARK: The connection to the server

    override var isBacklogged: Bool { shared.origin?.transport.isBacklogged ?? true }
    override var canRead: Bool { shared.origin?.transport.readable ?? false }

    override func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        heard = worker.loop.now
        return try shared.origin?.transport.read(into: room) ?? .ended
    }

    override func write(_ frames: UnsafeRawBufferPointer) throws(Errno) { try shared.origin?.transport.write(frames) }
    override func peerLeft() { shared.leave() }
    override func wake() { worker.loop.again(shared) }

    override func turnEnded() { if codec.failure != nil || codec.isFinished { shared.leave() } }

    // MARK: Of the streams

    override func pumped(_ stream: MultiplexedStream, isGood: Bool) {
        guard let stream = stream as? OriginStream else { return }
        if let at = opening.firstIndex(where: { $0 === stream }), stream.id != 0 || !isGood || stream.isUnread {
            opening.remove(at: at)
            if stream.id != 0 { streams[stream.id] = stream }
        }
        if stream.isUnread {
            // The exchange is over. A server that was silent for long may be gone.
            let silence = worker.loop.now - max(heard, stream.since)
            if !stream.peerEnded, silence >= OriginStreams.suspicious { shared.retire() }
            if !stream.peerEnded || !stream.hasEnded { codec.reset(stream.id, code: .cancel) }
            remove(stream, telling: [])
        } else if !isGood {
            cut(stream, code: .cancel)
        }
    }

    override func end() {
        for stream in opening {
            stream.refused()
            stream.conduit.breakOff()
            remove(stream, telling: .broken)
        }
        opening.removeAll()
        super.end()
    }

    // MARK: Of the codec

    override func response(_ id: Int32, head: UnsafeRawBufferPointer, ended: Bool) {
        change(id) { [codec] stream in
            (stream as? OriginStream)?.response(head, isChunked: codec.isChunked(id))
            if ended { stream.peerEnded = true }
        }
    }

    override func reset(_ id: Int32, code: HTTP2Code) {
        guard let stream = streams[id] as? OriginStream else { return }
        // All of the answer has come: that no more of the request is wanted does not undo it (RFC 9113 section 8.1).
        if stream.peerEnded { return remove(stream, telling: .readable) }
        if code == .refusedStream { stream.refused() }
        super.reset(id, code: code)
    }
}
