/// Numbers of the United States.
enum UnitedStates {
    static let entries: [Validator.Entry] = [
        .number("ssn-us", socialSecurity),
        .number("itin-us", taxpayer),
        .number("ein-us", employer),
        .number("aba-us", routing),
        // A provider number is a card number of the issuer 80840, of which it leaves out these digits.
        .number("npi-us") { $0.isDigits(10) && (1...2).contains($0[0]) && ($0.luhn(0, 10) + 24) % 10 == 0 },
        .number("dea-us", prescriber),
        .number("mbi-us", medicare),
    ]

    /// Numbers printed in advertisements and documentation.
    private static func isPrinted(_ number: Int) -> Bool {
        switch number {
        case 78_05_1120, 457_55_5462, 219_09_9999, 123_45_6789: true
        default: false
        }
    }

    /// What the Social Security Administration never gives out is refused (SSA POMS RM 10201.035).
    private static func socialSecurity(_ n: Number) -> Bool {
        guard n.isDigits(9) else { return false }
        let area = n.value(0, 3)
        // 900-999 are taxpayer numbers, 987-65-432x among them an advertisement's.
        if area == 0 || area == 666 || area >= 900 || n.value(3, 5) == 0 || n.value(5, 9) == 0 { return false }
        return !isPrinted(n.value(0, 9))
    }

    private static func taxpayer(_ n: Number) -> Bool {
        guard n.isDigits(9), n[0] == 9 else { return false }
        switch n.value(3, 5) {
        case 50...65, 70...88, 90...92, 94...99: return true
        default: return false
        }
    }

    /// The first two digits are of a campus of the Internal Revenue Service.
    private static func employer(_ n: Number) -> Bool {
        guard n.isDigits(9) else { return false }
        switch n.value(0, 2) {
        case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97: return false
        default: return true
        }
    }

    private static func routing(_ n: Number) -> Bool {
        guard n.isDigits(9), n.sum([3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 == 0 else { return false }
        switch n.value(0, 2) {
        case 1...12, 21...32, 61...72, 80: return true
        default: return false
        }
    }

    private static func prescriber(_ n: Number) -> Bool {
        guard n.count == 9, n.hasDigits(2, 9) else { return false }
        return n.sum([1, 2, 1, 2, 1, 2], from: 2) % 10 == n[8]
    }

    /// The identifier of Medicare: which of its places are letters, and never S, L, O, I, B or Z.
    private static func medicare(_ n: Number) -> Bool {
        guard n.count == 11, n[0] > 0 else { return false }
        for at in 0..<11 {
            let isLetter = n[at] > 9
            switch at {
            case 1, 4, 7, 8: if !isLetter { return false }
            case 2, 5: break
            default: if isLetter { return false }
            }
            if isLetter, "SLOIBZ".utf8.contains(n.symbol(at)) { return false }
        }
        return true
    }
}
