/// A coding of a body, as listed in Content-Encoding (RFC 9110 section 8.4).
public enum ContentCoding: Sendable, Equatable {
    case gzip, deflate, br, zstd
    /// Known to others (compress) or to nobody: the bytes are read as they are and the outcome is recorded.
    case unsupported

    var label: String {
        switch self {
        case .gzip: "gzip"
        case .deflate: "deflate"
        case .br: "br"
        case .zstd: "zstd"
        case .unsupported: "unknown"
        }
    }

    /// One field value: codings in the order they were applied. `identity` and empty members are none.
    public static func parse(_ value: UnsafeRawBufferPointer) -> [ContentCoding] {
        value.split(separator: UInt8(ascii: ",")).compactMap { member in
            let name = UnsafeRawBufferPointer(rebasing: member)
            return known.first { spells(name, $0.name) }?.coding
                ?? (spells(name, "") || spells(name, "identity") ? nil : .unsupported)
        }
    }

    private static let known: [(name: StaticString, coding: ContentCoding)] = [
        ("gzip", .gzip), ("x-gzip", .gzip), ("deflate", .deflate), ("br", .br), ("zstd", .zstd),
    ]

    /// Whether what follows the end of a body may belong to it: another gzip member (RFC 1952 section 2.2) or frame of zstd
    /// (RFC 8878 section 3.1), one to be skipped included.
    func continues(with first: UInt8?) -> Bool {
        switch (self, first) {
        case (.gzip, 0x1f?), (.zstd, 0x28?), (.zstd, .some(0x50...0x5f)): true
        default: false
        }
    }

    /// Without white space around it and without regard to case.
    private static func spells(_ text: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        guard let first = text.firstIndex(where: { !blank($0) }), let last = text.lastIndex(where: { !blank($0) })
        else { return name.utf8CodeUnitCount == 0 }
        guard last - first + 1 == name.utf8CodeUnitCount else { return false }
        for at in first...last {
            let byte = text[at]
            let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            if lower != name.utf8Start[at - first] { return false }
        }
        return true
    }
}

/// What the first bytes of a body say of its coding, whatever its label says.
enum Magic: Equatable {
    case coding(ContentCoding)
    /// Too few have come.
    case open
    case none

    /// More is never needed.
    static let bytesMax = 4

    /// gzip with its only method (RFC 1952 section 2.3), and a frame of zstd (RFC 8878 section 3.1.1).
    private static let known: [(bytes: [UInt8], coding: ContentCoding)] = [
        ([0x1f, 0x8b, 0x08], .gzip), ([0x28, 0xb5, 0x2f, 0xfd], .zstd),
    ]

    static func of(_ head: some Collection<UInt8>) -> Magic {
        for (bytes, coding) in known where bytes.elementsEqual(head.prefix(bytes.count)) { return .coding(coding) }
        return known.contains { $0.bytes.starts(with: head) } ? .open : .none
    }
}
