import Bytes
import OS
import TLS

/// One connection's bytes, both ways: a socket, what epoll last said of it, and what it has not taken yet; in the clear, or
/// over TLS behind the same verbs. Or one stream of a connection that many share: then there is no socket, but a conduit.
public struct Transport: ~Copyable {
    /// Of a stream of a shared connection, one that is none.
    private let socket: Socket
    private let conduit: Conduit?
    /// The socket may have something.
    private var hasInput: Bool
    /// Nil: in the clear.
    private var layer: SecureLayer?
    private var resets = false
    /// Bytes of the backlog that TLS said in answer to what was read.
    private var answers = 0
    private var writable: Bool
    private var peerEnded = false
    /// Accepted by `write`, not yet by the kernel. Owns no memory while empty.
    private var backlog = Buffer()
    /// The backlog is a head that waits for the body behind it, so that both leave in one call.
    private var queued = false
    /// An error waits, or both directions are over.
    public private(set) var isBroken = false
    /// Since the connection began.
    public private(set) var bytesRead: UInt64 = 0

    /// - Parameter connected: false while a connection attempt is under way: nothing moves until epoll says so.
    public init(_ socket: consuming Socket, connected: Bool) {
        self.socket = socket
        conduit = nil
        hasInput = connected
        writable = connected
    }

    /// One stream of a connection that many share.
    public init(_ conduit: Conduit) {
        socket = .none
        self.conduit = conduit
        hasInput = false
        writable = true
    }

    /// The descriptor; -1 for a stream of a shared connection.
    public var number: Int32 { socket.number }

    /// How the connection attempt ended, or what an event of a broken one means.
    public func takeError() -> Errno? { conduit == nil ? socket.takeError() : nil }

    /// A read may bring something. What a peer makes TLS answer is bounded, too: who does not take the answers is not read.
    public var readable: Bool {
        guard let layer else { return hasInput || conduit?.hasNews ?? false }
        return layer.hasNews || hasInput && answers < Transport.answersMost
    }

    private static let answersMost = 64 * 1024

    /// The peer has said that it sends no more, though bytes may still wait to be read.
    public var isPeerEnding: Bool { peerEnded }

    /// Bytes wait for the kernel, or for the handshake: whoever feeds this side must pause.
    public var isBacklogged: Bool {
        !backlog.isEmpty && !queued || layer?.unsentCount ?? 0 > 0 || conduit?.isFull ?? false
    }
    /// Bytes wait for more to leave with: `write` or `flush` sends them.
    public var isQueued: Bool { queued }
    public var backlogCount: Int { backlog.count + (layer?.unsentCount ?? 0) }

    public mutating func note(_ events: Readiness) {
        if !events.isDisjoint(with: [.readable, .peerEnded, .broken]) { hasInput = true }
        if !events.isDisjoint(with: [.writable, .broken]) { writable = true }
        if !events.isDisjoint(with: [.peerEnded, .broken]) { peerEnded = true }
        if !events.isDisjoint(with: .broken) { isBroken = true }
    }

