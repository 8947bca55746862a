/// The header block of a tar file's entry.
struct TarHeader {
    enum Kind {
        case file
        /// Names the next entry, where its own header has no room (GNU tar).
        case longName
        /// Says more of the next entry (pax).
        case records
        /// Has content that is none of a file.
        case other
        /// A directory, a link or a device.
        case bare
    }

    var kind = Kind.bare
    var size: UInt64 = 0
    var path: [UInt8] = []
    var isSparse = false

    static let none = TarHeader()

    private init() {}

    /// Nil where the checksum says that this block is no header.
    init?(_ block: [UInt8]) {
        guard block.count == TarReader.blockBytes, let stated = Self.number(block[148..<156]) else { return nil }
        let sum = block.indices.reduce(0) { $0 + UInt64((148..<156).contains($1) ? 0x20 : block[$1]) }
        guard sum == stated, let size = Self.number(block[124..<136]) else { return nil }
        self.size = size
        let type = block[156]
        isSparse = type == UInt8(ascii: "S")
        kind =
            switch type {
            case UInt8(ascii: "L"): .longName
            case UInt8(ascii: "x"), UInt8(ascii: "X"): .records
            case UInt8(ascii: "K"), UInt8(ascii: "g"): .other
            case UInt8(ascii: "1")...UInt8(ascii: "6"): .bare
            default: .file
            }
        let name = block[0..<100].prefix { $0 != 0 }
        // The prefix is of ustar and pax; GNU tar has other things there.
        let prefix = block[257..<263].elementsEqual("ustar\0".utf8) ? block[345..<500].prefix { $0 != 0 } : []
        path = prefix.isEmpty ? Array(name) : prefix + [UInt8(ascii: "/")] + name
    }

    /// Octal digits, or a number in base 256 (GNU tar); nil where it is neither, or more than any file has.
    private static func number(_ field: ArraySlice<UInt8>) -> UInt64? {
        if let first = field.first, first & 0x80 != 0 {
            let digits = [first & 0x7f] + field.dropFirst()
            guard digits.dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
            let number = digits.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
            return number <= sizeMax ? number : nil
        }
        let digits = field.drop { $0 == 0x20 || $0 == 0 }.prefix { $0 != 0x20 && $0 != 0 }
        guard digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | UInt64($1 - 0x30) }
    }

    /// Signed, as the sizes of files are.
    static let sizeMax = UInt64(Int64.max)

    /// The map of a sparse file goes on in another block.
    static func sparseGoesOn(in block: [UInt8]) -> Bool { block.count > 482 && block[482] != 0 }
    static func sparseGoesOn(after block: [UInt8]) -> Bool { block.count > 504 && block[504] != 0 }
}

/// Records of a pax header, `length key=value` with a line feed behind, of which two matter here.
struct PaxRecords {
    private enum State { case length, key, value, lost }

    private(set) var path: [UInt8] = []
    private(set) var size: UInt64?

    private var state = State.length
    private var length = 0
    private var read = 0
    private var key: [UInt8] = []
    private var value: [UInt8] = []

    private static let keyBytesMax = 32

    mutating func read(_ byte: UInt8) {
        read += 1
        switch state {
        case .length:
            if (0x30...0x39).contains(byte), length < 100_000_000 {
                length = length * 10 + Int(byte - 0x30)
            } else {
                state = byte == 0x20 ? .key : .lost
            }
        case .key:
            if byte == UInt8(ascii: "=") {
                state = .value
            } else if key.count < Self.keyBytesMax {
                key.append(byte)
            }
        case .value:
            if read < length, value.count < ContainerName.bytesMax { value.append(byte) }
        // Nothing that follows has a place to begin.
        case .lost: return
        }
        if read >= length, state == .value || state == .key { end() }
    }

    private mutating func end() {
        if key.elementsEqual("path".utf8) { path = value }
        if key.elementsEqual("size".utf8), let stated = Int64(String(decoding: value, as: UTF8.self)), stated >= 0 {
            size = UInt64(stated)
        }
        (state, length, read) = (.length, 0, 0)
        key.removeAll(keepingCapacity: true)
        value.removeAll(keepingCapacity: true)
    }
}
