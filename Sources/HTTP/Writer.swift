import Bytes

/// Appends messages in canonical form: whatever notation they came in, what goes on has one reading.
///
/// Fields keep their order and the letter case of their names; those for one connection only (RFC 9110 section 7.6.1)
/// end here, and the framing is said anew.
public enum Writer {
    public struct RequestOptions: Sendable {
        /// Expect goes on where `RequestHead.expectsContinue` is set; otherwise the gateway has answered it.
        public var keepsExpect = true
        /// The exchange may change protocol: Upgrade goes on where `RequestHead.upgrade` has a value.
        public var keepsUpgrade = true
        /// TE goes on where it says `trailers`: to a server of HTTP/2, which is asked for them so.
        public var keepsTrailers = false
        /// Our name in Via, which an explicit proxy adds (RFC 9110 section 7.6.3) and a transparent one does not.
        public var via: StaticString?
        /// What Host says when the request names no host, which HTTP/1.0 allows and HTTP/1.1 does not.
        public var destination: Endpoint?

        public init() {}
    }

    public struct ResponseOptions: Sendable {
        /// The connection to the client ends with this response.
        public var close = false
        /// Of the request: 0 or 1.
        public var minorVersion = 1
        /// Our name in Via.
        public var via: StaticString?
        /// Alt-Svc stays behind: it invites the client to a way around the gateway.
        public var dropsAltSvc = false

        public init() {}
    }

    /// RFC 9110 section 7.6.1, and the credentials meant for a proxy, which we are.
    private static let hopByHop = FieldNames(
        .connection, .keepAlive, .proxyConnection, .proxyAuthenticate, .proxyAuthorization, .te, .http2Settings)

    /// Writes the head that `head` was parsed from `bytes`: HTTP/1.1 in origin form, Host first.
    public static func request(
        _ head: borrowing RequestHead, from bytes: UnsafeRawBufferPointer, options: RequestOptions = RequestOptions(),
        into buffer: inout Buffer
    ) {
        precondition(head.length > 0 && head.length <= bytes.count, "a head is written from what it was parsed from")
        // Never more than the head took, a space more for each field, the authority, and the lines of our own.
        let room = head.length + head.fields.count + head.authority.count + 256 + (options.via?.utf8CodeUnitCount ?? 0)
        var pen = Pen(buffer.writable(room))
        pen.put(bytes, head.methodRange)
        switch head.form {
        case .origin:
            pen.put(" ")
            pen.put(bytes, head.path)
        case .absolute:
            pen.put(bytes[head.path.lowerBound] == UInt8(ascii: "?") ? " /" : " ")
            pen.put(bytes, head.path)
        case .authority:
            pen.put(" ")
            pen.put(bytes, head.authority)
        case .asterisk: pen.put(" *")
        }
        pen.put(" HTTP/1.1\r\nHost: ")
        if !head.authority.isEmpty {
            pen.put(bytes, head.authority)
        } else if let destination = options.destination {
            pen.put(destination)
        }
        pen.put("\r\n")
        var dropped = hopByHop.union(head.lines.nominated).union(FieldNames(.host))
        if !(options.keepsExpect && head.expectsContinue) { dropped.formUnion(FieldNames(.expect)) }
        let upgrades = options.keepsUpgrade && head.upgrade != nil
        if !upgrades { dropped.formUnion(FieldNames(.upgrade)) }
        pen.put(head.fields, from: bytes, without: dropped)
        if let name = options.via { pen.put(via: name, minorVersion: head.minorVersion) }
        if options.keepsTrailers, head.takesTrailers(bytes) { pen.put("TE: trailers\r\n") }
        pen.put(upgrades ? "Connection: upgrade\r\n\r\n" : "\r\n")
        buffer.wrote(pen.written)
    }

