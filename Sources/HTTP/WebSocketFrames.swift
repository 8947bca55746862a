import Bytes

/// Why the frames of a WebSocket are not what RFC 6455 allows.
public struct WebSocketFault: Error, Equatable, Sendable {
    /// What was expected instead.
    public let message: StaticString

    public static func == (a: WebSocketFault, b: WebSocketFault) -> Bool {
        a.message.description == b.message.description
    }
}

/// Reads the frames of one direction of a WebSocket (RFC 6455 section 5) where they lie: payloads are answered as ranges
/// of the bytes fed.
///
///     header ──whole──▶ payload ──▶ end ──▶ header …
///        └────────────────┴──▶ refused
public struct WebSocketFrames: Sendable {
    /// Whose frames they are: a client masks all of its own, a server none (section 5.1).
    public enum Sender: Sendable { case client, server }

    public enum Opcode: UInt8, Sendable {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        public var isControl: Bool { rawValue >= 8 }
    }

    /// The header of a frame.
    public struct Frame: Equatable, Sendable {
        public var opcode: Opcode
        /// The last of its message.
        public var isFinal: Bool
        /// The message that begins here is compressed (RFC 7692 section 6).
        public var isCompressed: Bool
        /// Bytes of the payload.
        public var length: UInt64
    }

    public enum Step: Equatable, Sendable {
        /// All that was fed is used up.
        case needMore(consumed: Int)
        /// A header is whole; `consumed` bytes are the last of it.
        case frame(Frame, consumed: Int)
        /// Part of a payload or all of one. `mask` is to be laid over it from its first byte on; 0 where it is not masked.
        case payload(Range<Int>, mask: UInt32)
        /// The frame has ended.
        case end(Frame)
        /// `consumed` bytes are part of what is wrong.
        case violation(WebSocketFault, consumed: Int)
    }

    private enum State: UInt8 { case header, payload, end, refused }

    private let sender: Sender
    private let isDeflated: Bool
    private var state = State.header
    /// A header that has not come whole.
    private var header: InlineArray<14, UInt8> = .init(repeating: 0)
    private var headerCount = 0
    private var frame = Frame(opcode: .continuation, isFinal: true, isCompressed: false, length: 0)
    private var mask: UInt32 = 0
    /// Bytes of the payload so far.
    private var taken: UInt64 = 0
    /// A message has begun and not ended: continuations belong to it.
    private var isOpen = false
    private var isClosed = false
    private var closeCode: UInt16 = 0
    private var fault: WebSocketFault?

    /// `isDeflated`: permessage-deflate was agreed on, so that the first bit after FIN has a meaning.
    public init(from sender: Sender, isDeflated: Bool) {
        (self.sender, self.isDeflated) = (sender, isDeflated)
    }

    /// Feeds the bytes of the connection that were not consumed yet.
    public mutating func step(_ bytes: UnsafeRawBufferPointer) -> Step {
        switch state {
        case .header: return takeHeader(bytes)
        case .payload: return takePayload(bytes)
        case .end:
            state = .header
            return .end(frame)
        case .refused: return .violation(fault ?? WebSocketFault(message: "a frame"), consumed: 0)
        }
    }

    private mutating func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Step {
        var used = 0
        while used < bytes.count {
            header[headerCount] = bytes[used]
            headerCount += 1
            used += 1
            // What is wrong shows as early as it can, so that nothing waits for the rest of such a header.
            if headerCount == 1, let fault = checkFirst() { return refuse(fault, used) }
            if headerCount == 2, let fault = checkSecond() { return refuse(fault, used) }
            guard headerCount >= 2, headerCount == headerLength else { continue }
            if let fault = settle() { return refuse(fault, used) }
            return .frame(frame, consumed: used)
        }
        return .needMore(consumed: used)
    }

    private mutating func takePayload(_ bytes: UnsafeRawBufferPointer) -> Step {
        if bytes.isEmpty { return .needMore(consumed: 0) }
        let count = Int(min(frame.length - taken, UInt64(bytes.count)))
        let turned = turnedMask
        if frame.opcode == .close, let fault = checkClose(bytes, count, turned) {
            return refuse(fault, 2 - Int(taken))
        }
        taken += UInt64(count)
        if taken == frame.length { state = .end }
        return .payload(0..<count, mask: turned)
    }

    /// The mask, as it lies over the next byte of the payload.
    private var turnedMask: UInt32 {
        let turn = UInt32(truncatingIfNeeded: taken & 3) * 8
        return turn == 0 ? mask : mask >> turn | mask << (32 - turn)
    }

    /// The bytes of a header that was refused, whichever feed brought them: whoever reads on what are no frames begins with
    /// these.
    public var refusedHeader: [UInt8] { state == .refused ? (0..<headerCount).map { header[$0] } : [] }

    // MARK: Rules

