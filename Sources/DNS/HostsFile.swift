import Bytes

/// The names of `/etc/hosts`, which go before any server's.
public struct HostsFile: Sendable {
    /// Names kept; lines past it are ignored.
    static let namesMax = 1 << 20

    private var names: [DomainName: [IPAddress]] = [:]

    /// Knows no name.
    public init() {}

    /// Parses the text of a hosts file: an address and its names on each line, comments from `#`. A line that is not
    /// so, or whose address has a zone, is passed over, as resolver libraries do.
    public init(_ text: String) {
        for line in lines(of: text, commentMarks: "#") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, let address = IPAddress(first) else { continue }
            for word in words.dropFirst() {
                guard let name = DomainName(String(word)), names.count < HostsFile.namesMax else { continue }
                if names[name]?.contains(address) != true { names[name, default: []].append(address) }
            }
        }
    }

    public func addresses(of name: DomainName) -> [IPAddress]? { names[name] }
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
