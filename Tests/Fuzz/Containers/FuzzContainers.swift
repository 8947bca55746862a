import Bytes
import DLP

/// A body that is a container, or none: the same findings, verdict and outcomes in any cut, and nothing released that came
/// later or was held before.
///
/// Input: what the body is (multipart, coded), bytes in a piece, then the body.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let scratch = Scratch()
nonisolated(unsafe) private let whole = Inspection(scratch: scratch)
nonisolated(unsafe) private let pieces = Inspection(scratch: scratch)

private let profile: Profile? = {
    var limits = Limits()
    limits.decodedBytes = 4 * 1024 * 1024
    let sensor = SensorSpec(
        name: "s",
        rules: [SensorRuleSpec(name: "r", patterns: [PatternSpec(regex: #"\b4\d{15}\b|^text"#, contexts: .body)])])
    guard case .success(let database) = Database.compile([sensor], limits: limits, fingerprintKey: [1]) else {
        return nil
    }
    return Profile(database, [Attachment(sensor: "s", action: .deny)], enforcing: true, hold: 128)
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 2, let start, let profile else { return 0 }
    let input = UnsafeBufferPointer(start: start, count: count)
    let body = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: input[2...]))
    let boundary: [UInt8] = input[0] & 1 != 0 ? [UInt8(ascii: "B")] : []
    let codings: [ContentCoding] = input[0] & 2 != 0 ? [.gzip] : []
    read(whole, body, profile, codings, boundary, every: body.count)
    read(pieces, body, profile, codings, boundary, every: Int(input[1]) + 1)
    precondition(whole.findings == pieces.findings, "findings depend on the cut")
    precondition(whole.verdict == pieces.verdict, "the verdict depends on the cut")
    precondition(whole.uninspectable == pieces.uninspectable, "outcomes depend on the cut")
    precondition(whole.inspectedBytes == pieces.inspectedBytes, "what is read depends on the cut")
    return 0
}

private func read(
    _ inspection: Inspection, _ body: UnsafeRawBufferPointer, _ profile: Profile, _ codings: [ContentCoding],
    _ boundary: [UInt8], every count: Int
) {
    inspection.reset(profile)
    inspection.open(.request, as: .body, codings: codings, boundary: boundary)
    var (from, released) = (0, UInt64(0))
    while from < body.count {
        let to = min(body.count, from + max(count, 1))
        inspection.feed(.request, UnsafeRawBufferPointer(rebasing: body[from..<to]), end: to == body.count)
        let now = inspection.releasable(.request)
        precondition(now >= released && now <= UInt64(to), "released bytes cannot come back, nor go before they came")
        for redaction in inspection.takeRedactions(.request) {
            precondition(redaction.offset >= released, "what has left cannot be overwritten")
        }
        (from, released) = (to, now)
    }
    inspection.finish()
}
