import CCodecs

/// Records of a zip file by their signature (APPNOTE.TXT 6.3.10 section 4.3).
enum ZipRecord: UInt64 {
    case entry = 0x0403_4b50
    case listed = 0x0201_4b50
    case end = 0x0605_4b50
    case end64 = 0x0606_4b50
    case locator = 0x0706_4b50
    case signature = 0x0505_4b50
    /// Comes before a directory that is encrypted.
    case decryption = 0x0806_4b50
    /// Behind an entry; before the first one it says that the file was meant to be split.
    case descriptor = 0x0807_4b50

    static let signatureBytes = 4
    /// First byte of all of them.
    static let first = UInt8(ascii: "P")

    /// Without what its lengths count.
    var headBytes: Int {
        switch self {
        case .entry: 30
        case .listed: 46
        case .end: 22
        case .end64: 12
        case .locator: 20
        case .signature: 6
        case .decryption: 8
        case .descriptor: 4
        }
    }

    /// What follows the head of all but entries.
    func restBytes(_ head: Gather) -> UInt64 {
        switch self {
        case .listed: UInt64(head.u16(28) + head.u16(30) + head.u16(32))
        case .end: UInt64(head.u16(20))
        case .end64: head.u64(4)
        case .signature: UInt64(head.u16(4))
        case .entry, .locator, .decryption, .descriptor: 0
        }
    }
}

/// What the local header of an entry says (section 4.3.7).
struct ZipEntry {
    enum Method { case stored, deflated, other }

    let method: Method
    /// The entry, or the directory, which leaves nothing here to be trusted (section 4.4.4).
    let isEncrypted: Bool
    /// A descriptor comes behind the entry.
    var described: Bool
    /// Packed; nil where only a descriptor tells it.
    private(set) var size: UInt64?
    /// Numbers of its descriptor have 8 bytes.
    private(set) var wide = false
    let nameBytes: Int
    let extraBytes: Int
    /// The size unpacked is among the extra fields, before the other.
    private let unpackedFirst: Bool

    /// Stands for a number that is among the extra fields.
    private static let wideMark: UInt64 = 0xffff_ffff
    private static let wideField = 1

    init(_ head: Gather) {
        let flags = head.u16(6)
        method =
            switch head.u16(8) {
            case 0: .stored
            case 8: .deflated
            default: .other
            }
        isEncrypted = flags & 0x2041 != 0
        described = flags & 8 != 0
        size = head.u32(18)
        unpackedFirst = head.u32(22) == Self.wideMark
        (nameBytes, extraBytes) = (head.u16(26), head.u16(28))
    }

    /// Looks for sizes in the extra fields (section 4.5.3); nothing about the entry is known better after that.
    mutating func read(extra: Gather) {
        var at = 0
        while at + 4 <= extra.count {
            let (kind, length) = (extra.u16(at), extra.u16(at + 2))
            if kind == Self.wideField {
                wide = true
                let place = at + 4 + (unpackedFirst ? 8 : 0)
                if size == Self.wideMark, place + 8 <= min(extra.count, at + 4 + length) { size = extra.u64(place) }
                break
            }
            at += 4 + length
        }
        if described && size == 0 { size = nil }
    }
}

/// What came out of an entry, to be held against the descriptor behind it (section 4.3.9).
struct ZipTally {
    /// With signature and wide numbers.
    static let descriptorBytesMax = 24

    private let counts: Bool
    private var checksum: UInt = 0
    private var packed: UInt64 = 0
    private var unpacked: UInt64 = 0

    init(counts: Bool = false) { self.counts = counts }

    mutating func add(packed count: Int) { packed += UInt64(count) }

    mutating func add(_ run: UnsafeRawBufferPointer, packed count: Int) {
        add(packed: count)
        guard counts else { return }
        unpacked += UInt64(run.count)
        checksum = crc32(checksum, run.bindMemory(to: UInt8.self).baseAddress, UInt32(run.count))
    }

    /// How many bytes at the front of what there is are this entry's descriptor, 0 where it has none; nil where more must be
    /// seen. The signature may be missing.
    func descriptor(_ head: inout Gather, from input: inout UnsafeRawBufferPointer, wide: Bool) -> Int? {
        guard head.fill(ZipRecord.signatureBytes, from: &input) else { return nil }
        let isSigned = ZipRecord(rawValue: head.u32(0)) == .descriptor
        guard isSigned || head.u32(0) == UInt64(checksum) else { return 0 }
        let from = isSigned ? ZipRecord.signatureBytes : 0
        guard head.fill(from + 12, from: &input) else { return nil }
        guard head.u32(from) == UInt64(checksum) else { return 0 }
        let isNarrow =
            head.u32(from + 4) == packed & 0xffff_ffff && head.u32(from + 8) == unpacked & 0xffff_ffff
        // Who writes wide sizes into the header may still write narrow ones here.
        if isNarrow && !wide { return from + 12 }
        guard head.fill(from + 20, from: &input) else { return nil }
        if head.u64(from + 4) == packed && head.u64(from + 12) == unpacked { return from + 20 }
        return isNarrow ? from + 12 : 0
    }
}
