import Bytes

/// How `dns` is read: whom to ask, what is known without asking, and how it is answered.
extension DNSSettings {
    static func read(_ fields: Fields) -> (settings: DNSSettings, places: SettingsPlaces.DNSPlaces) {
        let choices = fields.optional(
            "resolvers", .list(.resolverChoice), default: [],
            "Resolvers to ask, in the clear or over TLS (RFC 7858) with the name of their certificate; empty: /etc/resolv.conf; original: the one that the client chose, never remembered."
        )
        if choices.count > 1, choices.contains(.original) {
            fields.fail("resolvers", "expected original alone, found it among others")
        }
        let zones = fields.optional(
            "zones", .list(Kind.section(Zone.read).placed), default: [],
            "Names that have resolvers of their own; the longest suffix wins.")
        let hosts = fields.optional(
            "hosts", .list(Kind.section(HostEntry.read).placed), default: [],
            "Names that are answered from here.")
        var settings = DNSSettings(
            resolvers: choices.compactMap { if case .resolver(let resolver) = $0 { resolver } else { nil } },
            original: choices.contains(.original), zones: zones.map(\.value), hosts: hosts.map(\.value))
        settings.internalSuffixes = fields.optional(
            "internal", .list(.domain), default: [], "Suffixes whose names may have private addresses.")
        settings.readAnswers(fields)
        settings.publicSuffixes = fields.path(
            "public_suffixes", "A Public Suffix List; the one that comes with the gateway if absent.")
        return (
            settings,
            .init(
                zones: zones.map(\.place), hosts: hosts.map(\.place),
                publicSuffixes: fields.place(of: "public_suffixes"), trustedZones: fields.place(of: "trusted_zones"))
        )
    }

    private mutating func readAnswers(_ fields: Fields) {
        blockAnswer = fields.optional(
            "block_answer", .blockAnswer, default: blockAnswer,
            "What a denied question is answered: nxdomain, refused or an address.")
        blockTTL = fields.optional(
            "block_ttl", .time(.zero...day), default: blockTTL, "How long a client may keep such an answer.")
        serveStale = fields.optional(
            "serve_stale", .time(.zero...Milliseconds(30 * day.count)), default: serveStale,
            "How long an expired answer may stand in while no resolver answers (RFC 8767); 0s: never.")
        aggregate = fields.optional(
            "aggregate", .time(.zero...Milliseconds.minutes(60)), default: aggregate,
            "Allowed questions of one pod that are alike share one record within this time; 0s: each has its own.")
        trustedZones = fields.optional(
            "trusted_zones", .list(.domain),
            "Zones whose names are never scored as a tunnel, such as block lists; absent: the built-in ones.")
    }
}

private let day = Milliseconds.minutes(24 * 60)

extension DNSSettings.Zone {
    fileprivate static func read(_ fields: Fields) -> DNSSettings.Zone {
        DNSSettings.Zone(
            suffix: fields.required("suffix", .domain, "The name itself and every name below it."),
            resolvers: fields.required("resolvers", .list(.resolver, atLeast: 1), "Who is asked about them."))
    }
}

extension DNSSettings.HostEntry {
    fileprivate static func read(_ fields: Fields) -> DNSSettings.HostEntry {
        DNSSettings.HostEntry(
            name: fields.required("name", .domain, "The name, without those below it."),
            addresses: fields.required("addresses", .list(.address, atLeast: 1), "All its addresses."))
    }
}

// MARK: - Kinds

/// An item of `resolvers`.
private enum ResolverChoice: Equatable {
    case original
    case resolver(DNSSettings.Resolver)
}

private let plainResolver = #"(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}"#
private let resolverPattern = "(\(plainResolver)|tls://\(plainResolver)#[A-Za-z0-9_.-]+)"

extension Kind where T == ResolverChoice {
    fileprivate static var resolverChoice: Kind {
        parsed(
            "an address and a port such as 10.96.0.10:53, tls://9.9.9.9:853#dns.quad9.net, or original",
            pattern: "^(original|\(resolverPattern))$", blank: .original, show: { "\($0)" }
        ) { text in
            text == "original" ? .original : DNSSettings.Resolver(text).map { .resolver($0) }
        }
    }
}

extension Kind where T == DNSSettings.Resolver {
    fileprivate static var resolver: Kind {
        parsed(
            "an address and a port such as 10.96.0.10:53, or tls://9.9.9.9:853#dns.quad9.net",
            pattern: "^\(resolverPattern)$", blank: DNSSettings.Resolver(endpoint: Endpoint(.anyV4, 0), tlsName: nil)
        ) { DNSSettings.Resolver($0) }
    }
}

extension DNSSettings.Resolver {
    /// `ADDRESS:PORT` or `tls://ADDRESS:PORT#NAME`.
    fileprivate init?(_ text: String) {
        let isSecure = text.hasPrefix("tls://")
        let parts = text.dropFirst(isSecure ? 6 : 0).split(
            separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        guard let endpoint = Endpoint(parts[0]), endpoint.port != 0, parts.count == (isSecure ? 2 : 1) else {
            return nil
        }
        self.init(endpoint: endpoint, tlsName: nil)
        if isSecure {
            // Whom the certificate must name is no guess of ours: without it anybody on the way could answer.
            guard let name = hostName(parts[1]) else { return nil }
            tlsName = name
        }
    }
}

extension Kind where T == DNSSettings.BlockAnswer {
    static var blockAnswer: Kind {
        parsed(
            "nxdomain, refused or an address", pattern: "^(nxdomain|refused|[0-9A-Fa-f:.]+)$", blank: .nxdomain,
            show: { answer in
                switch answer {
                case .nxdomain: "nxdomain"
                case .refused: "refused"
                case .address(let address): address.description
                }
            }
        ) { text in
            switch text {
            case "nxdomain": .nxdomain
            case "refused": .refused
            default: IPAddress(text).map { .address($0) }
            }
        }
    }
}
