import CLinux
import Glibc

/// What epoll says of a descriptor.
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32
    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// The peer sends no more.
    public static let peerEnded = Readiness(rawValue: EPOLLRDHUP.rawValue)
    /// Both directions are over, or an error waits.
    public static let broken = Readiness(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
}

/// An epoll instance. Registrations are edge-triggered and never changed: one `epoll_ctl` per descriptor.
public struct Epoll: ~Copyable {
    private let descriptor: FileDescriptor

    public init() throws(Errno) {
        descriptor = FileDescriptor(owning: Int32(try retrying { Int(epoll_create1(Int32(EPOLL_CLOEXEC))) }))
    }

    public borrowing func add(
        _ number: Int32, data: UInt64, edgeTriggered: Bool = true, writes: Bool = true
    ) throws(Errno) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | EPOLLRDHUP.rawValue
        if edgeTriggered { event.events |= EPOLLET.rawValue | (writes ? EPOLLOUT.rawValue : 0) }
        event.data.u64 = data
        _ = try retrying { Int(epoll_ctl(descriptor.number, EPOLL_CTL_ADD, number, &event)) }
    }

    public borrowing func remove(_ number: Int32) {
        var event = epoll_event()
        _ = epoll_ctl(descriptor.number, EPOLL_CTL_DEL, number, &event)
    }

    /// Events that are ready, waiting at most `timeout` milliseconds for the first (-1: for ever).
    public borrowing func wait(_ events: UnsafeMutableBufferPointer<epoll_event>, timeout: Int32) -> Int {
        let count = epoll_wait(descriptor.number, events.baseAddress, Int32(events.count), timeout)
        precondition(count >= 0 || errno == EINTR, "epoll_wait: \(Errno.last)")
        return max(0, Int(count))
    }
}

/// A counter that wakes an epoll from another thread.
public struct EventDescriptor: ~Copyable, Sendable {
    public let descriptor: FileDescriptor

    public init() throws(Errno) {
        let flags = Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC)
        descriptor = FileDescriptor(owning: Int32(try retrying { Int(eventfd(0, flags)) }))
    }

    public borrowing func signal() {
        var one: UInt64 = 1
        _ = Glibc.write(descriptor.number, &one, 8)
    }

    public borrowing func clear() {
        var count: UInt64 = 0
        _ = Glibc.read(descriptor.number, &count, 8)
    }
}
