import Bytes

/// The trailer section of a chunked body (RFC 9112 section 7.1.2), kept whole so that it can be read and sent on.
public struct Trailers: Sendable {
    /// The lines as they came, the empty one included; none when there was no trailer field.
    public private(set) var bytes = ContiguousArray<UInt8>()
    /// Their ranges are those of `bytes`.
    public private(set) var fields = ContiguousArray<Field>()

    private var lines = FieldLines()

    /// What must be known before the body, or must not come behind it (RFC 9110 section 6.5.1): framing, routing,
    /// authentication, the form of the content, controls and conditions.
    private static let forbidden = FieldNames(
        .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .proxyAuthenticate,
        .proxyAuthorization, .proxyAuthenticationInfo, .te, .trailer, .upgrade, .http2Settings, .expect,
        .contentEncoding, .contentType, .contentRange, .contentDisposition, .contentLanguage, .contentLocation,
        .contentSecurityPolicy, .authorization, .wwwAuthenticate, .cookie, .setCookie, .age, .cacheControl, .expires,
        .date, .location, .retryAfter, .vary, .warning, .maxForwards, .pragma, .range, .ifMatch, .ifNoneMatch,
        .ifModifiedSince, .ifUnmodifiedSince, .ifRange, .via, .forwarded, .xForwardedFor, .xForwardedProto)

    enum Step { case incomplete, end, reject(Rejection) }

    /// Adds up to one line; `bytes` ends where the line does, or before.
    mutating func add(_ part: UnsafeRawBufferPointer, bytesMax: Int, fieldsMax: Int) -> Step {
        guard bytes.count + part.count <= bytesMax else {
            return .reject(.flood("a smaller trailer section"))
        }
        bytes.append(contentsOf: part)
        guard part.last == Octet.lf else { return .incomplete }
        let step = bytes.withUnsafeBytes { lines.take($0, end: $0.count, into: &fields, max: fieldsMax) }
        switch step {
        case .reject(let rejection): return .reject(rejection)
        case .incomplete:
            if let field = fields.last, Trailers.forbidden.has(field.id) {
                return .reject(.ambiguous("no field in the trailers that belongs in the head"))
            }
            return .incomplete
        case .end: return .end
        }
    }
}
