import CLinux

/// An alphabet in which bytes are spelled.
protocol DigitAlphabet {
    static var label: String { get }
    /// What 256 bytes stand for, or 255.
    static var values: UnsafePointer<UInt8> { get }
    /// A unit is so many digits of so many bits, and so many bytes.
    static var perUnit: Int { get }
    static var bits: UInt32 { get }
    static var bytesPerUnit: Int { get }
    /// Decodes whole units up to the first byte that is no digit: answers how many.
    static func units(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ output: UnsafeMutablePointer<UInt8>) -> Int
}

/// Base64 in either alphabet (RFC 4648 sections 4 and 5).
enum Base64Digits: DigitAlphabet {
    static let label = "base64"
    static var values: UnsafePointer<UInt8> { weir_base64_digits() }
    static let perUnit = 4
    static let bits: UInt32 = 6
    static let bytesPerUnit = 3

    static func units(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ output: UnsafeMutablePointer<UInt8>) -> Int {
        Int(weir_base64_quads(bytes, UInt(count), output))
    }
}

/// Hexadecimal digits, two for a byte.
enum HexDigits: DigitAlphabet {
    static let label = "hex"
    static var values: UnsafePointer<UInt8> { weir_hex_digits() }
    static let perUnit = 2
    static let bits: UInt32 = 4
    static let bytesPerUnit = 1

    static func units(_ bytes: UnsafePointer<UInt8>, _ count: Int, _ output: UnsafeMutablePointer<UInt8>) -> Int {
        Int(weir_hex_pairs(bytes, UInt(count), output))
    }
}

/// Runs of digits, across line breaks as MIME (RFC 2045 section 6.8) and PEM make them.
///
/// ```
///   outside ─16 digits─▶ inside ─line break─▶ folding ─digit─▶ inside
///      ▲                    │ anything else      │ anything else
///      └────────────────────┴────────────────────┘
/// ```
struct DigitRuns<Alphabet: DigitAlphabet>: RunMachine {
    private enum State: Equatable { case outside, gathering, inside, folding(Int) }

    private var state = State.outside
    /// First digits of what may be a run, from `from` on.
    private var gathered: [UInt8] = []
    private var from: UInt64 = 0
    /// Digits of a unit that is not whole, from `unitFrom` on.
    private var unit: UInt32 = 0
    private var count = 0
    private var unitFrom: UInt64 = 0
    /// The next so many units say where they came from.
    private var marksDue = 0

    private static var digitsMin: Int { Int(WEIR_RUN_LEAST) }
    private static var digitsSure: Int { Int(WEIR_RUN_SURE) }
    /// White space in which a line break is taken for one within a run.
    private static var blanksMax: Int { 16 }
    private static var pace: OffsetMap.Pace {
        OffsetMap.Pace(raw: UInt64(Alphabet.perUnit), decoded: UInt64(Alphabet.bytesPerUnit))
    }

    static var label: String { Alphabet.label }
    static func joins(_ byte: UInt8) -> Bool { Alphabet.values[Int(byte)] != 255 }

    var openFrom: UInt64? {
        if state == .gathering { return from }
        return count > 0 ? unitFrom : nil
    }

    var isIdle: Bool { state == .outside }
    var isInside: Bool { state != .outside && state != .gathering }

