import Bytes
import HTTP
import Upstream

/// One stream of a client: a session that speaks HTTP/1.1 through a conduit, and how far its response has been read.
final class ClientStream: ConduitKeeper {
    let id: Int32
    let conduit = Conduit()
    /// Nil when nothing more is heard of the stream.
    var owner: ClientStreams?
    /// Nil when it has closed.
    var session: Session?
    private let method: Method
    private let kind: HTTP2RequestKind
    /// The request's content is shown in chunks.
    private let isChunked: Bool
    /// Bytes of the peer whose credit has not gone back.
    private var held = 0
    private(set) var requestEnded: Bool
    private var hasTrailers = false

    private enum Stage {
        case head
        case body(BodyReader)
        /// After a 101, or a 2xx to CONNECT.
        case raw
        case ended
    }
    private var stage = Stage.head
    private var head = ResponseHead()
    /// To be looked at when the turn's writing is done.
    private var isWritten = false

    init(
        _ id: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool, limits: Limits,
        owner: ClientStreams
    ) {
        self.id = id
        self.owner = owner
        self.kind = kind
        method = Method(ofHead: head)
        isChunked = kind == .exchange && !ended && ClientStream.saysChunked(head, limits)
        requestEnded = ended
        super.init()
        conduit.put(head)
        conduit.keep(by: self)
    }

    /// The codec says so where the length is not known; a client of HTTP/2 cannot (RFC 9113 section 8.2.2).
    private static func saysChunked(_ head: UnsafeRawBufferPointer, _ limits: Limits) -> Bool {
        var parsed = RequestHead()
        if case .head = parsed.parse(head, limits: limits) { return parsed.framing == .chunked }
        return false
    }

    // MARK: The request

    func data(_ bytes: UnsafeRawBufferPointer) {
        held += bytes.count
        owner?.took(bytes.count)
        // Nobody reads it any more.
        if session == nil || responseEnded { return giveCredit() }
        conduit.put { if isChunked { Writer.chunk(bytes, into: &$0) } else { $0.append(bytes) } }
    }

    func trailers(_ lines: UnsafeRawBufferPointer) {
        guard isChunked else { return }
        hasTrailers = true
        conduit.put {
            $0.append("0\r\n")
            $0.append(lines)
            $0.append("\r\n")
        }
    }

    func ended() {
        requestEnded = true
        if kind != .exchange { return conduit.end() }
        if isChunked, !hasTrailers { conduit.put { Writer.lastChunk(into: &$0) } }
    }

    private func giveCredit() {
        guard held > 0 else { return }
        owner?.gave(held)
        owner?.consumed(id, held)
        held = 0
    }

    /// Nothing more is heard of it, and nothing more goes out.
    func leave() {
        owner?.gave(held)
        held = 0
        owner = nil
        conduit.queuedBeyond = 0
    }

    // MARK: Of the conduit

    override func conduitRead(_ conduit: Conduit) { giveCredit() }

    override func conduitWritten(_ conduit: Conduit) {
        guard !isWritten else { return }
        isWritten = true
        owner?.written(self)
    }

    override func conduitClosed(_ conduit: Conduit) {
        session = nil
        giveCredit()
        conduitWritten(conduit)
    }

    // MARK: The response

    var responseEnded: Bool { if case .ended = stage { true } else { false } }

    /// Gives the codec what the session has written. False where that is no response: the stream has no good end.
    func pump(_ codec: HTTP2Connection, _ limits: Limits) -> Bool {
        isWritten = false
        while true {
            let bytes = conduit.outbound.readable
            switch stage {
            case .head:
                switch head.parse(bytes, answering: method, limits: limits) {
                case .needMore: return !conduit.outboundEnded
                case .reject: return false
                case .head(let length):
                    guard takeHead(UnsafeRawBufferPointer(rebasing: bytes[..<length]), codec, limits) else {
                        return false
                    }
                    conduit.outbound.consume(length)
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

    private func takeHead(_ text: UnsafeRawBufferPointer, _ codec: HTTP2Connection, _ limits: Limits) -> Bool {
        let isSwitched = head.status == 101 || method == .connect && (200..<300).contains(head.status)
        let isEmpty = !head.isInterim && !isSwitched && !head.framing.hasContent
        guard codec.respond(id, head: text, ended: isEmpty) == nil else { return false }
        if isSwitched {
            stage = .raw
        } else if isEmpty {
            stage = .ended
        } else if !head.isInterim {
            stage = .body(BodyReader(head.framing, limits: limits))
        }
        head.reset()
        return true
    }

    private func end(_ codec: HTTP2Connection, _ reader: BodyReader = .none) {
        stage = .ended
        var trailers = Buffer()
        reader.writeTrailers(into: &trailers)
        codec.finish(id, trailers: trailers.isEmpty ? nil : trailers.readable)
    }
}
