/// The rules of one `.gitignore`, `.ignore` or `.weirignore` (gitignore(5)), for paths relative to the directory that
/// it is in. Names are bytes.
public struct IgnoreRules: Sendable {
    public enum Verdict: Sendable { case ignored, kept }

    private struct Rule: Sendable {
        var glob: Glob
        /// `!`: what an earlier rule ignores is kept.
        var keeps: Bool
        var directoriesOnly: Bool
        /// Matches the whole path; else the last name of it.
        var anchored: Bool
    }

    private var rules: [Rule] = []

    public var isEmpty: Bool { rules.isEmpty }

    public init(_ text: [UInt8]) {
        for line in text.split(separator: UInt8(ascii: "\n")) {
            if let rule = Self.rule(line) { rules.append(rule) }
        }
    }

    /// What the last rule that matches says; nil where none does.
    public func verdict(_ path: ArraySlice<UInt8>, isDirectory: Bool) -> Verdict? {
        let name = path.lastIndex(of: UInt8(ascii: "/")).map { path[($0 + 1)...] } ?? path
        for rule in rules.reversed() where isDirectory || !rule.directoriesOnly {
            if rule.glob.matches(rule.anchored ? path : name) { return rule.keeps ? .kept : .ignored }
        }
        return nil
    }

    private static func rule(_ line: ArraySlice<UInt8>) -> Rule? {
        var text = line
        if text.last == UInt8(ascii: "\r") { text = text.dropLast() }
        // Blanks at the end do not count, unless one is escaped.
        while text.last == UInt8(ascii: " "), text.dropLast().last != UInt8(ascii: "\\") { text = text.dropLast() }
        guard let first = text.first, first != UInt8(ascii: "#") else { return nil }
        let keeps = first == UInt8(ascii: "!")
        if keeps { text = text.dropFirst() }
        let directoriesOnly = text.last == UInt8(ascii: "/")
        if directoriesOnly { text = text.dropLast() }
        let anchored = text.contains(UInt8(ascii: "/"))
        if text.first == UInt8(ascii: "/") { text = text.dropFirst() }
        guard !text.isEmpty, let glob = Glob(text) else { return nil }
        return Rule(glob: glob, keeps: keeps, directoriesOnly: directoriesOnly, anchored: anchored)
    }
}

/// A pattern of names, compiled. Matching takes no more than the product of the lengths, whatever the pattern.
struct Glob: Sendable {
    private enum Token: Sendable {
        case byte(UInt8)
        /// Of `?` and brackets: none has `/`.
        case set(ByteSet)
        /// `*`: within a name.
        case star
        /// `**/`: any number of whole names, none included.
        case deep
        /// `/**` at the end: all that is inside.
        case inside
    }

    private var tokens: [Token] = []
    /// Most patterns are no more than bytes, or a star before bytes.
    private let literal: [UInt8]?
    private let suffix: [UInt8]?

    private static let slash = UInt8(ascii: "/")
    private static let notSlash = ByteSet([slash]).inverted

