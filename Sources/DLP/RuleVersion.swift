import COpenSSL

/// What a finding was found by, in eight hexadecimal digits: the same as long as the rule is.
///
/// Two records with the same rule and another version need not mean the same.
enum RuleVersion {
    static func of(_ detector: DetectorSpec) -> String {
        let words = detector.context.map { ["\($0.within)", $0.raises.label] + $0.words } ?? []
        return of([
            [detector.name, detector.edges.rawValue, detector.validator ?? "", detector.confidence.label],
            detector.patterns, words, detector.homeDomains, detector.allow,
        ])
    }

    static func of(_ rule: SensorRuleSpec) -> String {
        let patterns = rule.patterns.map { [$0.regex, $0.validator ?? "", "\($0.contexts.rawValue)", "\($0.negated)"] }
        let exact = rule.exact.map { [$0.columns + ["\($0.within)", "\($0.contexts.rawValue)"]] } ?? []
        let documents = rule.documents.map { [["\($0.similarity)"]] } ?? []
        return of([["\(rule.threshold.atLeast)", "\(rule.threshold.distinct)"]] + patterns + exact + documents)
    }

    /// Of what is looked for nothing may be told.
    static let untold = "00000000"

    /// The first four bytes of the SHA-256 of the parts, each behind its length.
    private static func of(_ parts: [[String]]) -> String {
        var text: [UInt8] = []
        for list in parts {
            text += "\(list.count):".utf8
            for part in list { text += "\(part.utf8.count):".utf8 + Array(part.utf8) }
        }
        var digest = [UInt8](repeating: 0, count: 32)
        SHA256(text, text.count, &digest)
        return Hexadecimal.text(digest.prefix(4))
    }
}

/// Bytes as hexadecimal digits, in lower case.
enum Hexadecimal {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            for nibble in [byte >> 4, byte & 0xf] {
                text.unicodeScalars.append(UnicodeScalar(nibble < 10 ? 0x30 + nibble : 0x57 + nibble))
            }
        }
        return text
    }
}
