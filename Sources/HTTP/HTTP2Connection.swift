import Bytes
import CNghttp2

/// One HTTP/2 connection, in either role, as a machine fed bytes (RFC 9113). It never sees a descriptor or a clock.
///
/// Each stream is shown as a message of HTTP/1.1: heads as text, which the parsers of HTTP/1 read again, content as it
/// is. The frames are libnghttp2's work; what it lets through is judged in `HTTP2Block`, and what a peer costs in
/// `HTTP2Floods`.
///
///     bytes ──receive──▶ floods ──▶ library ──▶ block ──▶ user
///     bytes ◀──output─── library ◀── fields, queues ◀──── verbs
///
/// Owned by one loop. The user outlives it.
public final class HTTP2Connection {
    public let role: HTTP2Role
    let isHTTPS: Bool
    let limits: HTTP2Limits
    let texts: Limits
    unowned(unsafe) let user: any HTTP2User

    /// Why the connection takes no more.
    public internal(set) var failure: HTTP2Failure?

    /// The peer has said what it takes, and so that it speaks HTTP/2.
    public internal(set) var hasSettings = false

    var session: OpaquePointer?
    var streams: [Int32: HTTP2Stream] = [:]
    var floods: HTTP2Floods
    /// The section that is being received; the frames of one are never mixed with others.
    var block = HTTP2Block()
    var requestHead = RequestHead()
    var responseHead = ResponseHead()
    var fields = HTTP2Fields()

    /// Frames that are ready to go.
    private var ready = Buffer()
    /// Answers among them to what the peer sent.
    var answers = 0
    /// Found in a callback; acted on when the library has returned.
    var threat: HTTP2Threat?
    /// The library is at work, and calls us.
    private var isBusy = false
    /// Content waits: only what the peer must hear is put out.
    var holdsContent = false
    /// Streams whose queues have run empty.
    var drained: [Int32] = []
    var goingAway = GoingAway.no

    enum GoingAway {
        case no
        /// The notice is out, and a PING behind it: what the client sent before it knew is still taken.
        case noticed
        case said
    }

    /// The payload of that PING.
    static let noticePing: UInt64 = 0x676f_696e_6761_7761

    /// `isHTTPS` is what a client's requests say as their scheme. The user is not retained.
    public init(role: HTTP2Role, isHTTPS: Bool = true, limits: HTTP2Limits = HTTP2Limits(), user: any HTTP2User) {
        self.role = role
        self.isHTTPS = isHTTPS
        self.limits = limits
        self.user = user
        texts = limits.texts
        floods = HTTP2Floods(limits, isServer: role == .server)
        session = makeSession()
    }

    deinit { nghttp2_session_del(session) }

    // MARK: - Bytes in and out

    /// Feeds what came. Answers why the connection has failed; then there is nothing left but to write what `output`
    /// still gives, and to close.
    @discardableResult
    public func receive(_ bytes: UnsafeRawBufferPointer) -> HTTP2Failure? {
        precondition(!isBusy, "receive is not called by the user's own events")
        guard failure == nil else { return failure }
        var at = 0
        while at < bytes.count, failure == nil {
            // Frame by frame: what one is answered with is out before the next is read, so that no verdict depends on
            // how the bytes were cut.
            let (end, threat) = floods.walk(bytes, from: at)
            if end > at { feed(UnsafeRawBufferPointer(rebasing: bytes[at..<end])) }
            if let threat { fail(threat) }
            if let code = floods.violation { violate(code) }
            if floods.isBetweenFrames || failure != nil { putOutAnswers() }
            at = end
        }
        return failure
    }

