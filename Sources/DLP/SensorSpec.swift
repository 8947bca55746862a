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

/// Patterns that must all hold in one exchange.
public struct SensorRuleSpec: Hashable, Sendable {
    public var name: String
    public var patterns: [PatternSpec]

    public init(name: String, patterns: [PatternSpec]) {
        self.name = name
        self.patterns = patterns
    }
}

/// A named set of rules, any of which is a finding.
public struct SensorSpec: Hashable, Sendable {
    public enum Direction: Sendable { case request, both }

    public var name: String
    public var direction: Direction
    public var rules: [SensorRuleSpec]

    public init(name: String, direction: Direction = .request, rules: [SensorRuleSpec]) {
        self.name = name
        self.direction = direction
        self.rules = rules
    }
}
