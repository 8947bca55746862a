import Bytes
import OS
import TLS

/// A connection to a server, over TLS or in the clear: a `Transport` with a session in between, behind the same verbs.
///
/// What is written before the connection stands and the server is verified waits, and leaves afterwards. Bounds are those
/// of the two parts: one `read` takes what `room` holds and no more, and whoever writes looks at `unsentCount`.
public struct TLSStream: ~Copyable {
    private var transport: Transport
    private var session: ClientSession?
    private let isSecure: Bool
    /// Decrypted, and not yet asked for.
    private var plain = Buffer()
    /// Encrypted, and not yet handed to the transport.
    private var cipher = Buffer()

    /// - Parameter session: fresh; nil for a connection in the clear.
    public init(_ transport: consuming Transport, session: consuming ClientSession?) {
        self.transport = transport
        switch session {
        case .some(var session):
            session.handshake(into: &cipher)
            self.session = consume session
            isSecure = true
        case .none:
            isSecure = false
        }
    }

    public mutating func note(_ events: Readiness) { transport.note(events) }

    /// How the connection attempt ended, or what an event of a broken one means.
    public func takeError() -> Errno? { transport.socket.takeError() }
    public var number: Int32 { transport.socket.number }

    /// A read may bring something.
    public var readable: Bool { !plain.isEmpty || transport.readable }

    /// Written, and still here: for the handshake to end, or for the kernel to take it.
    public var unsentCount: Int { (ask { $0.unsentCount } ?? 0) + cipher.count + transport.backlogCount }

    /// Reads once: `.moved(0)` if what came held nothing for us, such as a part of the handshake. Throws why the server is
    /// not to be spoken to; the alert that says so to the server has been sent.
    public mutating func read(into room: UnsafeMutableRawBufferPointer) throws(StreamFault) -> IO {
        guard isSecure else { return try StreamFault.wrap { () throws(Errno) in try transport.read(into: room) } }
        if plain.isEmpty {
            // The room takes the bytes as they come and, when the session has had them, what they mean.
            switch try StreamFault.wrap({ () throws(Errno) in try transport.read(into: room) }) {
            case .moved(let count):
                session?.receive(UnsafeRawBufferPointer(rebasing: room[..<count]), into: &plain, replies: &cipher)
                // A server that is gone does not hide why it was refused.
                do { try hand() } catch { if plain.isEmpty, failure == nil { throw error } }
            case .wouldBlock: return .wouldBlock
            case .ended: session?.endOfStream()
            }
        }
        if !plain.isEmpty { return .moved(give(into: room)) }
        if let failure { throw .tls(failure) }
        return isOver ? .ended : .moved(0)
    }

    /// Takes all of `bytes`.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(StreamFault) {
        guard isSecure else { return try StreamFault.wrap { () throws(Errno) in try transport.write(bytes) } }
        session?.send(bytes, into: &cipher)
        try hand()
    }

    /// Offers the kernel what waits; `true` when nothing is left that it could take.
    public mutating func flush() throws(StreamFault) -> Bool {
        try hand()
        return try StreamFault.wrap { () throws(Errno) in try transport.flush() }
    }

    /// Says that nothing more is sent, as far as the kernel takes it at once: a peer that is gone is not waited for.
    public mutating func finish() {
        session?.close(into: &cipher)
        _ = try? flush()
    }

    // MARK: - What is known of the server

    public var facts: ClientSession.Facts? { ask { $0.facts } ?? nil }
    public var certificate: PeerCertificate? { ask { $0.certificate } ?? nil }
    /// For the next session with this server; best asked for when this one has been used.
    public func resumption() -> Resumption? { ask { $0.resumption() } ?? nil }

    // MARK: - Steps

    private func ask<Answer>(_ body: (borrowing ClientSession) -> Answer) -> Answer? {
        switch session {
        case .some(let session): body(session)
        case .none: nil
        }
    }

    private var failure: TLSFailure? {
        if case .failed(let failure) = ask({ $0.state }) { failure } else { nil }
    }

    private var isOver: Bool { ask { $0.state } == .closed }

    private mutating func give(into room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, plain.count)
        room.copyMemory(from: UnsafeRawBufferPointer(rebasing: plain.readable[..<count]))
        plain.consume(count)
        // The memory of an idle connection is small.
        if plain.isEmpty { plain.release() }
        return count
    }

    private mutating func hand() throws(StreamFault) {
        guard !cipher.isEmpty else { return }
        defer { cipher.release() }
        try StreamFault.wrap { () throws(Errno) in try transport.write(cipher.readable) }
    }
}

/// Why a stream is of no use any more.
public enum StreamFault: Error, Equatable, Sendable, CustomStringConvertible {
    case system(Errno)
    case tls(TLSFailure)

    static func wrap<Result>(_ body: () throws(Errno) -> Result) throws(StreamFault) -> Result {
        do { return try body() } catch { throw .system(error) }
    }

    public var description: String {
        switch self {
        case .system(let error): "\(error)"
        case .tls(let failure): "\(failure)"
        }
    }
}
