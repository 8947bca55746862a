/// What the readers of one framed direction know together: where on the wire the content came from, and where in it
/// messages begin. Offsets are those of all the content so far.
final class FrameMap {
    var places = OffsetMap()
    /// Beginnings of messages behind content that is still looked at, in order.
    private var seams: ContiguousArray<UInt64> = []
    /// Matches across messages that were told: more than one reading may find them.
    private var told: ContiguousArray<(reader: Int, start: UInt64)> = []

    func reset() {
        places.reset()
        seams.removeAll(keepingCapacity: true)
        told.removeAll()
    }

    func seam(at offset: UInt64) {
        if seams.last != offset { seams.append(offset) }
    }

    /// Whether a match is of more than one message, and has not been told before.
    func isNew(_ reader: Int, from start: UInt64, to end: UInt64) -> Bool {
        guard let last = seams.last(where: { $0 < end }), last > start,
            !told.contains(where: { $0.reader == reader && $0.start == start })
        else { return false }
        told.append((reader, start))
        return true
    }

    func forget(before offset: UInt64) {
        places.forget(before: offset)
        let kept = seams.firstIndex { $0 > offset } ?? seams.endIndex
        if kept > 0 { seams.removeSubrange(..<kept) }
        if !told.isEmpty { told.removeAll { $0.start < offset } }
    }
}
