import Bytes

/// What one loop counts: plain integers that nobody else touches. The loop hands out copies, which the reader merges.
///
/// Services and sensors are indices here and names only in the text; the indices are the caller's and the same on
/// every loop. Labels are bounded by the configuration, never by what clients send.
public struct Counters: Sendable, Equatable {
    public enum Direction: Int, Sendable, CaseIterable {
        /// From the client to the outside.
        case out
        case `in`

        var label: StaticString {
            switch self {
            case .out: "out"
            case .in: "in"
            }
        }
    }

    /// The two sides of the gateway.
    public enum Side: Int, Sendable, CaseIterable {
        case client, upstream

        var label: StaticString {
            switch self {
            case .client: "client"
            case .upstream: "upstream"
            }
        }
    }

    /// A service, a sensor and what was done.
    struct FindingKey: Hashable, Sendable {
        var service: Int
        var sensor: Int
        var action: Action
    }

    public private(set) var services: Int
    /// By service, application and action, in this order.
    private var sessions: [UInt64]
    /// By service and direction.
    private var bytes: [UInt64]
    /// Findings are rare: a dictionary costs less than a table of all sensors for each service.
    private(set) var findings: [FindingKey: UInt64] = [:]
    private(set) var uninspectable: [String: UInt64] = [:]
    private(set) var inspectedBytes: UInt64 = 0
    private(set) var inspectionNanoseconds: UInt64 = 0
    private var open: [Int64]
    /// DNS queries by action and response code, in this order.
    private var queries = [UInt64](repeating: 0, count: Action.allCases.count * Counters.codes.count)
    /// Answers that loops keep.
    public var cachedAnswers: Int64 = 0
    private(set) var connectTime = Histogram()
    private(set) var addedLatency = Histogram()

    static let sessionsPerService = Application.allCases.count * Action.allCases.count
    /// Distinct reasons for `uninspectable`; they are words of ours, so there are far fewer.
    static let uninspectableMax = 64

    public init(services: Int) {
        self.services = services
        sessions = Array(repeating: 0, count: services * Counters.sessionsPerService)
        bytes = Array(repeating: 0, count: services * Direction.allCases.count)
        open = Array(repeating: 0, count: Side.allCases.count)
    }

    /// Makes room for the services of a new configuration; the numbers of the present ones stay.
    public mutating func grow(services wanted: Int) {
        guard wanted > services else { return }
        let added = wanted - services
        sessions.append(contentsOf: repeatElement(0, count: added * Counters.sessionsPerService))
        bytes.append(contentsOf: repeatElement(0, count: added * Direction.allCases.count))
        services = wanted
    }

    // MARK: Counting

    public mutating func addSession(service: Int, application: Application, action: Action) {
        sessions[Counters.sessionIndex(service, application, action)] &+= 1
    }

    public mutating func addBytes(service: Int, out: UInt64, in inward: UInt64) {
        bytes[service * 2 + Direction.out.rawValue] &+= out
        bytes[service * 2 + Direction.in.rawValue] &+= inward
    }

    public mutating func addFinding(service: Int, sensor: Int, action: Action) {
        findings[FindingKey(service: service, sensor: sensor, action: action), default: 0] &+= 1
    }

    public mutating func addInspected(bytes: UInt64, nanoseconds: UInt64) {
        inspectedBytes &+= bytes
        inspectionNanoseconds &+= nanoseconds
    }

    public mutating func addUninspectable(reason: StaticString) { addUninspectable(reason.description, 1) }

    private mutating func addUninspectable(_ reason: String, _ count: UInt64) {
        let isKnown = uninspectable[reason] != nil
        let label = isKnown || uninspectable.count < Counters.uninspectableMax - 1 ? reason : "other"
        uninspectable[label, default: 0] &+= count
    }

    /// - Parameter code: nil for a query that was not answered.
    public mutating func addQuery(action: Action, responseCode code: UInt16?) {
        let column = code.map { min(Int($0), Counters.codes.count - 2) } ?? Counters.codes.count - 1
        queries[Int(action.rawValue) * Counters.codes.count + column] &+= 1
    }

    public mutating func opened(_ side: Side) { open[side.rawValue] += 1 }
    public mutating func closed(_ side: Side) { open[side.rawValue] -= 1 }

    public mutating func addUpstreamConnect(microseconds: Int64) { connectTime.observe(microseconds: microseconds) }
    public mutating func addLatency(microseconds: Int64) { addedLatency.observe(microseconds: microseconds) }

    // MARK: Reading

    public func sessions(service: Int, application: Application, action: Action) -> UInt64 {
        sessions[Counters.sessionIndex(service, application, action)]
    }

    func queries(action: Action, column: Int) -> UInt64 {
        queries[Int(action.rawValue) * Counters.codes.count + column]
    }

    /// By their numbers; then all others, and no answer.
    static let codes = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "other", "none"]

    public func bytes(service: Int, _ direction: Direction) -> UInt64 { bytes[service * 2 + direction.rawValue] }
    public func connections(_ side: Side) -> Int64 { open[side.rawValue] }

    /// Adds the numbers of another loop.
    public mutating func merge(_ other: Counters) {
        grow(services: other.services)
        for index in other.sessions.indices { sessions[index] &+= other.sessions[index] }
        for index in other.bytes.indices { bytes[index] &+= other.bytes[index] }
        for index in open.indices { open[index] += other.open[index] }
        findings.merge(other.findings) { $0 &+ $1 }
        for (reason, count) in other.uninspectable { addUninspectable(reason, count) }
        for index in queries.indices { queries[index] &+= other.queries[index] }
        cachedAnswers += other.cachedAnswers
        inspectedBytes &+= other.inspectedBytes
        inspectionNanoseconds &+= other.inspectionNanoseconds
        connectTime.merge(other.connectTime)
        addedLatency.merge(other.addedLatency)
    }

    private static func sessionIndex(_ service: Int, _ application: Application, _ action: Action) -> Int {
        (service * Application.allCases.count + Int(application.rawValue)) * Action.allCases.count
            + Int(action.rawValue)
    }
}
