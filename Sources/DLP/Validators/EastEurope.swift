/// Numbers of Poland, Czechia and Slovakia, Hungary, Romania, Bulgaria, Croatia, Slovenia and its neighbours, Greece, Turkey,
/// Ukraine and Russia.
enum EastEurope {
    static let entries: [Validator.Entry] = [
        .number("pesel-pl", personPL),
        .number("nip-pl") { isTaxPL($0, from: $0.begins("PL") ? 2 : 0) },
        .number("regon-pl", companyPL),
        .number("rc-cz", personCZ),
        .number("adoszam-hu") {
            $0.isDigits(8) || $0.isDigits(11) ? $0.sum([9, 7, 3, 1, 9, 7, 3, 1]) % 10 == 0 : false
        },
        .number("cnp-ro", personRO),
        .number("cui-ro", companyRO),
        .number("egn-bg", personBG),
        .number("oib-hr") { $0.isDigits(11) && $0.mod1110(0, 11) == 1 },
        .number("emso-si", personSI),
        .number("vat-si", valueAddedTaxSI),
        .number("amka-gr") { $0.isDigits(11) && $0.isLuhn && $0.value(2, 4) != 0 && isDayGR($0) },
        .number("vat-gr", valueAddedTaxGR),
        .number("kimlik-tr", personTR),
        .number("rntrc-ua", taxUA),
        .number("inn-ru", taxRU),
    ]

    // MARK: Poland

    /// The century is in the month: 80 is added for 18xx, 20 for 20xx.
    private static func personPL(_ n: Number) -> Bool {
        guard n.isDigits(11), n.sum([1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0 else { return false }
        let month = n.value(2, 4)
        let centuries: [5 of Int] = [1900, 2000, 2100, 2200, 1800]
        return Number.isDay(centuries[month / 20] + n.value(0, 2), month % 20, n.value(4, 6))
    }

    private static func isTaxPL(_ n: Number, from: Int) -> Bool {
        guard n.count == from + 10, n.hasDigits(from, from + 10), n[from] != 0 else { return false }
        return n.sum([6, 5, 7, 2, 3, 4, 5, 6, 7, -1], from: from) % 11 == 0
    }

    private static func companyPL(_ n: Number) -> Bool {
        guard n.isDigits(9) || n.isDigits(14), n.sum([8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10 == n[8] else { return false }
        return n.count == 9 || n.sum([2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8]) % 11 % 10 == n[13]
    }

    // MARK: Czechia, Slovakia, Hungary

    /// Women have 50 added to the month; 20 more where a day had too many births.
    private static func personCZ(_ n: Number) -> Bool {
        guard n.isDigits(9) || n.isDigits(10) else { return false }
        var year = 1900 + n.value(0, 2)
        if n.count == 9 {
            if year >= 1980 { year -= 100 }
            if year > 1953 { return false }
        } else if year < 1954 {
            year += 100
        }
        guard Number.isDay(year, n.value(2, 4) % 50 % 20, n.value(4, 6)) else { return false }
        return n.count == 9 || n.value(0, 9) % 11 % 10 == n[9]
    }

    // MARK: Romania and Bulgaria

    private static func personRO(_ n: Number) -> Bool {
        guard n.isDigits(13), n[0] != 0 else { return false }
        let centuries: [9 of Int] = [1900, 1900, 1800, 1800, 2000, 2000, 1900, 1900, 1900]
        guard Number.isDay(centuries[n[0] - 1] + n.value(1, 3), n.value(3, 5), n.value(5, 7)) else { return false }
        switch n.value(7, 9) {
        case 1...48, 51, 52, 70, 80...83: break
        default: return false
        }
        let check = n.sum([2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11
        return n[12] == (check == 10 ? 1 : check)
    }

    /// With its prefix: two to ten digits.
    private static func companyRO(_ n: Number) -> Bool {
        guard n.begins("RO"), (4...12).contains(n.count), n.hasDigits(2, n.count), n[2] != 0 else { return false }
        let weights: [9 of Int] = [7, 5, 3, 2, 1, 7, 5, 3, 2]
        var sum = 0
        let digits = n.count - 3
        for at in 0..<digits { sum += n[2 + at] * weights[9 - digits + at] }
        return sum * 10 % 11 % 10 == n[n.count - 1]
    }

    /// The century is in the month: 20 is added for 18xx, 40 for 20xx.
    private static func personBG(_ n: Number) -> Bool {
        guard n.isDigits(10) else { return false }
        let month = n.value(2, 4)
        let century = month > 40 ? 2000 : month > 20 ? 1800 : 1900
        guard
            Number.isDay(
                century + n.value(0, 2), month > 40 ? month - 40 : month > 20 ? month - 20 : month, n.value(4, 6))
        else { return false }
        return n.sum([2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == n[9]
    }

    // MARK: Slovenia and Greece

    /// Of all successors of Yugoslavia.
    private static func personSI(_ n: Number) -> Bool {
        guard n.isDigits(13) else { return false }
        let year = n.value(4, 7)
        guard Number.isDay(year < 800 ? 2000 + year : 1000 + year, n.value(2, 4), n.value(0, 2)) else { return false }
        return n.sum([7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
            || n[12] == 0 && n.sum([7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 == 1
    }

    private static func valueAddedTaxSI(_ n: Number) -> Bool {
        guard n.count == 10, n.begins("SI"), n.hasDigits(2, 10), n[2] != 0 else { return false }
        let check = 11 - n.sum([8, 7, 6, 5, 4, 3, 2], from: 2) % 11
        return check == 10 ? n[9] == 0 : check == n[9]
    }

    private static func isDayGR(_ n: Number) -> Bool {
        let year = n.value(4, 6)
        return Number.isDay(1900 + year, n.value(2, 4), n.value(0, 2))
            || Number.isDay(2000 + year, n.value(2, 4), n.value(0, 2))
    }

    private static func valueAddedTaxGR(_ n: Number) -> Bool {
        guard n.count == 11, n.begins("EL") || n.begins("GR"), n.hasDigits(2, 11), n.value(2, 11) != 0 else {
            return false
        }
        return n.sum([256, 128, 64, 32, 16, 8, 4, 2], from: 2) % 11 % 10 == n[10]
    }

    // MARK: Turkey, Ukraine and Russia

    private static func personTR(_ n: Number) -> Bool {
        guard n.isDigits(11), n[0] != 0 else { return false }
        let first = (10 - n.sum([3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10
        return n[9] == first && n[10] == n.sum([1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) % 10
    }

    private static func taxUA(_ n: Number) -> Bool {
        guard n.isDigits(10) else { return false }
        let sum = n.sum([-1, 5, 7, 9, 4, 6, 10, 5, 7])
        return (sum % 11 + 11) % 11 % 10 == n[9]
    }

    /// Ten digits of a company, twelve of a person.
    private static func taxRU(_ n: Number) -> Bool {
        if n.isDigits(10) { return n.sum([2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == n[9] }
        guard n.isDigits(12), n.sum([7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == n[10] else { return false }
        return n.sum([3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == n[11]
    }
}
