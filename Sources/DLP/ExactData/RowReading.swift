/// How rows are gathered while the values of their columns are found, in a stream and in a small value alike.
extension Inspection {
    /// What this reader finds is a value of one column of a row.
    func isOfRow(_ reader: Int) -> Bool {
        guard let profile else { return false }
        return profile.rules[profile.readers[reader].rule].rowsWithin != nil
    }

    /// A value of one column of a row was found.
    func note(
        _ match: Match, of column: ExactColumn, _ reader: Profile.Reader, _ within: Int, _ rows: inout [RowWatch]
    ) {
        guard let profile else { return }
        let number = reader.bit.trailingZeroBitCount
        var hit = RowWatch.Hit(
            start: match.offset, end: match.offset + UInt64(match.bytes.count), column: number,
            entries: column.entries(match.bytes))
        if number == 0 {
            hit.entry = unsealed(match, profile.rules[reader.rule])
            hit.value = Array(match.bytes)
        }
        let at = rows.firstIndex { $0.rule == reader.rule } ?? rows.count
        if at == rows.count {
            let columns = profile.readers.filter { $0.rule == reader.rule }.compactMap(\.column)
            rows.append(RowWatch(rule: reader.rule, columns: columns, within: within))
        }
        rows[at].add(hit)
    }

    /// Looks for rows among what was found.
    ///
    /// - Parameters:
    ///   - frontier: the place before which no column of a rule will find anything more.
    ///   - each: told of a row that is whole.
    func settle(
        _ rows: inout [RowWatch], before frontier: (_ rule: Int) -> UInt64, each: (RowWatch.Row, Profile.Rule) -> Void
    ) {
        guard let profile else { return }
        for at in rows.indices {
            let rule = rows[at].rule
            rows[at].settle(before: frontier(rule)) { event in
                switch event {
                case .overrun: overrun()
                case .row(let row): each(row, profile.rules[rule])
                }
            }
        }
    }
}

extension Stream {
    /// Looks at rows as far as all their columns have been read.
    func settleRows(ended: Bool) {
        owner.settle(&rows) { rule in
            if ended { return .max }
            return valueFrom
                + reading.frontier { lane in
                    owner.profile?.readers[list.lanes[lane].reader].rule == rule
                }
        } each: { row, rule in
            if case .framed(let frames) = source, joins {
                guard frames.isNew(row.entry.reader, from: row.start, to: row.end) else { return }
            }
            if case .deny = owner.found(row, rule) { deny(from: row.completedAt - valueFrom) }
        }
    }

    /// No finding before this offset is still to come in this value.
    var frontier: UInt64 {
        let undecided = min(reading.frontier, branches?.frontier ?? .max)
        return min(valueFrom + undecided, rows.lazy.map(\.open).min() ?? .max)
    }
}
