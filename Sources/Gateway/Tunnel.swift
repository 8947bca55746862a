import Bytes
import HTTP
import OS

/// A stream that is not HTTP/1, or no longer: bytes both ways, judged at its start and at each new configuration.
final class Tunnel {
    /// One direction.
    struct Flow {
        /// Lent by the worker while bytes are in it.
        var pipe: PipeLoan?
        var piped = 0
        /// The source has ended.
        var ended = false
        /// The sink has been told.
        var shut = false
        /// Bytes since the source was last found empty.
        var burst = 0
        /// They come so fast that we are called for many of them at once.
        var isBulk = false
    }

    var up = Flow()
    var down = Flow()
    /// Sensors read it; else bytes move by splice(2).
    var isRead = false
    /// It is a WebSocket, whose messages are read.
    var webSocket: WebSocketExtensions?
    /// After a silence all has gone that may; what is still held waits for the rest of its frame.
    var tailWaited = false
    /// Nothing of the client goes out before the server's first bytes have been judged.
    var awaitsServer = false

    /// Of one direction at least the kernel does not call for every few bytes.
    var isBulk: Bool { up.isBulk || down.isBulk }

    var isOver: Bool { up.shut && down.shut }
}

/// A pipe that a worker lends to whoever has bytes to move, and takes back empty.
final class PipeLoan {
    let pipe: Pipe

    init() throws(Errno) { pipe = try Pipe() }
}
