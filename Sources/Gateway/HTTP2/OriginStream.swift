import Bytes
import HTTP
import OS
import Upstream

/// One stream to a server: what an exchange takes for its origin.
final class OriginStream: MultiplexedStream {
    /// Nil when the exchange is done with it.
    private(set) var origin: Origin?
    /// When it was opened.
    let since: Ticks
    private var kind = HTTP2RequestKind.exchange
    private var head = RequestHead()

    /// - Parameter shared: the connection that it is one stream of.
    init(on shared: Origin, for user: OriginUser, owner: Multiplex) {
        since = owner.worker.loop.now
        super.init(0, owner: owner)
        origin = Origin(conduit, on: shared, for: user)
    }

    override var isUnread: Bool { origin == nil }
    override var isOpenEnded: Bool { kind != .exchange }
    override func tell(_ events: Readiness) { origin?.ready(events) }

    override func conduitClosed(_ conduit: Conduit) {
        origin = nil
        super.conduitClosed(conduit)
    }

    /// The server did not look at the request (RFC 9113 section 8.7).
    func refused() { origin?.wasRefused = true }

    func response(_ text: UnsafeRawBufferPointer, isChunked: Bool) {
        self.isChunked = isChunked
        conduit.put(text)
    }

    override func takeHead(_ bytes: UnsafeRawBufferPointer, _ codec: HTTP2Connection, _ limits: Limits) -> Head {
        guard !bytes.isEmpty else { return .needMore }
        guard case .head(let length) = head.parse(bytes, limits: codec.textLimits) else { return .bad }
        let ended = !head.framing.hasContent && !opens
        do throws(HTTP2RequestError) {
            id = try codec.request(head: UnsafeRawBufferPointer(rebasing: bytes[..<length]), ended: ended)
        } catch {
            if error == .full || error == .goingAway { refused() }
            return .bad
        }
        kind = codec.kind(id)
        stage = kind != .exchange ? .raw : ended ? .ended : .body(BodyReader(head.framing, limits: limits))
        head.reset()
        return .taken(length)
    }

    private var opens: Bool { head.method == .connect || head.upgrade != nil }
}
