/// Numbers of Great Britain, Ireland, Spain, Portugal, Italy, Germany, Austria, Switzerland, the Netherlands, Belgium and
/// Luxembourg.
enum WestEurope {
    static let entries: [Validator.Entry] = [
        .number("nhs-uk") { $0.isDigits(10) && $0.sum([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0 },
        .number("nino-uk", insuranceUK),
        .number("utr-uk", taxpayerUK),
        .number("vat-uk", valueAddedTaxUK),
        .number("pps-ie", publicServiceIE),
        .number("dni-es", personES),
        .number("nie-es", foreignerES),
        .number("cif-es", companyES),
        .number("nss-es", insuranceES),
        .number("nif-pt", taxPT),
        .number("cc-pt", cardPT),
        .number("cf-it", fiscalIT),
        .number("iva-it", valueAddedTaxIT),
        .number("idnr-de", taxDE),
        .number("vat-de") { $0.count == 11 && $0.begins("DE") && isValueAddedTaxDE($0) },
        .number("pension-de", pensionDE),
        .number("vnr-at", insuranceAT),
        .number("uid-at") { n in
            n.count == 11 && n.begins("ATU") && n.hasDigits(3, 11) && (n[10] + n.luhn(3, 10)) % 10 == 6
        },
        .number("ahv-ch") { $0.isDigits(13) && $0.value(0, 3) == 756 && isEAN($0) },
        .number("uid-ch", companyCH),
        .number("bsn-nl") { $0.isDigits(9) && isBSN($0) },
        .number("btw-nl", valueAddedTaxNL),
        .number("nn-be", nationalBE),
        .number("vat-be", valueAddedTaxBE),
        .number("tva-lu") {
            $0.count == 10 && $0.begins("LU") && $0.hasDigits(2, 10) && $0.value(2, 8) % 89 == $0.value(8, 10)
        },
    ]

    // MARK: Great Britain and Ireland

    private static func insuranceUK(_ n: Number) -> Bool {
        guard n.count == 9, n[0] > 9, n[1] > 9, n.hasDigits(2, 8), (10...13).contains(n[8]) else { return false }
        let (first, second) = (n.symbol(0), n.symbol(1))
        if "DFIQUV".utf8.contains(first) || "DFIOQUV".utf8.contains(second) { return false }
        switch (first, second) {
        case (UInt8(ascii: "B"), UInt8(ascii: "G")), (UInt8(ascii: "G"), UInt8(ascii: "B")),
            (UInt8(ascii: "N"), UInt8(ascii: "K")), (UInt8(ascii: "K"), UInt8(ascii: "N")),
            (UInt8(ascii: "T"), UInt8(ascii: "N")), (UInt8(ascii: "N"), UInt8(ascii: "T")),
            (UInt8(ascii: "Z"), UInt8(ascii: "Z")):
            return false
        default: return true
        }
    }

    private static func taxpayerUK(_ n: Number) -> Bool {
        guard n.isDigits(10) else { return false }
        let checks: [11 of Int] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1]
        return n[0] == checks[n.sum([6, 7, 8, 9, 10, 5, 4, 3, 2], from: 1) % 11]
    }

    /// With its prefix: nine digits, or twelve where a branch follows.
    private static func valueAddedTaxUK(_ n: Number) -> Bool {
        guard n.begins("GB") || n.begins("XI"), n.count == 11 || n.count == 14, n.hasDigits(2, n.count)
        else { return false }
        switch n.sum([8, 7, 6, 5, 4, 3, 2, 10, 1], from: 2) % 97 {
        case 0: return true
        case 42, 55: return n.value(2, 5) >= 100
        default: return false
        }
    }

    private static func publicServiceIE(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 9, n.hasDigits(0, 7), n[7] > 9 else { return false }
        var sum = n.sum([8, 7, 6, 5, 4, 3, 2])
        if n.count == 9 {
            switch n.symbol(8) {
            case UInt8(ascii: "A"), UInt8(ascii: "B"), UInt8(ascii: "H"): sum += 9 * (n[8] - 9)
            case UInt8(ascii: "W"), UInt8(ascii: "T"), UInt8(ascii: "X"): break
            default: return false
            }
        }
        // W stands for 0, A for 1.
        return n.symbol(7) == (sum % 23 == 0 ? UInt8(ascii: "W") : UInt8(0x40 + sum % 23))
    }

    // MARK: Spain and Portugal

    private static func isControlES(_ number: Int, _ letter: UInt8) -> Bool {
        let letters: StaticString = "TRWAGMYFPDXBNJZSQVHLCKE"
        return letters.utf8Start[number % 23] == letter
    }

    /// X, Y and Z stand for 0, 1 and 2.
    /// Seven digits or eight: older ones are written without their zero.
    private static func personES(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 9, n.hasDigits(0, n.count - 1) else { return false }
        return isControlES(n.value(0, n.count - 1), n.symbol(n.count - 1))
    }

    private static func foreignerES(_ n: Number) -> Bool {
        guard n.count == 9, n[0] >= 33, n.hasDigits(1, 8) else { return false }
        return isControlES((n[0] - 33) * 10_000_000 + n.value(1, 8), n.symbol(8))
    }

    private static func companyES(_ n: Number) -> Bool {
        guard n.count == 9, "ABCDEFGHJNPQRSUVW".utf8.contains(n.symbol(0)), n.hasDigits(1, 8) else { return false }
        let check = (10 - n.set(8, 0).luhn(1, 9)) % 10
        let letters: StaticString = "JABCDEFGHI"
        return n[8] == check || n.symbol(8) == letters.utf8Start[check]
    }

    /// Province, number, and both modulo 97.
    private static func insuranceES(_ n: Number) -> Bool {
        guard n.isDigits(12), (1...66).contains(n.value(0, 2)) else { return false }
        let number = n.value(2, 10)
        let whole = number < 10_000_000 ? number + n.value(0, 2) * 10_000_000 : n.value(0, 10)
        return whole % 97 == n.value(10, 12)
    }

    private static func taxPT(_ n: Number) -> Bool {
        guard n.isDigits(9), n[0] != 0 else { return false }
        return (11 - n.sum([9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 % 10 == n[8]
    }

    /// Eight digits, a check digit, two letters or digits, and Luhn's digit of all with letters as numbers.
    private static func cardPT(_ n: Number) -> Bool {
        guard n.count == 12, n.hasDigits(0, 9), n.hasDigits(11, 12) else { return false }
        var sum = 0
        for at in 0..<12 {
            let value = at % 2 == 0 ? n[at] * 2 : n[at]
            sum += at % 2 == 0 && value > 9 ? value - 9 : value
        }
        return sum % 10 == 0
    }

    // MARK: Italy

    private static func fiscalIT(_ n: Number) -> Bool {
        guard n.count == 16, n[11] > 9, n[15] > 9 else { return false }
        for at in 0..<6 where n[at] < 10 { return false }
        let odd: [26 of Int] = [
            1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
        ]
        var sum = 0
        for at in 0..<15 {
            let value = n[at] > 9 ? n[at] - 10 : n[at]
            sum += at % 2 == 0 ? odd[value] : value
        }
        guard n[15] - 10 == sum % 26 else { return false }
        let months: StaticString = "ABCDEHLMPRST"
        var month = 0
        for at in 0..<12 where months.utf8Start[at] == n.symbol(8) { month = at + 1 }
        guard let year = digitsIT(n, 6), let day = digitsIT(n, 9), digitsIT(n, 12) != nil, digitsIT(n, 13) != nil else {
            return false
        }
        return Number.isDay(year < 20 ? 2000 + year : 1900 + year, month, day % 40)
    }

    /// Two digits, some of which were replaced by letters where two people would have had one code.
    private static func digitsIT(_ n: Number, _ at: Int) -> Int? {
        var value = 0
        let letters: StaticString = "LMNPQRSTUV"
        for place in at..<at + 2 {
            var digit = n[place]
            if digit > 9 {
                digit = 10
                for index in 0..<10 where letters.utf8Start[index] == n.symbol(place) { digit = index }
                if digit == 10 { return nil }
            }
            value = value * 10 + digit
        }
        return value
    }

    /// With its prefix: number, office, Luhn's digit.
    private static func valueAddedTaxIT(_ n: Number) -> Bool {
        let from = n.begins("IT") ? 2 : 0
        guard n.count == from + 11, n.hasDigits(from, n.count), n.value(from, from + 7) != 0 else { return false }
        switch n.value(from + 7, from + 10) {
        case 1...100, 120, 121, 888, 999: return n.luhn(from, n.count) == 0
        default: return false
        }
    }

    // MARK: Germany, Austria and Switzerland

    /// One digit of the first ten occurs twice or three times, no other more than once.
    private static func taxDE(_ n: Number) -> Bool {
        guard n.isDigits(11), n[0] != 0, n.mod1110(0, 11) == 1 else { return false }
        var counts = InlineArray<10, UInt8>(repeating: 0)
        for at in 0..<10 { counts[n[at]] += 1 }
        var repeated = 0
        for digit in 0..<10 where counts[digit] > 1 {
            repeated += 1
            if counts[digit] > 3 { return false }
        }
        return repeated == 1
    }

    private static func isValueAddedTaxDE(_ n: Number) -> Bool {
        n.hasDigits(2, 11) && n[2] != 0 && n.mod1110(2, 11) == 1
    }

    /// Area, birthday, letter of the name, serial; the letter counts as two digits.
    private static func pensionDE(_ n: Number) -> Bool {
        guard n.count == 12, n.hasDigits(0, 8), n[8] > 9, n.hasDigits(9, 12) else { return false }
        let day = n.value(2, 4)
        guard Number.isDay(2000, n.value(4, 6), day > 50 ? day - 50 : day) else { return false }
        let letter = n[8] - 9
        let weights: [12 of Int] = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]
        var sum = 0
        for at in 0..<12 {
            let digit = at < 8 ? n[at] : at == 8 ? letter / 10 : at == 9 ? letter % 10 : n[at - 1]
            let product = digit * weights[at]
            sum += product / 10 + product % 10
        }
        return sum % 10 == n[11]
    }

    private static func insuranceAT(_ n: Number) -> Bool {
        guard n.isDigits(10), n[0] != 0, Number.isDay(2000 + n.value(8, 10), n.value(6, 8), n.value(4, 6)) else {
            return false
        }
        return n.sum([3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == n[3]
    }

    private static func isEAN(_ n: Number) -> Bool {
        n.sum([1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]) % 10 == 0
    }

    private static func companyCH(_ n: Number) -> Bool {
        guard n.count == 12, n.begins("CHE"), n.hasDigits(3, 12) else { return false }
        return (11 - n.sum([5, 4, 3, 2, 7, 6, 5, 4], from: 3) % 11) % 11 == n[11]
    }

    // MARK: The Netherlands and Belgium

    private static func isBSN(_ n: Number, from: Int = 0) -> Bool {
        n.value(from, from + 9) != 0 && n.sum([9, 8, 7, 6, 5, 4, 3, 2, -1], from: from) % 11 == 0
    }

    /// Of a company by the number of its owner, of a person by a sum of its own.
    private static func valueAddedTaxNL(_ n: Number) -> Bool {
        guard n.count == 14, n.begins("NL"), n.hasDigits(2, 11), n.symbol(11) == UInt8(ascii: "B"), n.hasDigits(12, 14),
            n.value(12, 14) != 0, n.value(2, 11) != 0
        else { return false }
        return isBSN(n, from: 2) || n.mod97() == 1
    }

    /// Birthday, order, key; of those born since 2000 the key counts with a 2 before the number. Months from 20 and from 40
    /// on are of people who are not in the register.
    private static func nationalBE(_ n: Number) -> Bool {
        guard n.isDigits(11), n.value(0, 11) != 0 else { return false }
        let (number, key) = (n.value(0, 9), n.value(9, 11))
        guard 97 - number % 97 == key || 97 - (2_000_000_000 + number) % 97 == key else { return false }
        let month = n.value(2, 4)
        // Where the birthday is unknown the day goes on counting.
        return month <= 12 || (20...32).contains(month) || (40...52).contains(month)
    }

    private static func valueAddedTaxBE(_ n: Number) -> Bool {
        guard n.count == 12, n.begins("BE"), n.hasDigits(2, 12), n[2] <= 1 else { return false }
        return (n.value(2, 10) + n.value(10, 12)) % 97 == 0
    }
}
