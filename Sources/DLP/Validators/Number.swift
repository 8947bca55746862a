/// The digits and letters of a match, whatever stands between them, and the sums that number plans are made of.
///
/// A value without an allocation: validators run on the path of every byte.
struct Number {
    /// No plan here is longer: an IBAN has 34.
    static let symbolsMax = 40

    private var values = InlineArray<40, UInt8>(repeating: 0)
    private(set) var count = 0
    private(set) var letters = 0

    /// Digits as 0 to 9, letters of either case as 10 to 35. Nil where there are more than any plan has.
    init?(_ match: UnsafeRawBufferPointer) {
        for byte in match {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A") + 10
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 10
            default: continue
            }
            guard count < Number.symbolsMax else { return nil }
            values[count] = value
            count += 1
            if value > 9 { letters += 1 }
        }
    }

    /// Without its letters.
    var digits: Number {
        if letters == 0 { return self }
        var digits = self
        (digits.count, digits.letters) = (0, 0)
        for at in 0..<count where values[at] <= 9 {
            digits.values[digits.count] = values[at]
            digits.count += 1
        }
        return digits
    }

    subscript(_ at: Int) -> Int { Int(values[at]) }

    /// The letter or digit at a place, as upper-case ASCII.
    func symbol(_ at: Int) -> UInt8 { values[at] > 9 ? values[at] - 10 + UInt8(ascii: "A") : values[at] + 0x30 }

    /// Digits alone, so many of them.
    func isDigits(_ length: Int) -> Bool { letters == 0 && count == length }

    func hasDigits(_ from: Int, _ to: Int) -> Bool {
        for at in from..<to where values[at] > 9 { return false }
        return true
    }

    /// The digits `from..<to` as one number.
    func value(_ from: Int, _ to: Int) -> Int {
        var value = 0
        for at in from..<to { value = value * 10 + self[at] }
        return value
    }

    func set(_ at: Int, _ value: Int) -> Number {
        var changed = self
        changed.values[at] = UInt8(truncatingIfNeeded: value)
        return changed
    }

    func begins(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for at in 0..<text.utf8CodeUnitCount where symbol(at) != text.utf8Start[at] { return false }
        return true
    }

    var allSame: Bool {
        for at in 1..<max(count, 1) where values[at] != values[0] { return false }
        return true
    }

    // MARK: Check digits

    /// Each value times its weight, from `from` on.
    func sum<let n: Int>(_ weights: [n of Int], from: Int = 0) -> Int {
        var sum = 0
        for at in 0..<n { sum += self[from + at] * weights[at] }
        return sum
    }

    /// Luhn's sum of the digits `from..<to`, the last of which is the check digit: ISO/IEC 7812-1 annex B.
    func luhn(_ from: Int, _ to: Int) -> Int {
        var sum = 0
        var isDoubled = false
        for at in stride(from: to - 1, through: from, by: -1) {
            let digit = self[at]
            sum += isDoubled ? (digit < 5 ? digit * 2 : digit * 2 - 9) : digit
            isDoubled.toggle()
        }
        return sum % 10
    }

    var isLuhn: Bool { letters == 0 && count > 1 && luhn(0, count) == 0 }

    /// Luhn's sum over digits and letters, each of `base` values.
    func luhn(base: Int) -> Int {
        var sum = 0
        for at in 0..<count {
            let value = self[count - 1 - at] * (at % 2 + 1)
            sum += value / base + value % base
        }
        return sum % base
    }

    /// ISO/IEC 7064 MOD 11,10 of the digits `from..<to`: 1 where they are right.
    func mod1110(_ from: Int, _ to: Int) -> Int {
        var check = 5
        for at in from..<to { check = ((check == 0 ? 10 : check) * 2 % 11 + self[at]) % 10 }
        return check
    }

    /// ISO/IEC 7064 MOD 97-10: letters count as two digits. `rotated` symbols are taken from the front to the end.
    func mod97(rotated: Int = 0) -> Int {
        var rest = 0
        for at in 0..<count {
            let value = self[(at + rotated) % count]
            rest = (rest * (value > 9 ? 100 : 10) + value) % 97
        }
        return rest
    }

    /// The sum of Verhoeff: 0 where the last digit is right.
    var verhoeff: Int {
        var check = 0
        for at in 0..<count {
            check = Number.multiplied(check, Number.permuted(self[count - 1 - at], times: at % 8))
        }
        return check
    }

    /// In the dihedral group of order ten.
    private static func multiplied(_ a: Int, _ b: Int) -> Int {
        switch (a < 5, b < 5) {
        case (true, true): (a + b) % 5
        case (true, false): 5 + (a + b) % 5
        case (false, true): 5 + (a - b) % 5
        case (false, false): (a - b + 5) % 5
        }
    }

    private static func permuted(_ digit: Int, times: Int) -> Int {
        let permutation: [10 of Int] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
        var digit = digit
        for _ in 0..<times { digit = permutation[digit] }
        return digit
    }

    // MARK: Dates

    /// Whether there is such a day. Where the century is unknown, `year` is that of a leap year's century: 2000.
    static func isDay(_ year: Int, _ month: Int, _ day: Int) -> Bool {
        guard (1...12).contains(month), day > 0 else { return false }
        let lengths: [12 of Int] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return day <= lengths[month - 1] + (month == 2 && isLeap ? 1 : 0)
    }

    /// Two digits of year, month and day from `at` on, of any century.
    func isDay(yearMonthDay at: Int) -> Bool {
        Number.isDay(2000 + value(at, at + 2), value(at + 2, at + 4), value(at + 4, at + 6))
    }
}
