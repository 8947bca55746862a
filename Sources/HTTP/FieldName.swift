/// The field names the gateway acts on or meets often; all others are `other`. At most 64, so that a set is a word.
public enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    // Read while the head is parsed: keep them in front, `lastActive` is the last.
    case host, contentLength, transferEncoding, connection, keepAlive, proxyConnection, proxyAuthenticate
    case proxyAuthorization, te, trailer, upgrade, http2Settings, expect, contentEncoding
    case contentType, accept, via, altSvc, date, server
    case acceptEncoding, acceptLanguage, acceptRanges, accessControlAllowOrigin, age, authorization, cacheControl
    case contentDisposition, contentLanguage, contentLocation, contentRange, contentSecurityPolicy, cookie, etag
    case expires, forwarded, ifMatch, ifModifiedSince, ifNoneMatch, ifRange, ifUnmodifiedSince, lastModified
    case location, maxForwards, origin, pragma, proxyAuthenticationInfo, range, referer, retryAfter, setCookie
    case strictTransportSecurity, upgradeInsecureRequests, userAgent, vary, warning, wwwAuthenticate
    case xContentTypeOptions, xForwardedFor, xForwardedProto, xFrameOptions, xRequestID

    static let lastActive = FieldName.contentEncoding

    /// In lower case; empty for `other`.
    public var text: StaticString {
        switch self {
        case .other: ""
        case .host: "host"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .connection: "connection"
        case .keepAlive: "keep-alive"
        case .proxyConnection: "proxy-connection"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthorization: "proxy-authorization"
        case .te: "te"
        case .trailer: "trailer"
        case .upgrade: "upgrade"
        case .http2Settings: "http2-settings"
        case .expect: "expect"
        case .contentEncoding: "content-encoding"
        case .contentType: "content-type"
        case .accept: "accept"
        case .via: "via"
        case .altSvc: "alt-svc"
        case .date: "date"
        case .server: "server"
        case .acceptEncoding: "accept-encoding"
        case .acceptLanguage: "accept-language"
        case .acceptRanges: "accept-ranges"
        case .accessControlAllowOrigin: "access-control-allow-origin"
        case .age: "age"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .contentDisposition: "content-disposition"
        case .contentLanguage: "content-language"
        case .contentLocation: "content-location"
        case .contentRange: "content-range"
        case .contentSecurityPolicy: "content-security-policy"
        case .cookie: "cookie"
        case .etag: "etag"
        case .expires: "expires"
        case .forwarded: "forwarded"
        case .ifMatch: "if-match"
        case .ifModifiedSince: "if-modified-since"
        case .ifNoneMatch: "if-none-match"
        case .ifRange: "if-range"
        case .ifUnmodifiedSince: "if-unmodified-since"
        case .lastModified: "last-modified"
        case .location: "location"
        case .maxForwards: "max-forwards"
        case .origin: "origin"
        case .pragma: "pragma"
        case .proxyAuthenticationInfo: "proxy-authentication-info"
        case .range: "range"
        case .referer: "referer"
        case .retryAfter: "retry-after"
        case .setCookie: "set-cookie"
        case .strictTransportSecurity: "strict-transport-security"
        case .upgradeInsecureRequests: "upgrade-insecure-requests"
        case .userAgent: "user-agent"
        case .vary: "vary"
        case .warning: "warning"
        case .wwwAuthenticate: "www-authenticate"
        case .xContentTypeOptions: "x-content-type-options"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedProto: "x-forwarded-proto"
        case .xFrameOptions: "x-frame-options"
        case .xRequestID: "x-request-id"
        }
    }
}

/// A set of field names as one word.
struct FieldNames: OptionSet, Sendable {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    @inline(__always) init(_ name: FieldName) { self.init(rawValue: 1 &<< UInt64(name.rawValue)) }

    init(_ names: FieldName...) {
        self.init(rawValue: names.reduce(0) { $0 | 1 << UInt64($1.rawValue) })
    }

    @inline(__always) func has(_ name: FieldName) -> Bool { rawValue &>> UInt64(name.rawValue) & 1 != 0 }
}