    /// `.moved(0)` over TLS: what came held nothing for us. Throws `EPROTO` where TLS failed, and `failure` says how.
    public mutating func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        if let layer { return try read(into: room, through: layer) }
        if let conduit { return try read(into: room, from: conduit) }
        return try receive(into: room)
    }

    private mutating func receive(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        let result = try socket.receive(into: room)
        switch result {
        case .moved(let count):
            bytesRead &+= UInt64(count)
            // A short read has emptied the socket (epoll(7)), unless the end of the stream is waiting behind it.
            if count < room.count, !peerEnded { hasInput = false }
        case .wouldBlock: hasInput = false
        case .ended: hasInput = false
        }
        return result
    }

    /// Keeps bytes for the next `write` or `flush` to send first.
    public mutating func queue(_ bytes: UnsafeRawBufferPointer) {
        if let layer {
            queued = true
            return layer.queue(bytes)
        }
        if let conduit {
            queued = true
            return conduit.outbound.append(bytes)
        }
        if backlog.isEmpty { queued = true }
        backlog.append(bytes)
    }

    /// Takes all of `bytes`: sends what the kernel will have and keeps the rest in order.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        if let layer {
            queued = false
            layer.send(bytes)
            return try hand(layer)
        }
        if let conduit { return try write(bytes, to: conduit) }
        if queued { return try writeQueued(bytes) }
        try send(bytes)
    }

    private mutating func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        var rest = bytes
        while backlog.isEmpty, writable, !rest.isEmpty {
            try moved(socket.send(rest), of: &rest)
        }
        backlog.append(rest)
    }

    private mutating func writeQueued(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        queued = false
        var head = Buffer()
        swap(&head, &backlog)
        try write(head.readable, bytes)
    }

    /// Two pieces in one call where possible: a head from one buffer, the body from another.
    public mutating func write(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) throws(Errno) {
        if let layer {
            layer.queue(first)
            return try write(second)
        }
        if let conduit {
            conduit.outbound.append(first)
            return try write(second, to: conduit)
        }
        guard backlog.isEmpty, writable else {
            queued = false
            backlog.append(first)
            backlog.append(second)
            return
        }
        switch try socket.send(first, second) {
        case .moved(let count):
            if count < first.count {
                backlog.append(UnsafeRawBufferPointer(rebasing: first[count...]))
                backlog.append(second)
            } else {
                try write(UnsafeRawBufferPointer(rebasing: second[(count - first.count)...]))
            }
        case .wouldBlock, .ended:
            writable = false
            backlog.append(first)
            backlog.append(second)
        }
    }

    /// Offers the backlog to the kernel again; `true` when nothing is left.
    public mutating func flush() throws(Errno) -> Bool {
        if queued, let layer {
            layer.send(UnsafeRawBufferPointer(start: nil, count: 0))
            try hand(layer)
        }
        if queued, let conduit { try write(UnsafeRawBufferPointer(start: nil, count: 0), to: conduit) }
        queued = false
        while writable, !backlog.isEmpty {
            var rest = backlog.readable
            let before = rest.count
            try moved(socket.send(rest), of: &rest)
            backlog.consume(before - rest.count)
        }
        if backlog.isEmpty {
            backlog.release()
            answers = 0
        }
        return backlog.isEmpty
    }

    private mutating func moved(_ result: IO, of rest: inout UnsafeRawBufferPointer) throws(Errno) {
        switch result {
        case .moved(let count):
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        case .wouldBlock, .ended: writable = false
        }
    }

    /// For `splice`, which moves bytes of a connection in the clear past this value.
    public mutating func spliced(in count: Int) { bytesRead &+= UInt64(count) }

    /// Whether nothing waits to be read. The kernel is asked only where the last read may have left something: an edge that
    /// has been told is not told again.
    ///
    /// - Parameter room: for what belongs to TLS alone, such as tickets.
    public mutating func isDrained(_ room: UnsafeMutableRawBufferPointer) -> Bool {
        for _ in 0..<Transport.readsMost where readable {
            guard let result = try? read(into: room) else { return false }
            switch result {
            case .moved(0): continue
            case .wouldBlock: return true
            case .moved, .ended: return false
            }
        }
        return !readable
    }

    public mutating func readWouldBlock() { hasInput = false }
    /// Something may be there that the kernel was told not to call for.
    public mutating func readAgain() { hasInput = true }
    /// See `Socket.setReceiveLow`.
    public mutating func callFrom(bytes: Int) throws(Errno) { try socket.setReceiveLow(bytes) }
    public mutating func writeWouldBlock() { writable = false }
    public var isWritable: Bool { writable && !(conduit?.isFull ?? false) }

    // MARK: Ending

    /// Tells the peer that no more bytes follow, as far as the kernel takes it at once.
    public mutating func shutdownWriting() {
        finish()
        if conduit == nil { socket.shutdownWriting() }
    }

    /// What ends with this transport is to be taken for a cut.
    public mutating func setResetOnClose() {
        resets = true
        if conduit == nil { socket.setResetOnClose() }
    }

    /// Nothing more is read or written; a socket is closed with the transport itself.
    public mutating func close() { conduit?.close(reset: resets) }

    // MARK: A stream of a shared connection

    private mutating func read(into room: UnsafeMutableRawBufferPointer, from conduit: Conduit) throws(Errno) -> IO {
        switch conduit.take(into: room) {
        case .bytes(let count):
            bytesRead &+= UInt64(count)
            return .moved(count)
        case .end: return .ended
        case .broken:
            isBroken = true
            throw .reset
        case .none: return .wouldBlock
        }
    }

    private mutating func write(_ bytes: UnsafeRawBufferPointer, to conduit: Conduit) throws(Errno) {
        queued = false
        if conduit.isBroken { throw .reset }
        conduit.write(bytes)
    }

    // MARK: TLS

    /// From here on all bytes go through the session, which is fresh.
    ///
    /// - Parameter first: what the peer has sent of it already.
    public mutating func secure(
        _ session: consuming TLSSession, first: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) throws(Errno) {
        let layer = SecureLayer(session)
        self.layer = layer
        layer.handshake()
        if !first.isEmpty { layer.receive(first) }
        try hand(layer)
    }

    public var isSecure: Bool { layer != nil }
    /// Bytes are on the socket as they are meant.
    public var canSplice: Bool { layer == nil && conduit == nil }
    /// The handshake is done and the peer is who it should be; so is every peer in the clear.
    public var isOpen: Bool { layer.map { $0.session.state != .handshaking && $0.failure == nil } ?? true }
    /// Why TLS is over before its time.
    public var failure: TLSFailure? { layer?.failure }
    /// Of a connection that broke while it was written to: why, if the peer has said so before it left.
    public mutating func lastFailure() -> TLSFailure? {
        guard let layer else { return nil }
        hasInput = true
        // Not where others read: they may not be done with what is there.
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { room in
            for _ in 0..<Transport.readsMost where layer.failure == nil && hasInput {
                guard case .moved? = try? read(into: room, through: layer) else { break }
            }
        }
        return layer.failure
    }

    /// In a row, of a peer that may send without end what is nothing to us.
    private static let readsMost = 4

    /// What the handshake settled.
    public var facts: TLSSession.Facts? { layer?.session.facts }
    public var certificate: PeerCertificate? { layer?.session.certificate }
    /// For the next session with this server; best asked for when this one has been used.
    public func resumption() -> Resumption? { layer?.session.resumption() }

    /// Says over TLS, or of a stream, that nothing more is sent, as far as the kernel takes it at once: a peer that is gone is not waited for.
    public mutating func finish() {
        if let conduit { return conduit.finish() }
        guard let layer else { return }
        _ = try? flush()
        layer.close()
        try? hand(layer)
    }

    private mutating func read(
        into room: UnsafeMutableRawBufferPointer, through layer: SecureLayer
    ) throws(Errno) -> IO {
        if !layer.hasNews {
            // The room takes the bytes as they come and, when the session has had them, what they mean.
            switch try receive(into: room) {
            case .moved(let count):
                layer.receive(UnsafeRawBufferPointer(rebasing: room[..<count]))
                let before = backlog.count
                // A peer that is gone does not hide why it was refused.
                do throws(Errno) { try hand(layer) } catch { if !layer.hasNews { throw error } }
                answers = backlog.isEmpty ? 0 : answers + max(backlog.count - before, 0)
            case .wouldBlock: return .wouldBlock
            case .ended: layer.endOfStream()
            }
        }
        switch layer.take(into: room) {
        case .bytes(let count): return .moved(count)
        case .end: return .ended
        case .failure: throw .protocolError
        case .none: return .moved(0)
        }
    }

    /// Gives the socket what TLS has to say.
    private mutating func hand(_ layer: SecureLayer) throws(Errno) {
        try layer.drain { (bytes) throws(Errno) in try send(bytes) }
    }
}
