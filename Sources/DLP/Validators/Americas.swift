/// Numbers of Canada and Latin America.
enum Americas {
    static let entries: [Validator.Entry] = [
        .number("sin-ca") { $0.isDigits(9) && $0[0] != 0 && $0[0] != 8 && $0.isLuhn },
        .number("cpf-br", personBR),
        .number("cnpj-br", companyBR),
        .number("curp-mx", personMX),
        .number("cuit-ar", taxAR),
        .number("rut-cl", personCL),
        .number("nit-co", taxCO),
        .number("ruc-pe", taxPE),
        .number("ci-ec", personEC),
        .number("cedula-do") { $0.isDigits(11) && $0.isLuhn },
    ]

    /// What is left to eleven, where ten and eleven are zero.
    private static func left(_ sum: Int) -> Int {
        let rest = sum % 11
        return rest < 2 ? 0 : 11 - rest
    }

    private static func personBR(_ n: Number) -> Bool {
        guard n.isDigits(11) else { return false }
        return left(n.sum([10, 9, 8, 7, 6, 5, 4, 3, 2])) == n[9]
            && left(n.sum([11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == n[10]
    }

    private static func companyBR(_ n: Number) -> Bool {
        guard n.isDigits(14), n.value(0, 12) != 0 else { return false }
        return left(n.sum([5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == n[12]
            && left(n.sum([6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == n[13]
    }

    /// Four letters of the name, birthday, sex, state, three letters, a sign of the century and a check digit; letters count
    /// in the order of the Spanish alphabet, with an Ñ.
    private static func personMX(_ n: Number) -> Bool {
        guard n.count == 18, n.hasDigits(4, 10), n.hasDigits(17, 18) else { return false }
        for at in 0..<4 where n[at] < 10 { return false }
        for at in 10..<16 where n[at] < 10 { return false }
        guard "HMX".utf8.contains(n.symbol(10)), isStateMX(n) else { return false }
        let century = n[16] < 10 ? 1900 : 2000
        guard Number.isDay(century + n.value(4, 6), n.value(6, 8), n.value(8, 10)) else { return false }
        var sum = 0
        for at in 0..<17 { sum += (n[at] > 23 ? n[at] + 1 : n[at]) * (18 - at) }
        return (10 - sum % 10) % 10 == n[17]
    }

    /// Of the Renapo, with NE for who was born abroad.
    private static func isStateMX(_ n: Number) -> Bool {
        let states: StaticString = "ASBCBSCCCHCLCMCSDFDGGRGTHGJCMCMNMSNENLNTOCPLQRQTSLSPSRTCTLTSVZYNZS"
        for at in stride(from: 0, to: states.utf8CodeUnitCount, by: 2)
        where states.utf8Start[at] == n.symbol(11) && states.utf8Start[at + 1] == n.symbol(12) { return true }
        return false
    }

    private static func taxAR(_ n: Number) -> Bool {
        guard n.isDigits(11) else { return false }
        switch n.value(0, 2) {
        case 20, 23, 24, 27, 30, 33, 34, 50, 51, 55: break
        default: return false
        }
        let check = 11 - n.sum([5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
        return n[10] == (check == 11 ? 0 : check == 10 ? 9 : check)
    }

    /// Seven or eight digits and a digit or K.
    private static func personCL(_ n: Number) -> Bool {
        guard n.count == 8 || n.count == 9, n.hasDigits(0, n.count - 1) else { return false }
        var sum = 0
        for at in 0..<n.count - 1 { sum += n[n.count - 2 - at] * (at % 6 + 2) }
        let check = (11 - sum % 11) % 11
        return check == 10 ? n.symbol(n.count - 1) == UInt8(ascii: "K") : n[n.count - 1] == check
    }

    private static func taxCO(_ n: Number) -> Bool {
        guard n.letters == 0, (8...16).contains(n.count) else { return false }
        let weights: [15 of Int] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71]
        var sum = 0
        for at in 0..<n.count - 1 { sum += n[n.count - 2 - at] * weights[at] }
        return n[n.count - 1] == (sum % 11 < 2 ? sum % 11 : 11 - sum % 11)
    }

    private static func taxPE(_ n: Number) -> Bool {
        guard n.isDigits(11) else { return false }
        switch n.value(0, 2) {
        case 10, 15, 16, 17, 20: break
        default: return false
        }
        return (11 - n.sum([5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10 == n[10]
    }

    private static func personEC(_ n: Number) -> Bool {
        guard n.isDigits(10), (1...24).contains(n.value(0, 2)) || n.value(0, 2) == 30 || n.value(0, 2) == 50, n[2] <= 6
        else { return false }
        return n.isLuhn
    }
}
