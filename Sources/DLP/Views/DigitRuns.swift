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

    /// No run is shorter.
    private static var digitsMin: Int { 16 }
    /// Names, paths and words have many digits, too: what does not spell text is a run if it is as long as this.
    private static var digitsSure: Int { 64 }
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

    mutating func shift(by count: UInt64) {
        from -= min(count, from)
        unitFrom -= min(count, unitFrom)
    }

    mutating func step(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, offset: UInt64, ended: Bool, into decoded: inout Decoded
    ) -> RunStep {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return nothingMore(ended, &decoded) }
        while true {
            switch state {
            case .outside:
                let start = Int(weir_find_run(base, UInt(bytes.count), UInt(at), Alphabet.values))
                at = start
                if start == bytes.count { return .starved }
                (state, from) = (.gathering, offset + UInt64(start))
            case .gathering:
                let isLong = gathered.count >= Self.digitsMin
                let enough = isLong ? Self.digitsSure : Self.digitsMin
                while at < bytes.count, gathered.count < enough, Alphabet.values[Int(base[at])] != 255 {
                    gathered.append(base[at])
                    at += 1
                }
                if gathered.count == enough, isLong || isOfText {
                    (state, marksDue, unit, count) = (.inside, 1, 0, 0)
                    return .begins(from)
                }
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

    /// The first digits spell mostly ASCII.
    private var isOfText: Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.digitsMin) { output in
            guard let out = output.baseAddress else { return false }
            let units = gathered.withUnsafeBufferPointer { digits in
                digits.baseAddress.map { Alphabet.units($0, Self.digitsMin, out) } ?? 0
            }
            let count = units * Alphabet.bytesPerUnit
            var others = 0
            for byte in output[..<count] {
                if byte >= 0x80 { others += 1 }
                let isControl = byte < 0x20 && byte != 0 && !(9...13).contains(byte) || byte == 0x7f
                if isControl { return false }
            }
            return others * 3 <= count
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

    /// Whole units; answers how many digits they had.
    @discardableResult
    private mutating func spell(
        _ base: UnsafePointer<UInt8>, _ available: Int, _ offset: UInt64, _ decoded: inout Decoded
    ) -> Int {
        let most = available / Alphabet.perUnit * Alphabet.bytesPerUnit
        if most == 0 { return 0 }
        let known = decoded.bytes.count
        let units = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: most) { output in
            let units = output.baseAddress.map { Alphabet.units(base, available, $0) } ?? 0
            decoded.bytes.append(contentsOf: output[..<(units * Alphabet.bytesPerUnit)])
            return units
        }
        if units > 0, marksDue > 0 {
            decoded.map.mark(raw: offset, decoded: decoded.read + UInt64(known), pace: Self.pace)
            marksDue = 0
        }
        return units * Alphabet.perUnit
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
