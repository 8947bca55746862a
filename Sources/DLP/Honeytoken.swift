/// A planted value, which has no business anywhere: whoever sends it has found it where it was put.
public struct Honeytoken: Sendable {
    /// How records call it: the rule of a finding.
    public var name: String
    let value: [UInt8]

    /// The sensor that looks for all of them.
    public static let sensor = "honeytokens"
    /// Shorter ones would be met by chance, longer ones are hardly carried off whole.
    public static let bytes = 8...1024

    /// `content`: of a file; line breaks at its end are not of the value. Nil where it is too short or too long.
    public init?(name: String, content: [UInt8]) {
        var value = content[...]
        while value.last == 0x0a || value.last == 0x0d { value.removeLast() }
        guard Self.bytes.contains(value.count) else { return nil }
        (self.name, self.value) = (name, Array(value))
    }

    /// In any case, because names and some encodings have no other.
    var expression: String {
        let digits = Array("0123456789abcdef".unicodeScalars)
        var text = "(?i)"
        for byte in value {
            text += "\\x"
            text.unicodeScalars.append(digits[Int(byte >> 4)])
            text.unicodeScalars.append(digits[Int(byte & 15)])
        }
        return text
    }
}

extension Honeytoken {
    /// The sensor of these.
    static func sensor(_ tokens: [Honeytoken]) -> SensorSpec {
        SensorSpec(
            name: sensor,
            rules: tokens.map { token in
                SensorRuleSpec(
                    name: token.name,
                    patterns: [
                        PatternSpec(regex: token.expression, contexts: [.url, .header, .body, .packet, .name])
                    ])
            })
    }
}
