import Bytes
import CLinux
import Glibc

/// IP_BIND_ADDRESS_NO_PORT (ip(7)), which glibc's netinet/in.h leaves out.
private let bindAddressNoPort: Int32 = 24

/// A non-blocking socket. Each call is the system call of that name; closing is `deinit`.
public struct Socket: ~Copyable, Sendable {
    public let descriptor: FileDescriptor

    public init(owning descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    @inlinable public var number: Int32 { descriptor.number }

    /// No socket: what stands in its place where bytes move otherwise.
    public static var none: Socket { Socket(owning: .none) }

    public enum Kind: Sendable { case stream, datagram }

    public init(_ kind: Kind, for address: IPAddress) throws(Errno) {
        let type = kind == .stream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue
        let flags = Int32(type | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = try retrying { Int(Glibc.socket(SocketAddress.family(address), flags, 0)) }
        self.init(owning: FileDescriptor(owning: Int32(number)))
    }

    // MARK: Listening

    /// What a listening socket of one loop needs beside its address.
    public struct ListenOptions: Sendable {
        /// IP_TRANSPARENT: accepts connections to any address that TPROXY sends here. Wants CAP_NET_ADMIN.
        public var transparent = false
        public var backlog: Int32 = 4096
        public init(transparent: Bool = false) { self.transparent = transparent }
    }

    /// Every loop binds its own socket to the same address (SO_REUSEPORT); the kernel spreads connections.
    public static func listen(_ endpoint: Endpoint, _ options: ListenOptions) throws(Errno) -> Socket {
        let socket = try Socket(.stream, for: endpoint.address)
        try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try socket.set(SOL_SOCKET, SO_REUSEPORT, 1)
        if !endpoint.address.isV4 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        if options.transparent { try socket.setTransparent(for: endpoint.address) }
        try socket.bind(endpoint)
        _ = try retrying { Int(Glibc.listen(socket.number, options.backlog)) }
        return socket
    }

    /// A connection that was waiting, and who it is from.
    @frozen public struct Accepted: ~Copyable {
        public var socket: Socket
        public let peer: Endpoint
    }

    /// The next waiting connection, or nil when there is none.
    public borrowing func accept() throws(Errno) -> Accepted? {
        var number: Int32 = -1
        let peer = try SocketAddress.reading { (address, length) throws(Errno) in
            while true {
                number = accept4(
                    descriptor.number, address, length, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
                if number >= 0 { return }
                let code = errno
                switch code {
                case EAGAIN, EWOULDBLOCK: return
                // The connection went away before it was taken (accept(2), "Error handling").
                case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH: continue
                default: throw Errno(code)
                }
            }
        }
        guard number >= 0 else { return nil }
        return Accepted(socket: Socket(owning: FileDescriptor(owning: number)), peer: peer ?? Endpoint(.anyV4, 0))
    }

    // MARK: Addresses

    public borrowing func localEndpoint() throws(Errno) -> Endpoint? {
        try SocketAddress.reading { (address, length) throws(Errno) in
            _ = try retrying { Int(getsockname(descriptor.number, address, length)) }
        }
    }

    /// Where a connection taken by a `redirect` rule was going (SO_ORIGINAL_DST), or nil if it was not redirected.
    public borrowing func redirectedFrom(v4: Bool) -> Endpoint? {
        let level = v4 ? Int32(IPPROTO_IP) : Int32(IPPROTO_IPV6)
        let name = v4 ? SO_ORIGINAL_DST : IP6T_SO_ORIGINAL_DST
        return try? SocketAddress.reading { (address, length) throws(Errno) in
            _ = try retrying { Int(getsockopt(descriptor.number, level, name, address, length)) }
        }
    }

    public borrowing func bind(_ endpoint: Endpoint) throws(Errno) {
        _ = try retrying { SocketAddress.with(endpoint) { Int(Glibc.bind(descriptor.number, $0, $1)) } }
    }

    // MARK: Connecting

    /// Starts a connection; `true` when it stands at once. Writability tells the rest, then `takeError`.
    public borrowing func connect(_ endpoint: Endpoint) throws(Errno) -> Bool {
        let result = SocketAddress.with(endpoint) { Glibc.connect(descriptor.number, $0, $1) }
        if result == 0 { return true }
        let code = errno
        if code == EINPROGRESS || code == EINTR { return false }
        throw Errno(code)
    }

    /// SO_ERROR: how a connection attempt ended, or what a later event means.
    public borrowing func takeError() -> Errno? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor.number, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { return .last }
        return code == 0 ? nil : Errno(code)
    }

    // MARK: Options

    public borrowing func set(_ level: Int32, _ name: Int32, _ value: Int32) throws(Errno) {
        var value = value
        _ = try retrying {
            Int(setsockopt(descriptor.number, level, name, &value, socklen_t(MemoryLayout<Int32>.size)))
        }
    }

    public borrowing func setTransparent(for address: IPAddress) throws(Errno) {
        if address.isV4 {
            try set(Int32(IPPROTO_IP), IP_TRANSPARENT, 1)
        } else {
            try set(Int32(IPPROTO_IPV6), IPV6_TRANSPARENT, 1)
        }
    }

    /// SO_MARK: how the rules of the machine know the gateway's own packets. Wants CAP_NET_ADMIN.
    public borrowing func setMark(_ mark: UInt32) throws(Errno) {
        try set(SOL_SOCKET, SO_MARK, Int32(bitPattern: mark))
    }

    /// Lets `bind` leave the port to `connect` (ip(7)), so that a client's address is not short of ports.
    public borrowing func setBindWithoutPort() throws(Errno) {
        try set(Int32(IPPROTO_IP), bindAddressNoPort, 1)
    }

    public borrowing func setNoDelay() throws(Errno) { try set(Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// Readiness to read is told of from so many bytes on (SO_RCVLOWAT, socket(7)), and at an end.
    public borrowing func setReceiveLow(_ bytes: Int) throws(Errno) {
        try set(SOL_SOCKET, SO_RCVLOWAT, Int32(clamping: bytes))
    }

    /// Closing sends a reset instead of an orderly end (SO_LINGER of zero).
    public borrowing func setResetOnClose() {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
    }

    // MARK: Moving bytes

    @inlinable public borrowing func receive(into room: UnsafeMutableRawBufferPointer) throws(Errno) -> IO {
        try transferring { recv(descriptor.number, room.baseAddress, room.count, 0) }
    }

    @inlinable public borrowing func send(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> IO {
        try transferring { Glibc.send(descriptor.number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Both pieces in one call, the first before the second.
    @inlinable public borrowing func send(
        _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) throws(Errno) -> IO {
        var parts: InlineArray<2, iovec> = [
            iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count),
        ]
        var message = msghdr()
        message.msg_iovlen = 2
        return try transferring {
            withUnsafeMutableBytes(of: &parts) {
                message.msg_iov = $0.assumingMemoryBound(to: iovec.self).baseAddress
                return sendmsg(descriptor.number, &message, Int32(MSG_NOSIGNAL))
            }
        }
    }

    /// Tells the peer that no more bytes follow.
    public borrowing func shutdownWriting() { _ = shutdown(descriptor.number, Int32(SHUT_WR)) }
}
