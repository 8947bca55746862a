import Bytes
import DLP
import HTTP

/// Any bytes as the frames of one direction, cut in any way: the same frames, findings, verdict and outcome as in one
/// piece, and nothing of a denied match released.
///
/// Input: options, action, how the rest is cut, then the bytes of the connection.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let scratch = Scratch()
nonisolated(unsafe) private let whole = Inspection(scratch: scratch)
nonisolated(unsafe) private let pieces = Inspection(scratch: scratch)

private let profiles: [Profile] = {
    var limits = Limits()
    // Small, so that short inputs reach them.
    limits.matchBytes = 64
    limits.matchSteps = 4000
    limits.decodedBytes = 64 * 1024
    let sensors = [#"\b[12]\d{4,6}\b"#, #"key=\w+;"#, #"(a+)+$"#].enumerated().map { index, regex in
        SensorSpec(
            name: "s\(index)", direction: .both,
            rules: [SensorRuleSpec(name: "r", patterns: [PatternSpec(regex: regex, contexts: .body)])])
    }
    guard case .success(let database) = Database.compile(sensors, limits: limits, fingerprintKey: [1]) else {
        return []
    }
    return [Action.alert, .deny].map { action in
        Profile(
            database, database.sensorNames.map { Attachment(sensor: $0, action: action) }, enforcing: true, hold: 32)
    }
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
        var from = 0
        var released: UInt64 = 0
        for end in ends {
            reading.take(exactly: UnsafeRawBufferPointer(rebasing: input[from..<end]))
            from = end
            let now = inspection.releasable(side)
            precondition(now >= released && now <= UInt64(end), "what leaves has come, and does not come back")
            released = now
        }
        inspection.endMessages(side, isWhole: true)
        inspection.finish()
        return (reading.told, reading.fault)
    }

    let once = run(whole, [input.count])
    let often = run(pieces, cuts(seed: start[2], count: input.count))
    precondition(once.told == often.told && once.fault == often.fault, "frames depend on the cut")
    precondition(whole.findings == pieces.findings, "findings depend on the cut")
    precondition(whole.verdict == pieces.verdict, "the verdict depends on the cut")
    precondition(whole.uninspectable == pieces.uninspectable, "outcomes depend on the cut")
    return 0
}

/// Where the input ends in each feed: growing steps, the last one whole.
private func cuts(seed: UInt8, count: Int) -> [Int] {
    var state = UInt32(seed)
    var ends: [Int] = []
    var end = 0
    while end < count {
        state = state &* 1_664_525 &+ 1_013_904_223
        // Seed 0 is byte by byte.
        end += seed == 0 ? 1 : 1 + Int(state >> 16) % (1 + Int(seed))
        ends.append(min(end, count))
    }
    return ends.isEmpty ? [0] : ends
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

    /// Lends a copy that has not a byte more than it should, for the sanitizer to watch.
    mutating func take(exactly bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: bytes)
        take(UnsafeRawBufferPointer(copy))
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
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
