/// Expressions as steps from byte to byte, several side by side: what an `Automaton` is made of. May match more than an
/// expression does, never less.
struct Program {
    enum Step {
        /// One byte of a set.
        case byte(set: Int, next: Int)
        case fork([Int])
        case wordBoundary(next: Int)
        case notAfter(set: Int, next: Int)
        case notBefore(set: Int, next: Int)
        case found
    }

    private(set) var steps: [Step] = []
    /// Of each step the pattern it is of.
    private(set) var patterns: [Int] = []
    /// Each set once; the first is that of word characters.
    private(set) var sets = [SyntaxClass.word]
    private var known = [SyntaxClass.word: 0]

    /// Steps of one pattern; an expression with more is known by its prefix only.
    private static let stepsMax = 2000
    private var left = 0
    private var pattern = 0

    /// Answers the first step of the pattern, and whether the program is all that the expression is.
    mutating func add(_ expression: Expression, pattern: Int) -> (first: Int, isExact: Bool) {
        self.pattern = pattern
        left = Self.stepsMax
        let count = steps.count
        let found = step(.found)
        if expression.prefix.count > 1, !expression.syntax.prefix.isEmpty,
            let first = add(expression.syntax.root, then: found)
        {
            return (first, expression.syntax.isExact)
        }
        steps.removeSubrange((count + 1)...)
        patterns.removeSubrange((count + 1)...)
        let first = expression.prefix.reversed().reduce(found) { next, set in
            step(.byte(set: index(of: set), next: next))
        }
        return (first, false)
    }

    private mutating func step(_ step: Step) -> Int {
        left -= 1
        steps.append(step)
        patterns.append(pattern)
        return steps.count - 1
    }

    private mutating func index(of set: ByteSet) -> Int {
        if let index = known[set] { return index }
        sets.append(set)
        known[set] = sets.count - 1
        return sets.count - 1
    }

    /// Nil where there are too many steps.
    private mutating func add(_ node: Syntax.Node, then next: Int) -> Int? {
        guard left > 0 else { return nil }
        switch node {
        case .byte(let set): return step(.byte(set: index(of: set), next: next))
        case .ahead: return next
        case .wordBoundary: return step(.wordBoundary(next: next))
        case .notAfter(let set): return step(.notAfter(set: index(of: set), next: next))
        case .notBefore(let set): return step(.notBefore(set: index(of: set), next: next))
        case .sequence(let parts):
            var next = next
            for part in parts.reversed() {
                guard let first = add(part, then: next) else { return nil }
                next = first
            }
            return next
        case .choice(let parts):
            var branches: [Int] = []
            for part in parts {
                guard let first = add(part, then: next) else { return nil }
                branches.append(first)
            }
            return step(.fork(branches))
        case .repeated(let part, let least, let most): return add(part, least, most, then: next)
        }
    }

    /// What is repeated more often than the automaton reads bytes is repeated for ever.
    private mutating func add(_ part: Syntax.Node, _ least: Int, _ most: Int?, then next: Int) -> Int? {
        var next = next
        let optional = most.map { $0 - least } ?? .max
        if optional > Automaton.bytesMax {
            let fork = step(.fork([]))
            guard let first = add(part, then: fork) else { return nil }
            steps[fork] = .fork([first, next])
            next = fork
        } else {
            let end = next
            for _ in 0..<optional {
                guard let first = add(part, then: next) else { return nil }
                next = step(.fork([first, end]))
            }
        }
        for _ in 0..<min(least, Automaton.bytesMax + 1) {
            guard let first = add(part, then: next) else { return nil }
            next = first
        }
        return next
    }
}
