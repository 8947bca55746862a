import Bytes

/// The hash of names as they stand in questions: label by label from the last to the first, in any letter case.
///
/// Clients choose names, so it is keyed once per process. Two names that meet by chance (one in 2^64) are taken for one
/// another; whoever uses it says why that does no harm.
struct NameHash: Sendable {
    let key: UInt64

    /// The key of this process: hashes of different tables and of different loads of the configuration go together.
    static let shared = NameHash(key: UInt64.random(in: 1 ... .max))

    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// The hash of no label at all, to which labels are added.
    var root: UInt64 { key }

    /// Adds the label in front of those that `running` stands for. Bounds: `label` lies in `bytes`.
    @inline(__always)
    func adding(_ label: Range<Int>, of bytes: UnsafeRawBufferPointer, to running: UInt64) -> UInt64 {
        guard let base = bytes.baseAddress else { return running }
        return adding(base + label.lowerBound, label.count, to: running)
    }

    /// The same of `count` bytes at `label`.
    @inline(__always)
    func adding(_ label: UnsafeRawPointer, _ count: Int, to running: UInt64) -> UInt64 {
        var hash = key ^ UInt64(truncatingIfNeeded: count) &* 0x9e37_79b9_7f4a_7c15
        if count >= 8 {
            let last = label + (count &- 8)
            var at = label
            while at < last {
                hash = NameHash.mixed(hash, at.loadUnaligned(as: UInt64.self))
                at += 8
            }
            hash = NameHash.mixed(hash, last.loadUnaligned(as: UInt64.self))
        } else {
            hash = NameHash.mixed(hash, NameHash.short(label, count))
        }
        return NameHash.fold(running ^ 0xe703_7ed1_a0b4_28db, hash ^ 0xa076_1d64_78bd_642f)
    }

    /// A label of one to seven bytes as one word.
    @inline(__always)
    private static func short(_ label: UnsafeRawPointer, _ count: Int) -> UInt64 {
        if count >= 4 {
            let low = label.loadUnaligned(as: UInt32.self)
            let high = (label + (count &- 4)).loadUnaligned(as: UInt32.self)
            return UInt64(high) << 32 | UInt64(low)
        }
        guard count > 0 else { return 0 }
        let first = label.load(as: UInt8.self)
        let middle = (label + count / 2).load(as: UInt8.self)
        let last = (label + (count &- 1)).load(as: UInt8.self)
        return UInt64(first) | UInt64(middle) << 8 | UInt64(last) << 16
    }

    @inline(__always)
    private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        fold(hash ^ lower(word), 0x8ebc_6af0_9c88_c6e3)
    }

    /// Eight bytes with `A` to `Z` in lower case, all at once: a byte's top bit is set in the two sums where it is at
    /// least `A`, and where it is more than `Z`.
    @inline(__always)
    private static func lower(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let seven = word & (0x7f &* ones)
        let letters = (seven &+ (0x80 - 0x41) &* ones) ^ (seven &+ (0x80 - 0x5b) &* ones)
        return word | (letters & ~word & (0x80 &* ones)) >> 2
    }

    func address(_ address: IPAddress) -> UInt64 {
        NameHash.fold(address.high ^ key, address.low ^ 0x1d8e_4e27_c47d_124f)
    }
}

/// Where the labels of a name are, found in one walk over it.
struct LabelStarts {
    private var starts = InlineArray<128, UInt8>(repeating: 0)
    private(set) var count = 0
    /// Just after the last label: where the root label is, or where the text ends.
    private(set) var end = 0

    /// Reads the labels of an uncompressed name on the wire, in place: a copy of this costs more than the walk. False where
    /// the name does not end within the bytes, or is too long.
    @inline(__always)
    mutating func read(wire: UnsafeRawBufferPointer) -> Bool {
        count = 0
        let most = min(wire.count, 255)
        var at = 0
        while at < most {
            let length = Int(wire[at])
            if length == 0 {
                end = at
                return true
            }
            guard length < 64, count < 127 else { return false }
            starts[count] = UInt8(truncatingIfNeeded: at &+ 1)
            count &+= 1
            at &+= 1 &+ length
        }
        return false
    }

    /// Reads the labels of a name in canonical text.
    mutating func read(text: UnsafeRawBufferPointer) {
        end = min(text.count, 254)
        count = end > 0 ? 1 : 0
        for at in 0..<end where text[at] == UInt8(ascii: ".") && count < 127 {
            starts[count] = UInt8(truncatingIfNeeded: at + 1)
            count += 1
        }
    }

    @inline(__always)
    func start(_ index: Int) -> Int { Int(starts[index]) }

    /// Either way one byte stands between two labels.
    @inline(__always)
    subscript(_ index: Int) -> Range<Int> {
        let start = Int(starts[index])
        return start..<max(start, index + 1 < count ? Int(starts[index + 1]) - 1 : end)
    }
}
