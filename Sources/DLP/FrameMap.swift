/// What the readers of one framed direction know together: where on the wire the content came from, and where in it
/// messages begin. Offsets are those of all the content so far.
final class FrameMap {
    var places = OffsetMap()
    /// What lies over content on the wire, from these offsets on.
    private var masks: ContiguousArray<(from: UInt64, mask: UInt32)> = []
    /// Beginnings of messages behind content that is still looked at, in order.
    private var seams: ContiguousArray<UInt64> = []
    /// Matches across messages that were told: more than one reading may find them.
    private var told: ContiguousArray<(reader: Int, start: UInt64)> = []

    func reset() {
        places.reset()
        masks.removeAll(keepingCapacity: true)
        seams.removeAll(keepingCapacity: true)
        told.removeAll()
    }

    /// Content begins at this place of the wire. `mask` lies over it from its first byte on.
    func mark(raw: UInt64, content: UInt64, mask: UInt32, plain: Bool) {
        places.mark(raw: raw, decoded: content, aligned: true, plain: plain)
        if masks.last.map({ $0.mask != 0 }) ?? false || mask != 0 { masks.append((content, mask)) }
    }

    /// What is to be done on the wire to overwrite content that is there as it was read, but for masks.
    func redactions(from start: UInt64, to end: UInt64, with byte: UInt8) -> [Redaction] {
        places.pieces(from: start, to: end).map { piece in
            let lying = masks.last { $0.from <= piece.decoded }
            return Redaction(
                offset: piece.raw, length: piece.count, byte: byte,
                mask: lying.map { FrameMap.turned($0.mask, by: piece.decoded - $0.from) } ?? 0)
        }
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

    /// A mask as it lies over what comes `count` bytes later.
    static func turned(_ mask: UInt32, by count: UInt64) -> UInt32 {
        let turn = UInt32(truncatingIfNeeded: count & 3) * 8
        return turn == 0 ? mask : mask >> turn | mask << (32 - turn)
    }

    func forget(before offset: UInt64) {
        places.forget(before: offset)
        if let kept = masks.lastIndex(where: { $0.from <= offset }), kept > 0 { masks.removeSubrange(..<kept) }
        let kept = seams.firstIndex { $0 > offset } ?? seams.endIndex
        if kept > 0 { seams.removeSubrange(..<kept) }
        if !told.isEmpty { told.removeAll { $0.start < offset } }
    }
}
