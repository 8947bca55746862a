/// How often bytes stand in text and JSON, roughly: what choices between filters are made by.
enum Commonness {
    static func of(_ byte: UInt8) -> Double {
        switch byte {
        case UInt8(ascii: "e"), UInt8(ascii: "t"), UInt8(ascii: "a"), UInt8(ascii: " "): 0.08
        case UInt8(ascii: "a")...UInt8(ascii: "z"): 0.035
        case UInt8(ascii: "0")...UInt8(ascii: "9"): 0.02
        case UInt8(ascii: "\""), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: ","): 0.03
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): 0.008
        default: 0.003
        }
    }

    /// Of what stands behind another byte of its kind: digits come together.
    static func within(_ byte: UInt8) -> Double { byte &- 0x30 < 10 ? 0.06 : of(byte) }

    static func of(_ set: ByteSet) -> Double {
        min((UInt8.min...UInt8.max).reduce(0) { set.contains($1) ? $0 + of($1) : $0 }, 1)
    }
}
