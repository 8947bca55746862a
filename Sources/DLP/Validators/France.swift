/// Numbers of France.
enum France {
    static let entries: [Validator.Entry] = [
        .number("nir", socialSecurity),
        .number("siren") { $0.isDigits(9) && $0.isLuhn },
        .number("siret", establishment),
        .number("vat-fr", valueAddedTax),
        .number("tax-fr") { $0.isDigits(13) && $0[0] <= 3 && $0.value(10, 13) == $0.value(0, 10) % 511 },
        .number("rib-fr", account),
    ]

    /// Sex, year, month, department, commune, order, key.
    private static func socialSecurity(_ n: Number) -> Bool {
        guard n.count == 15, n.hasDigits(0, 6), n.hasDigits(7, 15) else { return false }
        var plain = n
        // Corsica writes its department as 2A or 2B, counted as 19 and 18.
        if n[6] > 9 {
            guard n[5] == 2, n[6] <= 11 else { return false }
            plain = n.set(5, 1).set(6, n[6] == 10 ? 9 : 8)
        } else {
            guard n.value(5, 7) != 0, n.value(5, 7) != 96 else { return false }
        }
        switch n[0] {
        case 1...4, 7, 8: break
        default: return false
        }
        switch n.value(3, 5) {
        // 20-42 and 50-99 stand for certificates without a known month.
        case 1...12, 20...42, 50...99: break
        default: return false
        }
        guard n.value(7, 10) != 0, n.value(10, 13) != 0 else { return false }
        return n.value(13, 15) == 97 - plain.value(0, 13) % 97
    }

    /// Those of La Poste have more offices than Luhn's digit leaves room for, but for its head office.
    private static func establishment(_ n: Number) -> Bool {
        guard n.isDigits(14), n.luhn(0, 9) == 0 else { return false }
        if n.value(0, 9) == 356_000_000, n.value(9, 14) != 48 {
            return n.sum([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) % 5 == 0
        }
        return n.isLuhn
    }

    /// FR, a key of two digits or letters, a SIREN.
    private static func valueAddedTax(_ n: Number) -> Bool {
        guard n.count == 13, n.begins("FR"), n.hasDigits(4, 13), n.luhn(4, 13) == 0 else { return false }
        let siren = n.value(4, 13)
        if n.hasDigits(2, 4) { return n.value(2, 4) == (siren * 100 + 12) % 97 }
        // The newer key counts without I and O.
        func value(_ at: Int) -> Int? {
            switch n.symbol(at) {
            case UInt8(ascii: "I"), UInt8(ascii: "O"): nil
            case UInt8(ascii: "P")...UInt8(ascii: "Z"): n[at] - 2
            case UInt8(ascii: "J")...UInt8(ascii: "N"): n[at] - 1
            default: n[at]
            }
        }
        guard let first = value(2), let second = value(3) else { return false }
        let check = n[2] < 10 ? first * 24 + second - 10 : first * 34 + second - 100
        return check >= 0 && (siren + 1 + check / 11) % 11 == check % 11
    }

    /// Bank, branch, account and key; letters of the account stand for digits.
    private static func account(_ n: Number) -> Bool {
        guard n.count == 23, n.hasDigits(0, 10), n.hasDigits(21, 23) else { return false }
        var rest = 0
        for at in 0..<23 {
            let letter = n[at] - 10
            // A to I are 1 to 9, J to R too, S to Z are 2 to 9.
            let digit = letter < 0 ? n[at] : letter < 18 ? letter % 9 + 1 : letter - 16
            rest = (rest * 10 + digit) % 97
        }
        return rest == 0
    }
}
