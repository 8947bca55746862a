import Bytes

/// The Public Suffix List (publicsuffix.org): below which names anybody may register one, and with it whose a name is.
///
/// Both sections of the list count. `evil.github.io` and `good.github.io` belong to different people, as the private
/// section says, and what one of them does below his name must not be held against the other. A name that is itself
/// registered has nothing below it that could carry data: whoever answers for `github.io` is not who made `evil`.
///
/// Trusted zones, of which `TrustedZones` tells, lie in the same table, so that a name is walked once.
///
/// A hash table of suffixes by their keyed hash alone: a suffix that meets another's hash by chance would cut a name one
/// label too early or too late, which no verdict hangs on.
public struct PublicSuffixes: Sendable {
    /// What is wrong with a list, and where.
    public struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
        /// Counted from 1; 0 where the whole is meant.
        public let line: Int
        public let message: String

        public var description: String { line > 0 ? "line \(line): \(message)" : message }
    }

    struct Marks: OptionSet {
        let rawValue: UInt8
        static let rule = Marks(rawValue: 1)
        /// Every label in front of it makes a public suffix.
        static let wildcard = Marks(rawValue: 2)
        /// Is registered, whatever the wildcard says.
        static let exception = Marks(rawValue: 4)
        static let trusted = Marks(rawValue: 8)
        /// Something longer than this suffix is in the table.
        static let deeper = Marks(rawValue: 16)
        /// `ip6.arpa`.
        static let reverse = Marks(rawValue: 32)
        /// Those that say something of the suffix itself.
        static let all: Marks = [.rule, .wildcard, .exception, .trusted, .reverse]
    }

    private struct Slot {
        var hash: UInt64 = 0
        var marks: Marks = []
    }

    /// Rules of one list. That of 2025 has about ten thousand.
    static let rulesMax = 1 << 18

    private let hash = NameHash.shared
    private var slots: ContiguousArray<Slot>
    private var used = 0
    /// How many rules the list had.
    public private(set) var count = 0

    /// Parses a list, as publicsuffix.org publishes it: a rule on each line up to the first white space, comments from
    /// `//`. Names beyond ASCII may be in either form.
    public init(_ list: UnsafeRawBufferPointer, trusted: [DomainName] = []) throws(Problem) {
        // One line in two is a rule, and a rule brings hardly more than itself: about 14 bytes of list for each slot used.
        slots = ContiguousArray(repeating: Slot(), count: PublicSuffixes.slots(for: list.count / 14 + 64))
        addReverse()
        var (line, start) = (0, 0)
        while start < list.count {
            let end = list[start...].firstIndex(of: UInt8(ascii: "\n")) ?? list.count
            line += 1
            do {
                try add(UnsafeRawBufferPointer(rebasing: list[start..<end]))
            } catch {
                throw Problem(line: line, message: error.message)
            }
            start = end + 1
        }
        guard count > 0 else { throw Problem(line: 0, message: "expected a public suffix list, found no rule in it") }
        for zone in trusted { add(zone) }
    }

    /// A few suffixes of many registrations, for when no list can be read: most names are cut as the list would cut them.
    public init(builtInWith trusted: [DomainName]) {
        slots = ContiguousArray(repeating: Slot(), count: PublicSuffixes.slots(for: 1024))
        addReverse()
        for rule in PublicSuffixes.builtIn {
            put(UnsafeRawBufferPointer(start: rule.utf8Start, count: rule.utf8CodeUnitCount), .rule)
        }
        for zone in trusted { add(zone) }
    }

    private static let builtIn: [StaticString] = [
        "ac.uk", "co.uk", "gov.uk", "org.uk", "com.au", "net.au", "org.au", "com.br", "net.br", "com.cn", "net.cn",
        "com.mx", "com.tr", "com.tw", "co.in", "co.il", "co.jp", "ne.jp", "or.jp", "co.kr", "co.nz", "co.za", "gov",
        "in-addr.arpa", "ip6.arpa", "github.io", "gitlab.io", "herokuapp.com", "azurewebsites.net", "cloudfront.net",
        "web.app", "pages.dev", "workers.dev", "vercel.app", "netlify.app", "duckdns.org", "ngrok.io",
    ]

    private mutating func addReverse() {
        let zone: StaticString = "ip6.arpa"
        put(UnsafeRawBufferPointer(start: zone.utf8Start, count: zone.utf8CodeUnitCount), .reverse)
    }

    // MARK: - Reading the list

    private struct BadRule: Error { let message: String }

    private mutating func add(_ line: UnsafeRawBufferPointer) throws(BadRule) {
        let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d }
        guard let first = line.first, !isSpace(first), !line.starts(with: "//".utf8) else { return }
        var rule = UnsafeRawBufferPointer(rebasing: line.prefix { !isSpace($0) })
        var mark = Marks.rule
        if rule.first == UInt8(ascii: "!") {
            mark = .exception
            rule = UnsafeRawBufferPointer(rebasing: rule.dropFirst())
        } else if rule.starts(with: "*.".utf8) {
            mark = .wildcard
            rule = UnsafeRawBufferPointer(rebasing: rule.dropFirst(2))
        } else if rule.elementsEqual("*".utf8) {
            // The rule that holds where no other does.
            count += 1
            return
        }
        guard count < PublicSuffixes.rulesMax else {
            throw BadRule(message: "expected at most \(PublicSuffixes.rulesMax) rules, found more")
        }
        count += 1
        if rule.allSatisfy({ $0 < 0x80 }) {
            try put(checked: rule, mark)
            return
        }
        guard let text = String(validating: rule, as: UTF8.self) else {
            throw BadRule(message: "expected UTF-8 text, found other bytes")
        }
        var encoded: [UInt8] = []
        for label in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard let ascii = Punycode.encode(label) else { throw BadRule(message: "`\(text)`: a label is too long") }
            if !encoded.isEmpty { encoded.append(UInt8(ascii: ".")) }
            encoded += ascii
        }
        let failure = encoded.withUnsafeBytes { bytes -> BadRule? in
            do throws(BadRule) { try put(checked: bytes, mark) } catch { return error }
            return nil
        }
        if let failure { throw failure }
    }

    private mutating func put(checked rule: UnsafeRawBufferPointer, _ mark: Marks) throws(BadRule) {
        let shown = { String(decoding: rule.prefix(64), as: UTF8.self) }
        guard (1...253).contains(rule.count) else { throw BadRule(message: "expected a name, found `\(shown())`") }
        var length = 0
        for byte in rule {
            switch byte {
            case UInt8(ascii: "."):
                guard length > 0 else { throw BadRule(message: "`\(shown())`: a label is empty") }
                length = -1
            case UInt8(ascii: "*"):
                throw BadRule(message: "`\(shown())`: expected `*` as the first label alone")
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                guard length < 63 else { throw BadRule(message: "`\(shown())`: a label is too long") }
            default:
                throw BadRule(message: "expected a name, found `\(shown())`")
            }
            length += 1
        }
        guard length > 0 else { throw BadRule(message: "`\(shown())`: a label is empty") }
        put(rule, mark)
    }

    // MARK: - The table

    private mutating func add(_ trusted: DomainName) {
        trusted.bytes.withUnsafeBytes { put($0, .trusted) }
    }

    /// Marks a suffix, and those it is part of as leading on to it.
    private mutating func put(_ name: UnsafeRawBufferPointer, _ mark: Marks) {
        var labels = LabelStarts()
        labels.read(text: name)
        var running = hash.root
        for index in stride(from: labels.count - 1, through: 0, by: -1) {
            running = hash.adding(labels[index], of: name, to: running)
            insert(running, index == 0 ? mark : .deeper)
        }
    }

    private mutating func insert(_ hash: UInt64, _ marks: Marks) {
        if 2 * (used + 1) > slots.count { grow() }
        let at = place(of: hash)
        if slots[at].hash == 0 { used += 1 }
        slots[at].hash = hash
        slots[at].marks.formUnion(marks)
    }

    private mutating func grow() {
        let old = slots
        slots = ContiguousArray(repeating: Slot(), count: old.count * 2)
        for slot in old where slot.hash != 0 { slots[place(of: slot.hash)] = slot }
    }

    /// The slot that has this hash, or the empty one where it would be. The table is at most half full.
    @inline(__always)
    private func place(of hash: UInt64) -> Int {
        var at = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[at].hash != 0, slots[at].hash != hash { at = (at + 1) & (slots.count - 1) }
        return at
    }

    @inline(__always)
    private func marks(of hash: UInt64) -> Marks {
        slots.withUnsafeBufferPointer { slots in
            let mask = slots.count &- 1
            var at = Int(truncatingIfNeeded: hash) & mask
            // Bounds: `at` is masked.
            while slots[at].hash != hash {
                if slots[at].hash == 0 { return [] }
                at = (at &+ 1) & mask
            }
            return slots[at].marks
        }
    }

    private static func slots(for count: Int) -> Int {
        var slots = 64
        while slots < 2 * count { slots *= 2 }
        return slots
    }

    // MARK: - Cutting names

    /// The registered domain of a name, or nil if it is a public suffix itself or has one label alone. Allocates nothing.
    public func registered(of name: DomainName) -> Range<Int>? {
        name.bytes.withUnsafeBytes { bytes in
            var labels = LabelStarts()
            labels.read(text: bytes)
            let cut = cut(labels, of: bytes, lead: 0)
            return cut.isRegistered ? cut.registered : nil
        }
    }

    /// Whether both names are of one registered domain.
    public func areRelated(_ one: DomainName, _ other: DomainName) -> Bool {
        guard let first = registered(of: one), let second = registered(of: other) else { return false }
        return one.bytes[first] == other.bytes[second]
    }

    /// Cuts the name of a question: its bytes from the first length to the root label, never compressed. Nil where they
    /// are no name. Allocates nothing.
    public func cut(_ name: UnsafeRawBufferPointer) -> NameCut? {
        var labels = LabelStarts()
        return labels.read(wire: name) ? cut(labels, of: name, lead: 1) : nil
    }

    /// `lead`: bytes in front of a label that belong to it.
    @inline(__always)
    private func cut(_ labels: borrowing LabelStarts, of name: UnsafeRawBufferPointer, lead: Int) -> NameCut {
        // The rule `*` holds where there is no other.
        var (suffix, isExcepted) = (1, false)
        var (isWalking, isTrusted) = (true, false)
        var (running, domain) = (hash.root, hash.root)
        var (end, depth) = (labels.end, 0)
        guard let base = name.baseAddress else { return .none }
        while depth < labels.count {
            let start = labels.start(labels.count &- depth &- 1)
            // Bounds: labels follow each other within `name`. An empty one, which only a bad text has, is hashed as such.
            running = hash.adding(base + start, max(end &- start, 0), to: running)
            end = start &- 1
            depth &+= 1
            if isWalking {
                let marks = marks(of: running)
                isWalking = marks.contains(.deeper)
                // Most suffixes that are longer than a rule are in no list.
                if !marks.isDisjoint(with: .all) {
                    isTrusted = isTrusted || marks.contains(.trusted)
                    if marks.contains(.exception) {
                        (suffix, isExcepted) = (depth - 1, true)
                    } else if marks.contains(.wildcard), depth < labels.count {
                        suffix = depth + 1
                    } else if marks.contains(.rule), !isExcepted {
                        suffix = max(suffix, depth)
                    }
                    if marks.contains(.reverse), PublicSuffixes.isReverse(labels) { suffix = PublicSuffixes.delegated }
                }
            }
            if depth <= suffix &+ 1 { domain = running }
        }
        let below = max(labels.count &- suffix &- 1, 0)
        let from = labels.count > 0 ? labels.start(below) &- lead : 0
        return NameCut(
            below: 0..<from, registered: from..<labels.end, labelsBelow: below,
            isRegistered: labels.count > suffix, isTrusted: isTrusted, domain: domain, whole: running)
    }

    /// Whoever has a /48 answers for the names of its addresses, and anybody can have one: 48 bits are 12 labels, one of
    /// which is the registered one.
    private static let delegated = 2 + 12 - 1

    /// Whether the labels are those of an address in `ip6.arpa` (RFC 3596 section 2.5), by their lengths.
    private static func isReverse(_ labels: borrowing LabelStarts) -> Bool {
        guard labels.count > delegated, labels.count <= 34 else { return false }
        for index in 0..<labels.count - 2 where labels[index].count != 1 { return false }
        return true
    }
}

/// A name, cut where the part begins that somebody registered.
public struct NameCut: Equatable, Sendable {
    /// What is below the registered domain: on the wire whole labels with their lengths. Empty where there is none.
    public let below: Range<Int>
    /// The registered domain, without the root label; the whole name where nothing is registered.
    public let registered: Range<Int>
    public let labelsBelow: Int
    /// False for public suffixes and single labels.
    public let isRegistered: Bool
    /// Within a trusted zone.
    public let isTrusted: Bool
    /// Hashes of the registered domain and of the whole name, in any letter case, keyed for this process.
    let domain: UInt64
    let whole: UInt64

    static let none = NameCut(
        below: 0..<0, registered: 0..<0, labelsBelow: 0, isRegistered: false, isTrusted: false, domain: 0, whole: 0)
}
