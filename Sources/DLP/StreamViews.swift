import Bytes

/// What is found in views of the value.
extension Stream {
    /// None where nobody would read them. Made anew where a new configuration has another limit.
    func views(_ list: ReadList) -> Branches? {
        let depth = owner.limits.viewDepth
        if depth == 0 || list.lanes.isEmpty { return nil }
        if let tree, tree.depthMax == depth { return tree }
        let made = Branches(self, in: nil)
        tree = made
        return made
    }

    /// Where a pattern has matched, which a view may find once more, in what was decoded out of such runs.
    struct Told: Hashable {
        var reader: Int
        var from: UInt64
        var count: Int
        var runs: [String]
    }

    /// A match in what was decoded out of these places of the value, through these decodings, some of which are of runs.
    func matched(
        _ index: Int, _ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ places: Range<UInt64>,
        _ decodings: [String], runs: [String], _ confidence: Confidence
    ) {
        // Of rows are only those values that the text has as they are.
        if owner.isOfRow(index) { return }
        if let containers, containers.covers(places.lowerBound) { return }
        askAgain(index, at: places.lowerBound)
        let outcome = told(
            Inspection.Match(
                reader: index, bytes: bytes, before: 0, after: 0, context: context, subject: subject,
                place: valueFrom + places.lowerBound, reach: places.count, offset: offset,
                rawOffset: origin(of: places.lowerBound), labels: chain + decodings, isInView: true, redactable: false,
                confidence: confidence), runs: runs)
        if case .deny = outcome { deny(from: places.lowerBound) }
    }

    /// One match may be found in a text and in views of it: it is told once, with the fewest decodings.
    func told(_ match: Inspection.Match, runs: [String]) -> Inspection.Outcome {
        // What the value has while no view of it is read is behind all that any will read.
        if !match.isInView, !(branches?.isWatching ?? false) { return owner.found(match, &rows) }
        let place = Told(reader: match.reader, from: match.place, count: match.reach, runs: runs)
        guard let known = told[place], known != match.labels else {
            told[place] = match.labels
            return owner.found(match, &rows)
        }
        guard Finding.isPlainer(match.labels, than: known) else { return .pass }
        told[place] = match.labels
        owner.foundPlainer(match)
        return .pass
    }

    /// Forgets what no view will find once more.
    func forgetTold() {
        if told.isEmpty { return }
        let open = frontier
        if open >= valueFrom + windowStart + UInt64(carry.count) {
            told.removeAll(keepingCapacity: true)
        } else {
            told = told.filter { $0.key.from + UInt64($0.key.count) >= open }
        }
    }

    /// Whether views may decode so many bytes more: each level gives no more than it takes, and there are few.
    func mayView(_ count: Int) -> Bool {
        viewBytes += count
        return viewBytes <= Decoder.ratioFloor + Int(clamping: reading.frontier).multipliedClamping(by: Self.viewRatio)
    }

    private static let viewRatio = 16
}
