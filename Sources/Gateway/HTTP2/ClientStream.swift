import Bytes
import HTTP
import OS
import Upstream

/// One stream of a client: a session that speaks HTTP/1.1 through a conduit.
final class ClientStream: MultiplexedStream {
    /// Nil when it has closed.
    var session: Session?
    private let method: Method
    private let kind: HTTP2RequestKind

    init(
        _ id: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, isChunked: Bool, ended: Bool,
        owner: Multiplex
    ) {
        self.kind = kind
        method = Method(ofHead: head)
        super.init(id, owner: owner)
        self.isChunked = isChunked
        peerEnded = ended
        conduit.put(head)
    }

    override var isUnread: Bool { session == nil || hasEnded }
    override var isOpenEnded: Bool { kind != .exchange }
    override func tell(_ events: Readiness) { session?.ready(events) }

    override func conduitClosed(_ conduit: Conduit) {
        session = nil
        super.conduitClosed(conduit)
    }

    /// A response, final or interim.
    override func takeHead(_ bytes: UnsafeRawBufferPointer, _ owner: Multiplex) -> Head {
        defer { owner.responseHead.reset() }
        switch owner.responseHead.parse(bytes, answering: method, limits: owner.codec.textLimits) {
        case .needMore: return .needMore
        case .reject: return .bad
        case .head(let length):
            let text = UnsafeRawBufferPointer(rebasing: bytes[..<length])
            return respond(owner.responseHead, text, owner) ? .taken(length) : .bad
        }
    }

    private func respond(
        _ head: borrowing ResponseHead, _ text: UnsafeRawBufferPointer, _ owner: Multiplex
    ) -> Bool {
        let isSwitched = head.status == 101 || method == .connect && (200..<300).contains(head.status)
        let isEmpty = !head.isInterim && !isSwitched && !head.framing.hasContent
        guard owner.codec.respond(id, head, from: text, ended: isEmpty) == nil else { return false }
        if isSwitched {
            stage = .raw
        } else if isEmpty {
            stage = .ended
        } else if !head.isInterim {
            stage = .body(BodyReader(head.framing, limits: owner.worker.limits))
        }
        return true
    }
}
