import Bytes

/// The two directions of an exchange; of a tunnel, client and server.
public enum Side: Sendable { case request, response }

/// All that is read of one exchange: its url, its header values, its bodies, and what was found in them.
///
/// Reusable by `reset`; allocates nothing while nothing is found and no body is read.
public final class Inspection {
    /// Findings kept for one exchange; the first in order stay, the rest are only counted.
    public static let findingsMax = 256

    let scratch: Scratch
    private(set) var profile: Profile?
    /// Borrowed from the profile.
    private(set) var requestLists = ReadLists.none
    private(set) var responseLists = ReadLists.none
    private(set) var search: Search
    private(set) var kept = FindingList()
    var sealer: Sealer?
    private var proofs: [Proof] = []
    private var streams: (request: Stream, response: Stream)?
    private var framed: (request: Messages, response: Messages)?
    private var decodedURL: [UInt8] = []
    /// Where the exchange goes, if that is a name that the gateway itself looks up.
    private var destination: DomainName?

    /// Behind a pointer, because stored variables of a public class cost a run-time check at every change.
    private struct Tally {
        var subjects = 0
        var outcomes: UInt32 = 0
        var overruns = 0
        var findings = 0
        var inspected: UInt64 = 0
        var verdict = Action.allow
        var negationsDecided = false
        var sawHoneytoken = false
    }
    private let tally = UnsafeMutablePointer<Tally>.allocate(capacity: 1)

    /// The strictest attached action of all findings so far; a redaction that cannot be done counts as a denial.
    public var verdict: Action { tally.pointee.verdict }
    /// A planted value was among what was found.
    public var sawHoneytoken: Bool { tally.pointee.sawHoneytoken }
    /// Bytes that patterns have read, after decoding.
    public var inspectedBytes: UInt64 { tally.pointee.inspected }
    /// Starts at which a pattern was given up.
    public var overruns: Int { tally.pointee.overruns }
    /// All findings, those past `findingsMax` included.
    public var findingsCount: Int { tally.pointee.findings }

    public init(scratch: Scratch) {
        self.scratch = scratch
        tally.initialize(to: Tally())
        search = Search(judge: Judge(scratch: scratch, reachMax: 0, stepsMax: 0), scratch: scratch)
    }

    deinit { tally.deallocate() }

    public func reset(_ profile: Profile) {
        if self.profile !== profile { use(profile) }
        kept.removeAll()
        if !proofs.isEmpty { proofs.removeAll(keepingCapacity: true) }
        if profile.slots > 0 { proofs.append(contentsOf: repeatElement(Proof(), count: profile.slots)) }
        tally.pointee = Tally()
        destination = nil
        if let streams {
            streams.request.reset()
            streams.response.reset()
        }
        if let framed {
            framed.request.close()
            framed.response.close()
        }
    }

    private func use(_ profile: Profile) {
        self.profile = profile
        (requestLists, responseLists) = (profile.requestLists, profile.responseLists)
        kept.context = profile.database.evidence.context
        sealer = nil
        let limits = profile.database.limits
        search = Search(
            judge: Judge(scratch: scratch, reachMax: limits.matchBytes, stepsMax: limits.matchSteps), scratch: scratch)
    }

    /// What is read from now on goes to this name: a secret of its own is not told (`home_domains` of a detector).
    public func head(for name: DomainName?) { destination = name }

    // MARK: Values

    /// A whole small value: the path and query as sent, or the value of one header field. Each is a subject of its own.
    public func scan(_ value: UnsafeRawBufferPointer, as context: Contexts, of side: Side = .request) {
        let list = side == .request ? requestLists[context] : responseLists[context]
        guard value.count >= list.lengthMin else { return }
        tally.pointee.inspected &+= UInt64(value.count)
        let before = context == .url ? kept.entries.count : 0
        read(value, list, context, nil)
        if context == .url, Percent.isCoded(value), Percent.decode(value, into: &decodedURL) {
            decodedURL.withUnsafeBytes { read($0, list, context, before) }
        }
    }

