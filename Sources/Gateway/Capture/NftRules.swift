import Bytes

/// The nftables rules and routes that send a fleet's traffic to the gateway.
///
/// ```
///              prerouting                    routing                     forward
///  client ──▶ ours already? mark ─────────▶ fwmark: local ──▶ gateway
///             captured? tproxy, mark ─────▶
///             else ───────────────────────▶ main ──────────▶ captured source: excluded, allowed, else drop
/// ```
/// `tproxy` without a listener lets the packet go on, and so does a mark without its route: what protects then is the drop
/// in `forward`, which knows nothing of sockets. It also stops what the gateway cannot read: QUIC, other UDP, ICMP, SCTP.
/// No rule asks for connection tracking unless it must, for tracking costs each packet of the fleet.
public struct NftRules: Sendable {
    public let spec: CaptureSpec

    /// Packets with this mark are delivered to this host whatever their destination.
    public static let divertMark: UInt32 = 0x15001
    /// The routing table, and the priority of the rule that leads to it.
    public static let table = 15001

    public init(_ spec: CaptureSpec) { self.spec = spec }
}

// MARK: - What is printed

extension NftRules {
    /// Input of `nft -f`: the table as a whole, in one transaction, so that no packet sees half of it.
    public var ruleset: String {
        var text = Text()
        text.line("# Sends captured traffic to Weir. Made by `weir nft` from the configuration; edits are lost.")
        for note in notes { text.line("# \(note)") }
        text.line("table inet weir")
        text.line("delete table inet weir")
        text.block("table inet weir") { text in
            sets(&text)
            if takesByTproxy { prerouting(&text) }
            if takesByRedirect { redirecting(&text) }
            forward(&text)
        }
        return text.value
    }

    /// The route that delivers marked packets here: commands for a shell, one a line.
    public var routes: String { Self.shell(routeCommands) }

    /// Takes back rules and routes; what is not there is no error.
    public var removal: String {
        "nft 'table inet weir; delete table inet weir'\n" + Self.shell(removalCommands, suffix: " 2>/dev/null || true")
    }

    /// Settings of the kernel that these rules rely on, for the operator's eyes.
    public var notes: [String] {
        var notes = [
            "net.ipv4.conf.*.src_valid_mark must be 0 on the captured interfaces (the default), or the mark is taken",
            "  for the way back; rp_filter may stay 0, 1 or 2.",
            "net.bridge.bridge-nf-call-iptables and -ip6tables must be 0 where br_netfilter is loaded: it breaks tproxy.",
        ]
        if spec.fail == .open || !spec.exclude.isEmpty || !spec.allow.isEmpty {
            notes.append("net.ipv4.ip_forward and net.ipv6.conf.all.forwarding must be 1 for what passes by unread.")
        }
        if spec.sourceClient {
            notes.append("source: client: answers from outside must be routed through this host.")
        }
        if spec.fail == .open, takesByRedirect {
            notes.append("fail: open has no effect on a redirect listener: a port nobody listens on refuses.")
        }
        if spec.interfaces.isEmpty {
            notes.append(
                "No interface is captured, only prefixes: a client that forges its source address passes by. rp_filter")
            notes.append("  on the clients' interface, or its name in `from`, closes that.")
        }
        return notes
    }

    var routeCommands: [[String]] {
        guard takesByTproxy else { return [] }
        return families.flatMap { family in
            [
                ["ip", family.option, "route", "replace", "local", "default", "dev", "lo", "table", "\(Self.table)"],
                ["ip", family.option, "rule", "add"] + rule,
            ]
        }
    }

    /// Both families always: the configuration may have changed since the routes were made.
    var removalCommands: [[String]] {
        Family.allCases.flatMap { family in
            [
                ["ip", family.option, "rule", "del"] + rule,
                ["ip", family.option, "route", "del", "local", "default", "dev", "lo", "table", "\(Self.table)"],
            ]
        }
    }

    private var rule: [String] {
        ["fwmark", hex(Self.divertMark), "lookup", "\(Self.table)", "pref", "\(Self.table)"]
    }

    private static func shell(_ commands: [[String]], suffix: String = "") -> String {
        commands.map { $0.joined(separator: " ") + suffix + "\n" }.joined()
    }
}

// MARK: - The table

extension NftRules {
    enum Family: CaseIterable {
        case v4, v6

        var option: String { self == .v4 ? "-4" : "-6" }
        var keyword: String { self == .v4 ? "ip" : "ip6" }
        var protocolName: String { self == .v4 ? "ipv4" : "ipv6" }
    }

    private var families: [Family] { Family.allCases.filter { tproxy($0) != nil || dns($0) != nil } }
    private var takesByTproxy: Bool { !families.isEmpty }
    private var takesByRedirect: Bool { !redirectFamilies.isEmpty }
    private var redirectFamilies: [Family] {
        spec.redirect == nil ? [] : Family.allCases.filter { tproxy($0) == nil }
    }

    private func tproxy(_ family: Family) -> UInt16? { family == .v4 ? spec.tproxyV4 : spec.tproxyV6 }
    private func dns(_ family: Family) -> UInt16? { family == .v4 ? spec.dnsV4 : spec.dnsV6 }

    private func sets(_ text: inout Text) {
        for family in Family.allCases {
            addresses("from_\(family)", family, spec.prefixes, &text)
            addresses("exclude_\(family)", family, spec.exclude, &text)
        }
        if case .list(let ports) = spec.tcp { self.ports("tcp_ports", ports, &text) }
        if !spec.udp.isEmpty { ports("dns_ports", spec.udp, &text) }
    }

