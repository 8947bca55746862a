/// Checks beyond what an expression can say: checksums, number ranges, number plans. Named in patterns.
public enum Validator: String, Sendable, CaseIterable {
    case luhn
    case card
    case ssnUS = "ssn-us"
    case nir

    public static func named(_ name: String) -> Validator? { Validator(rawValue: name) }
    public static var names: [String] { allCases.map(\.rawValue) }

    /// Bytes that `mayBegin` looks at.
    static let leadBytes = 2

    /// False where no match that begins with these bytes is accepted: then the expression need not be asked.
    func mayBegin(_ first: UInt8, _ second: UInt8) -> Bool {
        self == .card ? PaymentCard.mayBegin(first, second) : true
    }

    func accepts(_ match: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .luhn: Digits(match).map { $0.count > 1 && $0.luhn } ?? false
        case .card: PaymentCard.accepts(match)
        case .ssnUS: SocialSecurityUS.accepts(match)
        case .nir: SocialSecurityFR.accepts(match)
        }
    }
}

/// The decimal digits of a match, whatever stands between them. At most 24, which no number plan here reaches.
struct Digits {
    private var values = InlineArray<24, UInt8>(repeating: 0)
    private(set) var count = 0

    init?(_ match: UnsafeRawBufferPointer) {
        for byte in match where byte &- 0x30 < 10 {
            guard count < 24 else { return nil }
            values[count] = byte - 0x30
            count += 1
        }
    }

    subscript(_ at: Int) -> Int { Int(values[at]) }

    /// The digits `from..<to` as one number.
    func number(_ from: Int, _ to: Int) -> Int {
        var value = 0
        for at in from..<to { value = value * 10 + self[at] }
        return value
    }

    /// ISO/IEC 7812-1 annex B.
    var luhn: Bool {
        var sum = 0
        for at in 0..<count {
            let digit = self[count - 1 - at]
            sum += at % 2 == 0 ? digit : digit < 5 ? digit * 2 : digit * 2 - 9
        }
        return sum % 10 == 0
    }

    var allSame: Bool {
        for at in 1..<max(count, 1) where self[at] != self[0] { return false }
        return true
    }
}

/// United States Social Security numbers: what the Social Security Administration never gives out is refused.
enum SocialSecurityUS {
    /// Numbers printed in advertisements and documentation.
    private static let printed: [Int] = [78_05_1120, 457_55_5462, 219_09_9999, 123_45_6789]

    static func accepts(_ match: UnsafeRawBufferPointer) -> Bool {
        guard let digits = Digits(match), digits.count == 9, !digits.allSame else { return false }
        let (area, group, serial) = (digits.number(0, 3), digits.number(3, 5), digits.number(5, 9))
        // 900-999 are taxpayer numbers, 987-65-432x among them an advertisement's.
        if area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 { return false }
        return !printed.contains(digits.number(0, 9))
    }
}

/// French social security numbers (NIR): sex, year, month, department, commune, order, key.
enum SocialSecurityFR {
    static func accepts(_ match: UnsafeRawBufferPointer) -> Bool {
        // Corsica writes its department as 2A or 2B, counted as 19 and 18.
        var plain = InlineArray<15, UInt8>(repeating: 0)
        var count = 0
        var corsica = false
        for byte in match {
            let lower = byte | 0x20
            let letter = lower == UInt8(ascii: "a") || lower == UInt8(ascii: "b")
            guard letter || byte &- 0x30 < 10 else { continue }
            guard count < 15 else { return false }
            if letter {
                guard count == 6, plain[5] == 2 else { return false }
                corsica = true
                plain[5] = 1
                plain[6] = lower == UInt8(ascii: "a") ? 9 : 8
            } else {
                plain[count] = byte - 0x30
            }
            count += 1
        }
        guard count == 15 else { return false }
        func number(_ range: Range<Int>) -> Int { range.reduce(0) { $0 * 10 + Int(plain[$1]) } }
        guard [1, 2, 3, 4, 7, 8].contains(number(0..<1)) else { return false }
        let month = number(3..<5)
        // 20-42 and 50-99 stand for certificates without a known month.
        guard (1...12).contains(month) || (20...42).contains(month) || (50...99).contains(month) else { return false }
        let department = number(5..<7)
        guard corsica || ((1...99).contains(department) && department != 96) else { return false }
        guard number(7..<10) != 0, number(10..<13) != 0 else { return false }
        return number(13..<15) == 97 - number(0..<13) % 97
    }
}
