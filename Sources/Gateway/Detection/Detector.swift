import Bytes
import DNS
import TLS

/// Who spoke the bytes that are looked at.
public enum Speaker: Sendable {
    case client, server
}

/// What the first bytes of a connection say is spoken.
public enum Detected: Equatable, Sendable {
    /// Several things could still come of it.
    case needMore
    case http1
    case application(Application)
    /// TLS, and what its ClientHello says; the server name may be missing.
    case serverNameTLS(ClientHello)
    /// TLS with a ClientHello that cannot be read, or that outgrew the bound; `ClientHello.read` says why. Servers
    /// may be more lenient, so it is refused rather than passed on.
    case malformedTLS
    /// Nothing that Weir knows: the application TCP.
    case unknown
}

/// Decides by the first bytes what is spoken. The bytes are an attacker's to choose, so a verdict is a pure function
/// of them: however they are cut into reads, the steps are `needMore` and then one verdict that no further byte
/// changes.
///
/// Each protocol judges the bytes by itself, `maybe` turning into `yes` or `no` once and for good. The verdict is the
/// first `yes` in the order below before which all have said `no`. HTTP stands before everything that could be taken
/// for it: a request must not pass unread because its first line also looks like another protocol's.
public enum Detector {
    /// Judges what the client sent first.
    ///
    /// - Parameters:
    ///   - ended: no more will come, or is waited for: what is undecided is settled without it. At `detectTimeout` the
    ///     caller may say so only if `mayBecomeReadable` is false.
    ///   - limit: bytes looked at, `limits.detectBytes`; at the limit the verdict is final.
    public static func client(
        _ bytes: UnsafeRawBufferPointer, ended: Bool = false, limit: Int = Limits().detectBytes
    ) -> Detected {
        let isFull = bytes.count >= limit
        let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(limit))
        guard !bytes.isEmpty else { return ended ? .unknown : .needMore }
        switch ClientHello.read(bytes) {
        case .hello(let hello): return .serverNameTLS(hello)
        case .malformed: return .malformedTLS
        case .needMore: return isFull ? .malformedTLS : ended ? .unknown : .needMore
        case .notTLS: break
        }
        if let verdict = http(bytes, isFull: isFull, ended: ended) { return verdict }
        return first(by: .client, in: bytes, isSettled: ended || isFull)
    }

    /// Judges what the server sent first, to a client that waits for it.
    public static func server(
        _ bytes: UnsafeRawBufferPointer, ended: Bool = false, limit: Int = Limits().detectBytes
    ) -> Detected {
        let isFull = bytes.count >= limit
        let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(limit))
        return first(by: .server, in: bytes, isSettled: ended || isFull)
    }

    /// Whether these first bytes of a client may still become HTTP or TLS, which Weir reads itself. A client must not
    /// reach an unread tunnel by sending half a request line and pausing: while this holds, the caller waits for the
    /// rest until `headTimeout` and then closes. A client that sent nothing may be waiting for the server to speak.
    public static func mayBecomeReadable(_ bytes: UnsafeRawBufferPointer, limit: Int = Limits().detectBytes) -> Bool {
        guard !bytes.isEmpty, client(bytes, limit: limit) == .needMore else { return false }
        if case .needMore = ClientHello.read(bytes) { return true }
        return HTTPStart.preface(bytes) == .maybe || HTTPStart.requestLine(bytes) == .maybe
    }

    private static func http(_ bytes: UnsafeRawBufferPointer, isFull: Bool, ended: Bool) -> Detected? {
        switch HTTPStart.preface(bytes) {
        case .yes: return .application(.http2)
        case .maybe where !isFull && !ended: return .needMore
        default: break
        }
        switch HTTPStart.requestLine(bytes) {
        case .yes: return .http1
        // A line longer than everything that is looked at is for the HTTP parser to refuse.
        case .maybe where isFull: return .http1
        case .maybe where !ended: return .needMore
        default: return nil
        }
    }

    private typealias Candidate = (application: Application, judge: @Sendable (UnsafeRawBufferPointer) -> Guess)

    private static func first(
        by speaker: Speaker, in bytes: UnsafeRawBufferPointer, isSettled: Bool
    ) -> Detected {
        for candidate in speaker == .client ? clients : servers {
            switch candidate.judge(bytes) {
            case .yes: return .application(candidate.application)
            case .maybe where !isSettled: return .needMore
            default: break
            }
        }
        return .unknown
    }

    private static let clients: [Candidate] = [
        (.ssh, TextStart.ssh), (.redis, TextStart.redis), (.amqp, BinaryStart.amqp), (.mqtt, BinaryStart.mqtt),
        (.postgresql, BinaryStart.postgreSQL), (.kafka, BinaryStart.kafka), (.dns, BinaryStart.dns),
        (.mongodb, BinaryStart.mongoDB), (.cassandra, BinaryStart.cassandra), (.ldap, BinaryStart.ldap),
        (.smtp, TextStart.smtp), (.ftp, TextStart.ftp), (.pop3, TextStart.pop3), (.imap, TextStart.imap),
    ]

    private static let servers: [Candidate] = [
        (.ssh, TextStart.ssh), (.mysql, Greeting.mySQL), (.smtp, Greeting.smtp), (.ftp, Greeting.ftp),
        (.pop3, Greeting.pop3), (.imap, Greeting.imap),
    ]
}
