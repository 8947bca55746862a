import CLinux
import Glibc

/// What a system call said went wrong.
public struct Errno: Error, Equatable, Sendable {
    public let code: Int32

    public init(_ code: Int32) { self.code = code }

    /// The calling thread's `errno`.
    @inlinable public static var last: Errno { Errno(errno) }

    public static let noDescriptors = Errno(EMFILE)
    public static let noDescriptorsAtAll = Errno(ENFILE)
    public static let timedOut = Errno(ETIMEDOUT)
    public static let reset = Errno(ECONNRESET)
    public static let protocolError = Errno(EPROTO)
}

extension Errno: CustomStringConvertible {
    public var description: String { String(cString: strerror(code)) }
}

/// What a read or write came to when it did not fail.
public enum IO: Equatable, Sendable {
    case moved(Int)
    case wouldBlock
    /// End of stream: the peer sends no more.
    case ended
}

/// Runs a call again while signals interrupt it.
@inline(__always) @usableFromInline
func retrying(_ call: () -> Int) throws(Errno) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        let error = Errno.last
        if error.code != EINTR { throw error }
    }
}

/// The same for a transfer: would-block and end of stream are results.
@inline(__always) @usableFromInline
func transferring(_ call: () -> Int) throws(Errno) -> IO {
    while true {
        let result = call()
        if result > 0 { return .moved(result) }
        if result == 0 { return .ended }
        let code = errno
        if code == EAGAIN || code == EWOULDBLOCK { return .wouldBlock }
        if code != EINTR { throw Errno(code) }
    }
}
