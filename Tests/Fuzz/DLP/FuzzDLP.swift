import Bytes
import DLP

/// Any body in any cut, under any coding: the same findings, verdict and outcomes as in one piece, and nothing of a
/// denied match released.
///
/// Input: coding, action, a count of cuts, the cuts (two bytes each), then the body.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let scratch = Scratch()
nonisolated(unsafe) private let whole = Inspection(scratch: scratch)
nonisolated(unsafe) private let pieces = Inspection(scratch: scratch)

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
    let sensors = regexes.enumerated().map { index, regex in
        SensorSpec(
            name: "s\(index)",
            rules: [SensorRuleSpec(name: "r", patterns: [PatternSpec(regex: regex, contexts: .body)])])
    }
    guard case .success(let database) = Database.compile(sensors, limits: limits, fingerprintKey: [1]) else {
        return []
    }
    return [Action.alert, .redact, .deny].map { action in
        Profile(
            database, database.sensorNames.map { Attachment(sensor: $0, action: action) }, enforcing: true, hold: 128)
    }
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
    cuts.sort()

    whole.reset(profile)
    whole.open(.request, as: .body, codings: coding)
    whole.feed(.request, body, end: true)
    whole.finish()

    pieces.reset(profile)
    pieces.open(.request, as: .body, codings: coding)
    var from = 0
    var released: UInt64 = 0
    for cut in cuts where cut >= from && cut <= body.count {
        pieces.feed(.request, UnsafeRawBufferPointer(rebasing: body[from..<cut]), end: false)
        check(&released)
        from = cut
    }
    pieces.feed(.request, UnsafeRawBufferPointer(rebasing: body[from...]), end: true)
    check(&released)
    pieces.finish()

    precondition(whole.findings == pieces.findings, "findings depend on the cut")
    precondition(whole.verdict == pieces.verdict, "the verdict depends on the cut")
    precondition(whole.overruns == pieces.overruns, "overruns depend on the cut")
    precondition(whole.uninspectable == pieces.uninspectable, "outcomes depend on the cut")
    precondition(whole.inspectedBytes == pieces.inspectedBytes, "what is read depends on the cut")
    if coding.isEmpty, let first = pieces.findings.first(where: { $0.action == .deny }) {
        precondition(released <= first.offset, "bytes of a denied match were released")
    }
    return 0
}

private func check(_ released: inout UInt64) {
    let now = pieces.releasable(.request)
    precondition(now >= released, "released bytes cannot come back")
    for redaction in pieces.takeRedactions(.request) {
        precondition(redaction.offset >= released, "what has left cannot be overwritten")
    }
    released = now
}
