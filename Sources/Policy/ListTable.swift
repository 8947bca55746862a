import Bytes

/// The lists that rules name, compiled once for all services: which of them hold a name or an address.
///
/// A rule about a list is not copied for each of its entries: ten thousand services that deny one list of hundreds would be
/// millions of rules. Entries of all lists stand in one table, so that one walk more is what a service with such rules
/// pays, however many lists there are and however long they are.
struct ListTable: Sendable {
    private let names: NameTable
    private let prefixes: PrefixTable
    /// The lists that an entry is on: the value of the tables is an index here, and this is a range into `lists`.
    private let holders: ContiguousArray<Range<Int>>
    private let lists: ContiguousArray<Int>

    init(_ specs: [ListSpec]) {
        var byEntry: [Destination: [Int]] = [:]
        for (index, spec) in specs.enumerated() {
            for entry in Set(spec.entries) { byEntry[entry, default: []].append(index) }
        }
        var names: [NameTable.Entry] = []
        var prefixes: [PrefixTable.Entry] = []
        var holders: ContiguousArray<Range<Int>> = []
        var lists: ContiguousArray<Int> = []
        for (entry, indices) in byEntry {
            let value = UInt32(holders.count)
            switch entry {
            case .name(let name): names.append(.init(scope: 0, name: name, isSuffix: false, value: value))
            case .suffix(let name): names.append(.init(scope: 0, name: name, isSuffix: true, value: value))
            case .prefix(let prefix): prefixes.append(.init(scope: 0, prefix: prefix, value: value))
            case .any, .list: continue  // refused by the compiler
            }
            holders.append(lists.count..<lists.count + indices.count)
            lists.append(contentsOf: indices)
        }
        self.names = NameTable(scopes: 1, names)
        self.prefixes = PrefixTable(scopes: 1, prefixes)
        self.holders = holders
        self.lists = lists
    }

    /// Visits each list that the name is on, one more than once if several entries say so. Returns the number of probes.
    @inline(__always) @discardableResult
    func walk(_ name: DomainName, _ visit: (Int) -> Void) -> Int {
        names.walk(0, name) { value in
            for index in holders[Int(value)] { visit(lists[index]) }
        }
    }

    /// Visits each list that has the address in a prefix of at least this length. Returns the number of probes.
    @inline(__always) @discardableResult
    func walk(_ address: IPAddress, atLeast least: UInt8 = 0, _ visit: (Int) -> Void) -> Int {
        prefixes.walk(0, address, atLeast: least) { value in
            for index in holders[Int(value)] { visit(lists[index]) }
            return true
        }
    }
}
