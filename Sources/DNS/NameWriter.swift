import Bytes

// Names between their forms: canonical text, the wire, and the text that people read.

extension DomainName {
    /// The canonical form of an uncompressed name of the wire, if it is one that a host can have. Allocates.
    public init?(wire name: UnsafeRawBufferPointer) {
        // Lengths become the dots between labels; a byte that cannot stand in a host's name, a dot among them, ends it.
        guard (3...255).contains(name.count), name[name.count - 1] == 0 else { return nil }
        let made: DomainName?? = withUnsafeTemporaryAllocation(byteCount: 255, alignment: 1) { room in
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: name.dropLast()))
            var at = 0
            while at < name.count - 1 {
                let end = at + 1 + Int(name[at])
                guard name[at] != 0, end < name.count, !name[at + 1..<end].contains(UInt8(ascii: ".")) else {
                    return nil
                }
                room[at] = UInt8(ascii: ".")
                at = end
            }
            return DomainName(UnsafeRawBufferPointer(rebasing: room[1..<name.count - 1]))
        }
        guard let made, let made else { return nil }
        self = made
    }
}

extension Buffer {
    /// Appends a name as it stands on the wire, uncompressed.
    public mutating func append(wire name: DomainName) {
        let count = name.bytes.count
        let room = writable(count + 2)
        // Each label's length is known at its end, so the text is walked from there.
        var length: UInt8 = 0
        room[count + 1] = 0
        for index in stride(from: count - 1, through: 0, by: -1) {
            let byte = name.bytes[index]
            if byte == UInt8(ascii: ".") {
                room[index + 1] = length
                length = 0
            } else {
                room[index + 1] = byte
                length += 1
            }
        }
        room[0] = length
        wrote(count + 2)
    }

    /// Appends the text of an uncompressed name of the wire: in lower case, without the last dot, `.` for the root. Bytes
    /// that would be misread are escaped: `\.` within a label, `\DDD` for what does not print (RFC 1035 section 5.1, RFC
    /// 4343 section 2.1).
    public mutating func append(presentation name: UnsafeRawBufferPointer) {
        guard name.count > 1 else { return append(UInt8(ascii: ".")) }
        let room = writable(4 * name.count)
        var (at, end, written) = (0, 0, 0)
        while at < name.count {
            if at == end {
                guard name[at] != 0 else { break }
                end = at + 1 + Int(name[at])
                if at > 0 {
                    room[written] = UInt8(ascii: ".")
                    written += 1
                }
            } else {
                written += room.writeEscaped(lower(name[at]), at: written)
            }
            at += 1
        }
        wrote(written)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Writes one character of a label, of at most four bytes, and says how many they are.
    @inline(always) fileprivate func writeEscaped(_ byte: UInt8, at index: Int) -> Int {
        if byte &- UInt8(ascii: "a") < 26 {
            self[index] = byte
            return 1
        }
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "\\"), UInt8(ascii: "\""), UInt8(ascii: "("), UInt8(ascii: ")"),
            UInt8(ascii: ";"), UInt8(ascii: "@"), UInt8(ascii: "$"):
            self[index] = UInt8(ascii: "\\")
            self[index + 1] = byte
            return 2
        case 0x21...0x7e:
            self[index] = byte
            return 1
        default:
            self[index] = UInt8(ascii: "\\")
            self[index + 1] = UInt8(ascii: "0") + byte / 100
            self[index + 2] = UInt8(ascii: "0") + byte / 10 % 10
            self[index + 3] = UInt8(ascii: "0") + byte % 10
            return 4
        }
    }
}

// MARK: - Letters

/// Eight bytes, with ASCII letters in lower case.
@inline(always) func lower(_ word: UInt64) -> UInt64 {
    // In the top bit of each byte: whether its low seven are from `A` on, and whether they are past `Z`.
    let low = word & 0x7f7f_7f7f_7f7f_7f7f
    let fromA = low &+ 0x3f3f_3f3f_3f3f_3f3f
    let pastZ = low &+ 0x2525_2525_2525_2525
    let capitals = fromA & ~pastZ & ~word & 0x8080_8080_8080_8080
    return word | capitals >> 2
}
