/// Counts what a peer does at our cost, by the headers of the frames as they come.
///
/// The bytes are walked before the library sees them: it ignores some frames without a word, and queues answers to
/// others. Where a bound is passed, the frame that passes it is not fed.
struct HTTP2Floods: Sendable {
    private enum Frame {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let priority: UInt8 = 2
        static let resetStream: UInt8 = 3
        static let continuation: UInt8 = 9
        static let priorityUpdate: UInt8 = 0x10
    }

    /// What it costs to have done something, and how much of it is left.
    private struct Bucket: Sendable {
        var left: Int
        let most: Int

        init(most: Int) {
            self.most = most
            left = most
        }

        mutating func spend() -> Bool {
            left -= 1
            return left >= 0
        }

        mutating func earn(_ count: Int) { left = min(max(left, 0) + count, most) }
    }

    /// A peer may send PRIORITY and WINDOW_UPDATE for each stream, a WINDOW_UPDATE for each KiB or two of data that it
    /// reads for the stream and for the connection, and trailers.
    private static let earnedPerStream = 10
    private static let earnedPerData = 10

    private let limits: HTTP2Limits
    private var resets: Bucket
    private var control: Bucket
    /// Bytes left of the client's preface (RFC 9113 section 3.4).
    private var preface: Int
    /// The nine bytes of a frame's header, as far as they came.
    private var header: InlineArray<9, UInt8> = .init(repeating: 0)
    private var headerCount = 0
    private var payload = 0
    private var continuations = 0
    /// The highest stream that the peer has opened.
    private var lastStream: UInt32 = 0
    private let isServer: Bool
    /// A frame that the library lets through though it ends the connection (RFC 9113 sections 4.2 and 6.3, RFC 9218
    /// section 7.1).
    private(set) var violation: HTTP2Code?

    init(_ limits: HTTP2Limits, isServer: Bool) {
        self.limits = limits
        self.isServer = isServer
        preface = isServer ? 24 : 0
        resets = Bucket(most: limits.resetsMost)
        control = Bucket(most: limits.controlFramesMost)
    }

    /// How far the bytes from `at` on may be fed to the library: to the end of a frame, or of the bytes. With a threat or a
    /// `violation`, what comes from there on may not.
    mutating func walk(_ bytes: UnsafeRawBufferPointer, from start: Int) -> (end: Int, threat: HTTP2Threat?) {
        var at = start + min(preface, bytes.count - start)
        preface -= at - start
        while payload == 0, headerCount < 9, at < bytes.count {
            header[headerCount] = bytes[at]
            headerCount += 1
            at += 1
            guard headerCount == 9 else { continue }
            payload = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            if let threat = count() { return (start, threat) }
            if violation != nil { return (start, nil) }
        }
        guard headerCount == 9 else { return (at, nil) }
        let step = min(payload, bytes.count - at)
        payload -= step
        if payload == 0 { headerCount = 0 }
        return (at + step, nil)
    }

    /// No frame has come in part, or one that is longer than any may be, whose end is not waited for.
    var isBetweenFrames: Bool { headerCount == 0 || payload > limits.frameBytes }

    /// The frame whose header is complete.
    private mutating func count() -> HTTP2Threat? {
        let stream =
            UInt32(header[5] & 0x7f) << 24 | UInt32(header[6]) << 16 | UInt32(header[7]) << 8 | UInt32(header[8])
        switch header[3] {
        case Frame.priority where stream == 0, Frame.priorityUpdate where stream != 0: violation = .protocolError
        case Frame.continuation where payload > limits.frameBytes: violation = .frameSizeError
        case Frame.data where payload > 0: return nil
        case Frame.continuation:
            continuations += 1
            return continuations <= limits.continuationsMost ? nil : .continuationFlood
        case Frame.headers:
            continuations = 0
            guard isServer, stream > lastStream else { break }
            lastStream = stream
            opened()
            return nil
        case Frame.resetStream: return reset()
        default: break
        }
        return emptyFrame()
    }

    /// A frame that carries neither content nor a new request.
    mutating func emptyFrame() -> HTTP2Threat? { control.spend() ? nil : .controlFlood }

    /// A stream was reset by the peer, or by us for what the peer sent.
    mutating func reset() -> HTTP2Threat? { resets.spend() ? nil : .rapidReset }

    mutating func opened() { control.earn(HTTP2Floods.earnedPerStream) }
    mutating func sentData() { control.earn(HTTP2Floods.earnedPerData) }
    mutating func closedInOrder() { resets.earn(1) }

    mutating func tick() {
        resets.earn(limits.resetsPerTickMost)
        control.earn(limits.controlFramesPerTickMost)
    }
}
