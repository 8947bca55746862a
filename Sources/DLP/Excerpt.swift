/// The bytes around one match, until they are told: then masked, so that they say what kind of text it is and nothing that
/// anybody would want to keep from the reader.
///
/// What is left to read is punctuation and words. Masked is whatever
/// - belongs to another match of any rule, told or not,
/// - has a digit, or touches a match, or is cut off by the bounds of the excerpt,
/// - does not look like a word: too long, or of mixed case,
/// - follows a word such as `password`, up to the end of the value, or is of a value in quotes that has begun before,
/// - is the name in an address of mail, or no text at all.
struct Excerpt: Equatable {
    /// Up to as many bytes as are asked for, or from the beginning of the value.
    private var before: [UInt8]
    private var after: [UInt8]
    /// Bytes still to come behind the match, unless the value ends.
    private(set) var missing: Int
    private let cutBefore: Bool
    /// Of other matches, relative to the match: negative before it, from 0 on behind it.
    private var covered: [Range<Int>] = []

    /// - Parameters:
    ///   - before: what is at hand before the match, which is as much as is shown or begins with the value.
    ///   - after: what is at hand behind it.
    init(before: UnsafeRawBufferPointer, after: UnsafeRawBufferPointer, offset: UInt64, context: Int) {
        self.before = Array(before.suffix(context))
        self.after = Array(after.prefix(context))
        missing = context - self.after.count
        cutBefore = UInt64(self.before.count) < offset
    }

    /// Bytes that follow what is there.
    mutating func append(_ bytes: UnsafeRawBufferPointer.SubSequence) {
        let taken = bytes.prefix(missing)
        after += taken
        missing -= taken.count
    }

    /// Bytes of another match: relative to the first of the match, which has `length`.
    mutating func cover(_ range: Range<Int>, length: Int) {
        let left = range.clamped(to: -before.count..<0)
        if !left.isEmpty { covered.append(left) }
        let right = range.lowerBound - length..<range.upperBound - length
        if right.upperBound > 0 { covered.append(max(right.lowerBound, 0)..<right.upperBound) }
    }

    /// With the match as it is shown.
    func text(_ match: String) -> String {
        var mask = ExcerptMask(before: before, after: after, cutBefore: cutBefore, cutAfter: missing == 0)
        for range in covered { mask.cover(range) }
        return mask.text(match)
    }
}

/// The masking of one excerpt: tokens one after the other.
private struct ExcerptMask {
    private struct Unit {
        var scalar: Unicode.Scalar
        /// The match itself, which stands as one.
        var isMatch = false
        var isCovered = false
    }

    private var units: [Unit] = []
    /// Where the units of bytes before the match and behind it are.
    private var placesBefore: [Int] = []
    private var placesAfter: [Int] = []
    private let cutBefore: Bool
    private let cutAfter: Bool

    /// Longer runs of letters are hardly words.
    private static let wordMax = 16
    private static let tokenMax = 32
    /// What follows one of these is nobody's business; so is what follows a word that ends with one.
    private static let heralds = [
        "password", "passwd", "passphrase", "passcode", "pass", "pwd", "pw", "secret", "token", "key", "auth",
        "authorization", "bearer", "basic", "credential", "credentials", "session", "cookie", "pin", "cvv", "cvc",
        "otp",
        "signature", "sig", "salt", "hash", "passwort", "kennwort", "contrasena", "mdp",
    ]

    init(before: [UInt8], after: [UInt8], cutBefore: Bool, cutAfter: Bool) {
        (self.cutBefore, self.cutAfter) = (cutBefore, cutAfter)
        placesBefore = add(before)
        units.append(Unit(scalar: "*", isMatch: true, isCovered: true))
        placesAfter = add(after)
    }

