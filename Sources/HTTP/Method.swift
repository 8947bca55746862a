/// Request methods (RFC 9110 section 9, RFC 5789). Names are case-sensitive; those not listed are `other`.
public enum Method: UInt8, Sendable {
    case get, head, post, put, delete, options, trace, patch, connect, other

    /// A repeated request does what one does (RFC 9110 section 9.2.2), so that it may be sent again.
    public var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }

    /// The client asks for no change (RFC 9110 section 9.2.1).
    public var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        case .put, .delete, .post, .patch, .connect, .other: false
        }
    }

    /// Of the request whose head this is.
    public init(ofHead head: UnsafeRawBufferPointer) {
        self.init(head, 0..<(head.firstIndex(of: UInt8(ascii: " ")) ?? 0))
    }

    /// From the bytes of a method token.
    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        func named(_ name: StaticString) -> Bool { Octet.equal(bytes, range, name) }
        switch range.count {
        case 3: self = named("GET") ? .get : named("PUT") ? .put : .other
        case 4: self = named("POST") ? .post : named("HEAD") ? .head : .other
        case 5: self = named("PATCH") ? .patch : named("TRACE") ? .trace : .other
        case 6: self = named("DELETE") ? .delete : .other
        case 7: self = named("OPTIONS") ? .options : named("CONNECT") ? .connect : .other
        default: self = .other
        }
    }
}
