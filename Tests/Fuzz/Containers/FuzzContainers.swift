import Bytes
import DLP
import FuzzSupport

/// A body that is a container, or none: the same findings, verdict and outcomes in any cut, and nothing released that came
/// later or was held before.
///
/// Input: what the body is (multipart, coded), bytes in a piece, then the body.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let twice = Twice()

private let profiles: [Profile] = {
    var limits = Limits()
    limits.decodedBytes = 4 * 1024 * 1024
    return FuzzSupport.profiles([[#"\b4\d{15}\b|^text"#]], [.deny], limits: limits, hold: 128)
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 2, let start, let profile = profiles.first else { return 0 }
    let input = UnsafeBufferPointer(start: start, count: count)
    let body = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: input[2...]))
    let boundary: [UInt8] = input[0] & 1 != 0 ? [UInt8(ascii: "B")] : []
    let codings: [ContentCoding] = input[0] & 2 != 0 ? [.gzip] : []
    let step = Int(input[1]) + 1
    for (inspection, ends) in [
        (twice.whole, [body.count]), (twice.pieces, Array(stride(from: step, to: body.count, by: step)) + [body.count]),
    ] {
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: codings, boundary: boundary)
        inspection.read(.request, body, ends: ends) { inspection.feed(.request, $0, end: $1) }
        inspection.finish()
    }
    twice.agree()
    precondition(twice.whole.inspectedBytes == twice.pieces.inspectedBytes, "what is read depends on the cut")
    return 0
}
