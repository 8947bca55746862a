import Bytes

/// The rules of one destination, arranged so that the first one for a port and an application is found by halving
/// instead of by reading them all. Many destinations share one table; each is a node.
struct PortTable: Sendable {
    /// A rule as it competes: its place in written order, and its action. Comparing two compares their places.
    struct Candidate: Comparable, Sendable {
        private let bits: UInt32

        init(rule: Int, denies: Bool) { bits = UInt32(rule) << 1 | (denies ? 1 : 0) }
        private init(bits: UInt32) { self.bits = bits }

        /// Later than any rule.
        static let none = Candidate(bits: .max)

        var rule: Int { Int(bits >> 1) }
        var denies: Bool { self != .none && bits & 1 == 1 }
        static func < (a: Candidate, b: Candidate) -> Bool { a.bits < b.bits }
    }

    private struct Node {
        /// Into `firstPorts` and `choices`.
        var start: UInt32
        var count: UInt32
        /// The first rule, whatever its ports and applications.
        var earliest: Candidate
        var allows: Bool
    }

    /// The first rule for some applications at the ports of an interval.
    private struct Choice {
        var applications: UInt32
        var candidate: Candidate
    }

    private var nodes: ContiguousArray<Node> = []
    /// Where each interval of ports begins; it ends where the next of the same node begins.
    private var firstPorts: ContiguousArray<UInt16> = []
    /// The choices of each interval, as a range into `choices`.
    private var intervals: ContiguousArray<Range<UInt32>> = []
    private var choices: ContiguousArray<Choice> = []

    /// Adds a destination with its rules, given in written order, and returns its node.
    mutating func add(_ rules: [(index: Int, rule: RuleSpec)]) -> UInt32 {
        let ports = PortTable.boundaries(rules.map(\.rule))
        var columns = [[Choice]](repeating: [], count: ports.count)
        var taken = [UInt32](repeating: 0, count: ports.count)
        for (index, rule) in rules {
            let candidate = Candidate(rule: index, denies: rule.action == .deny)
            let wanted = rule.applications.isEmpty ? UInt32.max : rule.applications.reduce(0) { $0 | $1.bit }
            for range in rule.ports.isEmpty ? [0...65535] : rule.ports {
                var column = PortTable.interval(of: range.lowerBound, in: ports, 0..<ports.count)
                while column < ports.count, ports[column] <= range.upperBound {
                    let fresh = wanted & ~taken[column]
                    if fresh != 0 { columns[column].append(Choice(applications: fresh, candidate: candidate)) }
                    taken[column] |= wanted
                    column += 1
                }
            }
        }
        nodes.append(
            Node(
                start: UInt32(firstPorts.count), count: UInt32(ports.count),
                earliest: rules.first.map { Candidate(rule: $0.index, denies: $0.rule.action == .deny) } ?? .none,
                allows: rules.contains { $0.rule.action == .allow }))
        for (port, column) in zip(ports, columns) {
            firstPorts.append(port)
            intervals.append(UInt32(choices.count)..<UInt32(choices.count + column.count))
            choices.append(contentsOf: column)
        }
        return UInt32(nodes.count - 1)
    }

    /// The ports at which some rule begins or has just ended, and 0.
    private static func boundaries(_ rules: [RuleSpec]) -> ContiguousArray<UInt16> {
        var ports: Set<UInt16> = [0]
        for range in rules.lazy.flatMap(\.ports) {
            ports.insert(range.lowerBound)
            if range.upperBound < 65535 { ports.insert(range.upperBound + 1) }
        }
        return ContiguousArray(ports.sorted())
    }

    /// The index of the interval that holds the port: the last of `range` that does not begin after it. The first
    /// begins at 0, so there is one.
    @inline(__always)
    private static func interval(of port: UInt16, in ports: ContiguousArray<UInt16>, _ range: Range<Int>) -> Int {
        var (low, high) = (range.lowerBound, range.upperBound)
        while high - low > 1 {
            let middle = (low + high) / 2
            if ports[middle] <= port { low = middle } else { high = middle }
        }
        return low
    }

    /// The first rule of the node for this port and application, or `none`.
    @inline(__always)
    func first(_ node: UInt32, port: UInt16, application: UInt32) -> Candidate {
        let node = nodes[Int(node)]
        let range = Int(node.start)..<Int(node.start + node.count)
        for index in intervals[PortTable.interval(of: port, in: firstPorts, range)] {
            let choice = choices[Int(index)]
            if choice.applications & application != 0 { return choice.candidate }
        }
        return .none
    }

    /// The first rule of the node, whatever its ports and applications.
    @inline(__always)
    func earliest(_ node: UInt32) -> Candidate { nodes[Int(node)].earliest }

    /// Whether some rule of the node allows.
    @inline(__always)
    func allows(_ node: UInt32) -> Bool { nodes[Int(node)].allows }
}

extension Application {
    /// Its bit in a set of applications.
    @inline(__always)
    var bit: UInt32 { 1 << UInt32(rawValue) }
}
