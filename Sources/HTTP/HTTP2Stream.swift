import Bytes

/// One stream of a connection: what waits to be sent on it, and how far its two messages are.
final class HTTP2Stream {
    let id: Int32
    /// Of its request.
    var method = Method.other
    var kind = HTTP2RequestKind.exchange
    var webSocketKey: [UInt8] = []

    /// Content that was handed over and not put out yet.
    var queue = Buffer()
    /// Trailer lines for the end of it.
    var trailers = ContiguousArray<UInt8>()
    /// Nothing more will be queued.
    var isFinished = false
    /// The library waits to be told of more content.
    var isDeferred = false
    /// Our last frame is out, or the peer's is in.
    var hasSentEnd = false
    var hasPeerEnded = false
    /// The final response is sent, or has come.
    var hasResponse = false
    /// The peer's head, as it was shown, says that content comes in chunks.
    var isChunked = false
    /// Received, and not yet consumed.
    var held = 0

    /// The user has heard of the stream.
    var isKnown = false
    /// The user wants to hear no more of it.
    var isSilent = false
    /// We chose to reset it: the peer is not to blame.
    var isOurReset = false
    /// The reset waits until what was queued is out.
    var resetsAtEnd = false

    init(id: Int32) { self.id = id }
}
