/// Bodies that are containers: what is within them is read apart from the body itself.
extension Stream {
    /// What the value has within it is taken apart from now on.
    func unpack() {
        guard let boundary, let containers else { return }
        if case .coded(let decoder) = source {
            containers.open(as: context, list: list, labels: decoder.labels, from: valueFrom, boundary: boundary)
        } else {
            containers.open(as: context, list: list, labels: [], from: valueFrom, boundary: boundary)
        }
    }

    /// What is within is read in the same scratch, so what was joined there is kept meanwhile.
    func feed(_ containers: Containers, _ count: Int, ended: Bool) {
        let fresh = Array(UnsafeBufferPointer(start: owner.scratch.window, count: count)[carry.count...])
        fresh.withUnsafeBytes {
            containers.feed($0, raw: rawBytes, end: ended)
            var filled = owner.scratch.join(carry)
            owner.scratch.append($0, &filled)
        }
    }
}
