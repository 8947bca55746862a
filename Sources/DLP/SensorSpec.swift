import Bytes

/// Where a pattern reads.
public struct Contexts: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let url = Contexts(rawValue: 1)
    public static let header = Contexts(rawValue: 2)
    public static let body = Contexts(rawValue: 4)
    /// All bytes of a stream that is not HTTP.
    public static let packet = Contexts(rawValue: 8)
    /// The labels of names that are asked for, joined and decoded.
    public static let name = Contexts(rawValue: 16)
}

/// One regular expression (PCRE2) of a rule.
public struct PatternSpec: Hashable, Sendable {
    public var regex: String
    public var contexts: Contexts
    /// The rule wants this pattern absent.
    public var negated: Bool
    /// A name from `Validator`, or none.
    public var validator: String?

    public init(regex: String, contexts: Contexts, negated: Bool = false, validator: String? = nil) {
        self.regex = regex
        self.contexts = contexts
        self.negated = negated
        self.validator = validator
    }
}

/// How many matches of one exchange are a finding.
public struct Threshold: Hashable, Sendable {
    /// Matches, and different values among them.
    public var atLeast: Int
    public var distinct: Int

    public static let none = Threshold()
    public static let atLeastMax = 1_000_000
    /// Values are remembered as a word each.
    public static let distinctMax = 10_000

    public init(atLeast: Int = 1, distinct: Int = 1) {
        (self.atLeast, self.distinct) = (atLeast, distinct)
    }

    /// More than one match is needed.
    var counts: Bool { self != .none }
}

/// Values of an index: all the named columns of one row, close together.
public struct ExactSpec: Hashable, Sendable {
    /// Path of what `weir edm build` made.
    public var index: String
    /// Path of the key it was made with.
    public var key: String
    public var columns: [String]
    /// Bytes in which the values of a row must lie.
    public var within: Int
    public var contexts: Contexts

    public static let withinMax = 4096

    public init(
        index: String, key: String, columns: [String], within: Int = 300,
        contexts: Contexts = [.url, .header, .body, .packet]
    ) {
        (self.index, self.key, self.columns, self.within) = (index, key, columns, within)
        self.contexts = contexts
    }
}

/// Documents of an index, whole or in part.
public struct DocumentsSpec: Hashable, Sendable {
    /// Path of what `weir fingerprint build` made.
    public var index: String
    /// Path of the key it was made with.
    public var key: String
    /// Share of a document's fingerprints that makes a finding, above 0 and at most 1.
    public var similarity: Double

    public static let similarityDefault = 0.3

    public init(index: String, key: String, similarity: Double = similarityDefault) {
        (self.index, self.key, self.similarity) = (index, key, similarity)
    }
}

/// Patterns that must all hold in one exchange, or values or documents of the user's own.
public struct SensorRuleSpec: Hashable, Sendable {
    public var name: String
    public var patterns: [PatternSpec]
    /// Of the first pattern that is not negated, or of the rows or documents.
    public var threshold: Threshold
    /// Instead of patterns.
    public var exact: ExactSpec?
    public var documents: DocumentsSpec?

    public init(
        name: String, patterns: [PatternSpec] = [], threshold: Threshold = .none, exact: ExactSpec? = nil,
        documents: DocumentsSpec? = nil
    ) {
        self.name = name
        self.patterns = patterns
        self.threshold = threshold
        self.exact = exact
        self.documents = documents
    }
}

/// A named set of rules, any of which is a finding.
public struct SensorSpec: Hashable, Sendable {
    public enum Direction: Sendable { case request, both }

    public var name: String
    public var direction: Direction
    public var rules: [SensorRuleSpec]
    /// Ready sensors and detectors; each detector is a rule under its name.
    public var detectors: [String]
    /// Of the detectors: what is less sure is no match.
    public var confidence: Confidence
    /// Values that the detectors never count; `*` at an end stands for anything.
    public var allow: [String]
    /// Of the matches of all detectors together.
    public var threshold: Threshold

    public init(
        name: String, direction: Direction = .request, rules: [SensorRuleSpec] = [], detectors: [String] = [],
        confidence: Confidence = .medium, allow: [String] = [], threshold: Threshold = .none
    ) {
        (self.name, self.direction, self.rules) = (name, direction, rules)
        (self.detectors, self.confidence, self.allow) = (detectors, confidence, allow)
        self.threshold = threshold
    }
}