    /// Nil where a bracket does not close: then nothing matches, as in git.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"): tokens.append(Self.stars(&rest, startsName: tokens.isEmpty || Self.ends(tokens)))
            case UInt8(ascii: "?"): tokens.append(.set(Self.notSlash))
            case UInt8(ascii: "["):
                guard let set = Self.bracket(&rest) else { return nil }
                tokens.append(.set(set.intersection(Self.notSlash)))
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst() else { return nil }
                tokens.append(.byte(escaped))
            default: tokens.append(.byte(byte))
            }
        }
        literal = Self.bytes(tokens[...])
        if case .star? = tokens.first { suffix = Self.bytes(tokens.dropFirst()) } else { suffix = nil }
    }

    private static func bytes(_ tokens: ArraySlice<Token>) -> [UInt8]? {
        var bytes: [UInt8] = []
        for token in tokens {
            guard case .byte(let byte) = token else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func ends(_ tokens: [Token]) -> Bool {
        if case .byte(slash)? = tokens.last { return true }
        if case .deep? = tokens.last { return true }
        return false
    }

    /// The first star has been taken.
    private static func stars(_ rest: inout ArraySlice<UInt8>, startsName: Bool) -> Token {
        let more = rest.prefix { $0 == UInt8(ascii: "*") }.count
        let after = rest.dropFirst(more)
        rest = after
        guard more == 1, startsName else { return .star }
        if after.isEmpty { return .inside }
        guard after.first == slash else { return .star }
        rest = after.dropFirst()
        return .deep
    }

    /// What stands in a bracket, which has been taken.
    private static func bracket(_ rest: inout ArraySlice<UInt8>) -> ByteSet? {
        var set = ByteSet()
        let inverts = rest.first == UInt8(ascii: "!") || rest.first == UInt8(ascii: "^")
        if inverts { rest = rest.dropFirst() }
        var isFirst = true
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "]"), !isFirst { return inverts ? set.inverted : set }
            isFirst = false
            if byte == UInt8(ascii: "["), rest.first == UInt8(ascii: ":"), let named = named(&rest) {
                set = set.union(named)
                continue
            }
            guard let first = byte == UInt8(ascii: "\\") ? rest.popFirst() : byte else { return nil }
            let bound = rest.dropFirst().first
            guard rest.first == UInt8(ascii: "-"), let bound, bound != UInt8(ascii: "]") else {
                set.insert(first)
                continue
            }
            rest = rest.dropFirst(2)
            guard let last = bound == UInt8(ascii: "\\") ? rest.popFirst() : bound else { return nil }
            if first <= last { set = set.union(ByteSet(first...last)) }
        }
        return nil
    }

    /// A class such as `[:digit:]`, whose bracket has been taken.
    private static func named(_ rest: inout ArraySlice<UInt8>) -> ByteSet? {
        let (digits, upper, lower) = (ByteSet.digits, ByteSet(0x41...0x5a), ByteSet(0x61...0x7a))
        let classes: [(String, ByteSet)] = [
            (":digit:]", digits), (":upper:]", upper), (":lower:]", lower), (":alpha:]", upper.union(lower)),
            (":alnum:]", upper.union(lower).union(digits)), (":space:]", ByteSet(0x09...0x0d).union(ByteSet([0x20]))),
            (":xdigit:]", digits.union(ByteSet(0x41...0x46)).union(ByteSet(0x61...0x66))),
            (":punct:]", ByteSet(0x21...0x7e).intersection(upper.union(lower).union(digits).inverted)),
        ]
        guard let found = classes.first(where: { rest.starts(with: $0.0.utf8) }) else { return nil }
        rest = rest.dropFirst(found.0.utf8.count)
        return found.1
    }

    func matches(_ name: ArraySlice<UInt8>) -> Bool {
        if let literal { return name.elementsEqual(literal) }
        if let suffix {
            return name.count >= suffix.count && name.suffix(suffix.count).elementsEqual(suffix)
                && !name.dropLast(suffix.count).contains(Self.slash)
        }
        return matchesTokens(name)
    }

    /// Goes back to the last star, or behind the next slash of the last `**/`: what stands before those need not be
    /// tried another way.
    private func matchesTokens(_ name: ArraySlice<UInt8>) -> Bool {
        var (token, at) = (0, name.startIndex)
        var star: (token: Int, at: Int)?
        var deep: (token: Int, at: Int)?
        while true {
            if token == tokens.count {
                if at == name.endIndex { return true }
            } else {
                switch tokens[token] {
                case .byte(let byte) where at < name.endIndex && name[at] == byte:
                    (token, at) = (token + 1, at + 1)
                    continue
                case .set(let set) where at < name.endIndex && set.contains(name[at]):
                    (token, at) = (token + 1, at + 1)
                    continue
                case .star:
                    star = (token + 1, at)
                    token += 1
                    continue
                case .deep:
                    (deep, star) = ((token + 1, at), nil)
                    token += 1
                    continue
                case .inside where at < name.endIndex: return true
                default: break
                }
            }
            if let tried = star, tried.at < name.endIndex, name[tried.at] != Self.slash {
                star = (tried.token, tried.at + 1)
                (token, at) = (tried.token, tried.at + 1)
            } else if let tried = deep, let slash = name[tried.at...].firstIndex(of: Self.slash) {
                (deep, star) = ((tried.token, slash + 1), nil)
                (token, at) = (tried.token, slash + 1)
            } else {
                return false
            }
        }
    }
}
