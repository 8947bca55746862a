import Bytes
import DLP
import FuzzSupport

/// Any body in any cut, under any coding: the same findings, verdict and outcomes as in one piece, and nothing of a
/// denied match released.
///
/// Input: coding, action, a count of cuts, the cuts (two bytes each), then the body.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let twice = Twice()

private let profiles: [Profile] = {
    var limits = Limits()
    // Small, so that short inputs reach them.
    limits.matchBytes = 64
    limits.matchSteps = 4000
    limits.decodedBytes = 256 * 1024
    let regexes = [
        #"\b[12]\d{2}(0[1-9]|1[0-2]|20|21|22|23|24|25|26|27|28|29|30|31|32)\d{2}\d{3}\d{3}\d{2}\b"#, #"(a+)+$"#,
        #"key=\w+"#, #"(?m)^id: .*$"#, #"(?<=x)\d{2,4}(?!y)"#, #"[\w.]+@[\w.]+"#, #"(?i)secret\Z"#,
    ]
    return FuzzSupport.profiles(regexes.map { [$0] }, [.alert, .redact, .deny], limits: limits, hold: 128)
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 3, let start else { return 0 }
    let input = UnsafeBufferPointer(start: start, count: count)
    let codings: [[ContentCoding]] = [
        [], [.gzip], [.deflate], [.gzip, .gzip], [.deflate, .gzip], [.unsupported], [.br], [.zstd], [.zstd, .br],
    ]
    let coding = codings[Int(input[0]) % codings.count]
    let profile = profiles[Int(input[1]) % profiles.count]
    let cutCount = min(Int(input[2]) % 16, (count - 3) / 2)
    let body = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: input[(3 + 2 * cutCount)...]))
    var cuts: [Int] = []
    for index in 0..<cutCount {
        let at = 3 + 2 * index
        cuts.append(Int(input[at]) | Int(input[at + 1]) << 8)
    }
    cuts = cuts.filter { $0 <= body.count }.sorted()
    var released: UInt64 = 0
    for (inspection, ends) in [(twice.whole, [body.count]), (twice.pieces, cuts + [body.count])] {
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: coding)
        released = inspection.read(.request, body, ends: ends) { inspection.feed(.request, $0, end: $1) }
        inspection.finish()
    }
    twice.agree()
    precondition(twice.whole.overruns == twice.pieces.overruns, "overruns depend on the cut")
    precondition(twice.whole.inspectedBytes == twice.pieces.inspectedBytes, "what is read depends on the cut")
    if coding.isEmpty { twice.heldBack(released) }
    return 0
}
