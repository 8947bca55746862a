/// What can be read off an expression before PCRE2 sees it: what is refused, and what bounds its matches.
struct Syntax: Sendable {
    /// Look-behinds inside look-behinds add up.
    private(set) var lookBehindDepth = 0
    private(set) var mindsLastNewline = false

    init(_ source: [UInt8]) throws(Expression.Refusal) {
        if source.starts(with: "(*".utf8) {
            throw Expression.Refusal(
                offset: 0, message: "start-of-pattern verbs are not supported, expected the expression itself")
        }
        try refuse(source)
    }

    private mutating func refuse(_ source: [UInt8]) throws(Expression.Refusal) {
        var at = 0
        while at < source.count {
            defer { at += 1 }
            if source[at] == UInt8(ascii: "$") { mindsLastNewline = true }
            if source[at] == UInt8(ascii: "("), source[at...].starts(with: "(?C".utf8) {
                throw Expression.Refusal(offset: at, message: "callouts are not supported, expected none")
            }
            if source[at] == UInt8(ascii: "("), source[at...].starts(with: "(?<".utf8) { lookBehindDepth += 1 }
            guard source[at] == UInt8(ascii: "\\"), at + 1 < source.count else { continue }
            at += 1
            switch source[at] {
            case UInt8(ascii: "K"):
                throw Expression.Refusal(
                    offset: at - 1, message: #"\K is not supported, expected a look-behind (?<=…) instead"#)
            case UInt8(ascii: "G"):
                throw Expression.Refusal(offset: at - 1, message: #"\G is not supported, expected \b or ^ instead"#)
            case UInt8(ascii: "C"):
                throw Expression.Refusal(
                    offset: at - 1, message: #"\C is not supported, expected (?s:.) which is one byte here as well"#)
            case UInt8(ascii: "Z"): mindsLastNewline = true
            default: break
            }
        }
    }
}
