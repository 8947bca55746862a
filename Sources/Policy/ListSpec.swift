import Bytes

/// Destinations under one name, which a rule may have as its own: `to: list:encrypted-dns`.
public struct ListSpec: Hashable, Sendable {
    public var name: String
    /// Names, suffixes and ranges.
    public var entries: [Destination]

    public init(name: String, entries: [Destination]) {
        self.name = name
        self.entries = entries
    }

    /// From text: entries separated by white space, what follows `#` on a line is left out. What is no entry is not there.
    init(name: String, text: String) {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.prefix { $0 != "#" } }
        self.init(
            name: name,
            entries: lines.flatMap { $0.split(whereSeparator: \.isWhitespace) }.compactMap { Destination(entry: $0) })
    }

    /// Lists that are there without anybody's writing them.
    public static let builtIn = [ListSpec(name: "encrypted-dns", text: EncryptedDNS.text)]

    /// The entry by which this name or address is on the list.
    func entry(for name: DomainName?, _ address: IPAddress?) -> Destination? {
        var inner: [IPAddress] = []
        address?.forEachEmbeddedV4 { inner.append(IPAddress(v4: $0)) }
        return entries.first { entry in
            switch entry {
            case .name(let other): name == other
            case .suffix(let suffix): name.map { $0 != suffix && $0.isWithin(suffix) } ?? false
            case .prefix(let prefix): address.map(prefix.contains) ?? false || inner.contains(where: prefix.contains)
            case .any, .list: false
            }
        }
    }
}

extension Destination {
    /// What may be on a list: a name, `*.suffix`, an address or a range. A name is one that no resolver would take for an
    /// address.
    public init?(entry text: some StringProtocol) {
        // It would be taken for a name, and is hardly meant so.
        if text == "any" { return nil }
        if let prefix = Prefix(text) {
            self = .prefix(prefix)
            return
        }
        let isSuffix = text.hasPrefix("*.")
        guard case .name(let name) = Host(String(isSuffix ? text.dropFirst(2) : text[...])) else { return nil }
        self = isSuffix ? .suffix(name) : .name(name)
    }
}
