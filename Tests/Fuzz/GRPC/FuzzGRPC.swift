import Bytes
import DLP
import FuzzSupport
import HTTP

/// Any bytes as a body of gRPC, cut in any way: the same messages, findings, verdict and outcome as in one piece.
///
/// Input: options, action, how the rest is cut, then the body.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let twice = Twice()

private let profiles: [Profile] = {
    var limits = Limits()
    // Small, so that short inputs reach them.
    limits.matchBytes = 64
    limits.matchSteps = 4000
    limits.decodedBytes = 64 * 1024
    let rules = [[#"\b[12]\d{4,6}\b"#], [#"key=\w+;"#], ["draft", "released"]]
    return FuzzSupport.profiles(rules, [.alert, .deny], limits: limits, hold: 32)
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
        inspection.read(.request, input, ends: ends) { piece, _ in reading.take(piece) }
        inspection.endMessages(.request, isWhole: reading.frames.isAtStart || reading.isBroken)
        inspection.finish()
        return reading.lengths
    }

    let once = run(twice.whole, [input.count])
    let often = run(twice.pieces, cuts(seed: start[2], count: input.count))
    precondition(once == often, "messages depend on the cut")
    twice.agree()
    return 0
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

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
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
