import Bytes

/// Who talks to whom, and what became of it: session records added up by service, external address and FQDN.
///
/// Memory is bounded however many records there are; what did not fit is counted and said in `notes`.
public struct EgressReport {
    /// One line of the table.
    public struct Row: Sendable, Equatable {
        public var service: String
        /// Distinct pods seen.
        public var pods: Int
        /// The latest.
        public var mode: Mode
        /// Where the sessions went; nil when they went nowhere.
        public var address: IPAddress?
        public var fqdn: String?
        public var sessions: Int
        public var applications: [Application]
        /// The strictest.
        public var action: Action
    }

    struct Bounds {
        var rows = 100_000
        /// Names of pods, and pods counted over all rows.
        var pods = 1_000_000
        /// Sessions announced and not ended, at any one time.
        var open = 100_000
    }

    private struct Key: Hashable {
        var service: String
        var address: IPAddress?
        var fqdn: String?
    }

    private struct Tally {
        var sessions = 0
        var mode = Mode.discover
        var modeTime = Int64.min
        var applications: UInt32 = 0
        var action = Action.allow
        var pods: Set<Int> = []

        mutating func add(_ session: SessionLine) {
            sessions += session.count
            if session.end >= modeTime { (mode, modeTime) = (session.mode, session.end) }
            applications |= 1 << UInt32(session.application.rawValue)
            action = max(action, session.action)
        }
    }

    private let since: Int64
    private let bounds: Bounds
    private var tallies: [Key: Tally] = [:]
    private var podNumbers: [String: Int] = [:]
    private var podsCounted = 0
    private var open: [RecordID: SessionLine] = [:]

    /// Lines that were no session records.
    public internal(set) var badLines = 0
    private var sessionsOmitted = 0
    private var podsOmitted = 0
    private var openOmitted = 0

    /// Of the sessions that ended at or after `since`, in unix microseconds.
    public init(since: Int64 = 0) { self.init(since: since, bounds: Bounds()) }

    init(since: Int64, bounds: Bounds) {
        self.since = since
        self.bounds = bounds
    }

    /// Takes one line of `sessions.jsonl`, in the order they were written.
    public mutating func add(line: UnsafeRawBufferPointer) {
        if !addIfWhole(line) { badLines += 1 }
    }

    /// False when the line is no session record.
    mutating func addIfWhole(_ line: UnsafeRawBufferPointer) -> Bool {
        guard let session = SessionLine(line) else { return false }
        switch session.kind {
        case .open: remember(session)
        case .session:
            open[session.id] = nil
            count(session)
        }
        return true
    }

    /// The rows, by service, address and FQDN. A session announced and not ended counts as one.
    public func rows() -> [Row] {
        var whole = self
        for session in open.values { whole.count(session) }
        return whole.tallies.map { EgressReport.row($0, $1) }.sorted { EgressReport.isBefore($0, $1) }
    }

    /// What a reader of the table must know: lines skipped, bounds reached.
    public var notes: [String] {
        var notes: [String] = []
        if badLines > 0 { notes.append("\(badLines) lines were not session records and were skipped") }
        if sessionsOmitted > 0 {
            notes.append("\(sessionsOmitted) sessions are left out: the report holds \(bounds.rows) rows")
        }
        if podsOmitted > 0 { notes.append("pods are counted low: the report knows \(bounds.pods) of them") }
        if openOmitted > 0 {
            notes.append("\(openOmitted) open sessions are left out: the report holds \(bounds.open) of them")
        }
        return notes
    }

    // MARK: Counting

    private mutating func remember(_ session: SessionLine) {
        guard session.end >= since else { return }
        if open.count >= bounds.open, open[session.id] == nil {
            openOmitted += 1
        } else {
            open[session.id] = session
        }
    }

    private mutating func count(_ session: SessionLine) {
        guard session.end >= since else { return }
        let key = Key(service: session.service, address: session.address, fqdn: session.fqdn)
        if tallies.count >= bounds.rows, tallies[key] == nil {
            sessionsOmitted += 1
            return
        }
        tallies[key, default: Tally()].add(session)
        if let pod = session.pod { count(pod, in: key) }
    }

    private mutating func count(_ pod: String, in key: Key) {
        guard let number = number(ofPod: pod) else {
            podsOmitted += 1
            return
        }
        if tallies[key]?.pods.contains(number) ?? true { return }
        if podsCounted < bounds.pods {
            podsCounted += 1
            tallies[key]?.pods.insert(number)
        } else {
            podsOmitted += 1
        }
    }

    private mutating func number(ofPod name: String) -> Int? {
        if let known = podNumbers[name] { return known }
        guard podNumbers.count < bounds.pods else { return nil }
        podNumbers[name] = podNumbers.count
        return podNumbers.count - 1
    }

    private static func row(_ key: Key, _ tally: Tally) -> Row {
        Row(
            service: key.service, pods: tally.pods.count, mode: tally.mode, address: key.address, fqdn: key.fqdn,
            sessions: tally.sessions,
            applications: Application.allCases.filter { tally.applications & 1 << UInt32($0.rawValue) != 0 },
            action: tally.action)
    }

    private static func isBefore(_ a: Row, _ b: Row) -> Bool {
        if a.service != b.service { return a.service < b.service }
        if a.address != b.address { return (a.address ?? .anyV6) < (b.address ?? .anyV6) }
        return (a.fqdn ?? "") < (b.fqdn ?? "")
    }
}
