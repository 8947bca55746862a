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

    override func takeHead(_ bytes: UnsafeRawBufferPointer, _ owner: Multiplex) -> Head {
        guard !bytes.isEmpty else { return .needMore }
        defer { owner.requestHead.reset() }
        guard case .head(let length) = owner.requestHead.parse(bytes, limits: owner.codec.textLimits) else {
            return .bad
        }
        let text = UnsafeRawBufferPointer(rebasing: bytes[..<length])
        return ask(owner.requestHead, text, owner) ? .taken(length) : .bad
    }

    private func ask(_ head: borrowing RequestHead, _ text: UnsafeRawBufferPointer, _ owner: Multiplex) -> Bool {
        let isExchange = head.method != .connect && head.upgrade == nil
        let ended = isExchange && !head.framing.hasContent
        do throws(HTTP2RequestError) {
            id = try owner.codec.request(head, from: text, ended: ended)
        } catch {
            if error == .full || error == .goingAway { refused() }
            return false
        }
        kind = owner.codec.kind(id)
        stage =
            kind != .exchange
            ? .raw : ended ? .ended : .body(BodyReader(head.framing, limits: owner.worker.limits))
        return true
    }
}
