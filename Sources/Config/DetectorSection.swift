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
            id: fields.required("id", .name, "How records and sensors call it: the rule of a finding."),
            about: fields.optional("about", .text, default: "", "What it finds, in one line."),
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
            context: fields.optional("context", .section(WordsSpec.read), "Words before a match that make it surer."),
            home: fields.optional(
                "home", .list(.domain), default: [], "Domains that it is sent to in the normal course of things."
            ).map(\.description),
            samples: fields.optional(
                "samples", .list(.text), default: [],
                "Values from documentation, which never count; * at an end stands for anything."))
        let detector = DetectorSettings(
            spec: spec,
            positive: fields.optional(
                "positive", .list(.pieces), default: [], "Texts in which it must find something."),
            negative: fields.optional("negative", .list(.pieces), default: [], "Texts in which it must find nothing."))
        return (detector, .init(id: fields.place(of: "id"), patterns: patterns.map(\.place)))
    }
}

extension WordsSpec {
    static func read(_ fields: Fields) -> WordsSpec {
        WordsSpec(
            words: fields.required(
                "words", .list(.text, atLeast: 1), "In any case; a blank may be _, -, . or nothing."),
            within: fields.optional(
                "within", .integer(1...withinMax), default: 40, "Bytes before the match in which one must begin."),
            raises: fields.optional("raises", .confidence, default: .high, "What the match is then."))
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
