import Bytes
import HTTP

/// Any frames, cut in any way, must come to the same events, and every head shown must be one head of HTTP/1.1 that says
/// of the body what the stream does.
///
/// The first byte picks the role and the options, the second how the rest is cut.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    guard let data, size >= 2 else { return 0 }
    let input = UnsafeRawBufferPointer(start: data + 2, count: size - 2)
    let whole = play(input, seed: nil, options: data[0])
    let parts = play(input, seed: data[1], options: data[0])
    // Of two faults in one frame the first to be seen is named.
    check((whole.failure == nil) == (parts.failure == nil), "any cut fails the same")
    check(whole.lines == parts.lines, "any cut gives the same events")
    // A frame that breaks a rule may have shown its beginning.
    for stream in whole.inOrder {
        check(whole.content[stream] == parts.content[stream], "any cut gives the same content")
    }
    return 0
}

/// The whole of a property that does not hold.
func check(_ holds: Bool, _ property: StaticString) {
    precondition(holds, "\(property)")
}

/// What feeding the input came to.
struct Played {
    var lines: [String]
    var content: [Int32: [UInt8]]
    var inOrder: Set<Int32>
    var failure: HTTP2Failure?
}

func play(_ input: UnsafeRawBufferPointer, seed: UInt8?, options: UInt8) -> Played {
    var limits = HTTP2Limits()
    if options & 2 != 0 {
        (limits.streamsMost, limits.headBytes, limits.fieldsMost, limits.answersMost) = (3, 400, 8, 5)
        (limits.resetsMost, limits.controlFramesMost) = (3, 9)
        // Who has credit back between two cuts may send what is too much at once.
        if options & 8 == 0 { limits.streamWindowBytes = 50 }
    }
    let watcher = Watcher(options, limits)
    let connection = HTTP2Connection(role: options & 1 == 0 ? .server : .client, limits: limits, user: watcher)
    watcher.connection = connection
    if connection.role == .server {
        if options & 128 == 0 { feed(connection, Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)) }
    } else {
        watcher.ask()
    }
    var buffer = Buffer()
    connection.output(into: &buffer, atMost: 1000)
    var state = UInt32(seed ?? 0)
    var at = 0
    while at < input.count {
        state = state &* 1_664_525 &+ 1_013_904_223
        // Seed 0 is byte by byte.
        let step = seed.map { $0 == 0 ? 1 : 1 + Int(state >> 16) % (1 + Int($0)) } ?? input.count
        let end = min(at + step, input.count)
        feed(connection, Array(input[at..<end]))
        at = end
    }
    connection.tick()
    for _ in 0..<100 where connection.wantsWrite { connection.output(into: &buffer, atMost: 1000) }
    check(connection.failure == nil || connection.isFinished, "a connection that has failed comes to an end")
    return Played(
        lines: watcher.lines, content: watcher.content, inOrder: watcher.inOrder, failure: connection.failure)
}

/// From memory that has not a byte more than it should, for the sanitizer to watch.
func feed(_ connection: HTTP2Connection, _ bytes: [UInt8]) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { copy.deallocate() }
    copy.copyBytes(from: bytes)
    connection.receive(UnsafeRawBufferPointer(copy))
}

func text<Result>(_ text: String, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    var text = text
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
}

/// Holds what it is told to the rules, and answers as the options say.
final class Watcher: HTTP2User {
    var lines: [String] = []
    var content: [Int32: [UInt8]] = [:]
    var inOrder: Set<Int32> = []
    unowned(unsafe) var connection: HTTP2Connection?

    private let answers: Bool
    private let consumes: Bool
    private let resets: Bool
    private let limits: Limits
    private var open: Set<Int32> = []
    private var gone: Set<Int32> = []
    private var asked: [Int32: HTTP.Method] = [:]
    private var lengths: [Int32: UInt64] = [:]

    init(_ options: UInt8, _ limits: HTTP2Limits) {
        answers = options & 4 != 0
        consumes = options & 8 != 0
        resets = options & 16 != 0
        var heads = Limits()
        (heads.headBytes, heads.headFields) = (limits.headBytes, limits.fieldsMost)
        self.limits = heads
    }

