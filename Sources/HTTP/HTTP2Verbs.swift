import Bytes
import CNghttp2

/// What the user does with streams. Verbs about a stream that is gone do nothing: its end may be told only later.
extension HTTP2Connection {
    private static let noFlags = UInt8(NGHTTP2_FLAG_NONE.rawValue)

    private func live(_ id: Int32) -> HTTP2Stream? {
        guard failure == nil, let stream = streams[id], !stream.isSilent else { return nil }
        return stream
    }

    // MARK: - Heads

    /// Whether `request` would be taken now.
    public var canOpenStream: Bool { streamsFree > 0 }

    /// How many more requests would be taken now.
    public var streamsFree: Int {
        guard role == .client, mayRequest else { return 0 }
        let most = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        return max(0, min(Int(most), limits.streamsMost) - streams.count)
    }

    /// Whether the peer's head, as it was shown last, says that content comes in chunks.
    public func isChunked(_ id: Int32) -> Bool { streams[id]?.isChunked ?? false }

    /// What the request of a stream opened.
    public func kind(_ id: Int32) -> HTTP2RequestKind { streams[id]?.kind ?? .exchange }

    /// Bounds of the heads that are handed in as text.
    public var textLimits: Limits { texts }

    /// Neither end has said that it goes away, and there are numbers left.
    private var mayRequest: Bool {
        failure == nil && goingAway == .no && nghttp2_session_check_request_allowed(session) != 0
    }

    /// Whether the peer takes extended CONNECT; known once its SETTINGS have come.
    public var canOpenWebSocket: Bool {
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1
    }

    /// Sends a request of which `text` is the whole head, in the form that `Writer` gives it. `ended`: it has no body.
    public func request(head text: UnsafeRawBufferPointer, ended: Bool) throws(HTTP2RequestError) -> Int32 {
        requestHead.reset()
        switch requestHead.parse(text, limits: texts) {
        case .head(text.count): break
        case .reject(let rejection): throw .malformed(rejection)
        case .head, .needMore: throw .malformed(.malformed("one whole head"))
        }
        return try request(requestHead, from: text, ended: ended)
    }

    /// The same for a head that has been parsed from `text`, where it is all there is.
    public func request(
        _ head: borrowing RequestHead, from text: UnsafeRawBufferPointer, ended: Bool
    ) throws(HTTP2RequestError) -> Int32 {
        precondition(role == .client, "a client sends requests")
        guard mayRequest else { throw .goingAway }
        guard canOpenStream else { throw .full }
        let kind = try kind(head, text)
        guard kind == .exchange || !ended else { throw .malformed(.malformed("an open stream after CONNECT")) }
        guard !ended || !HTTP2Connection.hasContent(head.framing) else {
            throw .malformed(.malformed("content of the length that is said"))
        }
        fields.removeAll()
        let isWebSocket = kind == .webSocket
        if let rejection = fields.put(head, from: text, isHTTPS: isHTTPS, isWebSocket: isWebSocket) {
            throw .malformed(rejection)
        }
        let id = fields.list.withUnsafeBufferPointer { list in
            HTTP2Connection.withContent(ended) {
                nghttp2_submit_request(session, nil, list.baseAddress, list.count, $0, nil)
            }
        }
        guard id > 0 else { throw .goingAway }
        let stream = HTTP2Stream(id: id)
        stream.isKnown = true
        stream.isFinished = ended
        stream.kind = kind
        stream.method = head.method
        if isWebSocket { stream.webSocketKey = Array(text[HTTP2Connection.key(head, text) ?? 0..<0]) }
        streams[id] = stream
        floods.opened()
        return id
    }

    /// What a head opens.
    private func kind(
        _ head: borrowing RequestHead, _ text: UnsafeRawBufferPointer
    ) throws(HTTP2RequestError) -> HTTP2RequestKind {
        if head.method == .connect { return .tunnel }
        // Any other Upgrade is an offer that a server of HTTP/2 does not take up, and so is left out.
        guard let upgrade = head.upgrade, Octet.matches(text, upgrade, "websocket"), head.method == .get
        else { return .exchange }
        guard HTTP2Connection.key(head, text) != nil else { throw .malformed(.malformed("one Sec-WebSocket-Key")) }
        guard canOpenWebSocket else { throw .noWebSocket }
        return .webSocket
    }

    private static func key(_ head: borrowing RequestHead, _ text: UnsafeRawBufferPointer) -> Range<Int>? {
        let keys = head.fields.filter { $0.id == .other && Octet.matches(text, $0.name, "sec-websocket-key") }
        return keys.count == 1 ? keys.first?.value : nil
    }

    /// Sends a response, final or interim, of which `text` is the whole head, in the form that `Writer` gives it.
    /// `ended`: it has no body. Answers why it was not sent; then another may be.
    public func respond(_ id: Int32, head text: UnsafeRawBufferPointer, ended: Bool) -> Rejection? {
        guard let stream = live(id) else { return nil }
        responseHead.reset()
        switch responseHead.parse(text, answering: stream.method, limits: texts) {
        case .head(text.count): break
        case .reject(let rejection): return rejection
        case .head, .needMore: return .malformed("one whole head")
        }
        return respond(id, responseHead, from: text, ended: ended)
    }

