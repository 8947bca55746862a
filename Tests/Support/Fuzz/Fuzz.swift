import Bytes
import DLP

/// The same input read twice, in one piece and in many: what comes of it must be the same. What fuzz targets of inspection
/// share.
public struct Twice {
    public let whole: Inspection
    public let pieces: Inspection

    public init() {
        let scratch = Scratch()
        (whole, pieces) = (Inspection(scratch: scratch), Inspection(scratch: scratch))
    }

    public func agree() {
        precondition(whole.findings == pieces.findings, "findings depend on the cut")
        precondition(whole.verdict == pieces.verdict, "the verdict depends on the cut")
        precondition(whole.uninspectable == pieces.uninspectable, "outcomes depend on the cut")
    }

    /// Of what was released nothing was of a denied match. Of codings and containers it is not known how much a receiver
    /// could read.
    public func heldBack(_ released: UInt64) {
        let views: Set = ["base64", "hex", "utf-16", "percent", "json", "entity", "quoted-printable"]
        for finding in pieces.findings where finding.action == .deny && views.isSuperset(of: finding.decoded) {
            precondition(released <= finding.rawOffset, "bytes of a denied match were released")
        }
    }
}

/// A profile for each action, of sensors with one rule of these expressions each, all of which must hold. Empty where they are
/// no expressions.
///
/// `hold`: bytes after which what a rule lacks is lacking.
public func profiles(_ rules: [[String]], _ actions: [Action], limits: Limits, hold: Int) -> [Profile] {
    let sensors = rules.enumerated().map { index, regexes in
        SensorSpec(
            name: "s\(index)", direction: .both,
            rules: [SensorRuleSpec(name: "r", patterns: regexes.map { PatternSpec(regex: $0, contexts: .body) })])
    }
    guard case .success(let database) = Database.compile(sensors, limits: limits, fingerprintKey: [1]) else {
        return []
    }
    return actions.map { action in
        Profile(
            database, database.sensorNames.map { Attachment(sensor: $0, action: action) }, enforcing: true, hold: hold)
    }
}

/// Where the input ends in each feed: growing steps, the last one whole. Seed 0 is byte by byte.
public func cuts(seed: UInt8, count: Int) -> [Int] {
    var state = UInt32(seed)
    var ends: [Int] = []
    var end = 0
    while end < count {
        state = state &* 1_664_525 &+ 1_013_904_223
        end += seed == 0 ? 1 : 1 + Int(state >> 16) % (1 + Int(seed))
        ends.append(min(end, count))
    }
    return ends.isEmpty ? [0] : ends
}

extension Inspection {
    /// Hands over the input piece by piece, each a copy that has not a byte more than it should, for the sanitizer to watch;
    /// answers how much was released, of which nothing may come back.
    @discardableResult
    public func read(
        _ side: Side, _ input: UnsafeRawBufferPointer, ends: [Int],
        _ feed: (UnsafeRawBufferPointer, _ isLast: Bool) -> Void
    ) -> UInt64 {
        var (from, released) = (0, UInt64(0))
        for (index, end) in ends.enumerated() {
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: end - from, alignment: 1)
            defer { piece.deallocate() }
            piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[from..<end]))
            feed(UnsafeRawBufferPointer(piece), index == ends.count - 1)
            let now = releasable(side)
            precondition(now >= released && now <= UInt64(end), "what leaves has come, and does not come back")
            for redaction in takeRedactions(side) {
                precondition(redaction.offset >= released, "what has left cannot be overwritten")
            }
            (from, released) = (end, now)
        }
        return released
    }
}
