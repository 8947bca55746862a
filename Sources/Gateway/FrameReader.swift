import DLP
import HTTP

/// One direction of an exchange whose content comes in frames: tells the inspection what of the bytes is content, and
/// which message it is of.
final class FrameReader {
    private enum Codec {
        case webSocket(WebSocketFrames)
        case calls(GRPCFrames)
        /// These were no frames: bytes are read as they are.
        case none
    }

    private let side: Side
    private var codec: Codec
    /// The payload of a control frame, which is read for itself.
    private var control: [UInt8] = []
    private var isControl = false

    /// Bytes unmasked at a time.
    private static let roomBytes = 16 * 1024

    init(_ side: Side, webSocket agreed: WebSocketExtensions) {
        self.side = side
        codec = .webSocket(WebSocketFrames(from: side == .request ? .client : .server, isDeflated: agreed != .none))
    }

    init(_ side: Side, call kind: GRPCKind) {
        self.side = side
        codec = .calls(GRPCFrames(kind))
    }

    /// What came was no frame of the protocol.
    var isBroken: Bool { if case .none = codec { true } else { false } }

    /// Takes what came next, in any cut.
    func read(_ bytes: UnsafeRawBufferPointer, end: Bool, for inspection: Inspection) {
        var isWhole = true
        switch codec {
        case .webSocket(var frames):
            codec = read(bytes, &frames, inspection) ? .webSocket(frames) : .none
        case .calls(var frames):
            codec = read(bytes, &frames, inspection) ? .calls(frames) : .none
            isWhole = frames.isAtStart || isBroken
        case .none:
            inspection.feedMessage(side, bytes)
        }
        if end { inspection.endMessages(side, isWhole: isWhole) }
    }

    // MARK: WebSocket

    /// False from where on these are no frames.
    private func read(
        _ bytes: UnsafeRawBufferPointer, _ frames: inout WebSocketFrames, _ inspection: Inspection
    ) -> Bool {
        var rest = bytes
        while true {
            switch frames.step(rest) {
            case .needMore(let consumed):
                inspection.skip(side, consumed)
                return true
            case .frame(let frame, let consumed):
                inspection.skip(side, consumed)
                rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
                isControl = frame.opcode.isControl
                if !isControl, frame.opcode != .continuation {
                    inspection.beginMessage(side, compressed: frame.isCompressed)
                }
            case .payload(let range, let mask):
                take(UnsafeRawBufferPointer(rebasing: rest[range]), mask, inspection)
                rest = UnsafeRawBufferPointer(rebasing: rest[range.upperBound...])
            case .end(let frame):
                if isControl { readControl(inspection) }
                if frame.isFinal, !isControl { inspection.endMessage(side) } else { inspection.endFrame(side) }
            case .violation(_, let consumed):
                inspection.skip(side, consumed)
                let header = frames.refusedHeader
                inspection.breakFrames(side, unread: header.count)
                header.withUnsafeBytes { inspection.feedMessage(side, $0) }
                inspection.feedMessage(side, UnsafeRawBufferPointer(rebasing: rest[consumed...]))
                return false
            }
        }
    }

    private func take(_ payload: UnsafeRawBufferPointer, _ mask: UInt32, _ inspection: Inspection) {
        guard isControl || inspection.readsMessages(side) else { return inspection.skip(side, payload.count) }
        if mask == 0 { return give(payload, 0, inspection) }
        let size = min(payload.count, FrameReader.roomBytes)
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 16) { room in
            // A multiple of four, so that the mask lies the same over every part.
            for start in stride(from: 0, to: payload.count, by: FrameReader.roomBytes) {
                let part = UnsafeRawBufferPointer(rebasing: payload[start...].prefix(FrameReader.roomBytes))
                WebSocketFrames.unmask(part, mask, into: room)
                give(UnsafeRawBufferPointer(rebasing: room[..<part.count]), mask, inspection)
            }
        }
    }

    private func give(_ content: UnsafeRawBufferPointer, _ mask: UInt32, _ inspection: Inspection) {
        guard isControl else { return inspection.feedMessage(side, content, mask: mask) }
        control.append(contentsOf: content)
        inspection.skip(side, content.count)
    }

    /// What a Ping says comes back in a Pong, and a Close has a reason: they carry content, too.
    private func readControl(_ inspection: Inspection) {
        guard !control.isEmpty else { return }
        control.withUnsafeBytes { inspection.scan($0, as: .body, of: side) }
        control.removeAll(keepingCapacity: true)
    }

    // MARK: gRPC

    private func read(
        _ bytes: UnsafeRawBufferPointer, _ frames: inout GRPCFrames, _ inspection: Inspection
    ) -> Bool {
        var rest = bytes
        while true {
            switch frames.step(rest) {
            case .needMore(let consumed):
                inspection.skip(side, consumed)
                return true
            case .prefix(let isCompressed, _, let consumed):
                inspection.skip(side, consumed)
                rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
                inspection.beginMessage(side, compressed: isCompressed)
            case .data(let range):
                inspection.feedMessage(side, UnsafeRawBufferPointer(rebasing: rest[range]))
                rest = UnsafeRawBufferPointer(rebasing: rest[range.upperBound...])
            case .end:
                inspection.endMessage(side)
            case .violation:
                inspection.breakFrames(side)
                inspection.feedMessage(side, rest)
                return false
            }
        }
    }
}

extension Exchange {
    /// Has the sensors read a body as what the fields of its head say that it is: messages of gRPC, or content under its
    /// codings, in parts or whole.
    func openBody(
        _ side: Side, _ fields: ContiguousArray<Field>, from bytes: UnsafeRawBufferPointer, codings: [ContentCoding]
    ) {
        // A coding of HTTP lies around the messages and hides where they begin; base64 hides everything.
        guard let call = GRPCCall(fields, bytes), call.kind != .webText, codings.isEmpty else {
            let hidden = GRPCCall(fields, bytes)?.kind == .webText
            let types = fields.lazy.filter { $0.id == .contentType }.map {
                UnsafeRawBufferPointer(rebasing: bytes[$0.value])
            }
            return inspection.open(
                side, as: .body, codings: hidden ? [.unsupported] : codings,
                boundary: types.compactMap(Multipart.boundary).first ?? [])
        }
        let reader = FrameReader(side, call: call.kind)
        if side == .request { requestFrames = reader } else { responseFrames = reader }
        let encoding = call.encoding.map { ContentCoding.parse(UnsafeRawBufferPointer(rebasing: bytes[$0])) } ?? []
        let coding: MessageCoding =
            switch encoding.count {
            case 0: .none
            case 1: .whole(encoding[0])
            default: .whole(.unsupported)
            }
        inspection.open(side, as: .body, messagesOf: "grpc", coding: coding)
    }

    /// Has the sensors read both directions of a WebSocket. Those that read no responses see nothing of the server's, whose
    /// frames are counted all the same, to know where a Close can stand.
    func openWebSocket(_ agreed: WebSocketExtensions) {
        requestFrames = FrameReader(.request, webSocket: agreed)
        responseFrames = FrameReader(.response, webSocket: agreed)
        var codings = (request: MessageCoding.none, response: MessageCoding.none)
        if case .deflate(let deflate) = agreed {
            codings = (.deflate(resets: deflate.clientResets), .deflate(resets: deflate.serverResets))
        }
        inspection.open(.request, as: .body, messagesOf: "websocket", coding: codings.request)
        inspection.open(.response, as: .body, messagesOf: "websocket", coding: codings.response)
    }
}
