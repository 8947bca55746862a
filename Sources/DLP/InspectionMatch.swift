import Bytes

extension Inspection {
    /// One match of one pattern, before it is known what it means.
    struct Match {
        var reader: Int
        var bytes: UnsafeRawBufferPointer
        /// Bytes at hand before it and behind it: before it as many as evidence shows, or all from the beginning.
        var before: Int
        var after: Int
        var context: Contexts
        var subject: Int
        /// Where it lies in the value, and how many bytes it takes there: more than it has where it was decoded.
        var place: UInt64
        var reach: Int
        var offset: UInt64
        var rawOffset: UInt64
        var labels: [String]
        /// Of what was decoded out of the value, of which nothing is shown but the match.
        var isInView: Bool
        /// The bytes read are the bytes on the wire, in a body.
        var redactable: Bool
        var confidence: Confidence

        /// What is at hand on either side of it.
        var preceding: UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 - before }, count: before)
        }
        var following: UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 + bytes.count }, count: after)
        }
        var span: FindingList.Span { FindingList.Span(subject: subject, from: place, length: reach) }
    }

    /// What becomes of the bytes of a match.
    enum Outcome { case pass, redact, deny }

    /// What was seen of a rule that needs more than one match.
    struct Proof {
        var seen: UInt64 = 0
        var done = false
        /// First match of the rule's first positive pattern, which stands for the rule.
        var place: FindingList.Entry?
        /// Matches of that pattern, and hashes of the different values among them, as many as the rule asks for.
        var count = 0
        var values: Set<Int> = []
    }
}

/// What streams ask of the profile.
extension Inspection {
    var limits: Limits { profile?.database.limits ?? Limits() }
    var holding: Bool { profile?.holds ?? false }
    var hold: Int { max(profile?.hold ?? 0, 0) }
    var decisionOffset: UInt64? {
        guard let profile, profile.decidesAtHold else { return nil }
        return UInt64(max(profile.hold, 0))
    }
}
