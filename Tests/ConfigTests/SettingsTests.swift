import Bytes
import DLP
import Policy
import TLS
import Testing

@testable import Config

/// What a configuration becomes.
@Suite struct SettingsTests {
    static let print = String(repeating: "5e", count: 32)
    static let full = """
        listeners:
          - {name: egress, address: "0.0.0.0:15001", intercept: tproxy, source: client}
          - {name: dns, address: "[::]:15053", intercept: tproxy, protocol: dns}
        admin: {address: "127.0.0.1:15000", socket: run/admin.sock}
        capture:
          {from: ["cali*", "10.244.0.0/16"], ports: {tcp: [80, "8000-8100"], udp: [53]}, exclude: ["10.96.0.1"],
           allow: ["udp/123", icmp, "tcp/9000-9010"], fail: open}
        log: {level: debug, format: json}
        workers: 4
        dns:
          resolvers: ["10.96.0.10:53", "tls://9.9.9.9:853#dns.quad9.net", "tls://[2620:fe::fe]:853#DNS.quad9.net."]
          zones: [{suffix: cluster.local, resolvers: ["10.96.0.10:53"]}, {suffix: corp.example, resolvers: ["[fd00::1]:53"]}]
          hosts: [{name: db.internal, addresses: [10.0.0.5, "fd00::5"]}]
          internal: [cluster.local]
          block_answer: 192.0.2.1
          block_ttl: 1m
          serve_stale: 2h
          aggregate: 5s
          public_suffixes: suffixes.dat
        tls:
          inspect: true
          authority: {certificate: /etc/ca.pem, key: ca.key}
          passthrough: ["*.bank.example", pay.example]
          trust: bundle.pem
          pins:
            - {name: "*.legacy.example", sha256: [\(print), "\(print.uppercased())"]}
            - {name: 192.0.2.7, sha256: [\(print)]}
          revocation: [lists/a.crl, /etc/b.crl]
        limits: {head_bytes: 32KiB, idle_timeout: 5m, decoded_ratio: 100, body_min_rate: 2048}
        identity:
          pods:
            - {service: myapp.default, pod: myapp-7d9c, addresses: [10.244.0.17]}
            - {service: legacy.vm, addresses: [10.9.0.0/24, "2001:db8::/32"]}
        defaults: {mode: monitor, uninspectable: deny, hold: 128KiB}
        services:
          - name: myapp.default
            mode: protect
            hold: 1MiB
            inspect: false
            sensors: {ssn-fr: deny, credit-card: alert}
            rules:
              - {to: "*.github.com", ports: [443, "8000-8100"], applications: [HTTP, gRPC], action: allow}
              - {to: 10.0.0.0/8, action: deny}
              - {to: example.com, action: allow}
              - {to: any, action: deny}
              - {to: list:partners, action: allow}
          - name: unknown
        lists:
          - {name: partners, entries: [a.example, "*.b.example", 192.0.2.0/24, "2001:db8::1"]}
        sensors:
          - name: names
            direction: both
            rules:
              - name: codename
                patterns:
                  - {regex: '\\bHERON\\b', context: [url, packet]}
                  - {regex: 'ok', negated: true, validator: luhn}
        state: {directory: /var/lib/weir}
        records: {directory: out, rotate: 1GiB, keep: 3, flush: 1s, queue: 2MiB, on_overload: drop}
        mark: 0x10
        """

    private func settings(_ text: String, file: String = "/etc/weir/weir.yaml") throws -> Settings {
        try Settings.parse(text, file: file).get()
    }

