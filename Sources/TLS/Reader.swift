/// Reads the integers and length-prefixed vectors of TLS (RFC 8446 section 3.4) from front to back. Nothing is taken
/// when there is not enough.
struct Reader {
    private var rest: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    var isEmpty: Bool { rest.isEmpty }

    mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count <= rest.count else { return nil }
        let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
        return taken
    }

    mutating func skip(_ count: Int) -> Bool { take(count) != nil }

    mutating func uint8() -> UInt8? { take(1)?[0] }

    mutating func uint16() -> UInt16? { take(2).map { UInt16($0[0]) << 8 | UInt16($0[1]) } }

    /// A vector with a length of one byte.
    mutating func vector8() -> UnsafeRawBufferPointer? {
        guard let count = uint8() else { return nil }
        return take(Int(count))
    }

    /// A vector with a length of two bytes.
    mutating func vector16() -> UnsafeRawBufferPointer? {
        guard let count = uint16() else { return nil }
        return take(Int(count))
    }
}
