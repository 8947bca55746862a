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
        var offset: UInt64
        var rawOffset: UInt64
        var labels: [String]
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
        var span: FindingList.Span { FindingList.Span(subject: subject, from: offset, length: bytes.count) }
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
