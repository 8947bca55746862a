import Bytes

/// Answers of the gateway's own: problem details (RFC 9457) for programs, a page for people.
extension Writer {
    /// Writes a whole response. The texts are ours and never hold a byte of what was matched; they are escaped all the
    /// same. `head` may be one that was refused: what was read of it says what the client can take.
    public static func problem(
        status: Int, detail: String, reason: StaticString?, event id: String,
        answering head: borrowing RequestHead, from bytes: UnsafeRawBufferPointer, close: Bool,
        into buffer: inout Buffer
    ) {
        let isPage = prefersPage(head.fields, bytes)
        var body = Buffer(capacity: 512)
        if isPage {
            page(status: status, detail: detail, event: id, into: &body)
        } else {
            body.append(#"{"type":"about:blank","title":""#)
            body.append(Writer.reason(status))
            body.append(#"","status":"#)
            body.append(decimal: UInt64(max(status, 0)))
            body.append(#","detail":""#)
            body.append(json: detail)
            if let reason {
                body.append(#"","reason":""#)
                body.append(reason)
            }
            body.append(#"","event":""#)
            body.append(json: id)
            body.append("\"}\n")
        }
        buffer.append("HTTP/1.1 ")
        buffer.append(decimal: UInt64(max(status, 0)))
        buffer.append(" ")
        buffer.append(Writer.reason(status))
        buffer.append(
            isPage
                ? "\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: "
                : "\r\nContent-Type: application/problem+json\r\nContent-Length: ")
        buffer.append(decimal: UInt64(body.count))
        buffer.append("\r\nCache-Control: no-store\r\n")
        if close {
            buffer.append("Connection: close\r\n")
        } else if head.minorVersion == 0 {
            buffer.append("Connection: keep-alive\r\n")
        }
        buffer.append("\r\n")
        if head.method != .head { buffer.append(body.readable) }
    }

    private static func page(
        status: Int, detail: String, event id: String, into body: inout Buffer
    ) {
        body.append("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>")
        body.append(reason(status))
        body.append("</title>\n<h1>")
        body.append(decimal: UInt64(max(status, 0)))
        body.append(" ")
        body.append(reason(status))
        body.append("</h1>\n<p>")
        body.append(html: detail)
        body.append("</p>\n<p>Event <code>")
        body.append(html: id)
        body.append("</code></p>\n</html>\n")
    }

    // MARK: - Accept

    /// Whether Accept likes text/html better than any JSON we could send: by weight, and at the same weight by name
    /// (RFC 9110 section 12.5.1). Without Accept, or with `*/*` alone, it does not.
    private static func prefersPage(_ fields: ContiguousArray<Field>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var page = 0
        var json = 0
        for field in fields where field.id == .accept {
            var rest = field.value
            while let range = Octet.element(bytes, &rest) {
                let semicolon = range.first { bytes[$0] == UInt8(ascii: ";") } ?? range.upperBound
                let type = Octet.trimmed(bytes, range.lowerBound..<semicolon)
                let weight = weight(bytes, semicolon..<range.upperBound)
                // Ranks the weight first, then how closely the range names the type.
                if Octet.matches(bytes, type, "text/html") { page = max(page, weight * 4 + 3) }
                if Octet.matches(bytes, type, "text/*") { page = max(page, weight * 4 + 2) }
                if Octet.matches(bytes, type, "application/problem+json")
                    || Octet.matches(bytes, type, "application/json")
                {
                    json = max(json, weight * 4 + 3)
                }
                if Octet.matches(bytes, type, "application/*") { json = max(json, weight * 4 + 2) }
                if Octet.matches(bytes, type, "*/*") { json = max(json, weight * 4 + 1) }
            }
        }
        return page > 3 && page > json
    }

    /// The `q` of an element in thousandths; 1000 where there is none or it is not one.
    private static func weight(_ bytes: UnsafeRawBufferPointer, _ parameters: Range<Int>) -> Int {
        var start = parameters.lowerBound
        while start < parameters.upperBound {
            let next = (start + 1..<parameters.upperBound).first { bytes[$0] == UInt8(ascii: ";") }
            let parameter = Octet.trimmed(bytes, start + 1..<(next ?? parameters.upperBound))
            if parameter.count > 2, bytes[parameter.lowerBound] | 0x20 == UInt8(ascii: "q"),
                bytes[parameter.lowerBound + 1] == UInt8(ascii: "=")
            {
                return thousandths(bytes, parameter.lowerBound + 2..<parameter.upperBound) ?? 1000
            }
            start = next ?? parameters.upperBound
        }
        return 1000
    }

    /// `0`, `0.5`, `0.25`, `1.000`.
    private static func thousandths(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard (1...5).contains(range.count) else { return nil }
        var value = 0
        for offset in 0..<5 where offset != 1 {
            let at = range.lowerBound + offset
            let digit = at < range.upperBound ? bytes[at] &- UInt8(ascii: "0") : 0
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
        }
        return min(value, 1000)
    }

    /// The reason phrases of the statuses that the gateway itself answers with (RFC 9110 section 15).
    static func reason(_ status: Int) -> StaticString {
        switch status {
        case 100: "Continue"
        case 200: "OK"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 407: "Proxy Authentication Required"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 451: "Unavailable For Legal Reasons"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 508: "Loop Detected"
        default: ""
        }
    }
}

extension Buffer {
    /// The inside of a JSON string (RFC 8259 section 7).
    fileprivate mutating func append(json text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append(#"\""#)
            case UInt8(ascii: "\\"): append(#"\\"#)
            case 0..<0x20:
                append(byte < 0x10 ? #"\u000"# : #"\u00"#)
                append(hexadecimal: UInt64(byte))
            default: append(byte)
            }
        }
    }

    /// Text between the tags of a page.
    fileprivate mutating func append(html text: String) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): append("&amp;")
            case UInt8(ascii: "<"): append("&lt;")
            case UInt8(ascii: ">"): append("&gt;")
            case UInt8(ascii: "\""): append("&quot;")
            case UInt8(ascii: "'"): append("&#39;")
            default: append(byte)
            }
        }
    }
}
