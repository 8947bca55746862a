import Bytes
import DLP
import HTTP

/// Any bytes as a body of gRPC, cut in any way: the same messages, findings, verdict and outcome as in one piece.
///
/// Input: options, action, how the rest is cut, then the body.
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
    let patterns = [
        [PatternSpec(regex: #"\b[12]\d{4,6}\b"#, contexts: .body)], [PatternSpec(regex: #"key=\w+;"#, contexts: .body)],
        [PatternSpec(regex: "draft", contexts: .body), PatternSpec(regex: "released", contexts: .body)],
    ]
    let sensors = patterns.enumerated().map { index, patterns in
        SensorSpec(name: "s\(index)", rules: [SensorRuleSpec(name: "r", patterns: patterns)])
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
    let codings: [MessageCoding] = [.none, .whole(.gzip), .whole(.deflate), .whole(.unsupported)]
    let coding = codings[Int(start[0] & 3)]
    let kind: GRPCKind = start[0] & 4 == 0 ? .native : .web
    let profile = profiles[Int(start[1]) % profiles.count]
    let input = UnsafeRawBufferPointer(start: start + 3, count: count - 3)

    func run(_ inspection: Inspection, _ ends: [Int]) -> [UInt32] {
        inspection.reset(profile)
        inspection.open(.request, as: .body, messagesOf: "grpc", coding: coding)
        var reading = Reading(kind: kind, inspection: inspection)
        var from = 0
        var released: UInt64 = 0
        for end in ends {
            reading.take(exactly: UnsafeRawBufferPointer(rebasing: input[from..<end]))
            from = end
            let now = inspection.releasable(.request)
            precondition(now >= released && now <= UInt64(end), "what leaves has come, and does not come back")
            released = now
        }
        inspection.endMessages(.request, isWhole: reading.frames.isAtStart || reading.isBroken)
        inspection.finish()
        return reading.lengths
    }

    let once = run(whole, [input.count])
    let often = run(pieces, cuts(seed: start[2], count: input.count))
    precondition(once == often, "messages depend on the cut")
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

/// Messages taken out of their prefixes as the gateway does.
private struct Reading {
    let inspection: Inspection
    var frames: GRPCFrames
    var lengths: [UInt32] = []
    var isBroken = false

    init(kind: GRPCKind, inspection: Inspection) {
        self.inspection = inspection
        frames = GRPCFrames(kind)
    }

    /// Lends a copy that has not a byte more than it should, for the sanitizer to watch.
    mutating func take(exactly bytes: UnsafeRawBufferPointer) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyMemory(from: bytes)
        take(UnsafeRawBufferPointer(copy))
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer) {
        if isBroken { return inspection.feedMessage(.request, bytes) }
        var rest = bytes
        while true {
            switch frames.step(rest) {
            case .needMore(let consumed):
                precondition(consumed == rest.count, "all that was fed is used up")
                return inspection.skip(.request, consumed)
            case .prefix(let isCompressed, let length, let consumed):
                lengths.append(length)
                inspection.skip(.request, consumed)
                rest = UnsafeRawBufferPointer(rebasing: rest[consumed...])
                inspection.beginMessage(.request, compressed: isCompressed)
            case .data(let range):
                inspection.feedMessage(.request, UnsafeRawBufferPointer(rebasing: rest[range]))
                rest = UnsafeRawBufferPointer(rebasing: rest[range.upperBound...])
            case .end: inspection.endMessage(.request)
            case .violation:
                isBroken = true
                inspection.breakFrames(.request)
                return inspection.feedMessage(.request, rest)
            }
        }
    }
}
