import Bytes
import CNghttp2

/// The library's session: its options, what it tells the peer first, and the functions it calls.
extension HTTP2Connection {
    func makeSession() -> OpaquePointer? {
        var callbacks: OpaquePointer?
        var options: OpaquePointer?
        var session: OpaquePointer?
        guard nghttp2_session_callbacks_new(&callbacks) == 0, nghttp2_option_new(&options) == 0 else {
            preconditionFailure("out of memory")
        }
        defer {
            nghttp2_session_callbacks_del(callbacks)
            nghttp2_option_del(options)
        }
        HTTP2Connection.set(callbacks)
        set(options)
        // The session ends in `deinit`, so that the pointer is good as long as it is used.
        let owner = Unmanaged.passUnretained(self).toOpaque()
        let made =
            role == .server
            ? nghttp2_session_server_new2(&session, callbacks, owner, options)
            : nghttp2_session_client_new2(&session, callbacks, owner, options)
        guard made == 0 else { preconditionFailure("out of memory") }
        submitSettings(session)
        return session
    }

    private func set(_ options: OpaquePointer?) {
        nghttp2_option_set_no_auto_window_update(options, 1)
        nghttp2_option_set_no_closed_streams(options, 1)
        nghttp2_option_set_max_settings(options, limits.settingsMost)
        nghttp2_option_set_max_send_header_block_length(options, 2 * texts.headBytes)
        nghttp2_option_set_max_deflate_dynamic_table_size(options, limits.tableBytes)
        nghttp2_option_set_max_reserved_remote_streams(options, 0)
        // The library's own bounds stand behind those of `HTTP2Floods`, which know what was done in return.
        nghttp2_option_set_max_outbound_ack(options, 2 * limits.answersMost)
        // It counts a CONTINUATION again for each read that its header of nine bytes is cut into.
        weir_option_limit_continuations(options, 10 * limits.continuationsMost + 10)
        weir_option_limit_resets(options, 10 * UInt64(limits.resetsMost), 10 * UInt64(limits.resetsPerTickMost))
    }

    private func submitSettings(_ session: OpaquePointer?) {
        var settings: [(nghttp2_settings_id, Int)] = [
            (NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, limits.tableBytes),
            (NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, role == .server ? limits.streamsMost : 0),
            (NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits.streamWindowBytes),
            (NGHTTP2_SETTINGS_MAX_FRAME_SIZE, limits.frameBytes),
            (NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.headBytes),
        ]
        switch role {
        case .server:
            settings.append((NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1))
            settings.append((NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1))
        case .client:
            // The library's client shares the connection out fairly by the old scheme alone, so it keeps it.
            settings.append((NGHTTP2_SETTINGS_ENABLE_PUSH, 0))
        }
        let entries = settings.map {
            nghttp2_settings_entry(settings_id: Int32(bitPattern: $0.0.rawValue), value: UInt32(clamping: $0.1))
        }
        let flags = UInt8(NGHTTP2_FLAG_NONE.rawValue)
        let told = nghttp2_submit_settings(session, flags, entries, entries.count)
        precondition(told == 0, "the limits are values that SETTINGS can have")
        nghttp2_session_set_local_window_size(session, flags, 0, Int32(clamping: limits.connectionWindowBytes))
    }

    /// Each does nothing but find its connection, which is alive: its own call has led here.
    private static func set(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, user in
            HTTP2Connection.with(user, frame) { $0.beginHeaders($1) }
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, user in
            let name = UnsafeRawBufferPointer(start: name, count: nameCount)
            let value = UnsafeRawBufferPointer(start: value, count: valueCount)
            return HTTP2Connection.with(user) { $0.header(name, value) }
        }
        nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks) {
            _, _, name, nameCount, value, valueCount, _, user in
            // Without this function the library would leave the field out and go on.
            let name = UnsafeRawBufferPointer(start: name, count: nameCount)
            let value = UnsafeRawBufferPointer(start: value, count: valueCount)
            return HTTP2Connection.with(user) { $0.invalidHeader(name, value) }
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            HTTP2Connection.with(user, frame) { $0.received($1) }
        }
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, _, user in
            HTTP2Connection.with(user, frame) { $0.receivedInvalid($1) }
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, count, user in
            let bytes = UnsafeRawBufferPointer(start: bytes, count: count)
            return HTTP2Connection.with(user) { $0.receivedData(id, bytes) }
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, user in
            HTTP2Connection.with(user) { $0.streamClosed(id, HTTP2Code(rawValue: code)) }
        }
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, user in
            HTTP2Connection.with(user, frame) { $0.sent($1) }
        }
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, error, user in
            HTTP2Connection.with(user, frame) { $0.notSent($1, error) }
        }
    }

    static func with(_ user: UnsafeMutableRawPointer?, _ call: (HTTP2Connection) -> Int32) -> Int32 {
        guard let user else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        return Unmanaged<HTTP2Connection>.fromOpaque(user)._withUnsafeGuaranteedRef(call)
    }

    private static func with(
        _ user: UnsafeMutableRawPointer?, _ frame: UnsafePointer<nghttp2_frame>?,
        _ call: (HTTP2Connection, nghttp2_frame) -> Int32
    ) -> Int32 {
        guard let frame else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
        return with(user) { call($0, frame.pointee) }
    }
}
