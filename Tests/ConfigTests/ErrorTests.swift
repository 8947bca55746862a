import Testing

@testable import Config

/// What is wrong, where, and in which words.
@Suite struct ErrorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let text: String
        let errors: [String]

        init(_ text: String, _ errors: String...) {
            self.text = text
            self.errors = errors
        }

        var testDescription: String { text }
    }

    static let values = [
        Case("workers: many", "1:10: workers: expected 0-1024, found \"many\""),
        Case("workers: -1", "1:10: workers: expected 0-1024, found -1"),
        Case("workers: 1.5", "1:10: workers: expected 0-1024, found 1.5"),
        Case("workers: 99999999999999999999", "1:10: workers: expected 0-1024, found 99999999999999999999"),
        Case("workers: \"4\"", "1:10: workers: expected 0-1024, found \"4\""),
        Case("workers:", "1:9: workers: expected 0-1024, found nothing"),
        Case("workers: [1]", "1:10: workers: expected 0-1024, found a list"),
        Case("workers: {a: 1}", "1:10: workers: expected 0-1024, found a mapping"),
        Case("workers: true", "1:10: workers: expected 0-1024, found true"),
        Case("workers: !!int 1", "1:10: workers: expected 0-1024, found the tag tag:yaml.org,2002:int"),
        Case("state: {directory: !secret x}", "1:20: directory: expected text, found the tag !secret"),
        Case("include: !x []", "1:10: include: expected a list, found the tag !x"),
        Case("log: !!map {level: !!str info}"),
        Case("listeners: {}", "1:12: listeners: expected a list, found a mapping"),
        Case("admin: []", "1:8: admin: expected a mapping, found an empty list"),
        Case("- a", "1:1: configuration: expected a mapping, found a list"),
        Case("text", "1:1: configuration: expected a mapping, found \"text\""),
        Case("include: [1]", "1:11: include: expected text, found 1"),
        Case("include: [\"\"]", "1:11: include: expected text, found \"\""),
        Case(
            "admin: {address: \"127.0.0.1\"}",
            "1:18: address: expected an address and a port, such as 127.0.0.1:3128 or [::1]:3128, found \"127.0.0.1\""),
        Case(
            "admin: {address: \"::1:80\"}",
            "1:18: address: expected an address and a port, such as 127.0.0.1:3128 or [::1]:3128, found \"::1:80\""),
        Case(
            "admin: {address: \"127.0.0.1:70000\"}",
            "1:18: address: expected an address and a port, such as 127.0.0.1:3128 or [::1]:3128, found \"127.0.0.1:70000\""
        ),
        Case("evidence: {context: 257}", "1:21: context: expected 0-256, found 257"),
        Case(
            "evidence: {seal-to: a.pem}", "1:12: seal-to: unknown key, did you mean seal_to?"),
        Case(
            "log: {level: Info}",
            "1:14: level: expected debug, info, warning or error (did you mean info?), found \"Info\""),
        Case("log: {level: loud}", "1:14: level: expected debug, info, warning or error, found \"loud\""),
        Case(
            "limits: {head_bytes: 64KB}",
            "1:22: head_bytes: expected a size of 1KiB to 1MiB, such as 64KiB, found \"64KB\""),
        Case(
            "limits: {head_bytes: 1023}",
            "1:22: head_bytes: expected a size of 1KiB to 1MiB, such as 64KiB, found 1023"),
        Case(
            "limits: {head_bytes: 99999999999TiB}",
            "1:22: head_bytes: expected a size of 1KiB to 1MiB, such as 64KiB, found \"99999999999TiB\""),
        Case(
            "limits: {head_timeout: 10}",
            "1:24: head_timeout: expected a time of 100ms to 1d, such as 200ms or 30s, found 10"),
        Case(
            "limits: {head_timeout: 99ms}",
            "1:24: head_timeout: expected a time of 100ms to 1d, such as 200ms or 30s, found \"99ms\""),
        Case("tls: {inspect: maybe}", "1:16: inspect: expected false, true or auto, found \"maybe\""),
        Case(
            "tls: {pins: [{name: \"*\", sha256: [12:34]}, {name: a.example, sha256: []}, {name: b.example}]}",
            "1:21: name: expected a name, *.suffix or an address, found \"*\"",
            "1:35: sha256: expected a SHA-256 of 64 hexadecimal digits, found \"12:34\"",
            "1:70: sha256: expected a list of at least 1, found an empty list",
            "1:75: pins: expected the key sha256, found none"),
        Case(
            "tls: {pins: [{name: A.example, sha256: [\(SettingsTests.print)]}, {name: a.example., sha256: [\(SettingsTests.print)]}]}",
            "1:109: pins: the name of line 1 again"),
        Case(
            "dns: {internal: [a..b]}", "1:18: internal: expected a name in ASCII, such as example.com, found \"a..b\""),
        Case(
            "dns: {resolvers: [original, \"1.1.1.1:53\"]}",
            "1:18: resolvers: expected original alone, found it among others"),
        Case(
            "dns: {resolvers: [\"tls://9.9.9.9:853\", \"9.9.9.9:53#dns.quad9.net\", \"tls://9.9.9.9#dns.quad9.net\", 9.9.9.9]}",
            "1:19: resolvers: expected \(resolver), or original, found \"tls://9.9.9.9:853\"",
            "1:40: resolvers: expected \(resolver), or original, found \"9.9.9.9:53#dns.quad9.net\"",
            "1:68: resolvers: expected \(resolver), or original, found \"tls://9.9.9.9#dns.quad9.net\"",
            "1:99: resolvers: expected \(resolver), or original, found \"9.9.9.9\""),
        Case(
            "dns: {resolvers: [\"tls://9.9.9.9:853#9.9.9.9\"]}",
            "1:19: resolvers: expected \(resolver), or original, found \"tls://9.9.9.9:853#9.9.9.9\""),
        Case(
            "dns: {zones: [{suffix: a.b, resolvers: [original]}, {suffix: \"*.b\", resolvers: []}, {}]}",
            "1:41: resolvers: expected an address and a port such as 10.96.0.10:53, or tls://9.9.9.9:853#dns.quad9.net, found \"original\"",
            "1:62: suffix: expected a name in ASCII, such as example.com, found \"*.b\"",
            "1:80: resolvers: expected a list of at least 1, found an empty list",
            "1:85: zones: expected the key resolvers, found none", "1:85: zones: expected the key suffix, found none"),
        Case(
            "dns: {zones: [{suffix: a.b, resolvers: [\"1.1.1.1:53\"]}, {suffix: A.B., resolvers: [\"1.1.1.1:53\"]}]}",
            "1:57: duplicate zone a.b, first defined at weir.yaml:1:15"),
        Case(
            "dns: {hosts: [{name: a, addresses: [10.0.0.0/8]}, {name: a, addresses: []}]}",
            "1:37: addresses: expected an address, such as 10.0.0.5 or 2001:db8::5, found \"10.0.0.0/8\"",
            "1:51: duplicate host a, first defined at weir.yaml:1:15",
            "1:72: addresses: expected a list of at least 1, found an empty list"),
        Case(
            "dns: {block_ttl: 2d, serve_stale: 31d, aggregate: 61m}",
            "1:18: block_ttl: expected a time of 0ms to 1d, such as 200ms or 30s, found \"2d\"",
            "1:35: serve_stale: expected a time of 0ms to 30d, such as 200ms or 30s, found \"31d\"",
            "1:51: aggregate: expected a time of 0ms to 1h, such as 200ms or 30s, found \"61m\""),
        Case(
            "dns: {block_answer: drop}", "1:21: block_answer: expected nxdomain, refused or an address, found \"drop\""),
        Case("capture: {from: []}", "1:17: from: expected a list of at least 1, found an empty list"),
        Case("capture: {}", "1:10: capture: expected the key from, found none"),
        Case(
            "capture: {from: [10.0.0.1/8]}",
            "1:18: from: expected an interface or a range such as 10.244.0.0/16, found \"10.0.0.1/8\""),
        Case(
            "capture: {from: [eth0], ports: {tcp: some}}", "1:38: tcp: expected all or a list of ports, found \"some\""),
        Case(
            "capture: {from: [eth0], allow: [udp/0]}",
            "1:33: allow: expected udp/PORT, tcp/PORT or icmp, found \"udp/0\""),
    ]

    static let resolver = "an address and a port such as 10.96.0.10:53, tls://9.9.9.9:853#dns.quad9.net"

    static let services = [
        Case(
            "services:\n  - name: a\n    rules:\n      - {to: any, ports: [70000], action: allow}",
            "4:27: ports: expected 1-65535, found 70000"),
        Case(
            "services: [{name: a, rules: [{to: any, ports: [9-1, \"443\", 0], action: allow}]}]",
            "1:48: ports: expected 1-65535, found \"9-1\"", "1:53: ports: expected 1-65535, found \"443\"",
            "1:60: ports: expected 1-65535, found 0"),
        Case(
            "services: [{name: a, rules: [{to: 10.0.0.1/8, action: alert}]}]",
            "1:35: to: expected any, a name, *.suffix, an address, a range such as 10.0.0.0/8, or list:NAME, found \"10.0.0.1/8\"",
            "1:55: action: expected allow or deny, found \"alert\""),
        Case(
            "services: [{name: a, rules: [{to: 0x7f.1, action: deny}]}]",
            "1:35: to: expected any, a name, *.suffix, an address, a range such as 10.0.0.0/8, or list:NAME, found \"0x7f.1\""
        ),
        Case(
            "services: [{name: a, rules: [{to: any, applications: [http], action: deny}]}]",
            "1:55: applications: expected \(applications) (did you mean HTTP?), found \"http\""),
        Case(
            "services: [{name: a, rules: [{to: \"list:\", action: deny}, {to: \"list:a b\", action: deny}]}]",
            "1:35: to: expected any, a name, *.suffix, an address, a range such as 10.0.0.0/8, or list:NAME, found \"list:\"",
            "1:64: to: expected any, a name, *.suffix, an address, a range such as 10.0.0.0/8, or list:NAME, found \"list:a b\""
        ),
        Case(
            "services: [{name: a, rules: [{to: any, action: deny}, {action: deny, to: \"list:encrypted-dn\"}]}]\nlists: [{name: mine, entries: []}]",
            "1:74: to: no list is called encrypted-dn, expected one of encrypted-dns, mine"),
        Case(
            "lists: [{name: mine, entries: [any, \"list:mine\", 10.0.0.1/8, 0x7f.1, \"*.\", a.example]}, {name: mine}]",
            "1:32: entries: expected a name, *.suffix, an address or a range such as 10.0.0.0/8, found \"any\"",
            "1:37: entries: expected a name, *.suffix, an address or a range such as 10.0.0.0/8, found \"list:mine\"",
            "1:50: entries: expected a name, *.suffix, an address or a range such as 10.0.0.0/8, found \"10.0.0.1/8\"",
            "1:62: entries: expected a name, *.suffix, an address or a range such as 10.0.0.0/8, found \"0x7f.1\"",
            "1:70: entries: expected a name, *.suffix, an address or a range such as 10.0.0.0/8, found \"*.\"",
            "1:89: lists: expected the key entries, found none",
            "1:96: duplicate list mine, first defined at weir.yaml:1:16"),
        Case("services: [{mode: protect}]", "1:12: services: expected the key name, found none"),
        Case("services: [{name: a b}]", "1:19: name: \(name), found \"a b\""),
        Case("services: [{name: 7}]", "1:19: name: \(name), found 7"),
        Case(
            "services: [{name: a, sensors: {x: allow}}]",
            "1:35: x: expected alert, redact or deny, found \"allow\""),
        Case(
            "services: [{name: a, uninspectable: redact}]",
            "1:37: uninspectable: expected allow, alert or deny, found \"redact\""),
        Case(
            "identity: {pods: [{service: a, addresses: []}]}",
            "1:43: addresses: expected a list of at least 1, found an empty list"),
        Case(
            "identity: {pods: [{service: a, addresses: [10.0.0.300]}]}",
            "1:44: addresses: expected an address or a range without host bits, such as 10.0.0.0/8, found \"10.0.0.300\""
        ),
        Case(
            "sensors: [{name: s, rules: [{name: r, patterns: [{regex: x, context: [boddy]}]}]}]",
            "1:71: context: expected url, header, body, packet or name (did you mean body?), found \"boddy\""),
        Case(
            "sensors: [{name: s, rules: [{name: r, patterns: [{regex: x, context: []}]}]}]",
            "1:70: context: expected a list of at least 1, found an empty list"),
        Case(
            "sensors: [{name: s, rules: [{name: r, patterns: [{context: [url]}]}]}]",
            "1:50: patterns: expected the key regex, found none"),
    ]

    static let applications =
        "TCP, HTTP, HTTP2, gRPC, WebSocket, TLS, DNS, SSH, MySQL, PostgreSQL, Redis, MongoDB, "
        + "Kafka, SMTP, FTP, IMAP, POP3, LDAP, AMQP, MQTT or Cassandra"
    static let name = "expected a name of letters, digits, '.', '-' and '_', at most 253, the first a letter or digit"

    static let keys = [
        Case("worker: 1", "1:1: worker: unknown key, did you mean workers?"),
        Case("admin: {sokcet: a}", "1:9: sokcet: unknown key, did you mean socket?"),
        Case("log: {colour: on}", "1:7: colour: unknown key, expected level, format"),
        Case("workers: 1\nworkers: 2", "2:1: workers: duplicate key, first used at line 1"),
        Case(
            "log: {level: info, level: debug, format: x}\nworkers: 1\nworkers: a\nworkers: 3",
            "1:20: level: duplicate key, first used at line 1", "1:42: format: expected text or json, found \"x\"",
            "3:1: workers: duplicate key, first used at line 2", "4:1: workers: duplicate key, first used at line 2"),
        Case("\"workers\": 1\nworkers: 2", "2:1: workers: duplicate key, first used at line 1"),
        Case("? [a, b]\n: 1", "1:3: expected plain text as a key, found a collection"),
        Case(
            "limits: {hold_total: 1MiB}\ndefaults: {hold: 2MiB}\nservices: [{name: a}, {name: b, hold: 3MiB}]",
            "2:18: hold: expected at most limits.hold_total, 1MiB, found 2MiB",
            "3:30: hold: expected at most limits.hold_total, 1MiB, found 3MiB"),
        Case(
            "<<: {workers: 1}",
            "1:1: <<: unknown key, expected listeners, state, defaults, admin, tls, records, capture, log, workers, dns, limits, evidence, mark, include, services, identity, sensors, lists, detectors, honeytokens"
        ),
        Case(
            "listeners:\n  - {name: a, address: \"127.0.0.1:1\", intercept: explicit}\n"
                + "  - {name: a, address: \"127.0.0.1:1\", intercept: explicit}",
            "3:5: duplicate address 127.0.0.1:1, first defined at weir.yaml:2:5",
            "3:5: duplicate listener a, first defined at weir.yaml:2:5"),
        Case(
            "services: [{name: a}, {name: b}, {name: a}]",
            "1:41: duplicate service a, first defined at weir.yaml:1:19"),
        Case(
            "identity: {pods: [{service: a, addresses: [10.0.0.1]}, {service: b, addresses: [10.0.0.1/32]}]}",
            "1:81: duplicate address 10.0.0.1/32, first defined at weir.yaml:1:44"),
        Case(
            "listeners: [{name: a, address: \"127.0.0.1:1\", intercept: explicit, source: client}]",
            "1:76: source: expected gateway with intercept: explicit, found client"),
    ]

    static let syntax = [
        Case("a: [1", "2:1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'"),
        Case("a: b: c", "1:5: not YAML: mapping values are not allowed in this context"),
        Case("a: \"\u{1}\"", "1:5: not YAML: control characters are not allowed"),
        Case("workers: *none", "1:10: not YAML: found undefined alias"),
        Case(
            "workers: 1\n---\nworkers: 2",
            "2:1: not YAML: expected a single document in the stream, but found another document"),
        Case(
            "\tworkers: 1",
            "1:1: not YAML: while scanning for the next token, found character that cannot start any token"),
    ]

    @Test(arguments: values + services + keys + syntax)
    func isToldWithItsPlace(_ test: Case) {
        #expect(errors(test.text) == test.errors)
    }

    @Test(arguments: ["", "# nothing\n", "{}", "---\n"])
    func anEmptyFileIsAllDefaults(_ text: String) {
        #expect(errors(text).isEmpty)
    }

    @Test func tenErrorsInOneFileAreAllTold() {
        let text = """
            listeners:
              - {name: egress, address: 1, intercept: tproxy}
            workers: 5000
            log: {level: 3}
            limits: {head_bytes: 1B, idle_timeout: soon}
            dns: {internal: example}
            services:
              - name: a
                sensor: {}
                rules: [{to: "*", action: allow}, {to: any, ports: [0], action: allow}]
            records: {keep: no}
            """
        #expect(
            errors(text).map { $0.split(separator: ":").prefix(3).joined(separator: ":") } == [
                "2:29: address", "3:10: workers", "4:14: level", "5:22: head_bytes", "5:40: idle_timeout",
                "6:17: internal", "9:5: sensor", "10:18: to", "10:57: ports", "11:17: keep",
            ])
    }

    @Test func messagesStayOnOneLine() {
        let found = errors("workers: \"a\\nb\\e[2J\(String(repeating: "x", count: 200))\"")
        #expect(
            found == [
                "1:10: workers: expected 0-1024, found \"a\u{fffd}b\u{fffd}[2J\(String(repeating: "x", count: 53))…\""
            ])
    }

    @Test func printedAsAPlaceAndAMessage() {
        let error = ConfigError(
            Place(file: "conf/weir.yaml", line: 12, column: 7), "ports: expected 1-65535, found 70000")
        #expect("\(error)" == "conf/weir.yaml:12:7: ports: expected 1-65535, found 70000")
    }
}