    /// `known`: set for a decoded view, which does not tell again what was found as it was sent, from there on in `kept`.
    private func read(_ value: UnsafeRawBufferPointer, _ list: ReadList, _ context: Contexts, _ known: Int?) {
        guard let base = value.bindMemory(to: UInt8.self).baseAddress else { return }
        let digits = Digits.count(base, value.count)
        if digits.count < list.digitsMin || list.fourDigits && !digits.four { return }
        let subject = nextSubject()
        let window = Window(base: base, count: value.count, start: 0, ended: true)
        let search = search
        var rows: [RowWatch] = []
        search.begin()
        search.find(window, list, 0..<value.count)
        for index in 0..<search.foundCount {
            read(value, window, search.found(index), list, context, subject, known, &rows)
        }
        for at in list.unknown where list.lanes[at].mayBegin(in: base, value.count) {
            read(value, window, at, list, context, subject, known, &rows)
        }
        if !rows.isEmpty { settle(&rows, before: { _ in .max }) { _ = found($0, $1) } }
        kept.end(subject)
    }

    private func read(
        _ value: UnsafeRawBufferPointer, _ window: Window, _ at: Int, _ list: ReadList, _ context: Contexts,
        _ subject: Int, _ known: Int?, _ rows: inout [RowWatch]
    ) {
        var cursor = Cursor(allowance: Search.valueWork)
        while true {
            switch search.next(at, list, window, end: window.count, &cursor, settle: false) {
            case .exhausted: return
            case .overrun: overrun()
            case .match(let start, let end, let confidence):
                let match = Match(
                    reader: list.lanes[at].reader, bytes: UnsafeRawBufferPointer(rebasing: value[start..<end]),
                    before: start, after: value.count - end, context: context, subject: subject, place: UInt64(start),
                    reach: end - start, offset: UInt64(start),
                    rawOffset: UInt64(start),
                    labels: known == nil ? [] : ["percent"], isInView: false, redactable: false, confidence: confidence)
                if let known, alreadyFound(match, known) { continue }
                _ = found(match, &rows)
            }
        }
    }

    private func alreadyFound(_ match: Match, _ from: Int) -> Bool {
        let fingerprint = fingerprint(match)
        return kept.entries[min(from, kept.entries.count)...].contains {
            $0.reader == match.reader && $0.finding.fingerprint == fingerprint
        }
    }

    // MARK: Streams

    /// A body or tunnel side begins. `codings` in the order of Content-Encoding; what is coded without a label is known by
    /// its first bytes where `decodes`, and containers are taken apart; `boundary` is that of a multipart body. A side may be
    /// opened again.
    public func open(
        _ side: Side, as context: Contexts, codings: [ContentCoding], decodes: Bool = true, boundary: [UInt8] = []
    ) {
        let lists = side == .request ? requestLists : responseLists
        if framed != nil { messages(side).close() }
        stream(side).open(
            as: context, list: lists[context], codings: codings, decodes: decodes, boundary: boundary)
    }

    /// The body bytes without chunk framing, as they come on the wire, in any cut.
    public func feed(_ side: Side, _ raw: UnsafeRawBufferPointer, end: Bool) {
        stream(side).feed(raw, end: end)
    }

    /// The offset up to which raw bytes may be forwarded: everything fed so far where nothing is held.
    public func releasable(_ side: Side) -> UInt64 {
        isFramed(side) ? messages(side).releasable() : stream(side).releasable()
    }

    /// Everything fed may go, after a silence in a tunnel; matching goes on across the place.
    public func releaseTail(_ side: Side) {
        if isFramed(side) { messages(side).releaseTail() } else { stream(side).releaseTail() }
    }

    /// To be applied to bytes that have not been forwarded.
    public func takeRedactions(_ side: Side) -> [Redaction] {
        if isFramed(side) { return messages(side).takeRedactions() }
        return streams == nil ? [] : stream(side).takeRedactions()
    }

    /// A rule in force needs more evidence than one match: the body is to be held whole, up to `hold`.
    public var needsWholeBody: Bool { profile?.needsWholeBody ?? false }

    /// The request has ended: rules with negations are decided.
    public func finish() { decideNegations() }

