import Bytes

/// The name of a session in every record, log line and refusal: 48 bits of unix milliseconds and 80 random bits, written
/// as a ULID (26 characters of Crockford's base 32), so that names sort by time.
public struct RecordID: Hashable, Sendable, Comparable {
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the 26 characters back, upper case only, as we write them.
    init?(_ text: UnsafeRawBufferPointer) {
        guard text.count == RecordID.textCount else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (index, byte) in text.enumerated() {
            guard let digit = RecordID.value(byte) else { return nil }
            // 26 characters hold 130 bits; the first may use only three of its five.
            if index == 0, digit > 7 { return nil }
            high = high << 5 | low >> 59
            low = low << 5 | UInt64(digit)
        }
        self.init(high: high, low: low)
    }

    public static func < (a: RecordID, b: RecordID) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }

    static let textCount = 26
    /// Without I, L, O and U, which are taken for others.
    static let alphabet: StaticString = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    private static func value(_ character: UInt8) -> Int? {
        UnsafeBufferPointer(start: alphabet.utf8Start, count: alphabet.utf8CodeUnitCount).firstIndex(of: character)
    }
}

extension Buffer {
    /// Appends the 26 characters of an id. Allocates nothing when there is room.
    public mutating func append(_ id: RecordID) {
        var out = cursor(RecordID.textCount)
        out.put(id)
        wrote(out.count)
    }
}

extension RecordID: CustomStringConvertible {
    public var description: String {
        var text = Buffer(capacity: RecordID.textCount)
        text.append(self)
        return String(decoding: text.readable, as: UTF8.self)
    }
}

/// Makes the ids of one loop, without a lock: within a millisecond they count up from a random start, so they are in
/// order; between loops the 80 random bits keep them apart.
public struct RecordIDs: Sendable {
    private var random: (UInt64, UInt64)
    private var millisecond: UInt64 = 0
    private var tail: (high: UInt64, low: UInt64) = (0, 0)

    public init() {
        var system = SystemRandomNumberGenerator()
        self.init(seed: (system.next(), system.next()))
    }

    init(seed: (UInt64, UInt64)) {
        // Xoroshiro's one forbidden state is all zeros.
        random = seed == (0, 0) ? (1, 0) : seed
    }

    /// The next id at this unix time. A clock that steps back does not: ids stay in order.
    public mutating func next(at microseconds: Int64) -> RecordID {
        let now = UInt64(clamping: microseconds) / 1000 & 0xffff_ffff_ffff
        if now > millisecond {
            millisecond = now
            // One of the 80 bits is left clear: a thousand million million steps before the counter could overflow.
            tail = (draw() & 0x7fff, draw())
        } else {
            tail.low &+= 1
            if tail.low == 0 { tail.high &+= 1 }
        }
        return RecordID(high: millisecond << 16 | tail.high & 0xffff, low: tail.low)
    }

    /// xoroshiro128+ (Blackman and Vigna); ids need to be distinct, not unguessable.
    private mutating func draw() -> UInt64 {
        let sum = random.0 &+ random.1
        let mixed = random.0 ^ random.1
        random.0 = (random.0 << 24 | random.0 >> 40) ^ mixed ^ mixed << 16
        random.1 = mixed << 37 | mixed >> 27
        return sum
    }
}
