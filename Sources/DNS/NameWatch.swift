import Bytes

/// Sees data that is carried in names: what each client asks below each registered domain, added up over time.
///
/// Every name that a client has not asked before is worth points, as `NameScore` tells, and points run out of the sum at
/// a steady rate. A sum that reaches the bound is a tunnel, and so are as many bytes of answers of types that carry
/// data. It is one until the sums have fallen to half, so that a tunnel that hesitates does not begin anew each time.
///
/// What passes for ever is the rate at which points run out, `dns_tunnel_score` in `dns_tunnel_window`: with the defaults
/// 13 points a second. A name of 200 random bytes uses that up for two and a half minutes (0.8 bytes of data a second),
/// names of 32 bytes may come at 0.8 a second (17 bytes), names of 8 at 13 a second (67). Data written in words passes
/// eight times as fast and takes more letters for it. And one burst passes before it is seen: two to four full names.
///
/// Shared by all workers, as the kernel spreads the queries of one client over them. A place is found by a keyed hash of
/// client and domain; fields that a verdict hangs on carry a tag of their pair, so that a place that changes hands never
/// lends its sum to another pair. The evidence may lose a query to such a change.
public final class NameWatch: Sendable {
    /// The thresholds of a configuration, in the units of the table.
    public struct Bounds: Sendable, Equatable {
        let score: Int
        let scoreLeak: Int
        let answers: Int
        let answersLeak: Int
        let period: UInt32

        public init(_ limits: Limits) {
            let seconds = max(Int(limits.dnsTunnelWindow.count / 1000), 1)
            score = limits.dnsTunnelScore * NameScore.unit
            scoreLeak = max(score / seconds, 1)
            answers = max(limits.dnsTunnelAnswers / Bounds.answerUnit, 1)
            answersLeak = max(answers / seconds, 1)
            period = UInt32(clamping: seconds)
        }

        /// Bytes of answers are counted in sixteens.
        static let answerUnit = 16
    }

    /// A query that is part of a tunnel.
    public struct Tunnel: Sendable, Equatable {
        /// Once in a window for each tunnel: this one is to be told.
        public let isNew: Bool
        public let evidence: TunnelEvidence
    }

    private let pairs: PairTable
    private let seen: SeenNames
    private let hash = NameHash.shared

    /// Takes 72 bytes for each pair of a client and a registered domain, and 64 for sixteen names it asks.
    public init(pairs: Int) {
        self.pairs = PairTable(pairs: pairs)
        seen = SeenNames(capacity: pairs * 16)
    }

    /// A client asks; nil unless it is part of a tunnel. `name` is what `cut` was made from. Allocates nothing.
    public func note(
        _ client: IPAddress, _ cut: NameCut, of name: UnsafeRawBufferPointer, type: RecordType, now: Ticks,
        _ bounds: Bounds
    ) -> Tunnel? {
        guard cut.isRegistered, !cut.isTrusted else { return nil }
        let seconds = NameWatch.seconds(now)
        let address = hash.address(client)
        let isNew = cut.labelsBelow > 0 && seen.add(NameHash.fold(cut.whole, address), seconds: seconds)
        let isUnusual = NameScore.isUnusual(type)
        let pair = NameWatch.pair(address, cut)
        guard let place = pairs.find(pair) ?? (isNew || isUnusual ? pairs.claim(pair, seconds) : nil) else {
            return nil
        }
        if isNew {
            add(newLabels(cut, of: name, address, seconds), isUnusual, to: place, seconds, bounds)
        } else {
            place.count(isNew: false, isUnusual: isUnusual)
            guard place.isFlagged else { return nil }
        }
        return verdict(place, seconds, bounds)
    }

    /// The client is answered so many bytes; nil unless that makes a tunnel, or is part of one. Allocates nothing.
    public func answered(
        _ client: IPAddress, _ cut: NameCut, type: RecordType, bytes: Int, now: Ticks, _ bounds: Bounds
    ) -> Tunnel? {
        guard cut.isRegistered, !cut.isTrusted, NameScore.isUnusual(type), bytes > 0 else { return nil }
        let seconds = NameWatch.seconds(now)
        let pair = NameWatch.pair(hash.address(client), cut)
        guard let place = pairs.find(pair) ?? pairs.claim(pair, seconds) else { return nil }
        place.count(answerBytes: bytes)
        let amount = (bytes + Bounds.answerUnit - 1) / Bounds.answerUnit
        _ = place.fill(
            PairTable.Word.answers, by: amount, most: 2 * bounds.answers, leak: bounds.answersLeak, seconds)
        return verdict(place, seconds, bounds)
    }

