import Bytes
import CNghttp2

/// What the library tells while it reads and writes, in the order it happens in the life of a stream.
///
/// A threat is noted, and the library stopped: it cannot be told to end the connection from within.
extension HTTP2Connection {
    private static let stop = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
    private static let refuse = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue

    private func note(_ threat: HTTP2Threat?) -> Int32 {
        guard let threat else { return 0 }
        self.threat = threat
        return HTTP2Connection.stop
    }

    // MARK: - Heads

    func beginHeaders(_ frame: nghttp2_frame) -> Int32 {
        guard HTTP2Connection.isHeaders(frame) else { return HTTP2Connection.refuse }
        let id = frame.hd.stream_id
        if role == .server, streams[id] == nil {
            streams[id] = HTTP2Stream(id: id)
            block.begin(.request)
            return 0
        }
        guard let stream = streams[id] else { return HTTP2Connection.refuse }
        let isTrailers = role == .server || stream.hasResponse
        block.begin(isTrailers ? .trailers : .response, isWebSocket: stream.kind == .webSocket)
        return 0
    }

    func header(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int32 {
        note(block.take(name, value, limits) ? nil : .headerBomb)
    }

    /// A field that the library finds malformed; the block says by what rule.
    func invalidHeader(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int32 {
        let result = header(name, value)
        block.refuse(.malformed("well-formed fields"))
        return result
    }

    private func endHeaders(_ stream: HTTP2Stream, ended: Bool) {
        let rejection: Rejection?
        switch block.kind {
        case .request:
            stream.method = block.requestMethod
            stream.kind = block.requestKind
            if stream.kind == .webSocket { stream.webSocketKey = WebSocketKey.random() }
            rejection = block.settleRequest(ended: ended, webSocketKey: stream.webSocketKey)
        case .response:
            let asked = HTTP2Block.Asked(
                method: stream.method, kind: stream.kind, webSocketKey: stream.webSocketKey)
            rejection = block.settleResponse(answering: asked, ended: ended)
            if block.statusNumber >= 200 { stream.hasResponse = true }
        case .trailers:
            rejection = block.rejection ?? (ended ? nil : .malformed("the end of the stream with its trailers"))
        }
        if let rejection { return refuse(stream, rejection) }
        if ended { stream.hasPeerEnded = true }
        stream.isKnown = true
        if block.kind != .trailers { stream.isChunked = block.isChunked }
        switch block.kind {
        case .request:
            if !block.hasPriority { share(stream) }
            user.request(stream.id, head: block.text.readable, kind: stream.kind, ended: ended)
        case .response: user.response(stream.id, head: block.text.readable, ended: ended)
        case .trailers:
            if !block.lines.isEmpty { user.trailers(stream.id, block.lines.readable) }
            if !stream.isSilent { user.ended(stream.id) }
        }
    }

    /// Left alone the library would send one response to its end before it begins the next (RFC 9218 section 10).
    private func share(_ stream: HTTP2Stream) {
        var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
        nghttp2_session_change_extpri_stream_priority(session, stream.id, &priority, 0)
    }

    /// RFC 9113 section 8.1.1. The reset is counted when it goes out.
    private func refuse(_ stream: HTTP2Stream, _ rejection: Rejection) {
        stream.queue.release()
        nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, HTTP2Code.protocolError.rawValue)
        tellMalformed(stream, rejection)
    }

    private func tellMalformed(_ stream: HTTP2Stream, _ rejection: Rejection) {
        guard !stream.isSilent else { return }
        stream.isSilent = true
        user.malformed(stream.id, rejection)
    }

    // MARK: - Frames

    func received(_ frame: nghttp2_frame) -> Int32 {
        let header = frame.hd
        let ends = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_HEADERS:
            guard let stream = streams[header.stream_id], !stream.isSilent else { return 0 }
            endHeaders(stream, ended: ends)
        case NGHTTP2_DATA:
            // Padding alone is no content, which the frame's header does not show.
            if header.length > 0, header.length == frame.data.padlen, let threat = floods.emptyFrame() {
                return note(threat)
            }
            guard ends, let stream = streams[header.stream_id] else { return 0 }
            stream.hasPeerEnded = true
            if stream.isKnown, !stream.isSilent { user.ended(stream.id) }
        case NGHTTP2_SETTINGS: if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 { hasSettings = true }
        case NGHTTP2_GOAWAY:
            user.goaway(lastStream: frame.goaway.last_stream_id, code: HTTP2Code(rawValue: frame.goaway.error_code))
        case NGHTTP2_PING where header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0:
            let payload = withUnsafeBytes(of: frame.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self).bigEndian }
            if payload != HTTP2Connection.noticePing {
                user.pong(payload)
            } else if goingAway == .noticed {
                sayGoAway()
            }
        default: break
        }
        return 0
    }

    /// The library has found a frame that is an error of its stream or of the connection.
    func receivedInvalid(_ frame: nghttp2_frame) -> Int32 {
        guard HTTP2Connection.isHeaders(frame), let stream = streams[frame.hd.stream_id] else { return 0 }
        tellMalformed(stream, block.rejection ?? .malformed("a head by RFC 9113 section 8"))
        return 0
    }

    func receivedData(_ id: Int32, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        nghttp2_session_consume_connection(session, bytes.count)
        guard let stream = streams[id], stream.isKnown, !stream.isSilent else { return 0 }
        stream.held += bytes.count
        user.data(id, bytes)
        return 0
    }

    func streamClosed(_ id: Int32, _ code: HTTP2Code) -> Int32 {
        guard let stream = streams.removeValue(forKey: id) else { return 0 }
        let isInOrder = stream.hasPeerEnded && stream.hasSentEnd
        if isInOrder { floods.closedInOrder() }
        guard stream.isKnown, !stream.isSilent else { return 0 }
        stream.isSilent = true
        if isInOrder { user.closed(id) } else { user.reset(id, code: code) }
        return 0
    }

    // MARK: - What went out

    func sent(_ frame: nghttp2_frame) -> Int32 {
        let header = frame.hd
        if header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 { sentEnd(header) }
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_DATA: floods.sentData()
        case NGHTTP2_RST_STREAM: sentReset(frame)
        case NGHTTP2_SETTINGS, NGHTTP2_PING:
            if header.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) != 0 { answers += 1 }
        case NGHTTP2_GOAWAY:
            sentGoAway(HTTP2Code(rawValue: frame.goaway.error_code))
        default: break
        }
        return 0
    }

    /// By the library itself, unless the connection has failed before.
    private func sentGoAway(_ code: HTTP2Code) {
        guard code != .noError, failure == nil else { return }
        // Of our bounds it keeps one: the entries of SETTINGS.
        if code == .enhanceYourCalm { threat = .controlFlood } else { failure = .violation(code) }
    }

    private func sentReset(_ frame: nghttp2_frame) {
        answers += 1
        let stream = streams[frame.hd.stream_id]
        if stream?.isOurReset == true { return }
        // Noted alone: what is on its way out goes out.
        threat = floods.reset() ?? threat
        // Of content that does not fit its length the library says nothing but this.
        if let stream, stream.isKnown, HTTP2Code(rawValue: frame.rst_stream.error_code) == .protocolError {
            tellMalformed(stream, .ambiguous("content of the length that is said"))
        }
    }

    private func sentEnd(_ header: nghttp2_frame_hd) {
        let type = nghttp2_frame_type(UInt32(header.type))
        guard type == NGHTTP2_DATA || type == NGHTTP2_HEADERS, let stream = streams[header.stream_id] else { return }
        stream.hasSentEnd = true
        guard stream.resetsAtEnd, !stream.hasPeerEnded else { return }
        stream.isOurReset = true
        nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, HTTP2Code.noError.rawValue)
    }

    /// A head that cannot go out: the peer went away before the request did, or the head is too large.
    func notSent(_ frame: nghttp2_frame, _ error: Int32) -> Int32 {
        guard HTTP2Connection.isHeaders(frame), let stream = streams[frame.hd.stream_id] else { return 0 }
        if role == .client, frame.headers.cat == NGHTTP2_HCAT_REQUEST {
            streams[stream.id] = nil
            guard !stream.isSilent else { return 0 }
            stream.isSilent = true
            let isRefused = error == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED.rawValue
            user.reset(stream.id, code: isRefused ? .refusedStream : .internalError)
        } else {
            stream.isOurReset = true
            nghttp2_submit_rst_stream(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream.id, HTTP2Code.internalError.rawValue)
        }
        return 0
    }

    private static func isHeaders(_ frame: nghttp2_frame) -> Bool {
        nghttp2_frame_type(UInt32(frame.hd.type)) == NGHTTP2_HEADERS
    }
}
