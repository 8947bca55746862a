/// Reads an expression into a `Syntax.Node`. Errors are left for PCRE2 to tell; only what PCRE2 would take and a stream
/// cannot offer is refused here.
struct SyntaxParser {
    typealias Node = Syntax.Node
    typealias Refusal = Expression.Refusal

    struct Flags {
        var caseless = false
        var dotAll = false
        var extended = false
    }

    let source: [UInt8]
    var at = 0
    var lookBehindDepth = 0
    var mindsLastNewline = false
    /// Something here is beyond this reader: the whole could be anything.
    var unsure = false
    /// Something here can match less than what it is read as.
    var loose = false
    /// Groups by number, once closed.
    private var groups: [Int: Node] = [:]
    private var groupCount = 0
    private var depth = 0

    /// PCRE2's own bound on nested parentheses is 250.
    private static let depthMax = 250

    init(_ source: [UInt8]) { self.source = source }

    mutating func parse() throws(Refusal) -> Node {
        var flags = Flags()
        let node = try choice(&flags)
        // What is left is an error that PCRE2 will tell, or a construct that was not understood.
        if at < source.count {
            unsure = true
            at += 1
            while at < source.count { _ = try choice(&flags); at += 1 }
        }
        return unsure ? .anything : node
    }

    func peek(_ ahead: Int = 0) -> UInt8? { at + ahead < source.count ? source[at + ahead] : nil }
    func sees(_ text: StaticString) -> Bool {
        guard source.count - at >= text.utf8CodeUnitCount else { return false }
        for offset in 0..<text.utf8CodeUnitCount where source[at + offset] != text.utf8Start[offset] { return false }
        return true
    }
    mutating func take(_ text: StaticString) -> Bool {
        guard sees(text) else { return false }
        at += text.utf8CodeUnitCount
        return true
    }

    // MARK: Structure

    /// Up to `)` or the end. Flags set inside hold to its end, in later branches too.
    private mutating func choice(_ flags: inout Flags) throws(Refusal) -> Node {
        var branches: [Node] = []
        repeat { branches.append(try sequence(&flags)) } while take("|")
        return branches.count == 1 ? branches[0] : .choice(branches)
    }

