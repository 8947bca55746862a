/// A set of bytes: 256 bits.
struct ByteSet: Equatable, Hashable, Sendable {
    private(set) var words = SIMD4<UInt64>()

    static let all = ByteSet(SIMD4(repeating: .max))
    static let digits = ByteSet(0x30...0x39)

    init() {}
    init(_ words: SIMD4<UInt64>) { self.words = words }
    init(_ range: ClosedRange<UInt8>) { for byte in range { insert(byte) } }
    init(_ bytes: [UInt8]) { for byte in bytes { insert(byte) } }

    /// A 32-byte bitmap, least significant bit first, as PCRE2 gives it.
    init(bitmap: UnsafePointer<UInt8>) {
        for byte in 0...255 where bitmap[byte >> 3] & (1 << (byte & 7)) != 0 { insert(UInt8(byte)) }
    }

    mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }
    func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] & 1 << UInt64(byte & 63) != 0 }

    var isEmpty: Bool { words == SIMD4() }
    var count: Int { (0..<4).reduce(0) { $0 + words[$1].nonzeroBitCount } }
    var inverted: ByteSet { ByteSet(~words) }
    func union(_ other: ByteSet) -> ByteSet { ByteSet(words | other.words) }
    func intersection(_ other: ByteSet) -> ByteSet { ByteSet(words & other.words) }
    func isSubset(of other: ByteSet) -> Bool { words & ~other.words == SIMD4() }

    /// Maximal runs of neighbours, in order.
    var ranges: [ClosedRange<UInt8>] {
        var found: [ClosedRange<UInt8>] = []
        var start: UInt8?
        for byte in UInt8.min...UInt8.max {
            if contains(byte) {
                if start == nil { start = byte }
            } else if let first = start {
                found.append(first...(byte - 1))
                start = nil
            }
        }
        if let first = start { found.append(first...255) }
        return found
    }
}
