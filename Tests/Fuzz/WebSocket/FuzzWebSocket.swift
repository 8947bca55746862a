import Bytes
import DLP
import FuzzSupport
import HTTP

/// Any bytes as the frames of one direction, cut in any way: the same frames, findings, verdict and outcome as in one
/// piece, and nothing of a denied match released.
///
/// Input: options, action, how the rest is cut, then the bytes of the connection.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let twice = Twice()

private let profiles: [Profile] = {
    var limits = Limits()
    // Small, so that short inputs reach them.
    limits.matchBytes = 64
    limits.matchSteps = 4000
    limits.decodedBytes = 64 * 1024
    let rules = [[#"\b[12]\d{4,6}\b"#], [#"key=\w+;"#], [#"(a+)+$"#]]
    return FuzzSupport.profiles(rules, [.alert, .deny], limits: limits, hold: 32)
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 3, let start else { return 0 }
    let options = start[0]
    let profile = profiles[Int(start[1]) % profiles.count]
    let input = UnsafeRawBufferPointer(start: start + 3, count: count - 3)
    let side: Side = options & 1 == 0 ? .request : .response
    let isDeflated = options & 2 != 0
    let coding: MessageCoding = isDeflated ? .deflate(resets: options & 4 != 0) : .none

    func run(_ inspection: Inspection, _ ends: [Int]) -> (told: [WebSocketFrames.Frame], fault: WebSocketFault?) {
        inspection.reset(profile)
        inspection.open(side, as: .body, messagesOf: "websocket", coding: coding)
        var reading = Reading(side: side, isDeflated: isDeflated, inspection: inspection)
        inspection.read(side, input, ends: ends) { piece, _ in reading.take(piece) }
        inspection.endMessages(side, isWhole: true)
        inspection.finish()
        return (reading.told, reading.fault)
    }

    let once = run(twice.whole, [input.count])
    let often = run(twice.pieces, cuts(seed: start[2], count: input.count))
    precondition(once.told == often.told && once.fault == often.fault, "frames depend on the cut")
    twice.agree()
    return 0
}

/// Frames taken apart as the gateway does.
private struct Reading {
    let side: Side
    let inspection: Inspection
    var frames: WebSocketFrames
    var told: [WebSocketFrames.Frame] = []
    var fault: WebSocketFault?
    private var isControl = false

    init(side: Side, isDeflated: Bool, inspection: Inspection) {
        (self.side, self.inspection) = (side, inspection)
        frames = WebSocketFrames(from: side == .request ? .client : .server, isDeflated: isDeflated)
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        if fault != nil { return inspection.feedMessage(side, bytes) }
        var rest = bytes
        while true {
            switch frames.step(rest) {
            case .needMore(let consumed):
                precondition(consumed == rest.count, "all that was fed is used up")
                return inspection.skip(side, consumed)
            case .frame(let frame, let consumed):
                inspection.skip(side, consumed)
                rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
                isControl = frame.opcode.isControl
                if !isControl, frame.opcode != .continuation {
                    inspection.beginMessage(side, compressed: frame.isCompressed)
                }
            case .payload(let range, let mask):
                let part = UnsafeRawBufferPointer(rebasing: rest[range])
                let room = UnsafeMutableRawBufferPointer.allocate(byteCount: part.count, alignment: 1)
                defer { room.deallocate() }
                WebSocketFrames.unmask(part, mask, into: room)
                if isControl {
                    inspection.skip(side, range.count)
                } else {
                    inspection.feedMessage(side, UnsafeRawBufferPointer(room))
                }
                rest = UnsafeRawBufferPointer(rebasing: rest[range.upperBound...])
            case .end(let frame):
                told.append(frame)
                if frame.isFinal, !isControl {
                    inspection.endMessage(side)
                } else {
                    inspection.endFrame(side)
                }
            case .violation(let violation, let consumed):
                fault = violation
                inspection.skip(side, consumed)
                let header = frames.refusedHeader
                inspection.breakFrames(side, unread: header.count)
                header.withUnsafeBytes { inspection.feedMessage(side, $0) }
                return inspection.feedMessage(side, UnsafeRawBufferPointer(rebasing: rest[consumed...]))
            }
        }
    }
}
