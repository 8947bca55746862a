/// A DNS name in canonical form: lower case, no trailing dot, 1...253 bytes of letters, digits, `-`, `_` and dots, no
/// empty label, none over 63 bytes. Names beyond ASCII are written in their `xn--` form.
///
/// Making one allocates; sessions keep the one they made and compare incoming bytes with it.
public struct DomainName: Hashable, Sendable {
    public let bytes: ContiguousArray<UInt8>
    private let hash: Int

    public init?(_ text: UnsafeRawBufferPointer) {
        var text = text
        if text.last == UInt8(ascii: ".") { text = UnsafeRawBufferPointer(rebasing: text.dropLast()) }
        guard (1...253).contains(text.count) else { return nil }
        var canonical = ContiguousArray<UInt8>()
        canonical.reserveCapacity(text.count)
        var label = 0
        for byte in text {
            let lower = DomainName.canonical[Int(byte)]
            guard lower != 0 else { return nil }
            if lower == UInt8(ascii: ".") {
                guard label > 0 else { return nil }
                label = 0
            } else {
                label += 1
                guard label <= 63 else { return nil }
            }
            canonical.append(lower)
        }
        guard label > 0 else { return nil }
        bytes = canonical
        // The name is hashed once, when it is made, and with the key of this process: clients choose names, and tables of
        // names must not be slowed by names chosen to collide.
        var hasher = Hasher()
        canonical.withUnsafeBytes { hasher.combine(bytes: $0) }
        hash = hasher.finalize()
    }

    public init?(_ text: String) {
        var text = text
        let name = text.withUTF8 { DomainName(UnsafeRawBufferPointer($0)) }
        guard let name else { return nil }
        self = name
    }

    @inlinable public static func == (a: DomainName, b: DomainName) -> Bool { a.bytes == b.bytes }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    /// Whether `text` is this name in any letter case, with or without a trailing dot.
    public func matches(_ text: UnsafeRawBufferPointer) -> Bool {
        let count = text.last == UInt8(ascii: ".") ? text.count - 1 : text.count
        guard count == bytes.count else { return false }
        for index in 0..<count {
            // The name has no upper case and nothing that a name may not have, so folding letters is all it takes.
            let byte = text[index]
            guard (byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte) == bytes[index] else { return false }
        }
        return true
    }

    /// Whether this name is `suffix` or ends in `.suffix`.
    public func isWithin(_ suffix: DomainName) -> Bool {
        let lead = bytes.count - suffix.bytes.count
        guard lead == 0 || lead > 1 && bytes[lead - 1] == UInt8(ascii: ".") else { return false }
        return bytes[lead...].elementsEqual(suffix.bytes)
    }

    /// Each byte in lower case, or zero where it cannot stand in a name.
    private static let canonical: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0)
        for byte in UInt8(ascii: "a")...UInt8(ascii: "z") {
            table[Int(byte)] = byte
            table[Int(byte) - 32] = byte
        }
        for byte in UInt8(ascii: "0")...UInt8(ascii: "9") { table[Int(byte)] = byte }
        for byte in [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")] { table[Int(byte)] = byte }
        return table
    }()
}

extension DomainName: CustomStringConvertible {
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
