import Bytes
import TLS

/// TLS between a transport's socket and whoever uses the transport.
final class SecureLayer {
    private(set) var session: TLSSession
    /// Decrypted, and not yet asked for.
    private var plain = Buffer()
    /// Encrypted, and not yet handed to the socket.
    private var cipher = Buffer()
    /// Written by `queue`: waits for more to leave with.
    private var head = Buffer()
    /// How it ended has not been told yet.
    private var ended = false

    /// Received since there was last something in it for the reader.
    private var barren = 0
    /// A peer that makes us work for nothing, such as by changing keys without end.
    private var refusal: TLSFailure?
    private static let barrenMost = 64 * 1024

    /// More than this in one record there cannot be (RFC 8446 section 5.1).
    private static let recordBytes = 1 << 14

    init(_ session: consuming TLSSession) {
        self.session = session
        ended = isOver
    }

    /// Something is here for the reader though the socket may have nothing.
    var hasNews: Bool { !plain.isEmpty || ended }
    var unsentCount: Int { session.unsentCount }

    // MARK: From the socket

    func handshake() { session.handshake(into: &cipher) }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        if refusal != nil { return }
        let (was, before) = (session.state, plain.count)
        session.receive(bytes, into: &plain, replies: &cipher)
        if session.state != was, isOver { ended = true }
        barren = plain.count > before ? 0 : barren + bytes.count
        if barren > SecureLayer.barrenMost, !isOver {
            refusal = .violation("records without content")
            ended = true
        }
    }

    func endOfStream() {
        if isOver { return }
        session.endOfStream()
        ended = isOver
    }

    private var isOver: Bool {
        if refusal != nil { return true }
        return switch session.state {
        case .handshaking, .open: false
        case .closed, .failed: true
        }
    }

    var failure: TLSFailure? {
        if let refusal { return refusal }
        return if case .failed(let failure) = session.state { failure } else { nil }
    }

    // MARK: To the reader

    enum News { case bytes(Int), end, failure(TLSFailure), none }

    /// What there is, in its order: plaintext before the end or the failure behind it.
    func take(into room: UnsafeMutableRawBufferPointer) -> News {
        if !plain.isEmpty {
            let count = min(room.count, plain.count)
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: plain.readable[..<count]))
            plain.consume(count)
            // The memory of an idle connection is small.
            if plain.isEmpty { plain.release() }
            return .bytes(count)
        }
        ended = false
        if let refusal { return .failure(refusal) }
        switch session.state {
        case .handshaking, .open: return .none
        case .closed: return .end
        case .failed(let failure): return .failure(failure)
        }
    }

    // MARK: From the writer

    func queue(_ bytes: UnsafeRawBufferPointer) { head.append(bytes) }

    /// Two small pieces share a record.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard !head.isEmpty else { return session.send(bytes, into: &cipher) }
        if head.count + bytes.count <= SecureLayer.recordBytes {
            head.append(bytes)
            session.send(head.readable, into: &cipher)
        } else {
            session.send(head.readable, into: &cipher)
            session.send(bytes, into: &cipher)
        }
        head.release()
    }

    func close() { session.close(into: &cipher) }

    /// Hands over what is to go out, and forgets it.
    func drain<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
        guard !cipher.isEmpty else { return }
        defer { cipher.release() }
        try body(cipher.readable)
    }
}
