/// How documents are looked for in what is read.
extension Inspection {
    /// Who looks for documents in a value that begins.
    func documents(_ list: ReadList) -> [DocumentWatch] {
        guard let profile, !list.documents.isEmpty else { return [] }
        return list.documents.map { DocumentWatch(profile.documents[$0]) }
    }

    /// What is told of a document: the place where there was enough of it, and its name.
    fileprivate func entry(
        _ document: String, _ rule: Profile.Rule, _ context: Contexts, _ subject: Int, _ offset: UInt64,
        _ rawOffset: UInt64, _ labels: [String]
    ) -> FindingList.Entry {
        let finding = Finding(
            sensor: rule.sensor, rule: rule.name, version: rule.version, action: rule.action, context: context,
            offset: offset, rawOffset: rawOffset, length: 0, confidence: .high, decoded: labels, match: document,
            excerpt: "", fingerprint: Array(document.utf8).withUnsafeBytes(fingerprint), sealed: nil)
        return FindingList.Entry(
            subject: subject, reader: profile?.readers.count ?? 0, slot: rule.slot, place: offset, reach: 0,
            finding: finding)
    }
}

extension Stream {
    /// Hands the bytes that are new in a window to those who look for documents.
    func watchDocuments(_ window: Window) {
        guard let profile = owner.profile else { return }
        let fresh = UnsafeRawBufferPointer(start: window.base + carry.count, count: window.count - carry.count)
        let start = window.start + UInt64(carry.count)
        for at in documents.indices {
            for event in documents[at].feed(fresh) {
                switch event {
                case .overrun: owner.overrun()
                case .document(let name, let count):
                    // The byte that made it enough; what is within a container is told there.
                    let place = start + UInt64(count) - 1
                    if let containers, containers.covers(place) { continue }
                    let rule = profile.rules[documents[at].rule]
                    let entry = owner.entry(
                        name, rule, context, subject, valueFrom + place, origin(of: place), chain)
                    if case .deny = owner.found(whole: entry, rule) { deny(from: place) }
                }
            }
        }
    }
}
