import Bytes
import Glibc

/// Why a message was refused: what the peer is told, what the event is called, and what was expected.
public struct Rejection: Equatable, Sendable {
    /// Of the answer: 400, 414, 417, 431, 501 or 505 to a client; 502 where it is the origin's message that is bad.
    public var status: Int
    public var threat: Threat
    /// Says what was expected. Never holds a byte of the message.
    public var message: StaticString

    public init(status: Int, threat: Threat, message: StaticString) {
        self.status = status
        self.threat = threat
        self.message = message
    }

    public static func == (a: Rejection, b: Rejection) -> Bool {
        a.status == b.status && a.threat == b.threat && a.message.utf8CodeUnitCount == b.message.utf8CodeUnitCount
            && memcmp(a.message.utf8Start, b.message.utf8Start, a.message.utf8CodeUnitCount) == 0
    }

    /// Two parsers could read the message differently.
    static func ambiguous(_ message: StaticString) -> Rejection {
        Rejection(status: 400, threat: .requestSmuggling, message: message)
    }

    /// No parser could read the message.
    static func malformed(_ message: StaticString) -> Rejection {
        Rejection(status: 400, threat: .malformedHTTP, message: message)
    }

    static func flood(_ message: StaticString, status: Int = 431) -> Rejection {
        Rejection(status: status, threat: .headerFlood, message: message)
    }
}

/// What feeding a head parser gave.
public enum HeadStep: Equatable, Sendable {
    /// Feed the same bytes again with more behind them.
    case needMore
    /// The head is whole and takes the first `length` bytes.
    case head(length: Int)
    case reject(Rejection)
}

/// How the end of a message body is found (RFC 9112 section 6.3).
public enum Framing: Equatable, Sendable {
    /// No body.
    case none
    /// Content-Length; at most `Int64.max`.
    case length(UInt64)
    case chunked
    /// The body ends with the connection; responses only.
    case untilClose
}
