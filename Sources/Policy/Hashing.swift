import Bytes

/// The hash of the policy tables: one multiplication per byte or word, folded.
///
/// Written rules come from the operator. Learned names come from clients, so those tables are seeded; every hit is
/// compared in full, so that a collision costs time and never a wrong verdict.
enum Hashing {
    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    /// One step of the running hash of a name, taken from its last byte to its first.
    @inline(__always)
    static func step(_ running: UInt64, _ byte: UInt8) -> UInt64 {
        (running ^ UInt64(byte)) &* 0x9e37_79b9_7f4a_7c15 &+ running >> 29
    }

    @inline(__always)
    static func finish(_ running: UInt64, _ scope: UInt64) -> UInt64 {
        fold(running ^ 0xa076_1d64_78bd_642f, scope &* 0xe703_7ed1_a0b4_28db ^ 0x8ebc_6af0_9c88_c6e3)
    }

    static func name(_ name: DomainName, seed: UInt64) -> UInt64 {
        name.bytes.withUnsafeBufferPointer { $0.reversed().reduce(seed, step) }
    }

    @inline(__always)
    static func address(_ address: IPAddress, seed: UInt64) -> UInt64 {
        fold(address.high ^ 0x5899_65cc_7537_4cc3, address.low ^ 0x1d8e_4e27_c47d_124f ^ seed)
    }

    /// Slots of an open table that holds `count` keys: a power of two, at most half full.
    static func slots(for count: Int) -> Int {
        var slots = 4
        while slots < 2 * count { slots *= 2 }
        return slots
    }
}
