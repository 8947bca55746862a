/// What the readers of one framed direction know together: where on the wire the content came from, and where in it
/// messages begin. Offsets are those of all the content so far.
final class FrameMap {
    var places = OffsetMap()
    /// Beginnings of messages behind content that is still looked at, in order.
    private var seams: ContiguousArray<UInt64> = []

    func reset() {
        places.reset()
        seams.removeAll(keepingCapacity: true)
    }

    func seam(at offset: UInt64) {
        if seams.last != offset { seams.append(offset) }
    }

    /// Whether the content from `start` to `end` is of more than one message.
    func spans(_ start: UInt64, _ end: UInt64) -> Bool {
        guard let last = seams.last(where: { $0 < end }) else { return false }
        return last > start
    }

    func forget(before offset: UInt64) {
        places.forget(before: offset)
        let kept = seams.firstIndex { $0 > offset } ?? seams.endIndex
        if kept > 0 { seams.removeSubrange(..<kept) }
    }
}