    private mutating func sequence(_ flags: inout Flags) throws(Refusal) -> Node {
        var parts: [Node] = []
        while let byte = peek(), byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
            if skip(flags) { continue }
            let item = try item(&flags)
            while skip(flags) {}
            parts.append(quantified(item, flags))
        }
        return .sequence(parts)
    }

    /// Comments, and blanks where they do not count.
    private mutating func skip(_ flags: Flags) -> Bool {
        if take("(?#") {
            while let byte = peek(), byte != UInt8(ascii: ")") { at += 1 }
            at += 1
            return true
        }
        guard flags.extended, let byte = peek() else { return false }
        if byte == UInt8(ascii: "#") {
            while let byte = peek(), byte != UInt8(ascii: "\n") { at += 1 }
            return true
        }
        guard byte == 0x20 || (0x09...0x0d).contains(byte) else { return false }
        at += 1
        return true
    }

    private mutating func quantified(_ item: Node, _ flags: Flags) -> Node {
        var node = item
        while true {
            while skip(flags) {}
            if take("*") {
                node = .repeated(node, 0, nil)
            } else if take("+") {
                node = .repeated(node, 1, nil)
            } else if take("?") {
                node = .repeated(node, 0, 1)
            } else if let (least, most) = count() {
                node = .repeated(node, least, most)
            } else {
                return node
            }
            // Lazy and possessive quantifiers match no more than the plain ones.
            if !take("?"), take("+") { loose = true }
        }
    }

    /// `{2}`, `{2,}`, `{2,3}`. `{,3}` is text to some versions of PCRE2 and a count to others.
    private mutating func count() -> (Int, Int?)? {
        guard peek() == UInt8(ascii: "{") else { return nil }
        let start = at
        at += 1
        if peek() == UInt8(ascii: ",") || peek() == UInt8(ascii: " ") { unsure = true }
        if let least = number() {
            if take("}") { return (least, least) }
            if take(",}") { return (least, nil) }
            if take(","), let most = number(), take("}") { return (least, max(most, least)) }
        }
        at = start
        return nil
    }

    mutating func number() -> Int? {
        var value: Int?
        while let byte = peek(), byte &- 0x30 < 10, (value ?? 0) < 100_000 {
            value = (value ?? 0) * 10 + Int(byte - 0x30)
            at += 1
        }
        return value
    }

    // MARK: Items

    private mutating func item(_ flags: inout Flags) throws(Refusal) -> Node {
        let start = at
        guard let byte = peek() else { return .empty }
        at += 1
        switch byte {
        case UInt8(ascii: "."):
            return .byte(flags.dotAll ? .all : ByteSet([UInt8(ascii: "\n")]).inverted)
        case UInt8(ascii: "^"):
            loose = true
            return .empty
        case UInt8(ascii: "$"):
            (mindsLastNewline, loose) = (true, true)
            return .empty
        case UInt8(ascii: "["):
            // [[:<:]] and [[:>:]] are word boundaries.
            if take("[:<:]]") || take("[:>:]]") {
                loose = true
                return .empty
            }
            return .byte(SyntaxClass.read(&self, flags))
        case UInt8(ascii: "("):
            at = start
            return try group(&flags)
        case UInt8(ascii: "\\"): return try SyntaxEscape.read(&self, flags, from: start)
        default: return .byte(folded(byte, flags))
        }
    }

    func folded(_ byte: UInt8, _ flags: Flags) -> ByteSet {
        let letter = (byte | 0x20) &- 0x61 < 26
        return ByteSet(flags.caseless && letter ? [byte, byte ^ 0x20] : [byte])
    }

    /// What a back reference to a group can repeat: what the group can match.
    func group(_ number: Int) -> Node { groups[number] ?? .anything }
    var groupsOpened: Int { groupCount }

    private mutating func group(_ flags: inout Flags) throws(Refusal) -> Node {
        let start = at
        at += 1
        if peek() == UInt8(ascii: "*") {
            let message = start == 0 ? "start-of-pattern verbs are not supported" : "verbs (*…) are not supported"
            throw Refusal(offset: start, message: message + ", expected an expression without them")
        }
        depth += 1
        defer { depth -= 1 }
        if depth > Self.depthMax {
            throw Refusal(offset: start, message: "nests too deeply, expected at most \(Self.depthMax) parentheses")
        }
        if !take("?") { return try capture(flags) }
        if take("C") { throw Refusal(offset: start, message: "callouts are not supported, expected none") }
        if take(":") { return try inner(flags) }
        if take("!") {
            if let set = try oneByte(flags) { return .notBefore(set) }
            return .empty
        }
        if take("<!") {
            lookBehindDepth += 1
            // One byte is what the candidates can be asked for.
            if let set = try oneByte(flags) { return .notAfter(set) }
            return .empty
        }
        if take(">") {
            loose = true
            return try inner(flags)
        }
        if take("=") || take("*") {
            loose = true
            return .ahead(try inner(flags))
        }
        if take("<=") || take("<*") {
            lookBehindDepth += 1
            loose = true
            _ = try inner(flags)
            return .empty
        }
        if take("P<") || take("<") { return try capture(flags, namedTo: UInt8(ascii: ">")) }
        if take("'") { return try capture(flags, namedTo: UInt8(ascii: "'")) }
        if take("|") || take("(") || take("R") || take("&") || take("P") || peek().map({ $0 &- 0x30 < 10 }) == true
            || take("+")
        {
            // Numbers used twice, conditions, recursion: matched by PCRE2, not followed here.
            unsure = true
            return try inner(flags)
        }
        return try options(&flags)
    }

    /// What is refused, if that is one byte of a set that is known for certain.
    private mutating func oneByte(_ flags: Flags) throws(Refusal) -> ByteSet? {
        let wasLoose = loose
        loose = false
        let node = try inner(flags)
        if !loose, !unsure, case .sequence(let parts) = node, parts.count == 1, case .byte(let set) = parts[0] {
            loose = wasLoose
            return set
        }
        loose = true
        return nil
    }

    private mutating func inner(_ flags: Flags) throws(Refusal) -> Node {
        var inside = flags
        let node = try choice(&inside)
        _ = take(")")
        return node
    }

    private mutating func capture(_ flags: Flags, namedTo end: UInt8? = nil) throws(Refusal) -> Node {
        if let end {
            while let byte = peek(), byte != end { at += 1 }
            at += 1
        }
        groupCount += 1
        let number = groupCount
        let node = try inner(flags)
        groups[number] = node
        return node
    }

    /// `(?i)`, `(?i-s:…)`, `(?^x)`.
    private mutating func options(_ flags: inout Flags) throws(Refusal) -> Node {
        var changed = flags
        var on = true
        while let byte = peek() {
            at += 1
            switch byte {
            case UInt8(ascii: "i"): changed.caseless = on
            case UInt8(ascii: "s"): changed.dotAll = on
            case UInt8(ascii: "x"):
                (changed.extended, loose) = (on, true)
                if peek() == UInt8(ascii: "x") { unsure = true }
            case UInt8(ascii: "m"), UInt8(ascii: "U"), UInt8(ascii: "J"): break
            case UInt8(ascii: "n"): unsure = true
            case UInt8(ascii: "-"): on = false
            case UInt8(ascii: "^"): changed = Flags()
            case UInt8(ascii: ")"):
                flags = changed
                return .empty
            case UInt8(ascii: ":"): return try inner(changed)
            default:
                unsure = true
                return .empty
            }
        }
        return .empty
    }
}
