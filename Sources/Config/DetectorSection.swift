import Bytes
import DLP

/// A detector as it is written: what is compiled of it, and the texts that say what it must find and must not.
public struct DetectorSettings: Sendable, Equatable {
    public var spec: DetectorSpec
    public var positive: [String]
    public var negative: [String]

    static func read(_ fields: Fields) -> (DetectorSettings, SettingsPlaces.DetectorPlaces) {
        let patterns = fields.required(
            "patterns", .list(Kind.text.placed, atLeast: 1), "Regular expressions (PCRE2), any of which is a match.")
        let spec = DetectorSpec(
            name: fields.required("name", .name, "How records and sensors call it: the rule of a finding."),
            description: fields.optional("description", .text, default: "", "What it finds, in one line."),
            sensors: fields.optional(
                "sensors", .list(.name), default: [], "The sensors it is part of, ready ones or new."),
            edges: fields.optional(
                "edges", .words(DetectorSpec.Edges.allCases), default: .token,
                "What must not stand around a match: token, number (no fraction, no UUID), start (only before it), none."
            ),
            patterns: patterns.map(\.value),
            validator: fields.optional(
                "validator", .words(Validator.names.map { ($0, $0) }), "A check of what matched beyond its shape."),
            confidence: fields.optional("confidence", .confidence, default: .high, "How sure a match is."),
            context: WordsSpec.read(fields),
            homeDomains: fields.optional(
                "home_domains", .list(.domain), default: [],
                "Domains that it is sent to in the normal course of things."
            ).map(\.description),
            allow: fields.optional(
                "allow", .list(.text), default: [],
                "Values that never count, such as those of documentation; * at an end stands for anything."))
        let (positive, negative) = fields.section("examples", "Texts that weir check --examples scans.") { examples in
            (
                examples.optional(
                    "positive", .list(Kind.pieces.placed), default: [],
                    "In each it must find something; a list is the pieces of one text."),
                examples.optional(
                    "negative", .list(Kind.pieces.placed), default: [], "In each it must find nothing.")
            )
        }
        return (
            DetectorSettings(spec: spec, positive: positive.map(\.value), negative: negative.map(\.value)),
            .init(
                name: fields.place(of: "name"), patterns: patterns.map(\.place), positive: positive.map(\.place),
                negative: negative.map(\.place))
        )
    }
}

extension WordsSpec {
    /// Nil where there are no words.
    static func read(_ fields: Fields) -> WordsSpec? {
        let words = fields.optional(
            "context_words", .list(.text), default: [],
            "Words before a match that make it surer, in any case; a blank may be _, -, . or nothing.")
        let within = fields.optional(
            "context_within", .integer(1...withinMax), default: 40, "Bytes before a match in which a word must begin.")
        let raises = fields.optional(
            "context_confidence", .confidence, default: .high, "How sure a match is after a word.")
        return words.isEmpty ? nil : WordsSpec(words: words, within: within, raises: raises)
    }
}

extension Threshold {
    static func read(_ fields: Fields, _ whose: String) -> Threshold {
        Threshold(
            atLeast: fields.optional(
                "at_least", .integer(1...atLeastMax), default: 1, "Matches \(whose) that make a finding."),
            distinct: fields.optional(
                "distinct", .integer(1...distinctMax), default: 1, "Different values among them that it takes."))
    }
}

extension Kind where T == Confidence {
    static var confidence: Kind { words(Confidence.allCases.map { ($0.label, $0) }) }
}

extension Kind where T == String {
    /// A text, or a list of its pieces: what spells a secret need not stand in a file as one.
    static var pieces: Kind {
        let whole = Kind.text
        return Kind(
            schema: { .object(["oneOf": .array([whole.schema(), Kind<[String]>.list(whole).schema()])]) }, blank: { "" }
        ) { value in
            guard value.node.sequence != nil else { return whole.read(value) }
            return Kind<[String]>.list(whole, atLeast: 1).read(value)?.joined()
        }
    }
}