    private func stream(_ side: Side) -> Stream {
        if let streams { return side == .request ? streams.request : streams.response }
        let made = (request: Stream(side: .request, owner: self), response: Stream(side: .response, owner: self))
        streams = made
        return side == .request ? made.request : made.response
    }

    // MARK: Messages

    func isFramed(_ side: Side) -> Bool {
        guard let framed else { return false }
        return side == .request ? framed.request.isOpen : framed.response.isOpen
    }

    func messages(_ side: Side) -> Messages {
        if let framed { return side == .request ? framed.request : framed.response }
        let made = (
            request: Messages(side: .request, owner: self), response: Messages(side: .response, owner: self)
        )
        framed = made
        return side == .request ? made.request : made.response
    }

    // MARK: Results

    public var findings: [Finding] { kept.isEmpty ? [] : kept.entries.map(\.told) }

    /// Of the outcomes seen, the first in the order of the enumeration.
    public var uninspectable: Uninspectable? {
        tally.pointee.outcomes == 0 ? nil : Uninspectable.allCases[tally.pointee.outcomes.trailingZeroBitCount]
    }

    public func saw(_ outcome: Uninspectable) -> Bool { tally.pointee.outcomes & bit(outcome) != 0 }

    private func bit(_ outcome: Uninspectable) -> UInt32 {
        1 << UInt32(Uninspectable.allCases.firstIndex(of: outcome) ?? 0)
    }

    /// For whole files, where every finding is told and none is kept: those that no later one can precede.
    func takeSettled(all: Bool) -> [Finding] {
        kept.takeSettled(
            subject: stream(.request).subject, frontier: stream(.request).frontier, all: all)
    }

    func keepAll() { kept.most = .max }

    // MARK: For the streams

    func nextSubject() -> Int {
        tally.pointee.subjects += 1
        return tally.pointee.subjects
    }

    func inspected(_ count: Int) { tally.pointee.inspected &+= UInt64(count) }
    func cannotRead(_ outcome: Uninspectable) { tally.pointee.outcomes |= bit(outcome) }

    func overrun() {
        tally.pointee.overruns += 1
        cannotRead(.patternOverrun)
    }

    /// `rows`: of the value in which it was found.
    func found(_ match: Match, _ rows: inout [RowWatch]) -> Outcome {
        guard let profile else { return .pass }
        // Field by field: a copy of the whole would count references, and a body may be full of matches.
        let index = profile.readers[match.reader].rule
        if kept.context > 0 { cover(match, &rows) }
        if let within = profile.rules[index].rowsWithin, let column = profile.readers[match.reader].column {
            note(match, of: column, profile.readers[match.reader], within, &rows)
            return passUntold(match)
        }
        if let destination, let detector = profile.readers[match.reader].detector, detector.isHome(destination) {
            return passUntold(match)
        }
        if profile.rules[index].isPlanted { tally.pointee.sawHoneytoken = true }
        guard let slot = profile.rules[index].slot else {
            if kept.isFull(before: match.subject, match.place) {
                tally.pointee.findings += 1
                _ = passUntold(match)
            } else {
                record(entry(match, profile.rules[index]))
            }
            return enforce(profile.rules[index].action, redactable: match.redactable)
        }
        let (reader, rule) = (profile.readers[match.reader], profile.rules[index])
        if reader.bit == rule.wanted & (~rule.wanted &+ 1) { count(match, rule, slot) }
        proofs[slot].seen |= reader.bit
        _ = passUntold(match)
        return conclude(slot, rule)
    }

    /// A match that was found before, through more decodings.
    func foundPlainer(_ match: Match) {
        guard let profile else { return }
        let entry = entry(match, profile.rules[profile.readers[match.reader].rule])
        kept.replace(with: entry)
        for slot in proofs.indices where proofs[slot].place?.isAnother(of: entry) ?? false {
            proofs[slot].place = entry
        }
    }

