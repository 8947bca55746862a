/// Hexadecimal digits, in lower case.
enum Hex {
    static func digit(_ nibble: UInt8) -> UInt8 {
        precondition(nibble < 16, "a digit is of four bits")
        return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }

    static func text(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.flatMap { [digit($0 >> 4), digit($0 & 15)] }, as: UTF8.self)
    }
}
