import Bytes
import CNghttp2

/// The fields of a head or trailer section on their way to the library, which copies them and puts names in lower case.
/// They point into the text they were parsed from.
struct HTTP2Fields {
    private(set) var list = ContiguousArray<nghttp2_nv>()

    /// For one connection alone (RFC 9113 section 8.2.2). Of TE one value may go on.
    private static let hopByHop = FieldNames(
        .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings, .te)

    mutating func removeAll() { list.removeAll(keepingCapacity: true) }

    mutating func put(_ name: StaticString, _ value: StaticString) {
        put(HTTP2Fields.bytes(name), HTTP2Fields.bytes(value))
    }

    mutating func put(_ name: StaticString, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        put(HTTP2Fields.bytes(name), UnsafeRawBufferPointer(rebasing: bytes[range]))
    }

    /// Those that stay, in their order. `name`, in lower case, stays behind.
    mutating func put(
        _ fields: ContiguousArray<Field>, from bytes: UnsafeRawBufferPointer, without dropped: FieldNames = [],
        dropping name: StaticString = ""
    ) {
        let dropped = dropped.union(HTTP2Fields.hopByHop)
        for field in fields where !dropped.has(field.id) && !field.isNominated {
            if name.utf8CodeUnitCount > 0, Octet.matches(bytes, field.name, name) { continue }
            put(
                UnsafeRawBufferPointer(rebasing: bytes[field.name]),
                UnsafeRawBufferPointer(rebasing: bytes[field.value]))
        }
    }

    private mutating func put(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        list.append(
            nghttp2_nv(
                name: HTTP2Fields.pointer(name), value: HTTP2Fields.pointer(value), namelen: name.count,
                valuelen: value.count, flags: UInt8(NGHTTP2_NV_FLAG_NONE.rawValue)))
    }

    private static func bytes(_ text: StaticString) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    /// The library declares that it writes, and does not.
    private static func pointer(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        guard let base = bytes.baseAddress else { return nil }
        return UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: UInt8.self))
    }
}