    /// Writes the head that `head` was parsed from `bytes`: HTTP/1.1, as every response to HTTP/1 is, in what a client
    /// of `options.minorVersion` understands. Answers the framing the body must have towards the client; with
    /// `untilClose` the connection ends, whatever `options.close` says.
    @discardableResult
    public static func response(
        _ head: borrowing ResponseHead, from bytes: UnsafeRawBufferPointer,
        options: ResponseOptions = ResponseOptions(), into buffer: inout Buffer
    ) -> Framing {
        precondition(head.length > 0 && head.length <= bytes.count, "a head is written from what it was parsed from")
        let isOld = options.minorVersion == 0
        let framing = isOld && head.framing == .chunked ? .untilClose : head.framing
        let room = head.length + head.fields.count + 256 + (options.via?.utf8CodeUnitCount ?? 0)
        var pen = Pen(buffer.writable(room))
        pen.put("HTTP/1.1 ")
        pen.put(status: head.status)
        pen.put(" ")
        pen.put(bytes, head.reason)
        pen.put("\r\n")
        var dropped = hopByHop.union(head.lines.nominated)
        if !head.mayDescribeBody { dropped.formUnion(FieldNames(.contentLength, .transferEncoding)) }
        if isOld { dropped.formUnion(FieldNames(.transferEncoding, .trailer)) }
        if options.dropsAltSvc { dropped.formUnion(FieldNames(.altSvc)) }
        let upgrades = head.upgrade != nil && (head.status == 101 || head.status == 426)
        if !upgrades { dropped.formUnion(FieldNames(.upgrade)) }
        pen.put(head.fields, from: bytes, without: dropped)
        if let name = options.via { pen.put(via: name, minorVersion: head.minorVersion) }
        let closes = (options.close || framing == .untilClose) && head.status >= 200
        switch (upgrades, closes) {
        case (true, true): pen.put("Connection: upgrade, close\r\n\r\n")
        case (true, false): pen.put("Connection: upgrade\r\n\r\n")
        case (false, true): pen.put("Connection: close\r\n\r\n")
        case (false, false): pen.put(isOld && head.status >= 200 ? "Connection: keep-alive\r\n\r\n" : "\r\n")
        }
        buffer.wrote(pen.written)
        return framing
    }

    /// An interim response of our own: 100 Continue.
    public static func interim(_ status: Int, into buffer: inout Buffer) {
        buffer.append("HTTP/1.1 ")
        buffer.append(decimal: UInt64(status))
        buffer.append(" ")
        buffer.append(reason(status))
        buffer.append("\r\n\r\n")
    }

    // MARK: - Chunked bodies

    /// One chunk; nothing for no data, which would be the last one.
    public static func chunk(_ data: UnsafeRawBufferPointer, into buffer: inout Buffer) {
        guard !data.isEmpty else { return }
        buffer.append(hexadecimal: UInt64(data.count))
        buffer.append("\r\n")
        buffer.append(data)
        buffer.append("\r\n")
    }

    /// The end of a chunked body, without trailers.
    public static func lastChunk(into buffer: inout Buffer) {
        buffer.append("0\r\n\r\n")
    }

    /// The end of a chunked body with its trailers.
    public static func lastChunk(_ trailers: Trailers, into buffer: inout Buffer) {
        buffer.append("0\r\n")
        if !trailers.fields.isEmpty {
            trailers.bytes.withUnsafeBytes { bytes in
                var pen = Pen(buffer.writable(bytes.count + trailers.fields.count + 1))
                pen.put(trailers.fields, from: bytes, without: FieldNames())
                buffer.wrote(pen.written)
            }
        }
        buffer.append("\r\n")
    }
}

extension Pen {
    /// The message came in the version named.
    fileprivate mutating func put(via name: StaticString, minorVersion: Int) {
        put(minorVersion == 0 ? "Via: 1.0 " : "Via: 1.1 ")
        put(name)
        put("\r\n")
    }

    /// Rare: through a buffer of its own.
    fileprivate mutating func put(_ endpoint: Endpoint) {
        var text = Buffer()
        text.append(endpoint)
        put(text.readable, 0..<text.count)
    }
}
