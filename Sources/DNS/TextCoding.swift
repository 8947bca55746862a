/// How data is written in the letters of names, and read back.
public enum TextCoding: UInt8, Sendable, CaseIterable {
    /// As it stands.
    case plain
    case hexadecimal
    /// RFC 4648 section 6, in any letter case and without padding.
    case base32
    /// RFC 4648 section 7, likewise.
    case base32Hex
    /// RFC 4648 sections 4 and 5; letter case counts.
    case base64

    /// Bits that a letter holds.
    var bits: Int {
        switch self {
        case .plain: 8
        case .hexadecimal: 4
        case .base32, .base32Hex: 5
        case .base64: 6
        }
    }

    /// Letters after which bytes and letters begin together again.
    var period: Int {
        switch self {
        case .plain: 1
        case .hexadecimal: 2
        case .base32, .base32Hex: 8
        case .base64: 4
        }
    }

    /// Not a letter of the alphabet.
    static let none: UInt8 = 0xff

    /// The value of each byte as a letter.
    var values: ContiguousArray<UInt8> {
        switch self {
        case .plain: TextCoding.noValues
        case .hexadecimal: TextCoding.hexadecimalValues
        case .base32: TextCoding.base32Values
        case .base32Hex: TextCoding.base32HexValues
        case .base64: TextCoding.base64Values
        }
    }

    private static let noValues = ContiguousArray<UInt8>(repeating: none, count: 256)
    private static let hexadecimalValues = values(of: "0123456789abcdef", inAnyCase: true)
    private static let base32Values = values(of: "abcdefghijklmnopqrstuvwxyz234567", inAnyCase: true)
    private static let base32HexValues = values(of: "0123456789abcdefghijklmnopqrstuv", inAnyCase: true)
    private static let base64Values: ContiguousArray<UInt8> = {
        var table = values(
            of: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", inAnyCase: false)
        table[Int(UInt8(ascii: "+"))] = 62
        table[Int(UInt8(ascii: "/"))] = 63
        return table
    }()

    private static func values(of alphabet: StaticString, inAnyCase: Bool) -> ContiguousArray<UInt8> {
        var table = ContiguousArray<UInt8>(repeating: none, count: 256)
        for value in 0..<alphabet.utf8CodeUnitCount {
            let letter = Int(alphabet.utf8Start[value])
            table[letter] = UInt8(value)
            if inAnyCase, letter >= 0x61 { table[letter - 0x20] = UInt8(value) }
        }
        return table
    }
}