    /// The points of a client below a registered domain, for tests.
    func score(_ client: IPAddress, _ cut: NameCut, now: Ticks, _ bounds: Bounds) -> Int {
        let place = pairs.find(NameWatch.pair(hash.address(client), cut))
        return (place?.amount(PairTable.Word.score, leak: bounds.scoreLeak, NameWatch.seconds(now)) ?? 0)
            / NameScore.unit
    }

    private static func seconds(_ now: Ticks) -> UInt32 {
        UInt32(truncatingIfNeeded: now.milliseconds / 1000) & Sum.times
    }

    @inline(__always)
    private static func pair(_ address: UInt64, _ cut: NameCut) -> UInt64 {
        // The table has a meaning of its own for 0 and 1.
        NameHash.fold(cut.domain ^ 0x2545_f491_4f6c_dd1d, address) | 2
    }

    /// The labels that make the name new. Those of a suffix that was seen already tell nothing more: of
    /// `a.prod.example.com` after `b.prod.example.com` only the `a` counts.
    private func newLabels(
        _ cut: NameCut, of name: UnsafeRawBufferPointer, _ address: UInt64, _ seconds: UInt32
    ) -> NameScore.Labels {
        var labels = NameScore.Labels()
        var starts = LabelStarts()
        guard starts.read(wire: name) else { return labels }
        var running = cut.domain
        for index in stride(from: cut.labelsBelow - 1, through: 0, by: -1) {
            running = hash.adding(starts[index], of: name, to: running)
            if index == 0 || seen.add(NameHash.fold(running, address), seconds: seconds) {
                labels.add(starts[index], of: name)
            }
        }
        return labels
    }

    private func add(
        _ labels: NameScore.Labels, _ isUnusual: Bool, to place: Place, _ seconds: UInt32, _ bounds: Bounds
    ) {
        let points = labels.points(isUnusual: isUnusual)
        let before = place.fill(
            PairTable.Word.score, by: points, most: 2 * bounds.score, leak: bounds.scoreLeak, seconds)
        if before == 0, !place.isFlagged { place.forget(seconds) }
        place.count(isNew: true, isUnusual: isUnusual)
        place.count(labelBytes: labels.bytes, bits: labels.surprise / 8)
    }

    private func verdict(_ place: Place, _ seconds: UInt32, _ bounds: Bounds) -> Tunnel? {
        let score = place.amount(PairTable.Word.score, leak: bounds.scoreLeak, seconds)
        let answers = place.amount(PairTable.Word.answers, leak: bounds.answersLeak, seconds)
        let isOver = score >= bounds.score || answers >= bounds.answers
        guard isOver || place.isFlagged else { return nil }
        let finding = place.judge(
            isOver: isOver, isUnderHalf: 2 * score < bounds.score && 2 * answers < bounds.answers,
            period: bounds.period, seconds)
        guard case .tunnel(let isNew) = finding else { return nil }
        return Tunnel(isNew: isNew, evidence: place.evidence(score: score / NameScore.unit, seconds))
    }
}

/// What a tunnel was told by, in numbers, since its sum began to grow.
public struct TunnelEvidence: Sendable, Equatable {
    /// Points, of which the bound is `limits.dns_tunnel_score`.
    public var score: Int
    public var queries: Int
    /// Names asked for the first time.
    public var unique: Int
    /// Queries of types such as TXT, NULL and CNAME.
    public var unusual: Int
    /// Of the labels below the registered domain that were new.
    public var labelBytes: Int
    /// How little the letters of those labels are those of words: 4.1 to 4.7 for words, over 5.3 for random letters.
    public var bitsPerByte: Double
    /// Of answers to the unusual types.
    public var answerBytes: Int
    public var seconds: Int
}
