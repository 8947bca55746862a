import Bytes
import HTTP
import OS
import Upstream

/// One stream of a connection of HTTP/2, and the conduit through which a session speaks HTTP/1.1 with it: text of HTTP/1.1
/// goes in and out of the conduit, and what the codec knows of the stream stands on the other side.
///
/// Of a client it is the session's client, of a server its origin.
class MultiplexedStream: ConduitKeeper {
    /// By the codec; 0 where it has none yet.
    final var id: Int32
    final let conduit = Conduit()
    /// Nil when nothing more is heard of the stream.
    final var owner: Multiplex?
    /// What comes of the peer's message is put into chunks.
    final var isChunked = false
    /// The peer's message has ended.
    final var peerEnded = false
    private var hasTrailers = false
    /// Bytes of the peer whose credit has not gone back.
    private var held = 0
    /// To be looked at when the turn's writing is done.
    private var isWritten = false

    /// How far what the session writes has been read.
    enum Stage {
        case head
        case body(BodyReader)
        /// After a 101, or a 2xx to CONNECT.
        case raw
        case ended
    }
    final var stage = Stage.head

    /// What is at the front of what the session has written.
    enum Head { case needMore, taken(Int), bad }

    init(_ id: Int32, owner: Multiplex) {
        self.id = id
        self.owner = owner
        super.init()
        conduit.keep(by: self)
    }

    /// Nobody reads what comes.
    var isUnread: Bool { false }
    /// After what is said the stream is open to anything: its end is that of the connection in HTTP/1.1.
    var isOpenEnded: Bool { false }
    /// Tells the session of what has come.
    func tell(_ events: Readiness) {}
    /// Gives the codec the head that stands in front of `bytes`, and sets the stage behind it.
    func takeHead(_ bytes: UnsafeRawBufferPointer, _ owner: Multiplex) -> Head { .bad }

    // MARK: From the peer

    final func data(_ bytes: UnsafeRawBufferPointer) {
        held += bytes.count
        owner?.took(bytes.count)
        if isUnread { return giveCredit() }
        conduit.put { if isChunked { Writer.chunk(bytes, into: &$0) } else { $0.append(bytes) } }
    }

    final func trailers(_ lines: UnsafeRawBufferPointer) {
        guard isChunked else { return }
        hasTrailers = true
        conduit.put {
            $0.append("0\r\n")
            $0.append(lines)
            $0.append("\r\n")
        }
    }

    final func ended() {
        peerEnded = true
        if isChunked {
            if !hasTrailers { conduit.put { Writer.lastChunk(into: &$0) } }
        } else if isOpenEnded {
            conduit.end()
        }
    }

    private func giveCredit() {
        guard held > 0 else { return }
        owner?.gave(held, of: self)
        held = 0
    }

    /// Nothing more is heard of it, and nothing more goes out.
    final func leave() {
        giveCredit()
        owner = nil
        conduit.queuedBeyond = 0
    }

    // MARK: Of the conduit

    final override func conduitRead(_ conduit: Conduit) { giveCredit() }

    final override func conduitWritten(_ conduit: Conduit) {
        guard !isWritten else { return }
        isWritten = true
        owner?.written(self)
    }

    override func conduitClosed(_ conduit: Conduit) {
        giveCredit()
        conduitWritten(conduit)
    }

    // MARK: From the session

    final var hasEnded: Bool { if case .ended = stage { true } else { false } }

    /// Gives the codec what the session has written. False where that is no message: the stream has no good end.
    final func pump(for owner: Multiplex) -> Bool {
        let codec = owner.codec
        isWritten = false
        while true {
            let bytes = conduit.outbound.readable
            switch stage {
            case .head:
                switch takeHead(bytes, owner) {
                case .needMore: return !conduit.outboundEnded
                case .bad: return false
                case .taken(let length): conduit.outbound.consume(length)
                }
            case .body(var reader):
                let step = reader.step(bytes)
                stage = .body(reader)
                switch step {
                case .needMore(let consumed):
                    conduit.outbound.consume(consumed)
                    guard conduit.outboundEnded else { return true }
                    guard reader.endsWithConnection, !conduit.isReset else { return false }
                    end(codec)
                case .data(let range, let consumed):
                    codec.send(id, UnsafeRawBufferPointer(rebasing: bytes[range]))
                    conduit.outbound.consume(consumed)
                case .end(let consumed):
                    conduit.outbound.consume(consumed)
                    end(codec, reader)
                case .reject: return false
                }
            case .raw:
                codec.send(id, bytes)
                conduit.outbound.removeAll()
                guard conduit.outboundEnded else { return true }
                if conduit.isReset { return false }
                end(codec)
            case .ended:
                conduit.outbound.removeAll()
                return true
            }
        }
    }

    private func end(_ codec: HTTP2Connection, _ reader: BodyReader = .none) {
        stage = .ended
        var trailers = Buffer()
        reader.writeTrailers(into: &trailers)
        codec.finish(id, trailers: trailers.isEmpty ? nil : trailers.readable)
    }
}