    private func feed(_ bytes: UnsafeRawBufferPointer) {
        isBusy = true
        let taken = nghttp2_session_mem_recv(
            session, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        isBusy = false
        if let threat { return fail(threat) }
        guard taken < 0 else { return }
        switch Int32(taken) {
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue:
            failure = .badPreface
            nghttp2_session_terminate_session(session, HTTP2Code.protocolError.rawValue)
        case NGHTTP2_ERR_FLOODED.rawValue: fail(.controlFlood)
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS.rawValue: fail(.continuationFlood)
        default: fail(library: Int32(taken))
        }
    }

    /// Puts out frames as long as fewer than `most` bytes were appended: at most one frame more. Empty when there is
    /// nothing to say, or the peer's windows are full.
    public func output(into buffer: inout Buffer, atMost most: Int) {
        precondition(!isBusy, "output is not called by the user's own events")
        let start = buffer.count
        let first = min(ready.count, most)
        buffer.append(UnsafeRawBufferPointer(rebasing: ready.readable[..<first]))
        ready.consume(first)
        if ready.isEmpty {
            answers = 0
            while buffer.count - start < most, let frame = nextFrame() { buffer.append(frame) }
        }
        tellWritable()
    }

    /// Whether `output` has something to give. May be true for a stream that has nothing after all.
    public var wantsWrite: Bool { !ready.isEmpty || nghttp2_session_want_write(session) != 0 }

    /// Bytes of heads and control frames that are ready. Who cannot write them stops reading, too.
    public var backlog: Int { ready.count }

    /// Nothing more will come or go: the connection may be closed.
    public var isFinished: Bool {
        !wantsWrite && (failure != nil || nghttp2_session_want_read(session) == 0)
    }

    /// What answers a frame is put out at once: it shows whether the library has ended the connection, and the queue of
    /// a peer that does not read is counted here.
    private func putOutAnswers() {
        holdsContent = true
        while ready.count < limits.backlogBytes, nghttp2_session_get_outbound_queue_size(session) > 0,
            let frame = nextFrame()
        {
            ready.append(frame)
            if answers > limits.answersMost { fail(.controlFlood) }
        }
        holdsContent = false
        tellWritable()
    }

    /// The bytes are the library's until it is called again.
    private func nextFrame() -> UnsafeRawBufferPointer? {
        var bytes: UnsafePointer<UInt8>?
        isBusy = true
        let count = nghttp2_session_mem_send(session, &bytes)
        isBusy = false
        if count < 0, failure == nil { fail(library: Int32(count)) }
        guard count > 0, let bytes else { return nil }
        return UnsafeRawBufferPointer(start: bytes, count: count)
    }

    private func tellWritable() {
        if let threat { fail(threat) }
        guard !drained.isEmpty else { return }
        let ids = drained
        drained.removeAll(keepingCapacity: true)
        for id in ids {
            guard let stream = streams[id], !stream.isSilent, !stream.isFinished, stream.queue.isEmpty else { continue }
            user.writable(id)
        }
    }

    // MARK: - The end

    private func fail(_ threat: HTTP2Threat) {
        self.threat = nil
        guard failure == nil else { return }
        failure = .threat(threat)
        nghttp2_session_terminate_session(session, HTTP2Code.enhanceYourCalm.rawValue)
        user.threat(threat)
    }

    private func violate(_ code: HTTP2Code) {
        guard failure == nil else { return }
        failure = .violation(code)
        nghttp2_session_terminate_session(session, code.rawValue)
    }

    private func fail(library number: Int32) {
        guard failure == nil else { return }
        failure = .library(number)
        nghttp2_session_terminate_session(session, HTTP2Code.internalError.rawValue)
    }

    /// Ends the connection with an error. What is on its way is lost.
    public func terminate(_ code: HTTP2Code) {
        guard failure == nil else { return }
        failure = .terminated
        nghttp2_session_terminate_session(session, code.rawValue)
    }

    /// Asks the peer to open no more streams; those that are open end in order. A server first gives notice, and says
    /// the last stream it takes when the client has answered or when called again (RFC 9113 section 6.8).
    public func goAway() {
        guard failure == nil else { return }
        switch (role, goingAway) {
        case (.server, .no):
            goingAway = .noticed
            nghttp2_submit_shutdown_notice(session)
            ping(HTTP2Connection.noticePing)
        case (.client, .no), (_, .noticed): sayGoAway()
        case (_, .said): break
        }
    }

    func sayGoAway() {
        goingAway = .said
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
            HTTP2Code.noError.rawValue, nil, 0)
    }

    /// Asks the peer for a `pong`.
    public func ping(_ payload: UInt64) {
        guard failure == nil else { return }
        withUnsafeBytes(of: payload.bigEndian) { bytes in
            _ = nghttp2_submit_ping(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// About a second has passed: what a peer may do in a time comes back.
    public func tick() { floods.tick() }
}