    /// The same for a head that has been parsed from `text`, where it is all there is.
    public func respond(
        _ id: Int32, _ head: borrowing ResponseHead, from text: UnsafeRawBufferPointer, ended: Bool
    ) -> Rejection? {
        precondition(role == .server, "a server responds")
        guard let stream = live(id) else { return nil }
        guard !stream.hasResponse else { return .malformed("one final response") }
        fields.removeAll()
        if let rejection = fields.put(
            head, from: text, kind: stream.kind, webSocketKey: stream.webSocketKey)
        {
            return rejection
        }
        let isInterim = head.isInterim
        guard !isInterim || !ended else { return .malformed("a final response after an interim one") }
        guard !ended || !HTTP2Connection.hasContent(head.framing) else {
            return .malformed("content of the length that is said")
        }
        fields.list.withUnsafeBufferPointer { list in
            if isInterim {
                _ = nghttp2_submit_headers(session, HTTP2Connection.noFlags, id, nil, list.baseAddress, list.count, nil)
            } else {
                _ = HTTP2Connection.withContent(ended) {
                    nghttp2_submit_response(session, id, list.baseAddress, list.count, $0)
                }
            }
        }
        if !isInterim {
            stream.hasResponse = true
            stream.isFinished = ended
        }
        return nil
    }

    /// Whether a head says that there is some.
    private static func hasContent(_ framing: Framing) -> Bool {
        if case .length(let length) = framing { length > 0 } else { false }
    }

    // MARK: - Content

    /// Queues content. It goes out as the peer's windows allow; `queued` says how much has not.
    public func send(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard let stream = live(id), !bytes.isEmpty else { return }
        precondition(!stream.isFinished, "content comes before the end")
        stream.queue.append(bytes)
        resume(stream)
    }

    /// Bytes that were handed to `send` and not yet put out.
    public func queued(_ id: Int32) -> Int { live(id)?.queue.count ?? 0 }

    /// Ends our message, with the trailer lines of HTTP/1.1 if there are any. Answers why the trailers were left out.
    @discardableResult
    public func finish(_ id: Int32, trailers: UnsafeRawBufferPointer? = nil) -> Rejection? {
        guard let stream = live(id), !stream.isFinished else { return nil }
        stream.isFinished = true
        var rejection: Rejection?
        if let trailers {
            rejection = trailerFault(trailers)
            if rejection == nil { stream.trailers = ContiguousArray(trailers) }
        }
        resume(stream)
        return rejection
    }

    private func trailerFault(_ lines: UnsafeRawBufferPointer) -> Rejection? {
        var parsed = ContiguousArray<Field>()
        var reader = FieldLines()
        switch reader.take(lines, end: lines.count, into: &parsed, max: limits.fieldsMost) {
        case .end(lines.count): return nil
        case .incomplete where reader.at == lines.count: return nil
        case .reject(let rejection): return rejection
        case .end, .incomplete: return .malformed("whole trailer lines")
        }
    }

    private func resume(_ stream: HTTP2Stream) {
        guard stream.isDeferred else { return }
        stream.isDeferred = false
        nghttp2_session_resume_data(session, stream.id)
    }

    /// `count` bytes of what came as `data` are no longer held: the peer may send as many more.
    public func consumed(_ id: Int32, _ count: Int) {
        guard let stream = live(id) else { return }
        precondition(count >= 0 && count <= stream.held, "consumed more than came")
        stream.held -= count
        nghttp2_session_consume_stream(session, id, count)
    }

    /// Ends the stream at once; nothing more is heard of it. With `noError` after `finish`, what was queued goes out
    /// first: the peer need not send the rest of its message (RFC 9113 section 8.1).
    public func reset(_ id: Int32, code: HTTP2Code) {
        guard let stream = live(id) else { return }
        stream.isSilent = true
        if code == .noError, stream.isFinished, !stream.hasSentEnd {
            stream.resetsAtEnd = true
            return
        }
        stream.isOurReset = true
        stream.queue.release()
        nghttp2_submit_rst_stream(session, HTTP2Connection.noFlags, id, code.rawValue)
    }

    // MARK: - What the library reads of the queues

    /// Lends where content comes from; nothing for a message without.
    private static func withContent(_ ended: Bool, _ submit: (UnsafePointer<nghttp2_data_provider>?) -> Int32) -> Int32
    {
        guard !ended else { return submit(nil) }
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, id, start, count, flags, _, user in
            guard let start, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
            let room = UnsafeMutableRawBufferPointer(start: start, count: count)
            var result = 0
            _ = HTTP2Connection.with(user) { connection in
                result = connection.content(id, into: room, flags: &flags.pointee)
                return 0
            }
            return result
        }
        return submit(&provider)
    }

    private func content(_ id: Int32, into room: UnsafeMutableRawBufferPointer, flags: inout UInt32) -> Int {
        if holdsContent { return Int(NGHTTP2_ERR_PAUSE.rawValue) }
        guard let stream = streams[id] else { return Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        let count = min(room.count, stream.queue.count)
        if count == 0, !stream.isFinished {
            stream.isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: stream.queue.readable[..<count]))
        stream.queue.consume(count)
        guard stream.queue.isEmpty else { return count }
        if stream.isFinished {
            flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
            if !stream.trailers.isEmpty, submitTrailers(stream) { flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue }
        } else {
            drained.append(id)
        }
        return count
    }

    private func submitTrailers(_ stream: HTTP2Stream) -> Bool {
        stream.trailers.withUnsafeBytes { bytes in
            var parsed = ContiguousArray<Field>()
            var reader = FieldLines()
            _ = reader.take(bytes, end: bytes.count, into: &parsed, max: limits.fieldsMost)
            fields.removeAll()
            fields.put(parsed, from: bytes)
            guard !fields.list.isEmpty else { return false }
            return fields.list.withUnsafeBufferPointer {
                nghttp2_submit_trailer(session, stream.id, $0.baseAddress, $0.count) == 0
            }
        }
    }
}
