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
}