    /// Answers the unit of each byte.
    private mutating func add(_ bytes: [UInt8]) -> [Int] {
        var places: [Int] = []
        var rest = bytes[...]
        while let first = rest.first {
            var length = 1
            var scalar: Unicode.Scalar = (0x20...0x7e).contains(first) ? Unicode.Scalar(first) : " "
            if first >= 0x80 {
                scalar = "."
                for count in 2...4 where count <= rest.count {
                    let one = String(validating: rest.prefix(count), as: UTF8.self)?.unicodeScalars
                    guard let one, one.count == 1, let found = one.first else { continue }
                    (length, scalar) = (count, Self.isShown(found) ? found : ".")
                    break
                }
            }
            places += repeatElement(units.count, count: length)
            units.append(Unit(scalar: scalar))
            rest = rest.dropFirst(length)
        }
        return places
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    /// Negative before the match, from 0 on behind it.
    mutating func cover(_ range: Range<Int>) {
        for at in range {
            let places = at < 0 ? placesBefore : placesAfter
            let index = at < 0 ? at + placesBefore.count : at
            if places.indices.contains(index) { units[places[index]].isCovered = true }
        }
    }

    func text(_ match: String) -> String {
        var out = ""
        var at = 0
        /// The last word asks for the next value to be masked.
        var isHeralded = false
        if let end = endOfFirstQuote {
            out = show(0..<end, true)
            at = end
        }
        while at < units.count {
            if units[at].isMatch {
                out += match
                isHeralded = false
                at += 1
                continue
            }
            guard Self.isOfToken(units[at].scalar) else {
                if isHeralded, Self.opensQuote(units[at].scalar), let end = endOfQuote(at) {
                    out += show(at..<at + 1, false) + show(at + 1..<end, true)
                    (at, isHeralded) = (end, false)
                    continue
                }
                out += show(at..<at + 1, false)
                if ",;&<{}[]()".unicodeScalars.contains(units[at].scalar) { isHeralded = false }
                at += 1
                continue
            }
            let end = units[at...].firstIndex { $0.isMatch || !Self.isOfToken($0.scalar) } ?? units.count
            let token = at..<end
            out += show(token, isHeralded || isSecret(token))
            isHeralded = heralds(token)
            at = end
        }
        return out
    }

    /// `masks`: letters and digits do not stand.
    private func show(_ range: Range<Int>, _ masks: Bool) -> String {
        var text = ""
        for unit in units[range] {
            let hides = unit.isCovered || masks && Self.isOfToken(unit.scalar)
            text.unicodeScalars.append(hides ? "*" : unit.scalar)
        }
        return text
    }

    // MARK: Tokens

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? (0x61...0x7a).contains(scalar.value | 0x20) : scalar.properties.isAlphabetic
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII ? (0x30...0x39).contains(scalar.value) : scalar.properties.numericType != nil
    }

    /// What keys, numbers and encodings are made of.
    private static func isOfToken(_ scalar: Unicode.Scalar) -> Bool {
        isLetter(scalar) || isDigit(scalar) || "_-+/%~$!#^*".unicodeScalars.contains(scalar)
    }

    private static func opensQuote(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "\"" || scalar == "'" || scalar == "`"
    }

    /// Where a value in quotes ends that is one: behind a colon or an equals sign.
    private func endOfQuote(_ at: Int) -> Int? {
        let gap = units[..<at].reversed().first { $0.scalar != " " && !$0.isMatch }
        guard let gap, gap.scalar == ":" || gap.scalar == "=" || gap.scalar == ">" else { return nil }
        return units[(at + 1)...].firstIndex { $0.isMatch || $0.scalar == units[at].scalar } ?? units.count
    }

    /// Where the excerpt begins within a value in quotes: whose value that is, is not to be seen.
    private var endOfFirstQuote: Int? {
        guard cutBefore else { return nil }
        let first = units.firstIndex { $0.isMatch || Self.opensQuote($0.scalar) }
        guard let first, !units[first].isMatch else { return nil }
        let next = units[(first + 1)...].first { $0.scalar != " " }
        guard let next, !next.isMatch, ",}]);&>:".unicodeScalars.contains(next.scalar) else { return nil }
        return first
    }

    private func isSecret(_ token: Range<Int>) -> Bool {
        let touchesMatch =
            token.lowerBound > 0 && units[token.lowerBound - 1].isMatch
            || token.upperBound < units.count && units[token.upperBound].isMatch
        let isCut = token.lowerBound == 0 && cutBefore || token.upperBound == units.count && cutAfter
        let isName = token.upperBound < units.count && units[token.upperBound].scalar == "@"
        let scalars = units[token].map(\.scalar)
        let hasLetters = scalars.contains { Self.isLetter($0) || Self.isDigit($0) }
        if !hasLetters { return false }
        if touchesMatch || isCut || isName || units[token].contains(where: \.isCovered) { return true }
        if scalars.contains(where: Self.isDigit) || scalars.count > Self.tokenMax { return true }
        return scalars.split { !Self.isLetter($0) }.contains { !Self.isWord($0) }
    }

    /// Short, and of one case, or with a capital at the beginning of each of a few parts (`cardNumber`).
    private static func isWord(_ letters: ArraySlice<Unicode.Scalar>) -> Bool {
        if letters.count > wordMax { return false }
        var humps = 0
        var previousIsUpper = true
        var hasLower = false
        for letter in letters {
            let isUpper = letter.properties.isUppercase
            if isUpper, !previousIsUpper { humps += 1 }
            if !isUpper { hasLower = true }
            previousIsUpper = isUpper
        }
        // Each part has some length: what changes its case all the time is no word.
        return !hasLower || humps == 0 || letters.count / (humps + 1) >= 3
    }

    private func heralds(_ token: Range<Int>) -> Bool {
        var word = ""
        for unit in units[token] where Self.isLetter(unit.scalar) { word.unicodeScalars.append(unit.scalar) }
        let lower = word.lowercased()
        return Self.heralds.contains { lower.hasSuffix($0) || lower.hasSuffix($0 + "s") }
    }
}
