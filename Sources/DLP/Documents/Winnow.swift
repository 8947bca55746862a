/// Chooses fingerprints of a text as it streams by (Schleimer, Wilkerson and Aiken, "Winnowing", 2003): of every 64
/// neighbouring hashes of 32 bytes the least. Two texts that share 95 letters and digits in a row share a fingerprint, wherever
/// those stand in each.
///
/// Letters count without their case, and blanks and punctuation not at all: a layout may change. Memory is constant, and what
/// is chosen does not depend on how the text is cut.
struct Winnow {
    /// What is made of the key: without it nobody can say which fingerprints a text has.
    struct Key: Sendable {
        /// By byte; 0 for those that do not count.
        fileprivate let values: [UInt64]
        fileprivate let finisher: SipHash

        init(_ key: IndexKey) {
            let hasher = key.hasher("winnow values")
            values = (0..<256).map { byte in
                let lower = (0x41...0x5a).contains(byte) ? byte | 0x20 : byte
                let counts = (0x61...0x7a).contains(lower) || (0x30...0x39).contains(lower) || lower >= 0x80
                return counts ? hasher.hash(UInt64(lower)) : 0
            }
            finisher = key.hasher("winnow")
        }
    }

    static let gramBytes = 32
    static let window = 64
    /// Letters and digits of the shortest text that has a fingerprint.
    static let bytesMin = gramBytes + window - 1

    private let key: Key
    private var gram = InlineArray<32, UInt64>(repeating: 0)
    private var hashes = InlineArray<64, UInt64>(repeating: .max)
    private var rolling: UInt64 = 0
    /// Letters and digits so far.
    private var count = 0
    /// Of the hashes in the window, with the number of its last byte; of equal ones the last.
    private var least = (hash: UInt64.max, at: 0)

    init(_ key: Key) { self.key = key }

    /// The fingerprint that a byte completes, if it does.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> UInt64? {
        let value = key.values[Int(byte)]
        if value == 0 { return nil }
        let slot = count % Self.gramBytes
        let old = gram[slot]
        gram[slot] = value
        count += 1
        // The byte that leaves was turned by a bit for each that came after.
        rolling = (rolling << 1 | rolling >> 63) ^ value ^ (old << 32 | old >> 32)
        return count >= Self.gramBytes ? choose() : nil
    }

    private mutating func choose() -> UInt64? {
        hashes[count % Self.window] = rolling
        let before = least.hash
        if rolling <= least.hash {
            least = (rolling, count)
        } else if count - least.at >= Self.window {
            lookAgain()
        }
        guard count >= Self.bytesMin, count == Self.bytesMin || least.hash != before else { return nil }
        return key.finisher.hash(least.hash)
    }

    /// The least has left the window.
    private mutating func lookAgain() {
        least = (.max, count)
        for back in 0..<Self.window where hashes[(count - back) % Self.window] < least.hash {
            least = (hashes[(count - back) % Self.window], count - back)
        }
    }
}
