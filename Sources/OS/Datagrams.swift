import Bytes
import CLinux
import Glibc

/// Datagrams of one socket, many in a call, each with the address of this side: how a server answers from the address that
/// was asked, though it is not its own.
public struct DatagramBatch: ~Copyable {
    /// In one call. 32: at 64 the calls were no fewer under load.
    public static let most = Int(WEIR_DATAGRAMS)

    private let datagrams: UnsafeMutableBufferPointer<weir_datagram>
    private let room: UnsafeMutableRawBufferPointer
    private let each: Int
    public private(set) var count = 0

    /// - Parameter each: room for one datagram; what is longer arrives cut, or is not put in.
    public init(each: Int) {
        self.each = each
        datagrams = .allocate(capacity: DatagramBatch.most)
        datagrams.initialize(repeating: weir_datagram())
        room = .allocate(byteCount: each * DatagramBatch.most, alignment: 64)
    }

    deinit {
        datagrams.deallocate()
        room.deallocate()
    }

    public var isFull: Bool { count == DatagramBatch.most }

    public subscript(index: Int) -> UnsafeRawBufferPointer {
        precondition(index < count, "a datagram of the batch")
        return UnsafeRawBufferPointer(rebasing: room[index * each..<index * each + Int(datagrams[index].count)])
    }

    /// Who sent it.
    public func peer(_ index: Int) -> Endpoint { Endpoint(datagrams[index].peer) }
    /// Where it was sent to; the port is 0 where that is the socket's own.
    public func local(_ index: Int) -> Endpoint { Endpoint(datagrams[index].local) }

    /// Replaces what the batch holds by what waits in the socket, at most `most`; 0 where nothing does.
    ///
    /// - Parameter addressed: false where the socket is connected, and addresses are of no interest.
    public mutating func receive(
        from socket: borrowing Socket, most: Int = most, addressed: Bool = true
    ) throws(Errno) -> Int {
        for index in 0..<min(most, DatagramBatch.most) {
            datagrams[index].bytes = room.baseAddress.map { ($0 + index * each).assumingMemoryBound(to: UInt8.self) }
            datagrams[index].count = UInt32(each)
        }
        count = 0
        let got = try transferring {
            Int(
                weir_receive_datagrams(
                    socket.number, datagrams.baseAddress, UInt32(min(most, DatagramBatch.most)), addressed ? 1 : 0))
        }
        if case .moved(let number) = got { count = number }
        return count
    }

    /// Adds a datagram to be sent; there is room for it, and it is not longer than `each`.
    public mutating func append(_ bytes: UnsafeRawBufferPointer, to peer: Endpoint, from local: Endpoint) {
        append(bytes, weir_endpoint(peer), weir_endpoint(local))
    }

    /// Likewise, by a socket that is connected.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) { append(bytes, weir_endpoint(), weir_endpoint()) }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, _ peer: weir_endpoint, _ local: weir_endpoint) {
        precondition(!isFull && bytes.count <= each, "a batch was sent before it overflowed")
        let target = UnsafeMutableRawBufferPointer(rebasing: room[count * each..<(count + 1) * each])
        target.copyMemory(from: bytes)
        datagrams[count] = weir_datagram(
            bytes: target.baseAddress?.assumingMemoryBound(to: UInt8.self), count: UInt32(bytes.count), peer: peer,
            local: local)
        count += 1
    }

    /// Sends all, and is empty afterwards. Datagrams may be lost anywhere on their way; one that the kernel does not take is
    /// lost here.
    ///
    /// - Returns: how many it took, and why it refused one of the others if not for want of room.
    @discardableResult
    public mutating func send(on socket: borrowing Socket) -> (taken: Int, refusal: Errno?) {
        defer { count = 0 }
        var refusal: Int32 = 0
        let taken = weir_send_datagrams(socket.number, datagrams.baseAddress, UInt32(count), &refusal)
        let isFull = refusal == EAGAIN || refusal == ENOBUFS
        return (Int(taken), refusal == 0 || isFull ? nil : Errno(refusal))
    }
}

extension DatagramBatch {
    /// Loses what is to be sent.
    public mutating func removeAll() { count = 0 }
}

extension Endpoint {
    fileprivate init(_ endpoint: weir_endpoint) {
        self.init(IPAddress(high: endpoint.high, low: endpoint.low), endpoint.port)
    }
}

extension weir_endpoint {
    fileprivate init(_ endpoint: Endpoint) {
        self.init(high: endpoint.address.high, low: endpoint.address.low, port: endpoint.port)
    }
}

extension Socket {
    /// A socket for datagrams to an address, each with the address that it was sent to; every loop binds its own.
    ///
    /// - Parameter transparent: takes what TPROXY sends here, and sends from addresses that are not this host's. Wants
    ///   CAP_NET_ADMIN.
    public static func datagrams(_ endpoint: Endpoint, transparent: Bool) throws(Errno) -> Socket {
        let socket = try Socket(.datagram, for: endpoint.address)
        try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try socket.set(SOL_SOCKET, SO_REUSEPORT, 1)
        if transparent { try socket.setTransparent(for: endpoint.address) }
        if endpoint.address.isV4 {
            try socket.set(Int32(IPPROTO_IP), transparent ? IP_RECVORIGDSTADDR : IP_PKTINFO, 1)
        } else {
            try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1)
            try socket.set(Int32(IPPROTO_IPV6), transparent ? IPV6_RECVORIGDSTADDR : IPV6_RECVPKTINFO, 1)
        }
        // A burst of a few thousand questions; the kernel grants what net.core.rmem_max lets it.
        try? socket.set(SOL_SOCKET, SO_RCVBUF, 4 << 20)
        try socket.bind(endpoint)
        return socket
    }
}

extension Socket {
    /// A socket that only sends: from any address, as if it were this host's, and from one port. Wants CAP_NET_ADMIN.
    public static func answering(port: UInt16, isV4: Bool) throws(Errno) -> Socket {
        let any = isV4 ? IPAddress.anyV4 : .anyV6
        let socket = try Socket(.datagram, for: any)
        try socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        try socket.set(SOL_SOCKET, SO_REUSEPORT, 1)
        try socket.setTransparent(for: any)
        if !isV4 { try socket.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) }
        // What others send to the port is not for us, and nobody reads it here: a filter that takes nothing.
        var nothing = sock_filter(code: UInt16(BPF_RET | BPF_K), jt: 0, jf: 0, k: 0)
        try withUnsafeMutablePointer(to: &nothing) { filter throws(Errno) in
            var program = sock_fprog(len: 1, filter: filter)
            _ = try retrying {
                Int(
                    setsockopt(
                        socket.number, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                        socklen_t(MemoryLayout<sock_fprog>.size)))
            }
        }
        try socket.bind(Endpoint(any, port))
        return socket
    }
}