    /// Another match of the pattern that stands for the rule. They do not come in the order of their places: several patterns
    /// may share the evidence, and views of a text are read after it.
    private func count(_ match: Match, _ rule: Profile.Rule, _ slot: Int) {
        proofs[slot].count += 1
        if rule.threshold.distinct > proofs[slot].values.count {
            var hasher = Hasher()
            hasher.combine(bytes: match.bytes)
            proofs[slot].values.insert(hasher.finalize())
        }
        if let place = proofs[slot].place {
            guard (match.subject, match.place) < (place.subject, place.place) else { return }
        }
        let entry = entry(match, rule)
        proofs[slot].place = entry
        if proofs[slot].done { kept.replace(slot: slot, with: entry) }
    }

    /// A row that is whole: all patterns of the rule at once.
    func found(_ row: RowWatch.Row, _ rule: Profile.Rule) -> Outcome { found(whole: entry(row), rule) }

    /// A finding that is no match of one pattern: a row, a document.
    func found(whole entry: FindingList.Entry, _ rule: Profile.Rule) -> Outcome {
        if rule.threshold.counts, let slot = rule.slot { return count(entry, rule, slot) }
        record(entry)
        return enforce(rule.action, redactable: false)
    }

    private func count(_ entry: FindingList.Entry, _ rule: Profile.Rule, _ slot: Int) -> Outcome {
        proofs[slot].seen |= rule.wanted
        proofs[slot].count += 1
        if rule.threshold.distinct > proofs[slot].values.count {
            proofs[slot].values.insert(entry.finding.fingerprint.hashValue)
        }
        proofs[slot].place = proofs[slot].place ?? entry
        return conclude(slot, rule)
    }

    /// Every positive pattern was found, as often as it must be; a negation can no longer speak against it.
    private func conclude(_ slot: Int, _ rule: Profile.Rule) -> Outcome {
        let proof = proofs[slot]
        guard !proof.done, proof.seen & rule.wanted == rule.wanted, let place = proof.place,
            proof.count >= rule.threshold.atLeast, proof.values.count >= rule.threshold.distinct
        else { return .pass }
        if rule.unwanted != 0 && (proof.seen & rule.unwanted != 0 || !tally.pointee.negationsDecided) { return .pass }
        proofs[slot].done = true
        record(place)
        // The other matches of the rule may have left, so overwriting this one would not do.
        return enforce(rule.action, redactable: false)
    }

    func decideNegations() {
        guard !tally.pointee.negationsDecided else { return }
        tally.pointee.negationsDecided = true
        guard let profile, profile.slots > 0 else { return }
        for rule in profile.rules {
            if let slot = rule.slot { _ = conclude(slot, rule) }
        }
    }

    private func enforce(_ action: Action, redactable: Bool) -> Outcome {
        let impossible = action == .redact && !redactable
        tally.pointee.verdict = max(tally.pointee.verdict, impossible ? .deny : action)
        guard let profile, profile.enforcing else { return .pass }
        if impossible { cannotRead(.redactImpossible) }
        switch action {
        case .allow, .alert: return .pass
        case .redact: return impossible ? .deny : .redact
        case .deny: return .deny
        }
    }

    private func record(_ entry: FindingList.Entry) {
        tally.pointee.findings += 1
        kept.record(entry)
    }

    // MARK: Excerpts

    /// What any rule has matched is masked in the excerpts of others.
    private func cover(_ match: Match, _ rows: inout [RowWatch]) {
        kept.cover(match.span)
        for at in rows.indices { rows[at].cover(match.span) }
        for slot in proofs.indices { proofs[slot].place?.cover(match.span) }
    }

    /// Nothing is told of this match by itself.
    private func passUntold(_ match: Match) -> Outcome {
        if kept.context > 0 { kept.note(match.span) }
        return .pass
    }

    /// All patterns have looked at the window.
    func read(_ window: Window, from valueFrom: UInt64, of subject: Int, rows: inout [RowWatch]) {
        guard kept.context > 0 else { return }
        kept.read(window, from: valueFrom, of: subject)
        for at in rows.indices { rows[at].read(window, from: valueFrom, of: subject, context: kept.context) }
        for slot in proofs.indices {
            proofs[slot].place?.read(window, from: valueFrom, of: subject, context: kept.context)
        }
    }
}
