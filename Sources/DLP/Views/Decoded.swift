/// What a machine has decoded and a view still needs, and where each byte came from.
struct Decoded {
    var bytes: [UInt8] = []
    /// Of all that was decoded since the view began: to offsets of the text it came out of.
    var map = OffsetMap()
    /// Offset of the first byte.
    private(set) var start: UInt64 = 0
    /// So many bytes the view has read.
    private(set) var kept = 0

    /// All that was decoded so far.
    var count: UInt64 { start + UInt64(bytes.count) }
    var newCount: Int { bytes.count - kept }

    mutating func begin() {
        bytes.removeAll(keepingCapacity: true)
        map.reset()
        (start, kept) = (0, 0)
    }

    /// Begins with bytes that were read elsewhere.
    mutating func begin(with bytes: UnsafeRawBufferPointer, at start: UInt64) {
        begin()
        self.bytes.append(contentsOf: bytes)
        (self.start, kept) = (start, bytes.count)
    }

    /// What is decoded next came from this offset on.
    mutating func mark(_ offset: UInt64, _ pace: OffsetMap.Pace) {
        map.mark(raw: offset, decoded: count, pace: pace)
    }

    /// All was read, and what lies before this offset is not needed.
    mutating func keep(from offset: UInt64) {
        let first = Int(offset - start)
        if first == bytes.count {
            bytes.removeAll(keepingCapacity: true)
        } else if first > 0 {
            bytes.removeSubrange(..<first)
        }
        (start, kept) = (offset, bytes.count)
    }
}
