import Bytes

@testable import HTTP

/// Keeps a line for each event, and answers as a test says.
final class Listener: HTTP2User {
    var events: [String] = []
    var content: [Int32: [UInt8]] = [:]
    var lastHead = ""
    /// Gives credit back at once.
    var consumes = true
    /// Called for each event with its stream, from within.
    var hook: ((String, Int32) -> Void)?
    unowned(unsafe) var connection: HTTP2Connection?

    private func note(_ event: String, _ stream: Int32 = 0) {
        events.append(event)
        hook?(event, stream)
    }

    func request(_ stream: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool) {
        lastHead = string(head)
        note("\(stream) request \(kind)\(ended ? " ended" : "")", stream)
    }

    func response(_ stream: Int32, head: UnsafeRawBufferPointer, ended: Bool) {
        lastHead = string(head)
        note("\(stream) response \(string(head.prefix { $0 != 0x0d }).dropFirst(9))\(ended ? " ended" : "")", stream)
    }

    func data(_ stream: Int32, _ bytes: UnsafeRawBufferPointer) {
        content[stream, default: []] += bytes
        if consumes { connection?.consumed(stream, bytes.count) }
        if events.last != "\(stream) data" { note("\(stream) data", stream) }
    }

    func trailers(_ stream: Int32, _ lines: UnsafeRawBufferPointer) {
        note("\(stream) trailers \(string(lines).replacing("\r\n", with: "|"))", stream)
    }

    func ended(_ stream: Int32) { note("\(stream) ended", stream) }
    func writable(_ stream: Int32) { hook?("\(stream) writable", stream) }
    func closed(_ stream: Int32) { note("\(stream) closed", stream) }
    func reset(_ stream: Int32, code: HTTP2Code) { note("\(stream) reset \(code.rawValue)", stream) }
    func malformed(_ stream: Int32, _ rejection: Rejection) { note("\(stream) malformed \(rejection.message)", stream) }
    func goaway(lastStream: Int32, code: HTTP2Code) { note("goaway \(lastStream) \(code.rawValue)") }
    func pong(_ payload: UInt64) { note("pong \(payload)") }
    func threat(_ kind: HTTP2Threat) { note("threat \(kind)") }
}

/// A client and a server, and the bytes between them.
final class Wire {
    let client: HTTP2Connection
    let server: HTTP2Connection
    let atClient = Listener()
    let atServer = Listener()
    /// The most bytes of one feed.
    var piece = Int.max

    init(client: HTTP2Limits = HTTP2Limits(), server: HTTP2Limits = HTTP2Limits(), piece: Int = .max) {
        self.client = HTTP2Connection(role: .client, limits: client, user: atClient)
        self.server = HTTP2Connection(role: .server, limits: server, user: atServer)
        atClient.connection = self.client
        atServer.connection = self.server
        self.piece = piece
    }

    /// Moves bytes until neither has more to say.
    func run() {
        while move(client, server) || move(server, client) {}
    }

    @discardableResult
    func move(_ from: HTTP2Connection, _ to: HTTP2Connection) -> Bool {
        let bytes = put(from)
        var at = 0
        while at < bytes.count {
            let end = at + min(piece, bytes.count - at)
            exactly(bytes[at..<end]) { _ = to.receive($0) }
            at = end
        }
        return !bytes.isEmpty
    }

    func ask(_ head: String, ended: Bool = true) throws -> Int32 {
        try exactly(head.utf8) { head in Result { try client.request(head: head, ended: ended) } }.get()
    }

    @discardableResult
    func answer(_ stream: Int32, _ head: String, ended: Bool = true) -> Rejection? {
        exactly(head.utf8) { server.respond(stream, head: $0, ended: ended) }
    }
}

/// All that a connection has to say now.
func put(_ connection: HTTP2Connection, atMost most: Int = 1 << 20) -> [UInt8] {
    var buffer = Buffer()
    connection.output(into: &buffer, atMost: most)
    return Array(buffer.readable)
}

extension HTTP2Connection {
    func send(_ stream: Int32, _ bytes: [UInt8]) { exactly(bytes) { send(stream, $0) } }
    func finish(_ stream: Int32, trailers: String) -> Rejection? {
        exactly(trailers.utf8) { finish(stream, trailers: $0) }
    }
}

let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
let ok = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
let empty = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/// Content that shows where a piece of it is from.
func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

// MARK: - Frames by hand

enum FrameType: UInt8 {
    case data = 0
    case headers, priority, resetStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
}

let endStream: UInt8 = 1
let endHeaders: UInt8 = 4
let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(.settings, 0, 0)

func frame(_ type: FrameType, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
    let count = payload.count
    return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type.rawValue, flags]
        + word(stream) + payload
}

func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) } }

/// Literal fields that are not indexed, without Huffman coding (RFC 7541 section 6.2.2).
func section(_ fields: [(String, String)]) -> [UInt8] {
    fields.flatMap { [0] + hpackText($0.0) + hpackText($0.1) }
}

private func hpackText(_ text: String) -> [UInt8] {
    var count = text.utf8.count
    guard count >= 127 else { return [UInt8(count)] + text.utf8 }
    var bytes: [UInt8] = [127]
    count -= 127
    while count >= 128 {
        bytes.append(UInt8(count & 127) | 128)
        count >>= 7
    }
    return bytes + [UInt8(count)] + text.utf8
}

/// The type, flags, stream and payload of each frame.
struct Frame: Equatable {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    static func all(_ bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var at = bytes.starts(with: Array("PRI *".utf8)) ? 24 : 0
        while at + 9 <= bytes.count {
            let count = Int(bytes[at]) << 16 | Int(bytes[at + 1]) << 8 | Int(bytes[at + 2])
            let stream = bytes[at + 5..<at + 9].reduce(0) { $0 << 8 | UInt32($1) }
            frames.append(
                Frame(
                    type: bytes[at + 3], flags: bytes[at + 4], stream: stream,
                    payload: Array(bytes[at + 9..<at + 9 + count])))
            at += 9 + count
        }
        return frames
    }

    /// The error code of RST_STREAM or GOAWAY.
    var code: UInt32? {
        switch FrameType(rawValue: type) {
        case .resetStream: payload.prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        case .goAway: payload.dropFirst(4).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        default: nil
        }
    }
}

/// A server that is fed frames by hand.
final class Fed {
    let server: HTTP2Connection
    let listener = Listener()

    init(_ limits: HTTP2Limits = HTTP2Limits()) {
        server = HTTP2Connection(role: .server, limits: limits, user: listener)
        listener.connection = server
        feed(preface)
        _ = put(server)
    }

    @discardableResult
    func feed(_ bytes: [UInt8]) -> HTTP2Failure? { exactly(bytes) { server.receive($0) } }

    /// The frames it answers.
    func answers(to bytes: [UInt8]) -> [Frame] {
        feed(bytes)
        return Frame.all(put(server))
    }
}
