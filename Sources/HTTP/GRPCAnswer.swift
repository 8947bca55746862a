import Bytes

/// Answers of the gateway's own to a call of gRPC, which has a status of its own beside that of HTTP.
extension Writer {
    /// A whole response that is trailers alone: the call ends before it was answered.
    public static func call(
        _ kind: GRPCKind, status: Int, detail: String, event id: String, close: Bool, into buffer: inout Buffer
    ) {
        buffer.append("HTTP/1.1 200 OK\r\nContent-Type: ")
        switch kind {
        case .native: buffer.append("application/grpc")
        case .web: buffer.append("application/grpc-web")
        case .webText: buffer.append("application/grpc-web-text")
        }
        buffer.append("\r\nContent-Length: 0\r\n")
        buffer.append(callStatus: status, detail, event: id)
        buffer.append(close ? "Connection: close\r\n\r\n" : "\r\n")
    }

    /// The end of a chunked body that answers a call which cannot go on.
    public static func lastChunk(
        ofCall status: Int, detail: String, event id: String, into buffer: inout Buffer
    ) {
        buffer.append("0\r\n")
        buffer.append(callStatus: status, detail, event: id)
        buffer.append("\r\n")
    }

    /// The status of gRPC that says what one of HTTP does.
    static func callStatus(_ status: Int) -> UInt64 {
        switch status {
        // PERMISSION_DENIED
        case 403: 7
        // UNIMPLEMENTED
        case 501: 12
        // UNAVAILABLE
        case 429, 502, 503: 14
        // DEADLINE_EXCEEDED
        case 408, 504: 4
        // INTERNAL
        default: 13
        }
    }
}

extension Buffer {
    fileprivate mutating func append(callStatus status: Int, _ detail: String, event id: String) {
        append("grpc-status: ")
        append(decimal: Writer.callStatus(status))
        append("\r\ngrpc-message: ")
        append(percent: detail)
        append(percent: " (event ")
        append(percent: id)
        append(percent: ")")
        append("\r\n")
    }

    /// A message of gRPC: all but printable ASCII in percent form.
    private mutating func append(percent text: String) {
        for byte in text.utf8 {
            if (0x20..<0x7f).contains(byte), byte != UInt8(ascii: "%") {
                append(byte)
            } else {
                append(byte < 0x10 ? "%0" : "%")
                append(hexadecimal: UInt64(byte))
            }
        }
    }
}
