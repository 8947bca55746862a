/// What is told of a match.
extension Inspection {
    func entry(_ match: Match, _ rule: Profile.Rule) -> FindingList.Entry {
        var entry = unsealed(match, rule)
        entry.finding.sealed = seal(match.bytes)
        return entry
    }

    /// Of a value that may turn out to be of no row: most are, and sealing is dear.
    func unsealed(_ match: Match, _ rule: Profile.Rule) -> FindingList.Entry {
        var entry = FindingList.Entry(
            subject: match.subject, reader: match.reader, slot: rule.slot, place: match.place, reach: match.reach,
            finding: Finding(
                sensor: rule.sensor, rule: rule.name, version: rule.version, action: rule.action,
                context: match.context, offset: match.offset, rawOffset: match.rawOffset, length: match.bytes.count,
                confidence: match.confidence, decoded: match.labels,
                match: rule.isPlanted ? Masking.hide(match.bytes) : Masking.mask(match.bytes),
                excerpt: "",
                fingerprint: fingerprint(match), sealed: nil))
        guard kept.context > 0, !match.isInView else { return entry }
        entry.excerpt = Excerpt(
            before: match.preceding, after: match.following, offset: match.offset, context: kept.context)
        kept.uncover(&entry)
        return entry
    }

    /// Of a row that is whole; what was found since then is masked too.
    func entry(_ row: RowWatch.Row) -> FindingList.Entry {
        var entry = row.entry
        if kept.context > 0 { kept.uncover(&entry) }
        if !kept.isFull(before: entry.subject, entry.place) {
            entry.finding.sealed = row.value.withUnsafeBytes(seal)
        }
        return entry
    }

    private func seal(_ value: UnsafeRawBufferPointer) -> String? {
        guard let key = profile?.database.evidence.sealTo else { return nil }
        if sealer == nil { sealer = Sealer(to: key) }
        return sealer?.seal(value)
    }

    func fingerprint(_ match: Match) -> String { fingerprint(match.bytes) }

    func fingerprint(_ bytes: UnsafeRawBufferPointer) -> String {
        Masking.fingerprint(bytes, key: profile?.database.fingerprintKey ?? [])
    }
}
