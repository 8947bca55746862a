import Bytes

/// Writes questions.
public enum QueryWriter {
    /// What a server may send in one datagram: the size that crosses every path unfragmented.
    public static let payloadSize: UInt16 = 1232

    /// Appends a query with recursion desired.
    ///
    /// - Parameters:
    ///   - edns: the datagram size to announce (RFC 6891), or nil to ask without EDNS.
    ///   - capitals: one bit for each character in turn, round and round: set writes a letter in upper case. A server repeats
    ///     the question as it came, so the letters are bits that a forger must guess too.
    public static func write(
        id: UInt16, name: DomainName, type: RecordType, into buffer: inout Buffer, edns: UInt16? = payloadSize,
        capitals: UInt64 = 0
    ) {
        buffer.append(bigEndian: id)
        buffer.append(bigEndian: 0x0100)
        buffer.append(bigEndian: 1)
        buffer.append(bigEndian: 0)
        buffer.append(bigEndian: 0)
        buffer.append(bigEndian: edns == nil ? 0 : 1)
        var capitals = capitals
        for label in name.bytes.split(separator: UInt8(ascii: ".")) {
            buffer.append(UInt8(truncatingIfNeeded: label.count))
            for byte in label {
                let isLetter = byte &- UInt8(ascii: "a") < 26
                buffer.append(isLetter && capitals & 1 == 1 ? byte & ~0x20 : byte)
                capitals = capitals >> 1 | capitals << 63
            }
        }
        buffer.append(UInt8(0))
        buffer.append(bigEndian: type.rawValue)
        buffer.append(bigEndian: Question.internet)
        guard let edns else { return }
        buffer.append(UInt8(0))
        buffer.append(bigEndian: RecordType.opt.rawValue)
        buffer.append(bigEndian: edns)
        for _ in 0..<3 { buffer.append(bigEndian: 0) }
    }
}

extension Buffer {
    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }
}
