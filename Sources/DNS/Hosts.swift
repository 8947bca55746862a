import Bytes

/// Names that go before any server's: those of the configuration, and those of `/etc/hosts`.
public struct Hosts: Sendable, Equatable {
    /// Names kept; those past it are ignored.
    static let namesMax = 1 << 20
    /// Of an answer from them: what is asked again costs nothing.
    static let timeToLive: UInt32 = 60

    private var names: [DomainName: [IPAddress]] = [:]
    /// Hashes of the names on the wire: a query for another name is told apart without making a `DomainName` of it.
    private var hashes: Set<Int> = []

    /// Knows no name.
    public init() {}

    /// Parses the text of a hosts file: an address and its names on each line, comments from `#`. A line that is not
    /// so, or whose address has a zone, is passed over, as resolver libraries do.
    public init(_ text: String) {
        for line in lines(of: text, commentMarks: "#") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, let address = IPAddress(first) else { continue }
            for word in words.dropFirst() {
                if let name = DomainName(String(word)) { add(name, [address]) }
            }
        }
    }

    /// Adds addresses to those that a name has.
    public mutating func add(_ name: DomainName, _ addresses: [IPAddress]) {
        guard names.count < Hosts.namesMax || names[name] != nil else { return }
        for address in addresses where names[name]?.contains(address) != true {
            names[name, default: []].append(address)
        }
        name.wire.withUnsafeBytes { _ = hashes.insert(Hosts.hash($0)) }
    }

    /// Gives a name these addresses and no others.
    public mutating func set(_ name: DomainName, _ addresses: [IPAddress]) {
        names[name] = nil
        add(name, addresses)
    }

    public func addresses(of name: DomainName) -> [IPAddress]? { names.isEmpty ? nil : names[name] }

    /// The answer to a question for one of the names, which has no records but addresses; nil for other names.
    public func answer(_ key: QuestionKey) -> StoredAnswer? {
        guard !names.isEmpty, key.recordClass == Question.internet, hashes.contains(Hosts.hash(key.name)),
            let name = DomainName(wire: key.name), let addresses = names[name]
        else { return nil }
        return .synthesized(key, addresses: addresses, timeToLive: Hosts.timeToLive)
    }

    /// In any letters.
    private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
        withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { room in
            let count = min(name.count, room.count)
            for index in 0..<count { room[index] = lower(name[index]) }
            var hasher = Hasher()
            hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: room[..<count]))
            return hasher.finalize()
        }
    }
}

/// The servers of `/etc/resolv.conf`, in order: its `nameserver` lines, on port 53. Search lists and options are for
/// people's short names and have no say here.
public func parseResolvConf(_ text: String) -> [Endpoint] {
    // The resolver library takes three; a list longer than a few is a mistake and would cost as many tries.
    let serversMax = 8
    var servers: [Endpoint] = []
    for line in lines(of: text, commentMarks: "#;") {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard words.count >= 2, words[0] == "nameserver", let address = IPAddress(words[1]) else { continue }
        let server = Endpoint(address, 53)
        if servers.count < serversMax, !servers.contains(server) { servers.append(server) }
    }
    return servers
}

/// The lines of a file of the C library, each up to its comment.
private func lines(of text: String, commentMarks: String) -> some Sequence<Substring> {
    text.split(whereSeparator: \.isNewline).lazy.map { line in line.prefix { !commentMarks.contains($0) } }
}
