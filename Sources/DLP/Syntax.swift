/// What can be read off an expression besides what PCRE2 tells: what is refused, how long a match with its look-around
/// can get, and which bytes its first positions can have.
///
/// Reads PCRE2's syntax and may know less of it than PCRE2, never more: where it is not sure it answers "any bytes, any
/// number of them".
struct Syntax: Sendable {
    /// What an expression can match: never less than what PCRE2 would.
    indirect enum Node: Sendable {
        case byte(ByteSet)
        case sequence([Node])
        case choice([Node])
        case repeated(Node, Int, Int?)
        /// Looked at and not taken.
        case ahead(Node)
        /// `\b`
        case wordBoundary
        /// Does not come after one of these bytes.
        case notAfter(ByteSet)
        /// Does not come before one of these bytes.
        case notBefore(ByteSet)

        static var empty: Node { .sequence([]) }
        static var anything: Node { .repeated(.byte(.all), 0, nil) }
    }

    /// Look-behinds inside look-behinds add up.
    let lookBehindDepth: Int
    let mindsLastNewline: Bool
    /// Bytes of the longest match with what it looks ahead at, or none.
    let lengthMax: Int?
    /// Some match takes a byte, or could as far as is known here.
    let takesBytes: Bool
    /// No match has fewer digits.
    let digitsMin: Int
    /// What cannot stand before a match.
    let refusedBefore: ByteSet
    /// Every match begins where a word begins or ends.
    let startsAtBoundary: Bool
    /// What the first bytes of a match can be; not longer than the shortest match.
    let prefix: [ByteSet]
    let root: Node
    /// `root` matches where the expression does, and nowhere else.
    let isExact: Bool

    /// Positions looked at from the start of a match.
    static let prefixMax = 24

    init(_ source: [UInt8]) throws(Expression.Refusal) {
        var parser = SyntaxParser(source)
        let node = try parser.parse()
        lookBehindDepth = parser.lookBehindDepth
        mindsLastNewline = parser.mindsLastNewline
        lengthMax = Self.longest(node)
        takesBytes = Self.takesBytes(node)
        digitsMin = Self.fewestDigits(node)
        let prefix = Self.prefix(node)
        self.prefix = prefix
        root = node
        startsAtBoundary = Self.startsAtBoundary(node)
        isExact = !parser.unsure && !parser.loose && !Self.looksBack(node, isFirst: true)
        refusedBefore = Self.refusedBefore(node, wordFirst: prefix.first?.isSubset(of: SyntaxClass.word) ?? false)
    }

    /// By the assertions at the very start.
    private static func refusedBefore(_ node: Node, wordFirst: Bool) -> ByteSet {
        switch node {
        case .notAfter(let set): return set
        case .wordBoundary: return wordFirst ? SyntaxClass.word : ByteSet()
        case .sequence(let parts):
            var refused = ByteSet()
            for part in parts {
                refused = refused.union(refusedBefore(part, wordFirst: wordFirst))
                if !isAssertion(part) { break }
            }
            return refused
        default: return ByteSet()
        }
    }

    private static func startsAtBoundary(_ node: Node) -> Bool {
        switch node {
        case .wordBoundary: return true
        case .sequence(let parts):
            for part in parts {
                if startsAtBoundary(part) { return true }
                if !isAssertion(part) { return false }
            }
            return false
        default: return false
        }
    }

    /// Looks at the byte before some other place than the start.
    private static func looksBack(_ node: Node, isFirst: Bool) -> Bool {
        switch node {
        case .byte, .ahead, .wordBoundary, .notBefore: return false
        case .notAfter: return !isFirst
        case .sequence(let parts):
            var isFirst = isFirst
            for part in parts {
                if looksBack(part, isFirst: isFirst) { return true }
                isFirst = isFirst && isAssertion(part)
            }
            return false
        case .choice(let parts): return parts.contains { looksBack($0, isFirst: isFirst) }
        case .repeated(let part, _, _): return looksBack(part, isFirst: false)
        }
    }

    private static func isAssertion(_ node: Node) -> Bool {
        switch node {
        case .ahead, .wordBoundary, .notAfter, .notBefore: true
        case .sequence(let parts): parts.allSatisfy(isAssertion)
        default: false
        }
    }

    /// None where there is no bound.
    private static func longest(_ node: Node) -> Int? {
        switch node {
        case .byte: return 1
        case .wordBoundary, .notAfter: return 0
        case .notBefore: return 1
        case .ahead(let part): return longest(part)
        case .sequence(let parts):
            return parts.reduce(0 as Int?) { sum, part in
                guard let sum, let length = longest(part) else { return nil }
                return sum.addingClamping(length)
            }
        case .choice(let parts):
            return parts.reduce(0 as Int?) { most, part in
                guard let most, let length = longest(part) else { return nil }
                return max(most, length)
            }
        case .repeated(let part, _, let count):
            guard let length = longest(part) else { return nil }
            if length == 0 { return 0 }
            return count.map { length.multipliedClamping(by: $0) }
        }
    }

    private static func takesBytes(_ node: Node) -> Bool {
        switch node {
        case .byte: true
        case .ahead, .wordBoundary, .notAfter, .notBefore: false
        case .sequence(let parts), .choice(let parts): parts.contains(where: takesBytes)
        case .repeated(let part, _, let most): most != 0 && takesBytes(part)
        }
    }

    private static func fewestDigits(_ node: Node) -> Int {
        switch node {
        case .byte(let set): set.isSubset(of: .digits) ? 1 : 0
        case .ahead, .wordBoundary, .notAfter, .notBefore: 0
        case .sequence(let parts): parts.reduce(0) { $0.addingClamping(fewestDigits($1)) }
        case .choice(let parts): parts.map(fewestDigits).min() ?? 0
        case .repeated(let part, let least, _): fewestDigits(part).multipliedClamping(by: least)
        }
    }

    private static func prefix(_ node: Node) -> [ByteSet] {
        var sets = [ByteSet](repeating: ByteSet(), count: prefixMax)
        let ends = walk(node, from: 1, &sets)
        return Array(sets.prefix(ends.trailingZeroBitCount))
    }

    /// Goes through `node` from all offsets in `starts` (bits) at once, notes the bytes it meets at each, and answers the
    /// offsets at which it can end. Offsets from `prefixMax` on are one: somewhere beyond.
    private static func walk(_ node: Node, from starts: UInt64, _ sets: inout [ByteSet]) -> UInt64 {
        let beyond: UInt64 = 1 << UInt64(prefixMax)
        switch node {
        case .ahead, .wordBoundary, .notAfter, .notBefore: return starts
        case .byte(let set):
            for at in 0..<prefixMax where starts & 1 << UInt64(at) != 0 { sets[at] = sets[at].union(set) }
            return (starts & ~beyond) << 1 | starts & beyond
        case .sequence(let parts):
            return parts.reduce(starts) { walk($1, from: $0, &sets) }
        case .choice(let parts):
            return parts.reduce(0) { $0 | walk($1, from: starts, &sets) }
        case .repeated(let part, let least, let most):
            var ends = starts
            for _ in 0..<min(least, prefixMax + 1) { ends = walk(part, from: ends, &sets) }
            var all = ends
            for _ in 0..<min((most ?? .max) - least, prefixMax + 1) {
                ends = walk(part, from: ends, &sets)
                if all | ends == all { break }
                all |= ends
            }
            return all
        }
    }
}

extension Int {
    func addingClamping(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    func multipliedClamping(by other: Int) -> Int {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