    /// Where a run begins in what is new from `from` on, or the end. `has`: there is a sign of one. The machine must not be
    /// inside one.
    func firstRun(_ bytes: UnsafeRawBufferPointer, _ from: Int, has: Bool) -> Int {
        if !has, gathered.isEmpty { return bytes.count }
        guard gathered.count <= from, let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return from }
        var begins: Int32 = 0
        let at = weir_next_run(base, UInt(bytes.count), UInt(from - gathered.count), Alphabet.values, &begins)
        return begins == 0 ? bytes.count : max(Int(at), from)
    }

    /// Goes on at `end`, before which none begins; the first of the bytes is at `offset` of the text.
    mutating func pass(_ bytes: UnsafeRawBufferPointer, _ from: Int, _ end: Int, offset: UInt64) {
        let first = from - gathered.count
        var at = end
        while at > first, Self.joins(bytes[at - 1]) { at -= 1 }
        gathered.removeAll(keepingCapacity: true)
        gathered.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<end]))
        (state, self.from) = (gathered.isEmpty ? .outside : .gathering, offset + UInt64(at))
    }

    mutating func step(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, offset: UInt64, ended: Bool, into decoded: inout Decoded
    ) -> RunStep {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return nothingMore(ended, &decoded) }
        while true {
            switch state {
            case .outside:
                var begins: Int32 = 0
                at = Int(weir_next_run(base, UInt(bytes.count), UInt(at), Alphabet.values, &begins))
                if at == bytes.count { return nothingMore(ended, &decoded) }
                from = offset + UInt64(at)
                if begins != 0 { return begin() }
                state = .gathering
                gathered.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at...]))
                at = bytes.count
                return nothingMore(ended, &decoded)
            case .gathering:
                let isLong = gathered.count >= Self.digitsMin
                let enough = isLong ? Self.digitsSure : Self.digitsMin
                while at < bytes.count, gathered.count < enough, Alphabet.values[Int(base[at])] != 255 {
                    gathered.append(base[at])
                    at += 1
                }
                if gathered.count == enough, isLong || isOfText { return begin() }
                if at == bytes.count { return nothingMore(ended, &decoded) }
                if gathered.count < enough { leave() }
            case .inside, .folding:
                if !gathered.isEmpty { spell(&decoded) }
                if at == bytes.count { return nothingMore(ended, &decoded) }
                if !take(base, &at, bytes.count, offset, &decoded) {
                    finish(&decoded)
                    return .ends
                }
            }
        }
    }

    /// The end of what was given, and of the text where it has `ended`.
    private mutating func nothingMore(_ ended: Bool, _ decoded: inout Decoded) -> RunStep {
        guard ended else { return .starved }
        guard isInside else {
            leave()
            return .starved
        }
        finish(&decoded)
        return .ends
    }

    private mutating func begin() -> RunStep {
        (state, marksDue, unit, count) = (.inside, 1, 0, 0)
        return .begins(from)
    }

    private var isOfText: Bool {
        gathered.withUnsafeBufferPointer { digits in
            digits.baseAddress.map { weir_spells_text($0, Alphabet.values) != 0 } ?? false
        }
    }

    private mutating func leave() {
        state = .outside
        gathered.removeAll(keepingCapacity: true)
    }

    /// The first digits of a run, which are whole units.
    private mutating func spell(_ decoded: inout Decoded) {
        let digits = gathered
        gathered.removeAll(keepingCapacity: true)
        digits.withUnsafeBufferPointer { digits in
            guard let base = digits.baseAddress else { return }
            spell(base, digits.count, from, &decoded)
        }
    }

    /// Units decoded at once, on the stack.
    private static var unitsMost: Int { 256 }

    /// Whole units; answers how many digits they had.
    @discardableResult
    private mutating func spell(
        _ base: UnsafePointer<UInt8>, _ available: Int, _ offset: UInt64, _ decoded: inout Decoded
    ) -> Int {
        var at = 0
        while true {
            let most = min((available - at) / Alphabet.perUnit, Self.unitsMost)
            if most == 0 { return at }
            let known = decoded.count
            let units = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: most * Alphabet.bytesPerUnit) {
                output in
                let units = output.baseAddress.map { Alphabet.units(base + at, most * Alphabet.perUnit, $0) } ?? 0
                decoded.bytes.append(
                    contentsOf: UnsafeBufferPointer(rebasing: output[..<(units * Alphabet.bytesPerUnit)]))
                return units
            }
            if units > 0, marksDue > 0 {
                decoded.map.mark(raw: offset, decoded: known, pace: Self.pace)
                marksDue = 0
            }
            at += units * Alphabet.perUnit
            if units < most { return at }
        }
    }

    /// Reads on; false where the run ends before `at`.
    private mutating func take(
        _ base: UnsafePointer<UInt8>, _ at: inout Int, _ end: Int, _ offset: UInt64, _ decoded: inout Decoded
    ) -> Bool {
        if count == 0, state == .inside {
            at += spell(base + at, end - at, offset + UInt64(at), &decoded)
            if at == end { return true }
        }
        let byte = base[at]
        let value = Alphabet.values[Int(byte)]
        if value != 255 {
            if state != .inside, count == 0 {
                state = .inside
                return true
            }
            state = .inside
            if count == 0 { unitFrom = offset + UInt64(at) }
            unit = unit << Alphabet.bits | UInt32(value)
            count += 1
            at += 1
            if count == Alphabet.perUnit { emit(Alphabet.bytesPerUnit, &decoded) }
            return true
        }
        switch (state, byte) {
        case (.inside, UInt8(ascii: "\r")), (.inside, UInt8(ascii: "\n")):
            state = .folding(1)
            // The unit that is broken, and the one behind it.
            marksDue = count > 0 ? 2 : 1
        case (.folding(let blanks), UInt8(ascii: "\r")), (.folding(let blanks), UInt8(ascii: "\n")),
            (.folding(let blanks), UInt8(ascii: " ")), (.folding(let blanks), UInt8(ascii: "\t")):
            if blanks == Self.blanksMax { return false }
            state = .folding(blanks + 1)
        default: return false
        }
        at += 1
        return true
    }

    /// The first bytes of the unit.
    private mutating func emit(_ bytes: Int, _ decoded: inout Decoded) {
        if marksDue > 0 {
            decoded.mark(unitFrom, Self.pace)
            marksDue -= 1
        }
        let bits = UInt32(count) * Alphabet.bits
        for index in 0..<bytes {
            decoded.bytes.append(UInt8(truncatingIfNeeded: unit >> (bits - 8 * UInt32(index + 1))))
        }
        (unit, count) = (0, 0)
    }

    /// The run ends, perhaps within a unit.
    private mutating func finish(_ decoded: inout Decoded) {
        emit(count * Int(Alphabet.bits) / 8, &decoded)
        leave()
    }
}
