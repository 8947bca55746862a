/// Numbers of Asia, Australia, New Zealand, Israel and South Africa.
enum AsiaPacific {
    static let entries: [Validator.Entry] = [
        .number("aadhaar-in", personIN),
        .number("pan-in", taxIN),
        .number("gstin-in", companyIN),
        .number("ric-cn", personCN),
        .number("rrn-kr", personKR),
        .number("brn-kr", companyKR),
        .number("mynumber-jp") {
            $0.isDigits(12) && (11 - $0.sum([6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10 == $0[11]
        },
        .number("id-tw", personTW),
        .number("hkid-hk", personHK),
        .number("nric-sg", personSG),
        .number("nric-my") { $0.isDigits(12) && $0.isDay(yearMonthDay: 0) && isPlaceMY($0.value(6, 8)) },
        .number("nik-id", personID),
        .number("pin-th", personTH),
        .number("tfn-au") { $0.isDigits(9) && $0.sum([1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0 },
        .number("abn-au", companyAU),
        .number("acn-au") { $0.isDigits(9) && $0.sum([8, 7, 6, 5, 4, 3, 2, 1, 1]) % 10 == 0 },
        .number("medicare-au", medicareAU),
        .number("ird-nz", taxNZ),
        .number("id-il") { $0.isDigits(9) && $0.value(0, 9) != 0 && $0.isLuhn },
        .number("id-za") { $0.isDigits(13) && $0.isDay(yearMonthDay: 0) && $0[10] <= 1 && $0.isLuhn },
    ]

    // MARK: India

    /// Never a palindrome.
    private static func personIN(_ n: Number) -> Bool {
        guard n.isDigits(12), n[0] >= 2, n.verhoeff == 0 else { return false }
        for at in 0..<6 where n[at] != n[11 - at] { return true }
        return false
    }

    private static func taxIN(_ n: Number) -> Bool { n.count == 10 && isTaxIN(n, from: 0) }

    /// Five letters, the fourth of which says who it is, four digits, a letter.
    private static func isTaxIN(_ n: Number, from: Int) -> Bool {
        for at in from..<from + 5 where n[at] < 10 { return false }
        guard n.hasDigits(from + 5, from + 9), n.value(from + 5, from + 9) != 0, n[from + 9] > 9 else { return false }
        return "ABCFGHLJPTK".utf8.contains(n.symbol(from + 3))
    }

    private static func companyIN(_ n: Number) -> Bool {
        guard n.count == 15, n.hasDigits(0, 2), (1...37).contains(n.value(0, 2)), isTaxIN(n, from: 2) else {
            return false
        }
        guard n[12] != 0, n.symbol(13) == UInt8(ascii: "Z") else { return false }
        return n.luhn(base: 36) == 0
    }

    // MARK: East Asia

    /// Place, birthday, order, ISO 7064 MOD 11-2.
    private static func personCN(_ n: Number) -> Bool {
        guard n.count == 18, n.hasDigits(0, 17), isProvinceCN(n.value(0, 2)) else { return false }
        let year = n.value(6, 10)
        guard (1800...2100).contains(year), Number.isDay(year, n.value(10, 12), n.value(12, 14)) else { return false }
        let check = (12 - n.sum([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11) % 11
        return check == 10 ? n.symbol(17) == UInt8(ascii: "X") : n[17] == check
    }

    /// GB/T 2260, with Taiwan, Hong Kong, Macau, and 91 for people from abroad.
    private static func isProvinceCN(_ place: Int) -> Bool {
        switch place {
        case 11...15, 21...23, 31...37, 41...46, 50...54, 61...65, 71, 81, 82, 91: true
        default: false
        }
    }

    private static func personKR(_ n: Number) -> Bool {
        guard n.isDigits(13), n.value(7, 9) <= 96 else { return false }
        let centuries: [10 of Int] = [1800, 1900, 1900, 2000, 2000, 1900, 1900, 2000, 2000, 1800]
        guard Number.isDay(centuries[n[6]] + n.value(0, 2), n.value(2, 4), n.value(4, 6)) else { return false }
        return (11 - n.sum([2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10 == n[12]
    }

    /// The ninth digit is counted five times, in both of its digits.
    private static func companyKR(_ n: Number) -> Bool {
        guard n.isDigits(10), n.value(0, 3) > 100, n.value(3, 5) != 0, n.value(5, 9) != 0 else { return false }
        return (n.sum([1, 3, 7, 1, 3, 7, 1, 3, 5]) + n[8] * 5 / 10 + n[9]) % 10 == 0
    }

    /// A letter that stands for two digits, sex, number, check digit.
    private static func personTW(_ n: Number) -> Bool {
        guard n.count == 10, n[0] > 9, n.hasDigits(1, 10), n[1] == 1 || n[1] == 2 || n[1] == 8 || n[1] == 9 else {
            return false
        }
        let order: StaticString = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
        var value = 0
        for at in 0..<26 where order.utf8Start[at] == n.symbol(0) { value = at + 10 }
        return (value / 10 + value % 10 * 9 + n.sum([8, 7, 6, 5, 4, 3, 2, 1, 1], from: 1)) % 10 == 0
    }

    /// One or two letters, six digits, a check digit or A.
    private static func personHK(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 9, n.hasDigits(n.count - 7, n.count - 1) else { return false }
        for at in 0..<n.count - 7 where n[at] < 10 { return false }
        // A single letter has a blank before it, which counts 36.
        var sum = n.count == 8 ? 36 * 9 : 0
        for at in 0..<n.count { sum += n[at] * (n.count - at) }
        return sum % 11 == 0 && n[n.count - 1] <= 10
    }

    private static func personSG(_ n: Number) -> Bool {
        guard n.count == 9, n.hasDigits(1, 8), n[8] > 9 else { return false }
        var sum = n.sum([2, 7, 6, 5, 4, 3, 2], from: 1)
        let letters: StaticString
        switch n.symbol(0) {
        case UInt8(ascii: "S"): letters = "JZIHGFEDCBA"
        case UInt8(ascii: "T"): (letters, sum) = ("JZIHGFEDCBA", sum + 4)
        case UInt8(ascii: "F"): letters = "XWUTRQPNMLK"
        case UInt8(ascii: "G"): (letters, sum) = ("XWUTRQPNMLK", sum + 4)
        case UInt8(ascii: "M"): (letters, sum) = ("KLJNPQRTUWX", sum + 3)
        default: return false
        }
        if n.symbol(0) == UInt8(ascii: "M") { return letters.utf8Start[10 - sum % 11] == n.symbol(8) }
        return letters.utf8Start[sum % 11] == n.symbol(8)
    }

    // MARK: South-East Asia

    private static func isPlaceMY(_ place: Int) -> Bool {
        switch place {
        case 1...16, 21...68, 71, 72, 74...79, 82...93, 98, 99: true
        default: false
        }
    }

    /// Women have 40 added to the day.
    private static func personID(_ n: Number) -> Bool {
        guard n.isDigits(16), n.value(2, 4) != 0, n.value(12, 16) != 0 else { return false }
        // Provinces, by the codes of the Ministry of Home Affairs.
        switch n.value(0, 2) {
        case 11...19, 21, 31...36, 51...53, 61...65, 71...76, 81, 82, 91...97: break
        default: return false
        }
        let day = n.value(6, 8)
        return Number.isDay(2000 + n.value(10, 12), n.value(8, 10), day > 40 ? day - 40 : day)
    }

    private static func personTH(_ n: Number) -> Bool {
        guard n.isDigits(13), n[0] != 0, n[0] != 9 else { return false }
        return (11 - n.sum([13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == n[12]
    }

    // MARK: Australia and New Zealand

    private static func companyAU(_ n: Number) -> Bool {
        guard n.isDigits(11), n.value(0, 2) > 10 else { return false }
        return (n.sum([10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10) % 89 == 0
    }

    private static func medicareAU(_ n: Number) -> Bool {
        guard n.isDigits(10) || n.isDigits(11), (2...6).contains(n[0]), n[9] != 0 else { return false }
        return n.sum([1, 3, 7, 9, 1, 3, 7, 9]) % 10 == n[8]
    }

    private static func taxNZ(_ n: Number) -> Bool {
        guard n.isDigits(8) || n.isDigits(9), (10_000_001..<150_000_000).contains(n.value(0, n.count)) else {
            return false
        }
        // Eight digits are nine with a zero before them.
        let from = n.count - 9
        func check(_ weights: [8 of Int]) -> Int {
            var sum = 0
            for at in max(-from, 0)..<8 { sum += n[from + at] * weights[at] }
            return (11 - sum % 11) % 11
        }
        let first = check([3, 2, 7, 6, 5, 4, 3, 2])
        return (first != 10 ? first : check([7, 4, 3, 2, 5, 2, 7, 6])) == n[n.count - 1]
    }
}
