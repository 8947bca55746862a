/// What stands at the front of an index file: what it is, of which version and key, and where its parts are.
///
/// ```
///  0 kind "weir.edm" or "weir.fpr"   8 version   12 bytes of the header   16 bytes of the file
/// 24 key check (16)   40 tag of the header (16)   56 what the kind says of itself
/// ```
/// Numbers are little-endian. The tag is keyed, so nothing in the header can be changed without the key.
struct IndexHeader {
    enum Kind: String { case exact = "weir.edm", documents = "weir.fpr" }

    static let version: UInt32 = 1
    static let fixedBytes = 56
    /// Names of documents are in it.
    static let bytesMax = 64 << 20
    private static let tagBytes = 16

    /// The rest of the header, checked.
    static func open(
        _ file: UnsafeRawBufferPointer, _ kind: Kind, _ key: IndexKey
    ) throws(IndexFault) -> FieldReader {
        guard file.count >= 8, file.prefix(8).elementsEqual(kind.rawValue.utf8) else {
            throw IndexFault(
                "expected \(kind == .exact ? "an index of weir edm build" : "one of weir fingerprint build")")
        }
        guard file.count >= fixedBytes else { throw truncated(fixedBytes, file.count) }
        var fixed = FieldReader(UnsafeRawBufferPointer(rebasing: file[8..<fixedBytes]))
        let found = try fixed.u32()
        guard found == version else { throw IndexFault("expected version \(version), found \(found): build it anew") }
        let (headerBytes, fileBytes) = (Int(try fixed.u32()), try fixed.u64())
        guard try fixed.bytes(tagBytes) == check(key) else { throw IndexFault("was built with another key") }
        guard UInt64(file.count) >= fileBytes else { throw truncated(Int(clamping: fileBytes), file.count) }
        let tag = try fixed.bytes(tagBytes)
        guard (fixedBytes...bytesMax).contains(headerBytes), headerBytes <= file.count,
            UInt64(file.count) == fileBytes, tag == key.tag(untagged(file, headerBytes))
        else { throw IndexFault("is damaged: its header is not what was written") }
        return FieldReader(UnsafeRawBufferPointer(rebasing: file[fixedBytes..<headerBytes]))
    }

    /// A whole header around what the kind says of itself.
    static func make(_ kind: Kind, _ fields: [UInt8], fileBytes: Int, _ key: IndexKey) -> [UInt8] {
        var writer = FieldWriter()
        writer.put(bytes: Array(kind.rawValue.utf8))
        writer.put(version)
        writer.put(UInt32(fixedBytes + fields.count))
        writer.put(UInt64(fileBytes))
        writer.put(bytes: check(key))
        writer.put(bytes: [UInt8](repeating: 0, count: tagBytes))
        writer.put(bytes: fields)
        var header = writer.bytes
        header.replaceSubrange(40..<fixedBytes, with: key.tag(header))
        return header
    }

    private static func untagged(_ file: UnsafeRawBufferPointer, _ count: Int) -> [UInt8] {
        var header = Array(file.prefix(count))
        for at in 40..<fixedBytes { header[at] = 0 }
        return header
    }

    private static func check(_ key: IndexKey) -> [UInt8] { Array(key.derive("check").prefix(tagBytes)) }

    private static func truncated(_ expected: Int, _ found: Int) -> IndexFault {
        IndexFault("is truncated: expected \(expected) bytes, found \(found)")
    }
}

/// Numbers and texts one after the other.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func put(bytes more: [UInt8]) { bytes += more }

    mutating func put(text: String) {
        put(UInt16(clamping: text.utf8.count))
        bytes += text.utf8.prefix(Int(UInt16.max))
    }
}

/// Takes them out again; what is not there is a fault.
struct FieldReader {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func u8() throws(IndexFault) -> UInt8 { try take(UInt8.self) }
    mutating func u16() throws(IndexFault) -> UInt16 { try take(UInt16.self) }
    mutating func u32() throws(IndexFault) -> UInt32 { try take(UInt32.self) }
    mutating func u64() throws(IndexFault) -> UInt64 { try take(UInt64.self) }

    mutating func bytes(_ count: Int) throws(IndexFault) -> [UInt8] {
        guard rest.count >= count else { throw IndexFault("is damaged: its header ends early") }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count)) }
        return Array(rest.prefix(count))
    }

    mutating func text() throws(IndexFault) -> String {
        String(decoding: try bytes(Int(try u16())), as: UTF8.self)
    }

    private mutating func take<T: FixedWidthInteger>(_: T.Type) throws(IndexFault) -> T {
        let size = T.bitWidth / 8
        guard rest.count >= size else { throw IndexFault("is damaged: its header ends early") }
        defer { rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(size)) }
        return T(littleEndian: rest.loadUnaligned(as: T.self))
    }
}
