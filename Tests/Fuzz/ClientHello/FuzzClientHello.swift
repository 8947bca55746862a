import Gateway
import TLS

/// The first bytes of a connection, from either side: every prefix gives `needMore` until one verdict, which stays.
/// What is read of a ClientHello does not depend on how its records cut it.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    checkCuts(of: input, needMore: .needMore) { Detector.client($0) }
    checkCuts(of: input, needMore: .needMore) { Detector.server($0) }
    checkEnds(of: input)
    checkFragments(of: input)
    return 0
}

private func checkCuts(
    of input: UnsafeRawBufferPointer, needMore: Detected, _ detect: (UnsafeRawBufferPointer) -> Detected
) {
    var final: Detected?
    // Every cut of what decides nearly everything, then some.
    for cut in 0...input.count where cut < 96 || cut % 61 == 0 || cut == input.count {
        let detected = detect(UnsafeRawBufferPointer(rebasing: input.prefix(cut)))
        if let final {
            precondition(detected == final, "a verdict changed")
        } else if detected != needMore {
            final = detected
        }
    }
}

private func checkEnds(of input: UnsafeRawBufferPointer) {
    precondition(Detector.client(input, ended: true) != .needMore)
    precondition(Detector.server(input, ended: true) != .needMore)
    if Detector.mayBecomeReadable(input) { precondition(Detector.client(input) == .needMore) }
    if Detector.client(input) != .needMore {
        precondition(Detector.client(input, ended: true) == Detector.client(input))
    }
}

/// The input as a handshake message, in one record and in many.
private func checkFragments(of input: UnsafeRawBufferPointer) {
    guard input.count >= 4, input.count < 4096 else { return }
    func read(size: Int) -> ClientHello? {
        var bytes: [UInt8] = []
        var at = 0
        while at < input.count {
            let fragment = input[at...].prefix(size)
            bytes += [22, 3, 1, UInt8(fragment.count >> 8), UInt8(fragment.count & 255)] + fragment
            at += fragment.count
        }
        return bytes.withUnsafeBytes {
            if case .hello(let hello) = ClientHello.read($0) { hello } else { nil }
        }
    }
    let whole = read(size: 4096)
    precondition(read(size: 7) == whole && read(size: 100) == whole, "fragments change what is read")
    if let whole { precondition(whole.ja4.utf8.count == 36, "a fingerprint has one length") }
}
