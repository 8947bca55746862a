/// Who is told what comes on an HTTP/2 connection. A stream is named by its number.
///
/// Calls come from within `receive` and `output`. All verbs but these two may be used in them. Bytes handed in are
/// valid during the call alone. After `reset`, `closed` or `malformed` of a stream, and after one's own
/// `reset`, nothing more is heard of it; once the connection has failed, of none.
public protocol HTTP2User: AnyObject {
    /// A client's request, as the text of an HTTP/1.1 head with its empty line. `ended`: it has no body. A body of
    /// unknown length has `transfer-encoding: chunked` in the text; what comes as `data` has no chunk framing.
    func request(_ stream: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool)

    /// A server's response, final or interim, as the text of an HTTP/1.1 head with its empty line.
    func response(_ stream: Int32, head: UnsafeRawBufferPointer, ended: Bool)

    /// Content. The stream's credit goes back with `consumed`.
    func data(_ stream: Int32, _ bytes: UnsafeRawBufferPointer)

    /// The trailer fields as lines of HTTP/1.1, without the empty one; `ended` follows.
    func trailers(_ stream: Int32, _ lines: UnsafeRawBufferPointer)

    /// The peer has sent all of its message, and the head did not say so.
    func ended(_ stream: Int32)

    /// All that was queued for the stream has been put out; more can be sent.
    func writable(_ stream: Int32)

    /// Both messages have ended, in order.
    func closed(_ stream: Int32)

    /// The stream was reset, by the peer or because of what it sent. Streams the peer did not come to before it
    /// went away end as `refusedStream`, and may be tried again.
    func reset(_ stream: Int32, code: HTTP2Code)

    /// A head that came is none, or content is not of the length that its head says. The stream is reset; for the head of
    /// a request this is the only call.
    func malformed(_ stream: Int32, _ rejection: Rejection)

    /// The peer opens no stream, and takes none, beyond `lastStream`.
    func goaway(lastStream: Int32, code: HTTP2Code)

    /// The answer to `ping`.
    func pong(_ payload: UInt64)

    /// The peer went beyond a bound; the connection has failed with it.
    func threat(_ kind: HTTP2Threat)
}

public enum HTTP2Role: Sendable { case server, client }

/// What a request opens.
public enum HTTP2RequestKind: Sendable {
    /// An exchange of messages.
    case exchange
    /// CONNECT: after a 2xx what goes both ways is data.
    case tunnel
    /// Extended CONNECT (RFC 8441), shown as the upgrade it stands for: after a 101 what goes both ways is data.
    case webSocket
}

/// Floods and bombs. Each ends the connection with ENHANCE_YOUR_CALM.
public enum HTTP2Threat: Sendable {
    /// Streams opened to be reset, by the peer or by us (CVE-2023-44487, CVE-2025-8671).
    case rapidReset
    /// A head without end (CVE-2024-28182).
    case continuationFlood
    /// A head that is small on the wire alone (CVE-2016-1544).
    case headerBomb
    /// Frames that cost us more than the peer (CVE-2019-9511…9518).
    case controlFlood
}

/// Why a connection takes no more. What `output` still gives tells the peer.
public enum HTTP2Failure: Equatable, Sendable {
    /// The bytes are not HTTP/2.
    case badPreface
    /// The peer broke the protocol.
    case violation(HTTP2Code)
    case threat(HTTP2Threat)
    /// `terminate` was called.
    case terminated
    /// An error of the library, by its number.
    case library(Int32)
}

/// Error codes (RFC 9113 section 7).
public struct HTTP2Code: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let noError = HTTP2Code(rawValue: 0)
    public static let protocolError = HTTP2Code(rawValue: 1)
    public static let internalError = HTTP2Code(rawValue: 2)
    public static let flowControlError = HTTP2Code(rawValue: 3)
    public static let streamClosed = HTTP2Code(rawValue: 5)
    public static let frameSizeError = HTTP2Code(rawValue: 6)
    public static let refusedStream = HTTP2Code(rawValue: 7)
    public static let cancel = HTTP2Code(rawValue: 8)
    public static let compressionError = HTTP2Code(rawValue: 9)
    public static let connectError = HTTP2Code(rawValue: 10)
    public static let enhanceYourCalm = HTTP2Code(rawValue: 11)
    public static let http11Required = HTTP2Code(rawValue: 13)
}

/// Why a request was not sent.
public enum HTTP2RequestError: Error, Equatable, Sendable {
    /// No stream is free now; one will be when another closes.
    case full
    /// The connection is going away.
    case goingAway
    /// The peer knows no extended CONNECT (RFC 8441): WebSocket needs a connection of HTTP/1.1.
    case noWebSocket
    /// The text is not the head of a request that HTTP/2 can carry.
    case malformed(Rejection)
}