    @Test func everySectionIsRead() throws {
        let s = try settings(SettingsTests.full)
        #expect(s.listeners.map(\.name) == ["egress", "dns"])
        #expect(s.listeners[0].address == Endpoint(.anyV4, 15001))
        #expect(s.listeners[1].address == Endpoint(.anyV6, 15053))
        #expect(s.listeners.map(\.intercept) == [.tproxy, .tproxy])
        #expect(s.listeners.map(\.protocol) == [.tcp, .dns])
        #expect(s.listeners.map(\.source) == [.client, .gateway])
        #expect(s.admin.address?.port == 15000)
        #expect(s.admin.socket == "/etc/weir/run/admin.sock")
        let pods = try #require(Prefix("10.244.0.0/16"))
        #expect(s.capture?.from == [.interface("cali*"), .prefix(pods)])
        #expect(s.capture?.tcp == .list([80...80, 8000...8100]))
        #expect(s.capture?.udp == [53...53])
        #expect(s.capture?.exclude.map(\.description) == ["10.96.0.1/32"])
        #expect(s.capture?.allow == [.udp(123...123), .icmp, .tcp(9000...9010)])
        #expect(s.capture?.fail == .open)
        #expect(s.log == LogSettings(level: .debug, format: .json))
        #expect(s.workers == 4)
        #expect(s.tls.inspect == .always)
        #expect(s.tls.certificate == "/etc/ca.pem")
        #expect(s.tls.key == "/etc/weir/ca.key")
        let (bank, pay) = (try #require(DomainName("bank.example")), try #require(DomainName("pay.example")))
        #expect(s.tls.passthrough == [.suffix(bank), .name(pay)])
        #expect(s.tls.trust == .bundle("/etc/weir/bundle.pem"))
        let (print, address) = (Pin.Fingerprint(SettingsTests.print), IPAddress("192.0.2.7"))
        let legacy = try #require(DomainName("legacy.example"))
        #expect(
            s.tls.pins == [
                Pin(.below(legacy), [try #require(print)]),
                Pin(.host(.address(try #require(address))), [try #require(print)]),
            ])
        #expect(s.tls.revocation == ["/etc/weir/lists/a.crl", "/etc/b.crl"])
        var limits = Limits()
        (limits.headBytes, limits.idleTimeout, limits.decodedRatio) = (32 << 10, .minutes(5), 100)
        limits.bodyMinRate = 2048
        #expect(s.limits == limits)
        #expect(s.defaults == DefaultSettings(mode: .monitor, uninspectable: .deny, hold: 128 << 10))
        #expect(s.state.directory == "/var/lib/weir")
        #expect(s.records.directory == "/etc/weir/out")
        #expect(s.records.rotate == 1 << 30 && s.records.keep == 3 && s.records.queue == 2 << 20)
        #expect(s.records.flush == .seconds(1) && s.records.onOverload == .drop)
        #expect(s.mark == 16)
        #expect(s.files == ["/etc/weir/weir.yaml"])
    }

    @Test func namesAreRead() throws {
        let s = try settings(SettingsTests.full)
        #expect(s.dns.resolvers.map(\.endpoint.description) == ["10.96.0.10:53", "9.9.9.9:853", "[2620:fe::fe]:853"])
        #expect(s.dns.resolvers.map(\.tlsName?.description) == [nil, "dns.quad9.net", "dns.quad9.net"])
        #expect(!s.dns.original)
        #expect(s.dns.zones.map(\.suffix.description) == ["cluster.local", "corp.example"])
        #expect(s.dns.zones.map { $0.resolvers.map(\.endpoint.description) } == [["10.96.0.10:53"], ["[fd00::1]:53"]])
        #expect(s.dns.hosts.map(\.name.description) == ["db.internal"])
        #expect(s.dns.hosts[0].addresses.map(\.description) == ["10.0.0.5", "fd00::5"])
        #expect(s.dns.internalSuffixes.map(\.description) == ["cluster.local"])
        #expect(s.dns.blockAnswer == .address(IPAddress(v4: 0xc000_0201)))
        #expect(s.dns.blockTTL == .minutes(1) && s.dns.serveStale == .minutes(120) && s.dns.aggregate == .seconds(5))
        #expect(s.dns.publicSuffixes == "/etc/weir/suffixes.dat")
    }

    @Test func servicesTakeTheDefaultsTheyDoNotName() throws {
        let s = try settings(SettingsTests.full)
        #expect(s.services.map(\.name) == ["myapp.default", "unknown"])
        #expect(s.services.map(\.mode) == [.protect, .monitor])
        #expect(s.services.map(\.uninspectable) == [.deny, .deny])
        #expect(s.services.map(\.hold) == [1 << 20, 128 << 10])
        #expect(s.services.map(\.inspect) == [.never, nil])
        #expect(s.services[0].sensors.map(\.name) == ["ssn-fr", "credit-card"])
        #expect(s.services[0].sensors.map(\.action) == [.deny, .alert])
        let github = try #require(DomainName("github.com"))
        #expect(
            s.services[0].rules[0]
                == RuleSpec(
                    to: .suffix(github), ports: [443...443, 8000...8100], applications: [.http, .grpc], action: .allow))
        #expect(s.services[0].rules.map(\.action) == [.allow, .deny, .allow, .deny, .allow])
        #expect(s.services[0].rules[3].to == .any)
        #expect(s.services[0].rulePlaces.map(\.rule.line) == [42, 43, 44, 45, 46])
        #expect(s.services[0].rulePlaces.map(\.to.column) == [14, 14, 14, 14, 14])
        #expect(s.services[0].rules[4].to == .list("partners"))
        #expect(s.lists.map(\.name) == ["partners"])
        #expect(s.lists[0].entries.map(\.description) == ["a.example", "*.b.example", "192.0.2.0/24", "2001:db8::1"])
    }

    @Test func identitiesAndSensorsKeepTheirPlaces() throws {
        let s = try settings(SettingsTests.full)
        #expect(s.identities.map(\.service) == ["myapp.default", "legacy.vm"])
        #expect(s.identities.map(\.pod) == ["myapp-7d9c", nil])
        #expect(s.identities[1].addresses.map(\.description) == ["10.9.0.0/24", "2001:db8::/32"])
        #expect(s.places.identities[1].addresses.map(\.column) == [40, 53])
        let patterns = [
            PatternSpec(regex: #"\bHERON\b"#, contexts: [.url, .packet]),
            PatternSpec(regex: "ok", contexts: [.url, .header, .body], negated: true, validator: "luhn"),
        ]
        #expect(
            s.sensors == [
                SensorSpec(
                    name: "names", direction: .both, rules: [SensorRuleSpec(name: "codename", patterns: patterns)])
            ])
        let places = try #require(s.places.sensors.first?.rules.first?.patterns)
        #expect(places.map(\.description) == ["/etc/weir/weir.yaml:56:21", "/etc/weir/weir.yaml:57:21"])
    }

    @Test func anEmptyConfigurationIsAllDefaults() throws {
        let s = try settings("")
        #expect(s.listeners.isEmpty && s.capture == nil && s.services.isEmpty && s.workers == 0)
        #expect(s.limits == Limits())
        #expect(s.dns == DNSSettings())
        #expect(s.dns.blockTTL == .seconds(10) && s.dns.serveStale == .minutes(24 * 60) && s.dns.aggregate == .zero)
        #expect(s.defaults == DefaultSettings())
        #expect(s.state.directory == "/etc/weir/state")
        #expect(s.records.directory == "/etc/weir/records")
        #expect(s.admin.socket == "/etc/weir/state/admin.sock" && s.admin.address == nil)
        #expect(s.tls.certificate == "/etc/weir/state/ca.pem" && s.tls.key == "/etc/weir/state/ca.key")
        #expect(s.mark == Settings.markDefault)
    }

    @Test(arguments: [
        ("weir.yaml", "state"), ("conf/weir.yaml", "conf/state"), ("/weir.yaml", "/state"), ("./weir.yaml", "state"),
    ])
    func pathsAreRelativeToTheirFile(_ file: String, _ state: String) throws {
        #expect(try settings("", file: file).state.directory == state)
    }

    @Test func everyLimitHasItsKey() {
        let fields = Mirror(reflecting: Limits()).children.compactMap(\.label)
        let keys = fields.map { name in
            name.reduce("") { $0 + ($1.isUppercase ? "_\($1.lowercased())" : String($1)) }
        }
        #expect(Set(keys) == Set(LimitField.all.map(\.key)))
        #expect(keys.count == LimitField.all.count)
    }

    /// At the bound and one beyond it, on both sides, and the default within.
    @Test(arguments: LimitField.all.map(\.key)) func limitsHoldAtTheirEnds(_ key: String) throws {
        let field = try #require(LimitField.all.first { $0.key == key })
        let ends: (first: String, last: String, below: String, above: String)
        switch field.measure {
        case .count(let path, let range), .size(let path, let range):
            ends = ("\(range.lowerBound)", "\(range.upperBound)", "\(range.lowerBound - 1)", "\(range.upperBound + 1)")
            #expect(range.contains(Limits()[keyPath: path]))
        case .time(let path, let range):
            let (first, last) = (range.lowerBound.count, range.upperBound.count)
            ends = ("\(first)ms", "\(last)ms", "\(first - 1)ms", "\(last + 1)ms")
            #expect(range.contains(Limits()[keyPath: path]))
        }
        #expect(errors("limits: {\(key): \(ends.first)}").isEmpty)
        #expect(errors("limits: {\(key): \(ends.last)}").isEmpty)
        #expect(errors("limits: {\(key): \(ends.below)}").count == 1)
        #expect(errors("limits: {\(key): \(ends.above)}").count == 1)
    }

    @Test(arguments: [(0, "0B"), (1, "1B"), (1024, "1KiB"), (65536, "64KiB"), (1500, "1500B"), (1 << 40, "1TiB")])
    func sizesPrintAsTheyRead(_ bytes: Int, _ text: String) {
        #expect(Units.size(bytes) == text && Units.size(text) == bytes)
    }

    @Test(arguments: [
        (0, "0ms"), (200, "200ms"), (30_000, "30s"), (90_000, "90s"), (3_600_000, "1h"), (86_400_000, "1d"),
    ])
    func timesPrintAsTheyRead(_ count: Int64, _ text: String) {
        #expect(Units.time(Milliseconds(count)) == text && Units.time(text) == Milliseconds(count))
    }

    @Test(arguments: ["", "KiB", "1", "1 KiB", "-1KiB", "1kib", "1.5MiB", "9223372036854775807KiB", "٣KiB"])
    func whatIsNoSizeIsRefused(_ text: String) { #expect(Units.size(text) == nil) }
}
