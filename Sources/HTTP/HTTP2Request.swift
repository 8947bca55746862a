import Bytes
import CNghttp2

/// Requests: from the fields of HTTP/2 to the text of HTTP/1.1 and back (RFC 9113 section 8.3.1, RFC 8441).
extension HTTP2Block {
    /// Writes the text of the request into `text`, or says why there is none.
    mutating func settleRequest(ended: Bool, webSocketKey: [UInt8]) -> Rejection? {
        if let rejection { return rejection }
        guard let method, Octet.span(words.readable, method, of: Octet.token) == method.upperBound, !method.isEmpty
        else { return .malformed("a token as :method") }
        if let rejection = settleAuthority() { return rejection }
        switch requestKind {
        case .exchange: return writeExchange(ended: ended)
        case .tunnel: return writeTunnel(ended: ended)
        case .webSocket: return writeWebSocket(ended: ended, key: webSocketKey)
        }
    }

    var requestKind: HTTP2RequestKind {
        guard isWord(method, "CONNECT") else { return .exchange }
        return protocolName == nil ? .tunnel : .webSocket
    }

    /// Of the request as its text has it.
    var requestMethod: Method {
        guard let method, requestKind != .webSocket else { return .get }
        return Method(words.readable, method)
    }

    /// `:authority` wins, and Host may say nothing else (RFC 9113 section 8.3.1).
    private mutating func settleAuthority() -> Rejection? {
        if let authority, let host, !Octet.matches(words.readable, authority, host) {
            return .ambiguous("one host in :authority and Host")
        }
        guard let named = authority ?? host, Authority(words.readable, named) != nil else {
            return .malformed("a host and an optional port in :authority")
        }
        authority = named
        return nil
    }

    /// Whether `:scheme` and `:path` are what a request to a server of the web has.
    private func checkTarget() -> Rejection? {
        guard isWord(scheme, "https") || isWord(scheme, "http") else { return .malformed("http or https as :scheme") }
        let target = word(path)
        guard Octet.targetEnd(target, 0, target.count) == target.count, !target.isEmpty else {
            return .malformed("URI characters in :path, others percent-encoded")
        }
        if target.first == UInt8(ascii: "/") { return nil }
        guard isWord(path, "*"), isWord(method, "OPTIONS") else {
            return .malformed("a path as :path, or * with OPTIONS")
        }
        return nil
    }

    private mutating func writeExchange(ended: Bool) -> Rejection? {
        if let rejection = checkTarget() { return rejection }
        guard protocolName == nil else { return .malformed("CONNECT with :protocol") }
        text.append(word(method))
        text.append(" ")
        text.append(word(path))
        writeAuthority()
        if length != nil {
            text.append("content-length: ")
            text.append(word(length))
            text.append("\r\n")
        } else if !ended {
            isChunked = true
            text.append("transfer-encoding: chunked\r\n")
        } else if isWord(method, "POST") || isWord(method, "PUT") || isWord(method, "PATCH") {
            // Servers of HTTP/1.1 miss it in requests whose method foresees content (RFC 9110 section 8.6).
            text.append("content-length: 0\r\n")
        }
        writeFields()
        return nil
    }

    /// RFC 9113 section 8.5.
    private mutating func writeTunnel(ended: Bool) -> Rejection? {
        guard scheme == nil, path == nil else { return .malformed("no :scheme and no :path in CONNECT") }
        guard length == nil, !ended else { return .malformed("no content and no end in CONNECT") }
        guard let authority, Authority(words.readable, authority)?.port != nil else {
            return .malformed("host:port as :authority of CONNECT")
        }
        text.append("CONNECT ")
        text.append(word(authority))
        writeAuthority()
        writeFields()
        return nil
    }

    /// RFC 8441 section 5. The key of HTTP/1.1 is not part of HTTP/2; this end plays the client that made one.
    private mutating func writeWebSocket(ended: Bool, key: [UInt8]) -> Rejection? {
        if let rejection = checkTarget() { return rejection }
        guard isWord(protocolName, "websocket") else {
            return Rejection(status: 501, threat: .malformedHTTP, message: "websocket as :protocol")
        }
        guard length == nil, !ended else { return .malformed("no content and no end in CONNECT") }
        text.append("GET ")
        text.append(word(path))
        writeAuthority()
        text.append("upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: ")
        key.withUnsafeBytes { text.append($0) }
        text.append("\r\n")
        writeFields()
        return nil
    }

    private mutating func writeAuthority() {
        text.append(" HTTP/1.1\r\nhost: ")
        text.append(word(authority))
        text.append("\r\n")
    }

    private mutating func writeFields() {
        text.append(lines.readable)
        if !cookies.isEmpty {
            text.append("cookie: ")
            text.append(cookies.readable)
            text.append("\r\n")
        }
        text.append("\r\n")
    }
}

extension HTTP2Fields {
    /// The fields of the request that `head` was parsed from `bytes`.
    mutating func put(
        _ head: borrowing RequestHead, from bytes: UnsafeRawBufferPointer, isHTTPS: Bool, isWebSocket: Bool
    ) -> Rejection? {
        guard !head.authority.isEmpty else { return .malformed("a Host field") }
        if isWebSocket { put(":method", "CONNECT") } else { put(":method", bytes, head.methodRange) }
        if isWebSocket { put(":protocol", "websocket") }
        if head.method != .connect { put(":scheme", isHTTPS ? "https" : "http") }
        put(":authority", bytes, head.authority)
        switch head.form {
        case .origin: put(":path", bytes, head.path)
        case .asterisk: put(":path", "*")
        case .authority: break
        case .absolute: return .malformed("a path as target")
        }
        put(
            head.fields, from: bytes, without: head.lines.nominated.union(FieldNames(.host)),
            dropping: isWebSocket ? "sec-websocket-key" : "")
        // The one value that HTTP/2 has of TE (RFC 9113 section 8.2.2).
        if head.takesTrailers(bytes) { put("te", "trailers") }
        return nil
    }
}
