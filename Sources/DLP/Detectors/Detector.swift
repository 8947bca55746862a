import Bytes

/// A detector compiled for use: what it makes of a match besides its shape. Immutable.
final class Detector: Sendable {
    let name: String
    let confidence: Confidence
    let homeDomains: [DomainName]
    private let words: [[UInt8]]
    /// What words begin with, in either case.
    private let firsts: ByteSet
    private let raised: Confidence
    /// Bytes before a match in which a word may begin.
    private let within: Int
    private let allowed: [Allowed]

    private struct Allowed: Sendable {
        /// Lower case, without separators.
        var text: [UInt8]
        var isPrefix: Bool
        var isSuffix: Bool
    }

    /// Bytes before a match that it looks at: one more tells whether the first is the beginning of a word.
    var lookBehind: Int { words.isEmpty ? 0 : within + 1 }

    /// `more`: values that never count, beside its own.
    init(_ spec: DetectorSpec, allowing more: [String] = []) {
        name = spec.name
        confidence = spec.confidence
        homeDomains = spec.homeDomains.compactMap { DomainName($0) }
        words = (spec.context?.words ?? []).map { Array($0.utf8).map(Detector.lower) }
        firsts = ByteSet(words.compactMap(\.first).flatMap { [$0, Detector.isLetter($0) ? $0 ^ 0x20 : $0] })
        raised = spec.context?.raises ?? spec.confidence
        within = spec.context?.within ?? 0
        allowed = (spec.allow + more).map { text in
            Allowed(
                text: text.utf8.filter { $0 != UInt8(ascii: "*") && !Detector.separates($0) }.map(Detector.lower),
                isPrefix: text.hasSuffix("*"), isSuffix: text.hasPrefix("*"))
        }
    }

    /// How sure the match is, or nil for one that does not count. Reads `lookBehind` bytes before `start`, where there are so many.
    func confidence(_ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Confidence? {
        for value in allowed where Detector.matches(value, base, start, end) { return nil }
        guard raised > confidence else { return confidence }
        return isAnnounced(base, max(start - within, 0), start) ? raised : confidence
    }

    func isHome(_ name: DomainName) -> Bool { homeDomains.contains { name.isWithin($0) } }

    // MARK: Words

    private func isAnnounced(_ base: UnsafePointer<UInt8>, _ from: Int, _ to: Int) -> Bool {
        for at in from..<to where firsts.contains(base[at]) && Detector.begins(base, at) {
            for word in words where Detector.ends(word, base, at, to) { return true }
        }
        return false
    }

    /// No letter or digit stands before, or a letter that the case sets apart. `base` has the byte before `at`, unless it is 0.
    private static func begins(_ base: UnsafePointer<UInt8>, _ at: Int) -> Bool {
        guard at > 0 else { return true }
        // A digit: hexadecimal numbers spell `aba` and `cc`.
        if base[at - 1] &- 0x30 < 10 { return false }
        return !isLetter(base[at - 1]) || isUpper(base[at]) && !isUpper(base[at - 1])
    }

    /// The word stands there, as one of its own: in `userSSN` and `card_no` too.
    private static func ends(_ word: [UInt8], _ base: UnsafePointer<UInt8>, _ from: Int, _ to: Int) -> Bool {
        var at = from
        for byte in word {
            if byte == UInt8(ascii: " ") {
                // Two at most: `Reg. No`.
                for _ in 0..<2 where at < to && separates(base[at]) { at += 1 }
                continue
            }
            guard at < to, lower(base[at]) == byte else { return false }
            at += 1
        }
        guard at < to, isLetter(base[at]) else { return !isAmongDigits(base, at, to) }
        // A plural, or a word that the case sets apart.
        let isPlural = lower(base[at]) == UInt8(ascii: "s") && (at + 1 == to || !isLetter(base[at + 1]))
        return isPlural || isUpper(base[at]) && !isUpper(base[at - 1])
    }

    /// Behind the word stands more than the one digit that numbers words.
    private static func isAmongDigits(_ base: UnsafePointer<UInt8>, _ from: Int, _ to: Int) -> Bool {
        var at = from
        while at < to, base[at] &- 0x30 < 10 { at += 1 }
        return at > from + 1 || at > from && at < to && isLetter(base[at])
    }

    // MARK: Allowed values

    /// Separators of the match do not matter.
    private static func matches(_ value: Allowed, _ base: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
        if value.isSuffix, !value.isPrefix {
            var (at, left) = (end, value.text.count)
            while at > start, left > 0 {
                at -= 1
                if separates(base[at]) { continue }
                guard lower(base[at]) == value.text[left - 1] else { return false }
                left -= 1
            }
            return left == 0
        }
        var taken = 0
        for at in start..<end where !separates(base[at]) {
            if taken == value.text.count { return value.isPrefix }
            guard lower(base[at]) == value.text[taken] else { return false }
            taken += 1
        }
        return taken == value.text.count
    }

    // MARK: Bytes

    private static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
    private static func isUpper(_ byte: UInt8) -> Bool { byte &- 0x41 < 26 }
    private static func lower(_ byte: UInt8) -> UInt8 { isUpper(byte) ? byte | 0x20 : byte }
    private static func separates(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }
}
