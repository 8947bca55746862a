/// Numbers of Sweden, Norway, Denmark, Finland, Iceland and the Baltic states.
enum NorthEurope {
    static let entries: [Validator.Entry] = [
        .number("pnr-se", personSE),
        .number("orgnr-se") { $0.isDigits(10) && $0[2] >= 2 && $0.isLuhn },
        .number("vat-se", valueAddedTaxSE),
        .number("fnr-no", personNO),
        .number("orgnr-no") { $0.isDigits(9) && $0[0] >= 8 && $0.sum([3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0 },
        .number("cpr-dk", personDK),
        .number("cvr-dk", valueAddedTaxDK),
        .number("hetu-fi", personFI),
        .number("alv-fi", valueAddedTaxFI),
        .number("kennitala-is", personIS),
        .number("ik-ee", personBaltic),
        .number("pk-lv", personLV),
    ]

    // MARK: Sweden

    /// With or without the century; days from 61 on are of people who are not in the register.
    private static func personSE(_ n: Number) -> Bool {
        guard n.letters == 0, n.count == 10 || n.count == 12 else { return false }
        let at = n.count - 10
        if at == 2, !(18...20).contains(n.value(0, 2)) { return false }
        let day = n.value(at + 4, at + 6)
        return Number.isDay(2000 + n.value(at, at + 2), n.value(at + 2, at + 4), day > 60 ? day - 60 : day)
            && n.luhn(at, n.count) == 0
    }

    private static func valueAddedTaxSE(_ n: Number) -> Bool {
        n.count == 14 && n.begins("SE") && n.hasDigits(2, 14) && n.value(12, 14) == 1 && n.luhn(2, 12) == 0
    }

    // MARK: Norway and Denmark

    /// Days and months from 41 on are of people who are not in the register.
    private static func personNO(_ n: Number) -> Bool {
        guard n.isDigits(11), n.sum([3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 == 0,
            n.sum([5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
        else { return false }
        let (day, month, year) = (n.value(0, 2), n.value(2, 4), n.value(4, 6))
        // The number that follows the day says the century, and not every one was given out in each.
        let century: Int
        switch n.value(6, 9) {
        case 0...499: century = 1900
        case 500...749 where year >= 54: century = 1800
        case 500...999 where year < 40: century = 2000
        case 900...999: century = 1900
        default: return false
        }
        return Number.isDay(century + year, month > 40 ? month - 40 : month, day > 40 ? day - 40 : day)
    }

    /// The seventh digit and the year say the century; there is no check digit since 2007.
    private static func personDK(_ n: Number) -> Bool {
        guard n.isDigits(10) else { return false }
        let year = n.value(4, 6)
        let century: Int
        switch n[6] {
        case 0...3: century = 1900
        case 4, 9: century = year < 37 ? 2000 : 1900
        default: century = year < 58 ? 2000 : 1800
        }
        return Number.isDay(century + year, n.value(2, 4), n.value(0, 2))
    }

    private static func valueAddedTaxDK(_ n: Number) -> Bool {
        guard n.count == 10, n.begins("DK"), n.hasDigits(2, 10), n[2] != 0 else { return false }
        return n.sum([2, 7, 6, 5, 4, 3, 2, 1], from: 2) % 11 == 0
    }

    // MARK: Finland and Iceland

    /// Birthday, sign of the century, number, control character. The sign may be a letter, which is counted, or not.
    private static func personFI(_ n: Number) -> Bool {
        guard n.count == 10 || n.count == 11, n.hasDigits(0, 6) else { return false }
        let at = n.count - 4
        if at == 7, !"ABCDEFYXWVU".utf8.contains(n.symbol(6)) { return false }
        guard n.hasDigits(at, at + 3), Number.isDay(2000 + n.value(4, 6), n.value(2, 4), n.value(0, 2)) else {
            return false
        }
        let number = n.value(at, at + 3)
        guard (2...899).contains(number) else { return false }
        let letters: StaticString = "0123456789ABCDEFHJKLMNPRSTUVWXY"
        return letters.utf8Start[(n.value(0, 6) * 1000 + number) % 31] == n.symbol(at + 3)
    }

    private static func valueAddedTaxFI(_ n: Number) -> Bool {
        guard n.count == 10, n.begins("FI"), n.hasDigits(2, 10) else { return false }
        return n.sum([7, 9, 10, 5, 8, 4, 2, 1], from: 2) % 11 == 0
    }

    /// The last digit is the century; days from 41 on are of companies.
    private static func personIS(_ n: Number) -> Bool {
        guard n.isDigits(10), n[9] == 9 || n[9] == 0 else { return false }
        let day = n.value(0, 2)
        let year = n.value(4, 6) + (n[9] == 9 ? 1900 : 2000)
        guard Number.isDay(year, n.value(2, 4), day >= 40 ? day - 40 : day) else { return false }
        return n.sum([3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
    }

    // MARK: Baltic states

    /// Of Estonia and Lithuania, which share one plan.
    private static func personBaltic(_ n: Number) -> Bool {
        guard n.isDigits(11), (1...8).contains(n[0]) else { return false }
        let year = 1800 + (n[0] - 1) / 2 * 100 + n.value(1, 3)
        guard Number.isDay(year, n.value(3, 5), n.value(5, 7)) else { return false }
        var check = n.sum([1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11
        if check == 10 { check = n.sum([3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 }
        return check % 10 == n[10]
    }

    /// Birthday and century, or since 2017 the digits 32 and nothing of the person.
    private static func personLV(_ n: Number) -> Bool {
        guard n.isDigits(11), n[0] <= 3 else { return false }
        if n.value(0, 2) != 32 {
            let year = n.value(4, 6) + 1800 + n[6] * 100
            guard n[6] <= 2, Number.isDay(year, n.value(2, 4), n.value(0, 2)) else { return false }
        }
        return (1 + n.sum([10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10 == n[10]
    }
}
