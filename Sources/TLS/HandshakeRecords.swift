/// The record layer under a ClientHello (RFC 8446 section 5.1): finds the first handshake message in one record, or
/// puts it together from several.
struct HandshakeRecords {
    enum Step {
        case needMore
        case notTLS
        case malformed(StaticString)
        /// The body, in one piece in the bytes given.
        case messageInPlace(Range<Int>)
        /// The body, from several records.
        case message(ContiguousArray<UInt8>)
    }

    static let handshake: UInt8 = 22
    static let clientHello: UInt8 = 1
    /// The largest plaintext of a record.
    static let fragmentMax = 1 << 14
    /// No ClientHello is longer; those with post-quantum keys are around 2 KiB.
    static let messageMax = 1 << 16

    private let bytes: UnsafeRawBufferPointer
    private var gathered = ContiguousArray<UInt8>()

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Everything is judged as soon as its own bytes are there and never looked at again, so that a longer prefix of
    /// the same stream cannot change a verdict.
    mutating func gather() -> Step {
        var at = 0
        while true {
            let header = UnsafeRawBufferPointer(rebasing: bytes[at...].prefix(5))
            if let step = check(header, isFirst: at == 0) { return step }
            guard header.count == 5 else { return .needMore }
            let start = at + 5
            let end = start + (Int(header[3]) << 8 | Int(header[4]))
            let present = min(end, bytes.count)
            if at == 0, let step = inPlace(start..<present) { return step }
            gathered.append(contentsOf: bytes[start..<present])
            if let step = assembled() { return step }
            guard present == end else { return .needMore }
            at = end
        }
    }

    /// Judges what there is of a record's header.
    private func check(_ header: UnsafeRawBufferPointer, isFirst: Bool) -> Step? {
        if header.count > 0, header[0] != HandshakeRecords.handshake {
            return isFirst ? .notTLS : .malformed("another record within the ClientHello")
        }
        if header.count > 1, header[1] != 3 { return isFirst ? .notTLS : .malformed("record version") }
        if header.count > 2, header[2] > 4 { return isFirst ? .notTLS : .malformed("record version") }
        if header.count > 4 {
            let length = Int(header[3]) << 8 | Int(header[4])
            if length > HandshakeRecords.fragmentMax { return .malformed("record length") }
            if length == 0 { return .malformed("empty handshake record") }
        }
        return nil
    }

    /// The message, if the first record holds all of it.
    private func inPlace(_ fragment: Range<Int>) -> Step? {
        let bytes = UnsafeRawBufferPointer(rebasing: bytes[fragment])
        return HandshakeRecords.message(in: bytes).map { step in
            guard case .messageInPlace(let body) = step else { return step }
            return .messageInPlace(body.lowerBound + fragment.lowerBound..<body.upperBound + fragment.lowerBound)
        }
    }

    private func assembled() -> Step? {
        let step = gathered.withUnsafeBytes { HandshakeRecords.message(in: $0) }
        guard case .messageInPlace(let body) = step else { return step }
        return .message(ContiguousArray(gathered[body]))
    }

    /// The message at the front of the gathered bytes: nil until it is whole.
    private static func message(in bytes: UnsafeRawBufferPointer) -> Step? {
        if bytes.count > 0, bytes[0] != clientHello { return .malformed("first message") }
        guard bytes.count >= 4 else { return nil }
        let length = Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3])
        guard length <= messageMax else { return .malformed("ClientHello length") }
        return bytes.count >= 4 + length ? .messageInPlace(4..<4 + length) : nil
    }
}
