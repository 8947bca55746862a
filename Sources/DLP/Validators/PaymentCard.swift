/// Payment card numbers: the number plan (which first digits with which lengths) and the Luhn digit.
enum PaymentCard {
    /// First digits from `low` to `high`, and the lengths such numbers have as bits.
    private struct Plan {
        let digits: Int
        let low: Int
        let high: Int
        let lengths: UInt32

        /// `digits`: where the prefix begins with zeros.
        init(_ prefix: ClosedRange<Int>, digits: Int? = nil, _ lengths: Int...) {
            low = prefix.lowerBound
            high = prefix.upperBound
            self.digits = digits ?? String(high).utf8.count
            self.lengths = lengths.reduce(0) { $0 | 1 << UInt32($1) }
        }
    }

    private static let plans: [Plan] = [
        Plan(4...4, 13, 16, 18, 19),  // Visa
        Plan(51...55, 16), Plan(2221...2720, 16),  // Mastercard
        Plan(34...34, 15), Plan(37...37, 15),  // American Express
        Plan(35...35, 16, 17, 18, 19), Plan(2131...2131, 15), Plan(1800...1800, 15),  // JCB
        Plan(300...305, 14, 15, 16, 17, 18, 19), Plan(309...309, 14, 15, 16, 17, 18, 19),  // Diners Club
        Plan(36...36, 14, 15, 16, 17, 18, 19), Plan(38...39, 14, 15, 16, 17, 18, 19),
        // Maestro, and within its ranges Discover, UnionPay, RuPay, Elo, Hipercard and Verve.
        Plan(50...50, 12, 13, 14, 15, 16, 17, 18, 19), Plan(56...69, 12, 13, 14, 15, 16, 17, 18, 19),
        Plan(604...604, digits: 4, 12),
        Plan(493698...493698, 12, 13, 14, 15, 16, 17, 18, 19),
        Plan(81...82, 14, 15, 16, 17, 18, 19),  // UnionPay, RuPay
        Plan(2200...2204, 16, 17, 18, 19),  // Mir
        Plan(8600...8600, 16), Plan(9860...9860, 16),  // Uzcard, Humo
        Plan(9792...9792, 16), Plan(9804...9804, 16),  // Troy, Prostir
    ]

    /// The lengths that numbers with these two first digits may have: most numbers are no card by that alone.
    private static let lengths: [UInt32] = (0..<100).map { lead in
        plans.reduce(0) { lengths, plan in
            let scale = (0..<(max(plan.digits, 2) - 2)).reduce(1) { power, _ in power * 10 }
            let first = plan.digits == 1 ? plan.low * 10 : plan.low / scale
            let last = plan.digits == 1 ? plan.high * 10 + 9 : plan.high / scale
            return (first...last).contains(lead) ? lengths | plan.lengths : lengths
        }
    }

    /// Whether a number that begins with these two bytes could be a card, however it goes on.
    static func mayBegin(_ first: UInt8, _ second: UInt8) -> Bool {
        let (tens, units) = (first &- 0x30, second &- 0x30)
        return tens > 9 || units > 9 || lengths[Int(tens) * 10 + Int(units)] != 0
    }

    static func accepts(_ match: UnsafeRawBufferPointer) -> Bool {
        guard separatorsAgree(match), let digits = Number(match), (12...19).contains(digits.count)
        else { return false }
        guard !digits.allSame, digits.isLuhn else { return false }
        return plans.contains { plan in
            plan.lengths & 1 << UInt32(digits.count) != 0
                && (plan.low...plan.high).contains(digits.value(0, plan.digits))
        }
    }

    /// One kind of separator throughout, or none.
    private static func separatorsAgree(_ match: UnsafeRawBufferPointer) -> Bool {
        var seen: UInt8?
        for byte in match where byte &- 0x30 >= 10 {
            if let seen, seen != byte { return false }
            seen = byte
        }
        return true
    }
}
