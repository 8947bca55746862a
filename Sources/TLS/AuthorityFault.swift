/// Why there is no authority, or no certificate from it: which file, and what is wrong with it.
public struct AuthorityFault: Error, Equatable, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String

    public var description: String { "\(path): \(reason)" }

    /// What OpenSSL refuses though all that it was given is in order. Leaves the queue empty.
    static func openSSL() -> AuthorityFault {
        AuthorityFault(path: "OpenSSL", reason: ErrorQueue.drain()?.text ?? "no reason given")
    }
}

/// Goes on only if OpenSSL did what it was asked.
func must(_ did: Bool) throws(AuthorityFault) {
    guard did else { throw .openSSL() }
}
