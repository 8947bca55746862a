/// The host of an authority, in the one form in which it is judged, dialled and recorded.
///
/// Whatever a resolver library would take for an IPv4 address (`0x7f.1`, `017700000001`, `2130706433`) is that address
/// here too: a name whose last label is a number is an address or nothing (WHATWG URL, "ends in a number").
public enum Host: Hashable, Sendable {
    case name(DomainName)
    case address(IPAddress)

    /// From the host of a URI: a name, an IPv4 address in any notation, or an IPv6 address in brackets, without a zone.
    public init?(_ text: UnsafeRawBufferPointer) {
        if text.first == UInt8(ascii: "[") {
            guard text.count > 2, text.last == UInt8(ascii: "]"),
                let address = IPAddress(UnsafeRawBufferPointer(rebasing: text[1..<text.count - 1])),
                text.contains(UInt8(ascii: ":"))
            else { return nil }
            self = .address(address)
            return
        }
        guard let name = DomainName(text) else { return nil }
        if Host.endsInNumber(name.bytes) {
            guard let bits = Host.looseV4(name.bytes) else { return nil }
            self = .address(IPAddress(v4: bits))
        } else {
            self = .name(name)
        }
    }

    public init?(_ text: String) {
        var text = text
        let host = text.withUTF8 { Host(UnsafeRawBufferPointer($0)) }
        guard let host else { return nil }
        self = host
    }

    private static func endsInNumber(_ bytes: ContiguousArray<UInt8>) -> Bool {
        let last = bytes[(bytes.lastIndex(of: UInt8(ascii: ".")).map { $0 + 1 } ?? 0)...]
        return last.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } || number(last) != nil
    }

    /// One to four numbers, decimal, octal or hexadecimal; the last fills what is left of the 32 bits.
    private static func looseV4(_ bytes: ContiguousArray<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 4 else { return nil }
        var bits: UInt64 = 0
        for (index, part) in parts.enumerated() {
            guard let value = number(part) else { return nil }
            let width = index == parts.count - 1 ? 8 * (5 - parts.count) : 8
            guard value < 1 << UInt64(width) else { return nil }
            bits = bits << UInt64(width) | value
        }
        return UInt32(truncatingIfNeeded: bits)
    }

    /// As `inet_aton` reads one: any number of leading zeros, `0` alone before octal and `0x` before hexadecimal digits.
    private static func number(_ text: ContiguousArray<UInt8>.SubSequence) -> UInt64? {
        var (radix, digits): (UInt64, _) = (10, text)
        if text.count > 1, text.first == UInt8(ascii: "0") {
            digits = digits.dropFirst()
            radix = 8
            if digits.first == UInt8(ascii: "x") {
                digits = digits.dropFirst()
                radix = 16
            }
        }
        var value: UInt64 = 0
        for byte in digits {
            guard let digit = digit(byte), digit < radix else { return nil }
            // What exceeds 32 bits is refused by the caller, so it may stop growing.
            value = min(value * radix + digit, 1 << 40)
        }
        return value
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}

extension Host: CustomStringConvertible {
    public var description: String {
        switch self {
        case .name(let name): name.description
        case .address(let address): address.isV4 ? address.description : "[\(address)]"
        }
    }
}