    private func addresses(_ name: String, _ family: Family, _ prefixes: [Prefix], _ text: inout Text) {
        let own = prefixes.filter { ($0.address.isV4 && $0.length >= 96) == (family == .v4) }
        text.block("set \(name)") { text in
            text.line("type \(family.protocolName)_addr; flags interval; auto-merge;")
            if !own.isEmpty { text.line("elements = { \(own.map(\.description).joined(separator: ", ")) }") }
        }
    }

    private func ports(_ name: String, _ ranges: [ClosedRange<UInt16>], _ text: inout Text) {
        text.block("set \(name)") { text in
            text.line("type inet_service; flags interval; auto-merge;")
            if !ranges.isEmpty { text.line("elements = { \(ranges.map(Self.range).joined(separator: ", ")) }") }
        }
    }

    private func prerouting(_ text: inout Text) {
        text.block("chain prerouting") { text in
            text.line("type filter hook prerouting priority mangle; policy accept;")
            text.line("meta mark \(hex(spec.mark)) return")
            text.line("# Connections that a transparent socket of this host has already: the clients' own and, with")
            text.line("# source: client, the answers from outside. A listener (wildcard) does not count.")
            text.line("socket transparent 1 socket wildcard 0 meta mark set \(hex(Self.divertMark)) accept")
            text.line("fib daddr type local return")
            sources("goto capture", &text)
        }
        text.block("chain capture") { text in
            passing("return", &text)
            for family in families {
                let only = "meta nfproto \(family.protocolName)"
                let divert = "meta mark set \(hex(Self.divertMark)) accept"
                if let port = dns(family), !spec.udp.isEmpty {
                    let to = "tproxy \(family.keyword) to :\(port) \(divert)"
                    text.line("\(only) meta l4proto { tcp, udp } th dport @dns_ports \(to)")
                }
                if let port = tproxy(family) {
                    text.line("\(only) \(tcp) tproxy \(family.keyword) to :\(port) \(divert)")
                }
            }
        }
    }

    private func redirecting(_ text: inout Text) {
        guard let port = spec.redirect else { return }
        text.block("chain redirect_prerouting") { text in
            text.line("type nat hook prerouting priority dstnat; policy accept;")
            text.line("meta mark \(hex(spec.mark)) return")
            text.line("fib daddr type local return")
            sources("goto redirect_capture", &text)
        }
        text.block("chain redirect_capture") { text in
            passing("return", &text)
            for family in redirectFamilies {
                text.line("meta nfproto \(family.protocolName) \(tcp) redirect to :\(port)")
            }
        }
    }

    private func forward(_ text: inout Text) {
        text.block("chain forward") { text in
            // Before the filter chains of others, which may accept: in nftables a drop anywhere is final.
            text.line("type filter hook forward priority filter - 5; policy accept;")
            sources("goto unread", &text)
        }
        text.block("chain unread") { text in
            passing("accept", &text)
            if !spec.interfaces.isEmpty { answers(&text) }
            if spec.fail == .open {
                text.line("# fail: open. Only packets that no listener took come here.")
                text.line("\(tcp) accept")
                if !spec.udp.isEmpty { text.line("udp dport @dns_ports accept") }
            }
            text.line("udp dport 443 counter drop comment \"QUIC falls back to TCP\"")
            text.line("counter drop comment \"unread\"")
        }
    }

    /// A gateway with one interface sees the answers to what it let by come in where the clients are.
    private func answers(_ text: inout Text) {
        if !spec.exclude.isEmpty {
            text.line("ip saddr @exclude_v4 accept")
            text.line("ip6 saddr @exclude_v6 accept")
        }
        if !spec.allow.isEmpty { text.line("ct direction reply ct state established,related accept") }
    }

    private func sources(_ verdict: String, _ text: inout Text) {
        for name in spec.interfaces { text.line("iifname \"\(name)\" \(verdict)") }
        if !spec.prefixes.isEmpty {
            text.line("ip saddr @from_v4 \(verdict)")
            text.line("ip6 saddr @from_v6 \(verdict)")
        }
    }

    /// What goes by unread, because the operator says so: neither captured nor dropped.
    private func passing(_ verdict: String, _ text: inout Text) {
        if !spec.exclude.isEmpty {
            text.line("ip daddr @exclude_v4 \(verdict)")
            text.line("ip6 daddr @exclude_v6 \(verdict)")
        }
        for allowed in spec.allow {
            switch allowed {
            case .tcp(let ports): text.line("tcp dport \(Self.range(ports)) \(verdict)")
            case .udp(let ports): text.line("udp dport \(Self.range(ports)) \(verdict)")
            case .icmp: text.line("meta l4proto { icmp, ipv6-icmp } \(verdict)")
            }
        }
    }

    private var tcp: String { spec.tcp == .all ? "meta l4proto tcp" : "tcp dport @tcp_ports" }

    private static func range(_ ports: ClosedRange<UInt16>) -> String {
        ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)"
    }
}

private func hex(_ mark: UInt32) -> String { "0x" + String(mark, radix: 16) }

/// Lines, indented by the block they are in.
private struct Text {
    var value = ""
    private var depth = 0

    mutating func line(_ line: String) {
        value += String(repeating: "    ", count: depth) + line + "\n"
    }

    mutating func block(_ head: String, _ body: (inout Text) -> Void) {
        line(head + " {")
        depth += 1
        body(&self)
        depth -= 1
        line("}")
    }
}
