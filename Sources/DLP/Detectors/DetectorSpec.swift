/// How sure a finding is.
public enum Confidence: Int, Sendable, Comparable, CaseIterable {
    case low, medium, high

    public static func < (a: Confidence, b: Confidence) -> Bool { a.rawValue < b.rawValue }

    public var label: String {
        switch self {
        case .low: "low"
        case .medium: "medium"
        case .high: "high"
        }
    }
}

/// Words that make a match surer where one of them stands before it.
public struct WordsSpec: Hashable, Sendable {
    /// In any case; a blank stands for `_`, `-`, `.`, a blank, two of them or nothing.
    public var words: [String]
    /// Bytes before a match in which a word must begin.
    public var within: Int
    /// What the match is then.
    public var raises: Confidence

    public static let withinMax = 256

    public init(words: [String], within: Int = 40, raises: Confidence = .high) {
        (self.words, self.within, self.raises) = (words, within, raises)
    }
}

/// One kind of number or secret: how it looks, how it is checked, how sure that is, and where it belongs.
public struct DetectorSpec: Hashable, Sendable {
    /// What must not stand around a match, so that it is not a piece of something longer.
    public enum Edges: String, Sendable, CaseIterable {
        /// No digit or letter, no fraction, no UUID. An underscore before it does not hide it, which `\b` would do.
        case number
        /// No digit or letter before it; no digit, letter, `_` or `-` after it.
        case token
        /// No digit or letter before it.
        case start
        /// The expression says it.
        case none

        /// What is put before an expression.
        var before: String {
            switch self {
            case .number: #"(?<![0-9A-Za-z])(?<![0-9][.-])(?<![0-9A-Fa-f]{4}-)(?:"#
            case .token, .start: "(?<![0-9A-Za-z])(?:"
            case .none: ""
            }
        }

        var after: String {
            switch self {
            case .number: #")(?![0-9A-Za-z])(?![.-][0-9])"#
            case .token: ")(?![0-9A-Za-z_-])"
            case .start: ")"
            case .none: ""
            }
        }
    }

    public var name: String
    /// What it finds, in one line.
    public var description: String
    /// The sensors it is part of.
    public var sensors: [String]
    public var edges: Edges
    /// Regular expressions (PCRE2), any of which is a match.
    public var patterns: [String]
    /// A name from `Validator`, or none.
    public var validator: String?
    public var confidence: Confidence
    public var context: WordsSpec?
    /// Domains to which it is sent in the normal course of things, each with all below it.
    public var homeDomains: [String]
    /// Values from documentation, which never count; `*` at an end stands for anything.
    public var allow: [String]

    /// How sure a match can be.
    public var surest: Confidence { max(confidence, context?.raises ?? confidence) }

    public init(
        name: String, description: String = "", sensors: [String] = [], edges: Edges = .token, patterns: [String],
        validator: String? = nil, confidence: Confidence = .high, context: WordsSpec? = nil, homeDomains: [String] = [],
        allow: [String] = []
    ) {
        (self.name, self.description, self.sensors) = (name, description, sensors)
        (self.edges, self.patterns) = (edges, patterns)
        (self.validator, self.confidence, self.context) = (validator, confidence, context)
        (self.homeDomains, self.allow) = (homeDomains, allow)
    }
}
