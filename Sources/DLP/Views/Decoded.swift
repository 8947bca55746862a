/// What a machine has decoded and a view has not read yet, and where each byte came from.
struct Decoded {
    var bytes: [UInt8] = []
    /// Of all that was decoded since the view began: to offsets of the text it came out of.
    var map = OffsetMap()
    /// Decoded bytes that the view has read.
    private(set) var read: UInt64 = 0

    /// All that was decoded so far.
    var count: UInt64 { read + UInt64(bytes.count) }

    mutating func begin(at count: UInt64 = 0) {
        bytes.removeAll(keepingCapacity: true)
        map.reset()
        read = count
    }

    /// What is decoded next came from this offset on.
    mutating func mark(_ offset: UInt64, _ pace: OffsetMap.Pace) {
        map.mark(raw: offset, decoded: count, pace: pace)
    }

    mutating func taken() {
        read = count
        bytes.removeAll(keepingCapacity: true)
    }
}