    func ask() {
        let requests: [(String, HTTP.Method, Bool)] = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", .get, true), ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", .head, true),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", .connect, false),
        ]
        for (head, method, ended) in requests {
            text(head) { head in
                guard let stream = try? connection?.request(head: head, ended: ended) else { return }
                open.insert(stream)
                asked[stream] = method
                if !ended { text("content") { connection?.send(stream, $0) } }
            }
        }
    }

    private func note(_ stream: Int32, _ line: String) {
        check(open.contains(stream) && !gone.contains(stream), "an event is about a stream that is open")
        if !line.isEmpty { lines.append("\(stream) \(line)") }
    }

    private func end(_ stream: Int32, _ line: String) {
        note(stream, line)
        gone.insert(stream)
    }

    func request(_ stream: Int32, head: UnsafeRawBufferPointer, kind: HTTP2RequestKind, ended: Bool) {
        check(open.insert(stream).inserted, "a stream has one request")
        note(stream, "request \(kind) \(ended)")
        var parsed = RequestHead()
        switch parsed.parse(head, limits: limits) {
        case .needMore: check(false, "a request is a whole head")
        case .head(let length):
            check(length == head.count, "a request is one head")
            check((parsed.upgrade != nil) == (kind == .webSocket), "WebSocket alone is an upgrade")
            check((parsed.method == .connect) == (kind == .tunnel), "a tunnel alone is a CONNECT")
            check(parsed.form != .absolute, "no target is absolute")
            switch parsed.framing {
            case .none: check(ended || kind != .exchange, "a body is framed")
            case .length(let length):
                check(kind == .exchange && (!ended || length == 0), "a length is that of a body")
                lengths[stream] = length
            case .chunked: check(!ended && kind == .exchange, "chunks are those of a body")
            case .untilClose: check(false, "a request ends")
            }
        case .reject(let rejection):
            // What HTTP/2 may say, and HTTP/1.1 may not.
            check(rejection.threat != .requestSmuggling || parsed.method == .trace, "no head has two readings")
        }
        if resets { connection?.reset(stream, code: .cancel) }
        guard answers, !resets else { return }
        text("HTTP/1.1 103 \r\nLink: a\r\n\r\n") { _ = connection?.respond(stream, head: $0, ended: false) }
        text("HTTP/1.1 200 OK\r\n\r\n") { _ = connection?.respond(stream, head: $0, ended: false) }
        text("content") { connection?.send(stream, $0) }
        text("x: y\r\n") { _ = connection?.finish(stream, trailers: $0) }
    }

    func response(_ stream: Int32, head: UnsafeRawBufferPointer, ended: Bool) {
        note(stream, "response \(ended)")
        guard let method = asked[stream] else { return check(false, "a response is to a request") }
        var parsed = ResponseHead()
        switch parsed.parse(head, answering: method, limits: limits) {
        case .needMore: check(false, "a response is a whole head")
        case .head(let length):
            check(length == head.count && parsed.status != 101, "a response is one head")
            switch parsed.framing {
            case .none: break
            case .length(let length): check(!ended || length == 0, "a length is that of a body")
            case .chunked: check(!ended, "chunks are those of a body")
            case .untilClose: check(false, "a response ends before its connection")
            }
        case .reject(let rejection): check(rejection.threat != .requestSmuggling, "no head has two readings")
        }
    }

    func data(_ stream: Int32, _ bytes: UnsafeRawBufferPointer) {
        note(stream, "")
        check(!bytes.isEmpty, "data is some")
        content[stream, default: []] += bytes
        if consumes { connection?.consumed(stream, bytes.count) }
    }

    func trailers(_ stream: Int32, _ fields: UnsafeRawBufferPointer) {
        note(stream, "trailers")
        var body = ChunkedBody(limits: limits)
        let last = Array("0\r\n".utf8) + fields + Array("\r\n".utf8)
        let step = last.withUnsafeBytes { body.step($0) }
        // Some fields belong in the head: a rule of the message, not of its framing.
        if case .reject = step { return }
        check(step == .end(consumed: last.count), "trailers are whole lines")
    }

    func ended(_ stream: Int32) {
        note(stream, "ended")
        if let length = lengths[stream] {
            check(length == UInt64(content[stream]?.count ?? 0), "content is as long as it says")
        }
        inOrder.insert(stream)
    }

    func writable(_ stream: Int32) { note(stream, "") }
    func closed(_ stream: Int32) { end(stream, "closed") }
    func reset(_ stream: Int32, code: HTTP2Code) { end(stream, "reset \(code.rawValue)") }

    func malformed(_ stream: Int32, _ rejection: Rejection) {
        open.insert(stream)
        end(stream, "malformed")
    }

    func goaway(lastStream: Int32, code: HTTP2Code) { lines.append("goaway \(lastStream) \(code.rawValue)") }
    func pong(_ payload: UInt64) { lines.append("pong") }
    func threat(_ kind: HTTP2Threat) { check(connection?.failure == .threat(kind), "a threat is a failure") }
}
