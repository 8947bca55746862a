/// Numbers of accounts, securities, companies and devices that are the same all over the world.
enum Finance {
    static let entries: [Validator.Entry] = [
        .number("iban", account),
        .number("bic", bank),
        .number("isin", security),
        .number("cusip", securityUS),
        .number("sedol", securityUK),
        .number("lei") { $0.count == 20 && $0.hasDigits(18, 20) && $0.mod97() == 1 },
        .number("imei") { $0.isDigits(15) && $0.isLuhn },
        .number("iccid") { ($0.isDigits(19) || $0.isDigits(20)) && $0.value(0, 2) == 89 && $0.isLuhn },
        .number("vin", vehicle),
    ]

    /// ISO 13616: how the accounts of a country look, and MOD 97-10 of the whole with its first four symbols at the end.
    private static func account(_ n: Number) -> Bool {
        guard n.count >= 15, n[0] > 9, n[1] > 9, n.hasDigits(2, 4), (2...98).contains(n.value(2, 4)) else {
            return false
        }
        return isAccount(n, accounts[(n[0] - 10) * 26 + n[1] - 10]) && n.mod97(rotated: 4) == 1
    }

    /// Whether the symbols from the fifth on have these runs, and there are no more.
    private static func isAccount(_ n: Number, _ runs: UInt32) -> Bool {
        var (left, at) = (runs, 4)
        while left != 0 {
            let end = at + Int(left & 63)
            guard end <= n.count else { return false }
            switch left >> 6 & 3 {
            case 1: if !n.hasDigits(at, end) { return false }
            case 2: for place in at..<end where n[place] < 10 { return false }
            default: break
            }
            at = end
            left >>= 8
        }
        return at == n.count
    }

    /// Of the registry of SWIFT (release 101), by the two letters of the country: runs of n digits, a letters or c either, the
    /// first in the lowest byte, six bits of length and two of kind. 0 where there is no such country.
    private static let accounts: [UInt32] = {
        let table = """
            AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c BY4c4n16c CH5n12c CR18n CY8n16c \
            CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n \
            GR7n16c GT24c HN4a20n HR17n HU24n IE4a14n IL19n IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c \
            LC4a24c LI5n12c LT16n LU3n13c LV4a13c LY21n MC10n11c2n MD20c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a \
            NI4a20n NL4a10n NO11n OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n \
            SE20n SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c
            """
        var accounts = [UInt32](repeating: 0, count: 26 * 26)
        for entry in table.utf8.split(separator: UInt8(ascii: " ")) {
            let bytes = Array(entry)
            guard bytes.count > 3 else { continue }
            var (runs, shift, length) = (UInt32(0), UInt32(0), UInt32(0))
            for byte in bytes[2...] {
                if byte &- 0x30 < 10 {
                    length = length * 10 + UInt32(byte - 0x30)
                } else {
                    let kind: UInt32 = byte == UInt8(ascii: "n") ? 1 : byte == UInt8(ascii: "a") ? 2 : 3
                    runs |= (kind << 6 | length) << shift
                    (length, shift) = (0, shift + 8)
                }
            }
            accounts[Int(bytes[0] - UInt8(ascii: "A")) * 26 + Int(bytes[1] - UInt8(ascii: "A"))] = runs
        }
        return accounts
    }()

    /// ISO 9362: letters of bank and country, two more symbols, three of a branch.
    private static func bank(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 11 else { return false }
        for at in 0..<6 where n[at] < 10 { return false }
        return isCountry(n.symbol(4), n.symbol(5))
    }

    private static func security(_ n: Number) -> Bool {
        guard n.count == 12, n[0] > 9, n[1] > 9, n.hasDigits(11, 12) else { return false }
        guard isCountry(n.symbol(0), n.symbol(1)) || isAgency(n) else { return false }
        // Luhn's sum with each letter as its two digits.
        var sum = 0
        var isDoubled = false
        func add(_ digit: Int) {
            sum += isDoubled ? digit * 2 / 10 + digit * 2 % 10 : digit
            isDoubled.toggle()
        }
        for at in 0..<12 {
            let value = n[11 - at]
            add(value % 10)
            if value > 9 { add(value / 10) }
        }
        return sum % 10 == 0
    }

    /// ISO 6166: prefixes of agencies that are no country's, and of countries that are no more.
    private static func isAgency(_ n: Number) -> Bool {
        let agencies: [_ of StaticString] = ["AN", "CS", "EU", "QS", "QT", "XA", "XB", "XC", "XD", "XF", "XK", "XS"]
        for index in agencies.indices where n.begins(agencies[index]) { return true }
        return false
    }

    private static func securityUS(_ n: Number) -> Bool {
        guard n.count == 9, n.hasDigits(8, 9) else { return false }
        var sum = 0
        for at in 0..<8 {
            let value = n[at] * (at % 2 + 1)
            sum += value / 10 + value % 10
        }
        return (10 - sum % 10) % 10 == n[8]
    }

    private static func securityUK(_ n: Number) -> Bool {
        // Those that begin with a digit are the old ones, of digits alone.
        guard n.count == 7, n.hasDigits(6, 7), n[0] > 9 || n.letters == 0 else { return false }
        for at in 0..<7 where "AEIOU".utf8.contains(n.symbol(at)) { return false }
        return n.sum([1, 3, 1, 7, 3, 9, 1]) % 10 == 0
    }

    /// ISO 3779, with the check digit of North America.
    private static func vehicle(_ n: Number) -> Bool {
        guard n.count == 17 else { return false }
        let values: [26 of Int] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2, 3, 4, 5, 0, 7, 0, 9, 2, 3, 4, 5, 6, 7, 8, 9]
        let weights: [17 of Int] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]
        var sum = 0
        for at in 0..<17 {
            if "IOQ".utf8.contains(n.symbol(at)) { return false }
            sum += (n[at] > 9 ? values[n[at] - 10] : n[at]) * weights[at]
        }
        let check = sum % 11
        return check == 10 ? n.symbol(8) == UInt8(ascii: "X") : n[8] == check
    }

    /// ISO 3166-1.
    private static func isCountry(_ first: UInt8, _ second: UInt8) -> Bool {
        countries[Int(first - UInt8(ascii: "A"))] & 1 << UInt32(second - UInt8(ascii: "A")) != 0
    }

    /// A word for each first letter, a bit for each second.
    private static let countries: [UInt32] = {
        let table = """
            ADEFGILMOQRSTUWXZ BABDEFGHIJLMNOQRSTVWYZ CACDFGHIKLMNORUVWXYZ DEJKMOZ ECEGHRST FIJKMOR GABDEFGHILMNPQRSTUWY HKMNRTU \
            IDELMNOQRST JEMOP KEGHIMNPRWYZ LABCIKRSTUVY MACDEFGHKLMNOPQRSTUVWXYZ NACEFGILOPRUZ OM PAEFGHKLMNRSTWY QA REOSUW \
            SABCDEGHIJKLMNORSTVXYZ TCDFGHJKLMNORTVWZ UAGMSYZ VACEGINU WFS XK YET ZAMW
            """
        var countries = [UInt32](repeating: 0, count: 26)
        for entry in table.utf8.split(separator: UInt8(ascii: " ")) {
            guard let first = entry.first else { continue }
            for second in entry.dropFirst() {
                countries[Int(first - UInt8(ascii: "A"))] |= 1 << UInt32(second - UInt8(ascii: "A"))
            }
        }
        return countries
    }()
}
