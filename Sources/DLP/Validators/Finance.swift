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

    /// ISO 13616: how long the accounts of a country are, and MOD 97-10 of the whole with its first four symbols at the end.
    private static func account(_ n: Number) -> Bool {
        guard n.count >= 15, n[0] > 9, n[1] > 9, n.hasDigits(2, 4), (2...98).contains(n.value(2, 4)) else {
            return false
        }
        guard lengths[(n[0] - 10) * 26 + n[1] - 10] == n.count, n.mod97(rotated: 4) == 1 else { return false }
        return true
    }

    /// Of the registry of SWIFT, by the two letters of the country.
    private static let lengths: [UInt8] = {
        let table = """
            AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 \
            FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 \
            LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 \
            RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
            """
        var lengths = [UInt8](repeating: 0, count: 26 * 26)
        for entry in table.utf8.split(separator: UInt8(ascii: " ")) {
            let bytes = Array(entry)
            guard bytes.count == 4 else { continue }
            let country = Int(bytes[0] - UInt8(ascii: "A")) * 26 + Int(bytes[1] - UInt8(ascii: "A"))
            lengths[country] = (bytes[2] - 0x30) * 10 + bytes[3] - 0x30
        }
        return lengths
    }()

    /// ISO 9362: letters of bank and country, two more symbols, three of a branch.
    private static func bank(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 11 else { return false }
        for at in 0..<6 where n[at] < 10 { return false }
        return isCountry(n.symbol(4), n.symbol(5))
    }

    private static func security(_ n: Number) -> Bool {
        guard n.count == 12, n[0] > 9, n[1] > 9, n.hasDigits(11, 12) else { return false }
        guard isCountry(n.symbol(0), n.symbol(1)) || n.begins("XS") || n.begins("EU") else { return false }
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
