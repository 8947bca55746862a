import Bytes

/// Writes questions.
enum QueryWriter {
    /// What a server may send in one datagram: the size that crosses every path unfragmented.
    static let payloadSize: UInt16 = 1232

    /// Recursion desired, and "is it authentic?" (RFC 6840 section 5.7): the answer is kept for clients that want to know.
    private static let flags: UInt16 = 0x0120
    private static let checkingDisabledFlag: UInt16 = 0x0010
    private static let dnssecOKFlag: UInt16 = 0x8000
    /// RFC 7830.
    private static let paddingOption: UInt16 = 12
    /// RFC 8467 section 4.1: queries of one size say less about the names in them.
    private static let paddedTo = 128

    /// A query behind the two bytes of its length, which go on streams only.
    ///
    /// - Parameters:
    ///   - edns: announces `payloadSize` (RFC 6891); without it, DNSSEC records cannot be asked for.
    ///   - capitals: one bit for each byte of the labels in turn, round and round: set writes a letter in upper case. A server
    ///     repeats the question as it came, so the letters are bits that a forger must guess too.
    ///   - padded: for TLS.
    static func query(
        id: UInt16, _ inquiry: Inquiry, edns: Bool, capitals: UInt64, padded: Bool = false
    ) -> ContiguousArray<UInt8> {
        let plain = Header.length + inquiry.name.count + 4
        let padding = padded && edns ? paddedTo - (plain + 15) % paddedTo : 0
        let length = plain + (edns ? 11 : 0) + (padding > 0 ? 4 + padding : 0)
        return ContiguousArray(unsafeUninitializedCapacity: 2 + length) { room, count in
            func append(_ byte: UInt8) {
                room[count] = byte
                count += 1
            }
            func append(_ word: UInt16) {
                append(UInt8(truncatingIfNeeded: word >> 8))
                append(UInt8(truncatingIfNeeded: word))
            }
            append(UInt16(truncatingIfNeeded: length))
            append(id)
            append(inquiry.checkingDisabled ? flags | checkingDisabledFlag : flags)
            for word: UInt16 in [1, 0, 0] { append(word) }
            append(edns ? UInt16(1) : 0)
            var capitals = capitals
            var left = 0
            for byte in inquiry.name {
                guard left > 0 else {
                    left = Int(byte)
                    append(byte)
                    continue
                }
                left -= 1
                let isLetter = byte &- UInt8(ascii: "a") < 26
                append(isLetter && capitals & 1 == 1 ? byte & ~0x20 : byte)
                capitals = capitals >> 1 | capitals << 63
            }
            append(inquiry.type.rawValue)
            append(inquiry.recordClass)
            guard edns else { return }
            append(UInt8(0))
            append(RecordType.opt.rawValue)
            append(payloadSize)
            append(UInt16(0))
            append(inquiry.isDNSSECOK ? dnssecOKFlag : 0)
            guard padding > 0 else { return append(UInt16(0)) }
            append(UInt16(truncatingIfNeeded: 4 + padding))
            append(paddingOption)
            append(UInt16(truncatingIfNeeded: padding))
            for _ in 0..<padding { append(UInt8(0)) }
        }
    }
}

extension Buffer {
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }
}
