import Bytes
import DLP
import FuzzSupport

/// Any text in any cut, with encodings within it: the same findings as in one piece and in pieces of one byte, of which no
/// escape can be passed over, and nothing of a denied match released.
///
/// Input: action, a seed of the cuts, then the text.
// libFuzzer calls from one thread.
nonisolated(unsafe) private let twice = Twice()

private let profiles: [Profile] = {
    var limits = Limits()
    limits.viewDepth = 3
    // Of each it is known how its matches begin: else no escape would be passed over.
    let regexes = [
        #"\b\d{16}\b"#, #"key=\w+"#, #"AKIA[0-9A-Z]{16}"#, #"say "[^"]*""#, #"one\ntwo"#, #"BEGIN[^;]{0,200}END"#,
        #"(?<=x)[a-f]{6}(?!y)"#,
    ]
    return FuzzSupport.profiles(regexes.map { [$0] }, [.alert, .redact, .deny], limits: limits, hold: 128)
}()

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 2, let start else { return 0 }
    let profile = profiles[Int(start[0]) % profiles.count]
    let body = UnsafeRawBufferPointer(start: start + 2, count: count - 2)
    for seed in [start[1], 0] {
        var released: UInt64 = 0
        for (inspection, ends) in [(twice.whole, [body.count]), (twice.pieces, cuts(seed: seed, count: body.count))] {
            inspection.reset(profile)
            inspection.open(.request, as: .body, codings: [])
            released = inspection.read(.request, body, ends: ends) { inspection.feed(.request, $0, end: $1) }
            inspection.finish()
        }
        twice.agree()
        twice.heldBack(released)
    }
    return 0
}
