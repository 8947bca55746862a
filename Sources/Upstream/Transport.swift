import Bytes
import OS

/// One connection's bytes, both ways: a socket, what epoll last said of it, and what it has not taken yet.
///
/// Plain TCP; TLS becomes a second kind behind the same four verbs.
public struct Transport: ~Copyable {
    public let socket: Socket
    /// A read may bring something.
    public private(set) var readable: Bool
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
        readable = connected
        writable = connected
    }

    /// The peer has said that it sends no more, though bytes may still wait to be read.
    public var isPeerEnding: Bool { peerEnded }

    /// Bytes wait for the kernel: whoever feeds this side must pause.
    public var isBacklogged: Bool { !backlog.isEmpty && !queued }
    /// Bytes wait for more to leave with: `write` or `flush` sends them.
    public var isQueued: Bool { queued }
    public var backlogCount: Int { backlog.count }

    public mutating func note(_ events: Readiness) {
        if !events.isDisjoint(with: [.readable, .peerEnded, .broken]) { readable = true }
        if !events.isDisjoint(with: [.writable, .broken]) { writable = true }
        if !events.isDisjoint(with: [.peerEnded, .broken]) { peerEnded = true }
        if !events.isDisjoint(with: .broken) { isBroken = true }
    }

    public mutating func read(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        let result = try socket.receive(into: room)
        switch result {
        case .moved(let count):
            bytesRead &+= UInt64(count)
            // A short read has emptied the socket (epoll(7)), unless the end of the stream is waiting behind it.
            if count < room.count, !peerEnded { readable = false }
        case .wouldBlock: readable = false
        case .ended: readable = false
        }
        return result
    }

    /// Keeps bytes for the next `write` or `flush` to send first.
    public mutating func queue(_ bytes: UnsafeRawBufferPointer) {
        if backlog.isEmpty { queued = true }
        backlog.append(bytes)
    }

    /// Takes all of `bytes`: sends what the kernel will have and keeps the rest in order.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
        if queued { return try writeQueued(bytes) }
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
        queued = false
        while writable, !backlog.isEmpty {
            var rest = backlog.readable
            let before = rest.count
            try moved(socket.send(rest), of: &rest)
            backlog.consume(before - rest.count)
        }
        if backlog.isEmpty { backlog.release() }
        return backlog.isEmpty
    }

    private mutating func moved(_ result: IO, of rest: inout UnsafeRawBufferPointer) throws(Errno) {
        switch result {
        case .moved(let count):
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        case .wouldBlock, .ended: writable = false
        }
    }

    /// For `splice`, which moves bytes past this value.
    public mutating func spliced(in count: Int) { bytesRead &+= UInt64(count) }

    /// Whether nothing waits to be read. The kernel is asked only where the last read may have left something: an edge that
    /// has been told is not told again.
    public mutating func isDrained() -> Bool {
        guard readable else { return true }
        var byte: UInt8 = 0
        return (try? withUnsafeMutableBytes(of: &byte) { try read(into: $0) }) == .wouldBlock
    }

    public mutating func readWouldBlock() { readable = false }
    public mutating func writeWouldBlock() { writable = false }
    public var isWritable: Bool { writable }
}