    /// FIN, the reserved bits and the opcode (section 5.2).
    private func checkFirst() -> WebSocketFault? {
        let first = header[0]
        guard let opcode = Opcode(rawValue: first & 0x0f) else {
            return WebSocketFault(message: "an opcode that RFC 6455 has")
        }
        if isClosed { return WebSocketFault(message: "nothing after a Close frame") }
        if first & 0x30 != 0 { return WebSocketFault(message: "no reserved bit that was not agreed on") }
        if first & 0x40 != 0, !isDeflated || opcode.isControl || opcode == .continuation {
            return WebSocketFault(message: "the bit of compression on the first frame of a message that may have it")
        }
        if opcode.isControl {
            return first & 0x80 == 0 ? WebSocketFault(message: "a control frame in one piece") : nil
        }
        if isOpen, opcode != .continuation {
            return WebSocketFault(message: "the end of a message before the next one")
        }
        if !isOpen, opcode == .continuation { return WebSocketFault(message: "a message before its continuation") }
        return nil
    }

    /// The mask bit and the short length (sections 5.1, 5.2 and 5.5).
    private func checkSecond() -> WebSocketFault? {
        let second = header[1]
        if (second & 0x80 != 0) != (sender == .client) {
            return WebSocketFault(message: "frames masked by the client and not by the server")
        }
        if header[0] & 0x08 != 0 {
            if second & 0x7f > 125 { return WebSocketFault(message: "a control frame of up to 125 bytes") }
            if header[0] & 0x0f == Opcode.close.rawValue, second & 0x7f == 1 {
                return WebSocketFault(message: "a status of two bytes in a Close frame")
            }
        }
        return nil
    }

    /// By what its second byte says.
    private var headerLength: Int {
        let short = header[1] & 0x7f
        return 2 + (short == 126 ? 2 : short == 127 ? 8 : 0) + (header[1] & 0x80 != 0 ? 4 : 0)
    }

    private mutating func settle() -> WebSocketFault? {
        let short = header[1] & 0x7f
        let extra = short == 126 ? 2 : short == 127 ? 8 : 0
        var length = UInt64(short)
        if extra > 0 {
            length = 0
            for at in 2..<2 + extra { length = length << 8 | UInt64(header[at]) }
            guard length > (extra == 2 ? 125 : 0xffff), length <= UInt64(Int64.max) else {
                return WebSocketFault(message: "a length of 63 bits in its shortest form")
            }
        }
        mask = 0
        if header[1] & 0x80 != 0 {
            for at in 0..<4 { mask |= UInt32(header[2 + extra + at]) << UInt32(8 * at) }
        }
        let opcode = Opcode(rawValue: header[0] & 0x0f) ?? .continuation
        frame = Frame(
            opcode: opcode, isFinal: header[0] & 0x80 != 0, isCompressed: header[0] & 0x40 != 0, length: length)
        if !opcode.isControl { isOpen = !frame.isFinal }
        if opcode == .close { isClosed = true }
        (headerCount, taken, closeCode) = (0, 0, 0)
        state = length > 0 ? .payload : .end
        return nil
    }

    /// The status that a Close frame begins with (section 7.4).
    private mutating func checkClose(_ bytes: UnsafeRawBufferPointer, _ count: Int, _ mask: UInt32) -> WebSocketFault? {
        for at in 0..<count where taken + UInt64(at) < 2 {
            let byte = bytes[at] ^ UInt8(truncatingIfNeeded: mask >> UInt32(8 * (at & 3)))
            closeCode = closeCode << 8 | UInt16(byte)
        }
        guard taken < 2, taken + UInt64(count) >= 2 else { return nil }
        switch closeCode {
        case 1000...1003, 1007...1014, 3000...4999: return nil
        default: return WebSocketFault(message: "a status in a Close frame that may be sent")
        }
    }

    private mutating func refuse(_ fault: WebSocketFault, _ consumed: Int) -> Step {
        state = .refused
        self.fault = fault
        return .violation(fault, consumed: consumed)
    }

    // MARK: Payloads

    /// Lays `mask` over `payload` and puts what comes of it at the front of `room`, which has as much room.
    // Bounds: eight bytes are moved only where eight are left of both.
    public static func unmask(
        _ payload: UnsafeRawBufferPointer, _ mask: UInt32, into room: UnsafeMutableRawBufferPointer
    ) {
        precondition(room.count >= payload.count, "a payload fits the room for it")
        let wide = UInt64(mask) << 32 | UInt64(mask)
        var at = 0
        while at &+ 8 <= payload.count {
            let word = UInt64(littleEndian: payload.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            room.storeBytes(of: (word ^ wide).littleEndian, toByteOffset: at, as: UInt64.self)
            at &+= 8
        }
        while at < payload.count {
            room[at] = payload[at] ^ UInt8(truncatingIfNeeded: mask >> UInt32(8 * (at & 3)))
            at &+= 1
        }
    }

    /// Appends a Close frame as a server sends it: a status and as much of `reason` as fits.
    public static func close(_ status: UInt16, _ reason: String, into buffer: inout Buffer) {
        let text = Array(reason.utf8.prefix(closeReasonMax))
        buffer.append(0x88)
        buffer.append(UInt8(2 + text.count))
        buffer.append(UInt8(truncatingIfNeeded: status >> 8))
        buffer.append(UInt8(truncatingIfNeeded: status))
        text.withUnsafeBytes { buffer.append($0) }
    }

    /// A control frame has up to 125 bytes, of which two are the status.
    static let closeReasonMax = 123
}
