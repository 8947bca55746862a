extension Database {
    /// The sensors every configuration has.
    public static let builtIn: [SensorSpec] = [
        SensorSpec(
            name: "credit-card",
            rules: [
                rule(
                    "card",
                    number(
                        #"[0-9]{4}(?:[0-9]{8,15}|([ -])[0-9]{4}\1[0-9]{4}(?:\1[0-9]{1,4})?"#
                            + #"|([ -])[0-9]{6}\2[0-9]{4,5})"#), "card"),
                // Apart from `card`, so that a verification code after sixteen digits hides nothing.
                rule("card-19", number(#"[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}\1[0-9]{1,3}"#), "card"),
            ]),
        SensorSpec(
            name: "ssn-us", rules: [rule("ssn", number(#"[0-9]{3}([ -])[0-9]{2}\1[0-9]{4}"#), "ssn-us")]),
        SensorSpec(
            name: "ssn-fr",
            rules: [
                rule(
                    "nir",
                    number(
                        #"[123478]([ .]?)[0-9]{2}\1[0-9]{2}\1(?:[0-9]{2}|2[ABab])\1[0-9]{3}\1[0-9]{3}[ .]?[0-9]{2}"#),
                    "nir")
            ]),
    ]

    private static func rule(_ name: String, _ regex: String, _ validator: String) -> SensorRuleSpec {
        let contexts: Contexts = [.url, .header, .body, .packet, .name]
        return SensorRuleSpec(
            name: name, patterns: [PatternSpec(regex: regex, contexts: contexts, validator: validator)])
    }

    /// A number that is not a part of a word, of a longer number, of a fraction or of a UUID. An underscore before it
    /// does not hide it, which `\b` would do.
    private static func number(_ digits: String) -> String {
        #"(?<![0-9A-Za-z])(?<![0-9][.-])(?<![0-9A-Fa-f]{4}-)(?:"# + digits + #")(?![0-9A-Za-z])(?![.-][0-9])"#
    }
}
