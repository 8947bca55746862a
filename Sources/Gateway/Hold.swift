import Bytes
import DLP

/// Body bytes of one direction that may not go on yet: raw, without framing, the oldest first.
struct Hold: ~Copyable {
    private var bytes = Buffer()
    /// Offset in the raw body of the first byte here.
    private var from: UInt64 = 0

    var count: Int { bytes.count }
    var isEmpty: Bool { bytes.isEmpty }

    /// Makes room for a body of known length, so that it is not moved while it grows.
    mutating func reserve(_ count: Int) { _ = bytes.writable(count) }

    mutating func append(_ data: UnsafeRawBufferPointer) { bytes.append(data) }

    /// Bytes that went on without being held.
    mutating func passed(_ count: Int) {
        precondition(bytes.isEmpty, "bytes overtook others that are held")
        from += UInt64(count)
    }

    /// Overwrites a match with its mask.
    mutating func redact(_ redaction: Redaction) {
        let content = bytes.mutableReadable
        let start = place(redaction.offset)
        for index in start..<max(start, place(redaction.offset + UInt64(redaction.length))) {
            content[index] = redaction.wireByte(from + UInt64(index) - redaction.offset)
        }
    }

    /// The front that may go when all before offset `until` may.
    func free(until: UInt64) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes.readable[..<place(until)])
    }

    /// The front has gone.
    mutating func released(_ count: Int) {
        bytes.consume(count)
        from += UInt64(count)
    }

    /// Forgets all, and gives back memory that was unusually large.
    mutating func clear() {
        bytes.shed()
        from = 0
    }

    /// Where an offset of the body is in what is held, at its nearest end if it is not.
    private func place(_ offset: UInt64) -> Int {
        offset > from ? Int(min(offset - from, UInt64(bytes.count))) : 0
    }
}
