import Bytes
import CNghttp2

/// Responses: from the fields of HTTP/2 to the text of HTTP/1.1 and back (RFC 9113 section 8.3.2, RFC 8441).
extension HTTP2Block {
    /// What the response was made for.
    struct Asked {
        var method: Method
        var kind: HTTP2RequestKind
        var webSocketKey: [UInt8]
    }

    /// The status as a number; 0 where there is none.
    var statusNumber: Int {
        let digits = word(status)
        guard digits.count == 3, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return 0 }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Writes the text of the response into `text`, or says why there is none.
    mutating func settleResponse(answering asked: Asked, ended: Bool) -> Rejection? {
        if let rejection { return rejection }
        let status = statusNumber
        // HTTP/2 changes no protocol (RFC 9113 section 8.6).
        guard status >= 100, status != 101 else { return .malformed("three digits as :status, and not 101") }
        guard status >= 200 || !ended else { return .malformed("a final response after an interim one") }
        let isOpen = (200..<300).contains(status) && asked.kind != .exchange
        guard !isOpen || !ended else { return .malformed("an open stream after CONNECT was granted") }
        if isOpen, asked.kind == .webSocket {
            text.append("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n")
            text.append("sec-websocket-accept: ")
            WebSocketKey.accept(asked.webSocketKey).withUnsafeBytes { text.append($0) }
            text.append("\r\n")
        } else {
            text.append("HTTP/1.1 ")
            text.append(word(self.status))
            text.append(" ")
            text.append(Writer.reason(status))
            text.append("\r\n")
            if !isOpen { writeFraming(status, asked.method, ended: ended) }
        }
        text.append(lines.readable)
        text.append("\r\n")
        return nil
    }

    /// Without a word a body of HTTP/1.1 would end with the connection (RFC 9112 section 6.3).
    private mutating func writeFraming(_ status: Int, _ method: Method, ended: Bool) {
        guard status >= 200, status != 204 else { return }
        if length != nil {
            text.append("content-length: ")
            text.append(word(length))
            text.append("\r\n")
        } else if status != 304, method != .head {
            isChunked = !ended
            text.append(ended ? "content-length: 0\r\n" : "transfer-encoding: chunked\r\n")
        }
    }
}

extension HTTP2Fields {
    /// The fields of the response that `head` was parsed from `bytes`, to a request of `kind`.
    mutating func put(
        _ head: borrowing ResponseHead, from bytes: UnsafeRawBufferPointer, kind: HTTP2RequestKind,
        webSocketKey: [UInt8]
    ) -> Rejection? {
        let opens = kind == .webSocket && head.status == 101
        switch (kind, head.status) {
        case (.webSocket, 101):
            guard let upgrade = head.upgrade, Octet.matches(bytes, upgrade, "websocket"),
                HTTP2Fields.accepts(head.fields, bytes, webSocketKey)
            else { return .bad("the Sec-WebSocket-Accept that belongs to the key") }
        // It would open what the origin has not agreed to.
        case (.webSocket, 200..<300): return .bad("101, or a refusal, as the answer to WebSocket")
        case (_, 101): return .bad("no change of protocol that was not asked for")
        default: break
        }
        // The digits follow `HTTP/1.1 `.
        if opens { put(":status", "200") } else { put(":status", bytes, 9..<12) }
        var dropped = head.lines.nominated
        if !head.mayDescribeBody { dropped.formUnion(FieldNames(.contentLength)) }
        put(head.fields, from: bytes, without: dropped, dropping: opens ? "sec-websocket-accept" : "")
        return nil
    }

    /// Whether there is one Sec-WebSocket-Accept, and the right one (RFC 6455 section 4.1).
    private static func accepts(
        _ fields: ContiguousArray<Field>, _ bytes: UnsafeRawBufferPointer, _ key: [UInt8]
    ) -> Bool {
        let answers = fields.filter { $0.id == .other && Octet.matches(bytes, $0.name, "sec-websocket-accept") }
        guard answers.count == 1, let answer = answers.first else { return false }
        return bytes[answer.value].elementsEqual(WebSocketKey.accept(key))
    }
}

extension Rejection {
    /// The origin's message cannot go on.
    fileprivate static func bad(_ message: StaticString) -> Rejection {
        Rejection(status: 502, threat: .malformedHTTP, message: message)
    }
}
