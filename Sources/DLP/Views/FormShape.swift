/// Whether a text begins as a form does, with a name and `=`: then `+` is a space in its values.
struct FormShape {
    /// What comes after the first `=`.
    private(set) var valuesFrom: UInt64?
    private var isOpen = true

    private static let nameBytesMax: UInt64 = 64

    var isForm: Bool { valuesFrom != nil }

    mutating func read(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        guard isOpen else { return }
        for at in 0..<bytes.count {
            let place = offset + UInt64(at)
            switch bytes[at] {
            case UInt8(ascii: "=") where place > 0:
                valuesFrom = place + 1
                isOpen = false
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
                if place >= Self.nameBytesMax { isOpen = false }
            default: isOpen = false
            }
            if !isOpen { return }
        }
    }
}
