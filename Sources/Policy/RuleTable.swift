import Bytes

/// The written rules of all services, compiled: the first match in written order, at a cost that does not depend on how
/// many rules there are.
///
/// Rules with the same destination share a node. A question meets at most one node for `any`, one for the exact name,
/// one per suffix of the name, one per prefix length in use and one per list that it is on; of what these offer, the rule
/// written first wins.
///
/// A class, so that a question does not copy the tables, which is one retain for each.
final class RuleTable: Sendable {
    typealias Candidate = PortTable.Candidate

    private let ports: PortTable
    private let names: NameTable
    private let prefixes: PrefixTable
    /// The node of the rules about every destination, per service.
    private let any: ContiguousArray<UInt32?>
    private let lists: ListTable
    /// The nodes of the rules about lists, and for each service which of these are its own.
    private let listed: ContiguousArray<(list: Int, node: UInt32)>
    private let listedOf: ContiguousArray<Range<Int>>

    /// `lists` has each list that a rule names.
    init(_ services: [[RuleSpec]], lists: [ListSpec] = []) {
        var ports = PortTable()
        var names: [NameTable.Entry] = []
        var prefixes: [PrefixTable.Entry] = []
        var any = ContiguousArray<UInt32?>(repeating: nil, count: services.count)
        var used: [ListSpec] = []
        var listed: ContiguousArray<(list: Int, node: UInt32)> = []
        var listedOf: ContiguousArray<Range<Int>> = []
        for (scope, rules) in services.enumerated() {
            let start = listed.count
            let byDestination = Dictionary(grouping: rules.enumerated(), by: \.element.to)
            for (destination, group) in byDestination {
                let node = ports.add(group.map { (index: $0.offset, rule: $0.element) })
                switch destination {
                case .any: any[scope] = node
                case .name(let name): names.append(.init(scope: scope, name: name, isSuffix: false, value: node))
                case .suffix(let name): names.append(.init(scope: scope, name: name, isSuffix: true, value: node))
                case .prefix(let prefix): prefixes.append(.init(scope: scope, prefix: prefix, value: node))
                case .list(let name):
                    if !used.contains(where: { $0.name == name }) { used += lists.filter { $0.name == name } }
                    guard let list = used.firstIndex(where: { $0.name == name }) else { continue }
                    listed.append((list, node))
                }
            }
            listedOf.append(start..<listed.count)
        }
        self.ports = ports
        self.names = NameTable(scopes: services.count, names)
        self.prefixes = PrefixTable(scopes: services.count, prefixes)
        self.any = any
        self.lists = ListTable(used)
        self.listed = listed
        self.listedOf = listedOf
    }

    /// The rule written first that matches, or `none`.
    func first(_ question: borrowing Question) -> Candidate {
        let (scope, port, application) = (question.service, question.port, question.application.bit)
        var best = Candidate.none
        if let node = any[scope] { best = ports.first(node, port: port, application: application) }
        if let name = question.name {
            // A rule about a name covers the DNS question for it, whatever its ports and applications.
            let asked = question.application == .dns
            names.walk(scope, name) { node in
                best = min(
                    best, asked ? ports.earliest(node) : ports.first(node, port: port, application: application))
            }
            if !listedOf[scope].isEmpty { best = min(best, onLists(scope, name, asked, port, application)) }
        }
        if let address = question.address {
            let lists = !question.isAnsweredHere && !listedOf[scope].isEmpty
            best = min(best, first(scope, address, port, application, lists: lists))
            // What denies an IPv4 address denies it inside an IPv6 address too; what allows it opens only itself.
            address.forEachEmbeddedV4 { bits in
                let inner = first(scope, IPAddress(v4: bits), port, application, lists: lists)
                if inner.denies { best = min(best, inner) }
            }
        }
        return best
    }

    @inline(__always)
    private func first(
        _ scope: Int, _ address: IPAddress, _ port: UInt16, _ application: UInt32, lists: Bool
    ) -> Candidate {
        var best = Candidate.none
        prefixes.walk(scope, address) { node in
            best = min(best, ports.first(node, port: port, application: application))
            return true
        }
        if lists { best = min(best, onLists(scope, address, port, application)) }
        return best
    }

    // MARK: Lists

    // Apart, so that they cost nothing where no rule names a list.

    private func onLists(
        _ scope: Int, _ name: DomainName, _ asked: Bool, _ port: UInt16, _ application: UInt32
    ) -> Candidate {
        var best = Candidate.none
        lists.walk(name) { list in
            if let node = node(scope, list) {
                best = min(
                    best, asked ? ports.earliest(node) : ports.first(node, port: port, application: application))
            }
        }
        return best
    }

    private func onLists(_ scope: Int, _ address: IPAddress, _ port: UInt16, _ application: UInt32) -> Candidate {
        var best = Candidate.none
        lists.walk(address) { list in
            if let node = node(scope, list) {
                best = min(best, ports.first(node, port: port, application: application))
            }
        }
        return best
    }

    /// The node of the service's rules about this list.
    private func node(_ scope: Int, _ list: Int) -> UInt32? {
        for index in listedOf[scope] where listed[index].list == list { return listed[index].node }
        return nil
    }

    /// Whether a rule that allows something has this address in its prefix, and the prefix is at least this long.
    func names(_ address: IPAddress, _ scope: Int, atLeast length: UInt8) -> Bool {
        var named = false
        prefixes.walk(scope, address, atLeast: length) { node in
            named = ports.allows(node)
            return !named
        }
        if !named, !listedOf[scope].isEmpty {
            lists.walk(address, atLeast: length) { list in
                named = named || node(scope, list).map(ports.allows) ?? false
            }
        }
        return named
    }

    /// The number of table look-ups that a question costs.
    func probes(_ question: Question) -> Int {
        var probes = 1
        if let name = question.name { probes += names.walk(question.service, name) { _ in } }
        if let address = question.address { probes += prefixes.walk(question.service, address) { _ in true } }
        if !listedOf[question.service].isEmpty {
            if let name = question.name { probes += lists.walk(name) { _ in } }
            if let address = question.address { probes += lists.walk(address) { _ in } }
        }
        return probes
    }
}
