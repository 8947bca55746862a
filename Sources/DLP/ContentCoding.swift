/// A coding of a body, as listed in Content-Encoding (RFC 9110 section 8.4).
public enum ContentCoding: Sendable, Equatable {
    case gzip, deflate
    /// Known to others (br, zstd, compress) or to nobody: the bytes are read as they are and the outcome is recorded.
    case unsupported

    var label: String {
        switch self {
        case .gzip: "gzip"
        case .deflate: "deflate"
        case .unsupported: "unknown"
        }
    }

    /// One field value: codings in the order they were applied. `identity` and empty members are none.
    public static func parse(_ value: UnsafeRawBufferPointer) -> [ContentCoding] {
        var codings: [ContentCoding] = []
        for member in value.split(separator: UInt8(ascii: ",")) {
            let name = UnsafeRawBufferPointer(rebasing: member)
            if spells(name, "") || spells(name, "identity") { continue }
            if spells(name, "gzip") || spells(name, "x-gzip") {
                codings.append(.gzip)
            } else if spells(name, "deflate") {
                codings.append(.deflate)
            } else {
                codings.append(.unsupported)
            }
        }
        return codings
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
