/// What a new name would carry if its labels were data: an amount in 1/64 points, so that names of every length and kind
/// can be added up.
///
/// A name of 64 bytes of random letters is worth 64 points. Beside its length L:
/// - The points grow with L² up to 64 bytes and with L³ above. A tunnel fills its names, since each costs it a round
///   trip; the random names of ordinary software (14 bytes of a content network, 32 of a hash, 36 of an identifier) are
///   as many as they like to be, but short.
/// - Random letters count in full, words an eighth. What is random is told by how often each letter stands in names of
///   hosts and in English: words take 4.1 to 4.7 bits a byte, base 32 and 64 take 5.7, hexadecimal digits 6.4.
/// - A label of one byte counts as half, a number up to 255 as one, so that the address in a reverse look-up or in one
///   of a block list is worth what it is: a few bytes.
/// - Types that carry much in their answers count twice, and so do names with bytes that no host's name has.
enum NameScore {
    /// Points are kept in parts of this.
    static let unit = 64
    /// So much is even the shortest name worth, random as it may be, so that very many of them are seen too: in 1/64.
    static let least = 16

    struct Labels {
        /// In half bytes, as numbers and single letters are counted.
        var halves = 0
        var bytes = 0
        /// In 1/8 bits.
        var surprise = 0
        /// Holds a byte other than letters, digits, `-` and `_`.
        var isOdd = false

        /// Adds a label that is new. Bounds: `label` lies in `name`.
        @inline(__always)
        mutating func add(_ label: Range<Int>, of name: UnsafeRawBufferPointer) {
            var number = 0
            for at in label {
                let byte = name[at]
                let bits = NameScore.surprises[Int(byte)]
                surprise += Int(bits)
                if bits == NameScore.oddBits { isOdd = true }
                let digit = Int(byte &- UInt8(ascii: "0"))
                number = digit < 10 ? number * 10 + digit : 1000
                if number > 1000 { number = 1000 }
            }
            bytes += label.count
            halves += label.count == 1 ? 1 : number < 256 ? 2 : 2 * label.count
        }

        /// 2...16 sixteenths: from 4.5 bits a byte, a name of words, to 5.3.
        var density: Int { bytes == 0 ? 2 : min(max(2 + 2 * (surprise / bytes - 36), 2), 16) }

        /// In 1/64 points.
        func points(isUnusual: Bool) -> Int {
            let square = max(halves * halves / 4, NameScore.least)
            let cube = halves > 2 * 64 ? square * halves / 128 : square
            return max(cube * density / 16, 1) * (isUnusual || isOdd ? 2 : 1)
        }
    }

    /// Whether a client that is no tunnel asks this type now and then at most, below a registered domain.
    static func isUnusual(_ type: RecordType) -> Bool {
        switch type.rawValue {
        // A, NS, SOA, PTR, AAAA, DS, RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, SVCB, HTTPS.
        case 1, 2, 6, 12, 28, 43, 46, 47, 48, 50, 51, 64, 65: false
        default: true
        }
    }

    /// What no name of a host holds.
    private static let oddBits: UInt8 = 64

    /// How little each byte is expected in a name, in 1/8 bits: -log2 of its share among the letters of the Public Suffix
    /// List and of English, with a twentieth of digits.
    private static let surprises: InlineArray<256, UInt8> = {
        let ascii: InlineArray<128, UInt8> = [
            64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
            64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
            64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 40, 64, 64,
            59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 64, 64, 64, 64, 64, 64,
            64, 28, 48, 41, 40, 28, 48, 44, 37, 32, 51, 46, 40, 39, 33, 30,
            42, 63, 35, 33, 32, 39, 53, 47, 63, 47, 63, 64, 64, 64, 64, 61,
            64, 28, 48, 41, 40, 28, 48, 44, 37, 32, 51, 46, 40, 39, 33, 30,
            42, 63, 35, 33, 32, 39, 53, 47, 63, 47, 63, 64, 64, 64, 64, 64,
        ]
        var table = InlineArray<256, UInt8>(repeating: oddBits)
        for byte in ascii.indices { table[byte] = ascii[byte] }
        return table
    }()
}
