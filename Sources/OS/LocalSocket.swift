import CLinux
import Glibc

/// Unix-domain stream sockets, for the control of a gateway by its own machine.
extension Socket {
    /// Listens at a path, open to the owner only; a socket file that nobody listens on any more is replaced.
    public static func listen(path: String) throws(Errno) -> Socket {
        if let probe = try? Socket.connect(path: path) {
            _ = consume probe
            throw Errno(EADDRINUSE)
        }
        unlink(path)
        let socket = try local(SOCK_NONBLOCK.rawValue)
        let mask = umask(0o177)
        defer { umask(mask) }
        _ = try retrying { withAddress(path) { Glibc.bind(socket.number, $0, $1) } }
        _ = try retrying { Int(Glibc.listen(socket.number, 16)) }
        return socket
    }

    /// A blocking connection to a path.
    public static func connect(path: String) throws(Errno) -> Socket {
        let socket = try local(0)
        _ = try retrying { withAddress(path) { Glibc.connect(socket.number, $0, $1) } }
        return socket
    }

    private static func local(_ flags: UInt32) throws(Errno) -> Socket {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | flags)
        return Socket(owning: FileDescriptor(owning: Int32(try retrying { Int(Glibc.socket(AF_UNIX, type, 0)) })))
    }

    /// -1 with ENAMETOOLONG for a path that does not fit (108 bytes, unix(7)).
    private static func withAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            errno = ENAMETOOLONG
            return -1
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Int(call($0, socklen_t(MemoryLayout<sockaddr_un>.size)))
            }
        }
    }
}
