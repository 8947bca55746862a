/// What could not be read, and why: never silently clean, always a counted outcome with an action of its own.
public enum Uninspectable: String, Sendable, CaseIterable {
    case undecodable
    case decompressionBomb = "decompression_bomb"
    case patternOverrun = "pattern_overrun"
    case unknownCoding = "unknown_coding"
    case truncated
    case encrypted
    case tunnel
    case redactImpossible = "redact_impossible"

    public var label: StaticString {
        switch self {
        case .undecodable: "undecodable"
        case .decompressionBomb: "decompression_bomb"
        case .patternOverrun: "pattern_overrun"
        case .unknownCoding: "unknown_coding"
        case .truncated: "truncated"
        case .encrypted: "encrypted"
        case .tunnel: "tunnel"
        case .redactImpossible: "redact_impossible"
        }
    }
}
