/// A check beyond what an expression can say: checksums, number ranges, number plans. Patterns name it.
public struct Validator: Hashable, Sendable {
    /// How one is checked: by its digits and letters alone, or by every byte.
    enum Check: Sendable {
        case number(@Sendable (Number) -> Bool)
        case bytes(@Sendable (UnsafeRawBufferPointer) -> Bool)
    }

    struct Entry: Sendable {
        let name: String
        let check: Check

        static func number(_ name: String, _ check: @escaping @Sendable (Number) -> Bool) -> Entry {
            Entry(name: name, check: .number(check))
        }

        static func bytes(_ name: String, _ check: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) -> Entry {
            Entry(name: name, check: .bytes(check))
        }
    }

    /// In the order in which messages and the schema name them.
    private static let table: [Entry] =
        General.entries + UnitedStates.entries + France.entries + WestEurope.entries + NorthEurope.entries
        + EastEurope.entries + Americas.entries + AsiaPacific.entries + Finance.entries + SecretChecks.entries

    private let index: UInt8

    public static func named(_ name: String) -> Validator? {
        table.firstIndex { $0.name == name }.map { Validator(index: UInt8($0)) }
    }

    public static var names: [String] { table.map(\.name) }

    private static let card = named("card")

    /// Bytes that are looked at.
    static let leadBytes = 2

    /// Its first bytes may tell that no match is accepted: then the expression need not be asked.
    var minds: Bool { self == Validator.card }

    func accepts(_ match: UnsafeRawBufferPointer) -> Bool {
        switch Validator.table[Int(index)].check {
        case .bytes(let check): return check(match)
        case .number(let check):
            // A run of one digit is a placeholder, whatever its sum.
            guard let number = Number(match), number.count > 1, !number.allSame else { return false }
            return check(number)
        }
    }
}

/// Sums that are of no country, for expressions of the user's own: over the digits, whatever letters stand before or between
/// them, but for mod97, to which letters are digits.
enum General {
    static let entries: [Validator.Entry] = [
        .number("luhn") { $0.digits.isLuhn },
        .bytes("card", PaymentCard.accepts),
        .number("verhoeff") { $0.digits.count > 1 && $0.digits.verhoeff == 0 },
        .number("mod97") { $0.count > 4 && $0.mod97() == 1 },
        .number("mod11-10") { $0.digits.count > 1 && $0.digits.mod1110(0, $0.digits.count) == 1 },
    ]
}
