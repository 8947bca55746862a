import Bytes
import Gateway
import Testing

/// What the rules say, as text; that the kernel takes them and keeps their promise is shown end to end.
@Suite struct NftRulesTests {
    private static let pods = [Prefix("10.244.0.0/16"), Prefix("fd00:244::/64")].compactMap { $0 }

    private func rules(_ change: (inout CaptureSpec) -> Void = { _ in }) -> NftRules {
        var spec = CaptureSpec(tproxyV4: 15001, tproxyV6: 15006, interfaces: ["eth0"], prefixes: Self.pods)
        change(&spec)
        return NftRules(spec)
    }

    /// The lines of one chain, trimmed.
    private func chain(_ name: String, of rules: NftRules) -> [String] {
        let lines = rules.ruleset.split(separator: "\n").map { $0.drop { $0 == " " } }
        guard let start = lines.firstIndex(of: "chain \(name) {") else { return [] }
        return lines[(start + 1)...].prefix { $0 != "}" }.map(String.init)
    }

    @Test func theTableIsReplacedAsAWhole() {
        let lines = rules().ruleset.split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.prefix(3) == ["table inet weir", "delete table inet weir", "table inet weir {"])
        #expect(lines.last == "}")
    }

    @Test func whatTproxyDoesNotTakeIsDropped() {
        let forward = chain("forward", of: rules())
        #expect(forward.contains(#"iifname "eth0" goto unread"#))
        #expect(forward.contains("ip saddr @from_v4 goto unread"))
        #expect(forward.contains("ip6 saddr @from_v6 goto unread"))
        #expect(chain("unread", of: rules()).last == #"counter drop comment "unread""#)
        #expect(!chain("unread", of: rules()).contains { $0.contains("l4proto tcp") })
    }

    @Test func failOpenLetsOnlyCapturedProtocolsBy() {
        let unread = chain("unread", of: rules { $0.fail = .open })
        #expect(unread.contains("meta l4proto tcp accept"))
        #expect(unread.last == #"counter drop comment "unread""#)
        let listed = chain("unread", of: rules { ($0.fail, $0.tcp) = (.open, .list([80...80])) })
        #expect(listed.contains("tcp dport @tcp_ports accept"))
        #expect(!listed.contains("meta l4proto tcp accept"))
    }

    @Test func theGatewaysOwnConnectionsComeFirst() {
        let prerouting = chain("prerouting", of: rules { $0.mark = 0xabc })
        #expect(prerouting[1] == "meta mark 0xabc return")
        #expect(prerouting.contains { $0.hasPrefix("socket transparent 1 socket wildcard 0 meta mark set 0x15001") })
    }

    @Test func eachFamilyHasItsListener() {
        let capture = chain("capture", of: rules())
        #expect(capture.contains { $0.contains("nfproto ipv4 meta l4proto tcp tproxy ip to :15001") })
        #expect(capture.contains { $0.contains("nfproto ipv6 meta l4proto tcp tproxy ip6 to :15006") })
        let onlyV4 = rules { $0.tproxyV6 = nil }
        #expect(!chain("capture", of: onlyV4).contains { $0.contains("ip6") })
        #expect(!onlyV4.routes.contains("-6"))
        // Nobody reads IPv6 then, so it does not pass either.
        #expect(chain("forward", of: onlyV4).contains("ip6 saddr @from_v6 goto unread"))
    }

    @Test func dnsGoesToItsListenerBeforeTheRest() {
        let capture = chain("capture", of: rules { ($0.dnsV4, $0.udp) = (15053, [53...53]) })
        let dns = capture.firstIndex { $0.contains("th dport @dns_ports tproxy ip to :15053") }
        let rest = capture.firstIndex { $0.contains("l4proto tcp tproxy ip to :15001") }
        #expect(dns.map { dns in rest.map { dns < $0 } ?? false } == true)
    }

    @Test func whatIsAllowedIsNeitherCapturedNorDropped() {
        let rules = rules { $0.allow = [.udp(123...123), .icmp, .tcp(22...25)] }
        for chain in [chain("capture", of: rules), chain("unread", of: rules)] {
            #expect(chain.contains { $0.hasPrefix("udp dport 123 ") })
            #expect(chain.contains { $0.hasPrefix("tcp dport 22-25 ") })
            #expect(chain.contains { $0.hasPrefix("meta l4proto { icmp, ipv6-icmp } ") })
        }
    }

    @Test func connectionTrackingOnlyWhereItMust() {
        #expect(!rules().ruleset.contains("ct "))
        #expect(!rules { ($0.interfaces, $0.allow) = ([], [.icmp]) }.ruleset.contains("ct "))
        #expect(rules { $0.allow = [.icmp] }.ruleset.contains("ct direction reply"))
    }

    @Test func redirectServesTheFamiliesThatTproxyDoesNot() {
        let rules = rules { ($0.tproxyV4, $0.tproxyV6, $0.redirect) = (nil, nil, 15002) }
        #expect(
            chain("redirect_capture", of: rules) == [
                "meta nfproto ipv4 meta l4proto tcp redirect to :15002",
                "meta nfproto ipv6 meta l4proto tcp redirect to :15002",
            ])
        #expect(chain("prerouting", of: rules).isEmpty)
        #expect(rules.routes.isEmpty)
    }

    @Test func routesAndTheirRemovalNameTheSame() {
        let rules = rules()
        #expect(rules.routes.contains("ip -4 rule add fwmark 0x15001 lookup 15001 pref 15001"))
        #expect(rules.routes.contains("ip -6 route replace local default dev lo table 15001"))
        #expect(rules.removal.contains("ip -4 rule del fwmark 0x15001 lookup 15001 pref 15001"))
        #expect(rules.removal.contains("delete table inet weir"))
    }

    @Test(arguments: [
        ("udp/123", CaptureSpec.Allowed.udp(123...123)), ("tcp/8000-8010", .tcp(8000...8010)), ("icmp", .icmp),
    ])
    func allowedEntriesParse(_ text: String, _ allowed: CaptureSpec.Allowed) {
        #expect(CaptureSpec.allowed(text) == allowed)
    }

    @Test(arguments: [
        "", "udp", "udp/", "udp/0", "udp/70000", "udp/5-3", "udp/1-2-3", "sctp/1", "tcp/+1", "ICMP", "tcp/1/2",
    ])
    func othersDoNot(_ text: String) {
        #expect(CaptureSpec.allowed(text) == nil)
    }

    @Test func interfaceNamesCannotCarryRules() {
        for name in ["eth0", "cali*", "br-1a2b3c", "eth0.100", "wg_0@x"] { #expect(CaptureSpec.isInterfaceName(name)) }
        for name in ["", "*", ".", "..", "a b", "a\"b", "a/b", "sixteen-bytes-ab", "a*b", "a;b\n", "ä"] {
            #expect(!CaptureSpec.isInterfaceName(name))
        }
        #expect(throws: NftRules.Failure.interface("\" drop")) {
            try rules { $0.interfaces = ["\" drop"] }.apply()
        }
    }
}
