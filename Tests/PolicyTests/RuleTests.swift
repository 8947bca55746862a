import Bytes
import Testing

@testable import Policy

/// The rules of a service: the first match in written order wins, whatever kind of destination it has.
@Suite struct RuleTests {
    struct Case: Sendable {
        var rules: [RuleSpec]
        var asked: [(Question, String)]
    }

    private func expect(_ rules: [RuleSpec], _ asked: [(Question, String)]) throws {
        let policy = try policy(rules)
        for (question, expected) in asked {
            #expect(policy.cover(question).short == expected, "\(policy.explain(question))")
        }
    }

    @Test func names() throws {
        try expect(
            [allow("example.com"), deny("*.example.com"), allow("*.com"), allow("*.a.b.c.d.net")],
            [
                (question("example.com"), "+0"), (question("EXAMPLE.com."), "+0"), (question("www.example.com"), "-1"),
                (question("a.b.example.com"), "-1"), (question("other.com"), "+2"), (question("com"), "none"),
                (question("notexample.com"), "+2"), (question("example.org"), "none"),
                (question("x.a.b.c.d.net"), "+3"),
                (question("a.b.c.d.net"), "none"), (question("b.c.d.net"), "none"), (question("192.0.2.1"), "none"),
                (question("y.x.a.b.c.d.net"), "+3"),
            ])
    }

    @Test func orderBeatsKind() throws {
        let questions = try [question("www.example.com@10.1.2.3"), question("www.example.com"), question("10.1.2.3")]
        try expect(
            [deny("10.0.0.0/8"), allow("www.example.com"), deny("*.example.com"), allow("any")],
            [(questions[0], "-0"), (questions[1], "+1"), (questions[2], "-0")])
        try expect(
            [allow("*.com"), deny("www.example.com"), deny("10.1.2.3"), deny("any")],
            [(questions[0], "+0"), (questions[1], "+0"), (questions[2], "-2")])
        try expect([allow("any"), deny("www.example.com"), deny("10.0.0.0/8")], questions.map { ($0, "+0") })
        try expect(
            [allow("10.0.0.0/8"), deny("10.1.2.3"), allow("10.1.0.0/16")],
            [(questions[0], "+0"), (questions[1], "none"), (questions[2], "+0")])
        try expect(
            [deny("10.1.2.3"), allow("10.0.0.0/8")], [(questions[2], "-0"), (question("10.1.2.4"), "+1")])
    }

    @Test func portsAndApplications() throws {
        let rules = try [
            allow("a.example", [443...443], [.http, .http2]), deny("a.example", [400...500]),
            allow("a.example", [], [.ssh]),
            deny("a.example", [22...22]), allow("a.example", [8000...8999, 22...22, 65535...65535]),
        ]
        try expect(
            rules,
            [
                (question("a.example", 443, .http), "+0"), (question("a.example", 443, .http2), "+0"),
                (question("a.example", 443, .tls), "-1"), (question("a.example", 400, .ssh), "-1"),
                (question("a.example", 500, .http), "-1"), (question("a.example", 399, .http), "none"),
                (question("a.example", 501, .http), "none"), (question("a.example", 22, .ssh), "+2"),
                (question("a.example", 22, .tcp), "-3"), (question("a.example", 8000, .tcp), "+4"),
                (question("a.example", 8999, .tcp), "+4"), (question("a.example", 9000, .tcp), "none"),
                (question("a.example", 7999, .tcp), "none"), (question("a.example", 65535, .tcp), "+4"),
                (question("a.example", 0, .tcp), "none"), (question("a.example", 65535, .ssh), "+2"),
            ])
    }

    /// A rule about a name covers the DNS question for it, whatever its ports; one about addresses or about everything
    /// keeps to its ports.
    @Test func questionsOfDNS() throws {
        try expect(
            [
                allow("*.github.com", [443...443], [.http, .http2]), deny("evil.example", [80...80]),
                allow("any", [443...443]),
                allow("10.96.0.10", [53...53], [.dns]), deny("any"),
            ],
            [
                (question("api.github.com@10.96.0.99", 53, .dns), "+0"),
                (question("evil.example@10.96.0.10", 53, .dns), "-1"),
                (question("other.example@10.96.0.10", 53, .dns), "+3"),
                (question("other.example@8.8.8.8", 53, .dns), "-4"),
                (question("api.github.com@10.96.0.99", 53, .tcp), "-4"),
            ])
    }

    /// What denies an IPv4 address denies it inside an IPv6 address; what allows it does not open that one.
    @Test func addressesInsideAddresses() throws {
        try expect(
            [deny("198.51.100.0/24"), allow("203.0.113.0/24"), allow("64:ff9b::/96", [443...443])],
            [
                (question("64:ff9b::198.51.100.7", 443), "-0"), (question("2002:c633:6407::1"), "-0"),
                (question("::ffff:198.51.100.7"), "-0"), (question("2001:0:c633:6407::"), "-0"),
                (question("64:ff9b::203.0.113.7", 80), "none"), (question("64:ff9b::203.0.113.7", 443), "+2"),
            ])
        try expect(
            [allow("64:ff9b::/96"), deny("198.51.100.0/24")], [(question("64:ff9b::198.51.100.7"), "+0")])
        try expect([allow("::/0"), deny("any")], [(question("2001:db8::1"), "+0"), (question("192.0.2.1"), "-1")])
        try expect(
            [allow("0.0.0.0/0"), deny("any")], [(question("2001:db8::1"), "-1"), (question("192.0.2.1"), "+0")])
    }

    /// Random rules over a small world, against the definition: the first in order that matches.
    @Test(arguments: UInt64(1)...20) func agreesWithTheDefinition(_ seed: UInt64) throws {
        var random = Xorshift(state: seed &* 0x9e37_79b9_7f4a_7c15)
        let destinations = try [
            "any", "a.b", "b", "x.a.b", "*.b", "*.a.b", "*.x.a.b", "10.0.0.0/8", "10.0.0.0/9", "10.0.0.1", "0.0.0.0/0",
            "::/0",
            "2001:db8::/32", "2001:db8::1", "fd00::/8",
        ].map(destination)
        let rules = (0..<Int(random.next() % 40)).map { _ in
            RuleSpec(
                to: destinations[Int(random.next() % UInt64(destinations.count))],
                ports: (0..<Int(random.next() % 3)).map { _ in
                    let low = UInt16(1 + random.next() % 6)
                    return low...(low + UInt16(random.next() % 3))
                },
                applications: (0..<Int(random.next() % 3)).map { _ in Application.allCases[Int(random.next() % 4)] },
                action: random.next() % 2 == 0 ? .allow : .deny)
        }
        let policy = try policy(rules)
        let names = try [nil, "b", "a.b", "x.a.b", "y.x.a.b", "c.b", "ab", "q"].map { try $0.map(name) }
        let addresses = try [nil, "10.0.0.1", "10.200.0.1", "11.0.0.1", "2001:db8::1", "2001:db8::2", "fd12::1"].map {
            try $0.map(ip)
        }
        for name in names {
            for address in addresses {
                for port in UInt16(0)...9 {
                    for application in Application.allCases.prefix(7) {
                        let question = Question(
                            service: 1, name: name, address: address, port: port, application: application)
                        #expect(policy.cover(question).short == definition(rules, question))
                    }
                }
            }
        }
    }

    private func definition(_ rules: [RuleSpec], _ question: Question) -> String {
        for (index, rule) in rules.enumerated() {
            let (isAboutName, matches) =
                switch rule.to {
                case .any: (false, true)
                case .name(let name): (true, question.name == name)
                case .suffix(let name): (true, question.name.map { $0 != name && $0.isWithin(name) } ?? false)
                case .prefix(let prefix): (false, question.address.map(prefix.contains) ?? false)
                case .list: (false, false)
                }
            let fits =
                (rule.ports.isEmpty || rule.ports.contains { $0.contains(question.port) })
                && (rule.applications.isEmpty || rule.applications.contains(question.application))
            if matches && (fits || isAboutName && question.application == .dns) {
                return (rule.action == .allow ? "+" : "-") + "\(index)"
            }
        }
        return "none"
    }

    @Test func couldAllow() throws {
        let policy = try policy([
            allow("a.example", [22...22], [.ssh]), allow("10.0.0.0/8", [53...53], [.dns]), deny("any"),
        ])
        func ask(_ to: String, _ port: UInt16) throws -> Bool {
            let question = try question(to, port)
            return policy.couldAllow(service: 1, name: question.name, address: question.address, port: port)
        }
        #expect(try ask("a.example", 22))
        // The rule covers DNS questions for the name, which says nothing about a connection to another port.
        #expect(try !ask("a.example", 25))
        #expect(try ask("10.0.0.1", 53))
        #expect(try ask("b.example@10.0.0.1", 53))
        #expect(try !ask("10.0.0.1", 22))
        // Discover and Monitor let everything through.
        #expect(policy.couldAllow(service: 0, name: nil, address: nil, port: 22))
    }

    @Test func rulesHaveNames() throws {
        let policy = try policy([deny("b.example"), allow("a.example", [80...80, 8000...8080], [.http])])
        guard case .allowed(let rule) = policy.cover(try question("a.example")) else {
            Issue.record("rule 1 allows this")
            return
        }
        #expect(rule.text == "app/1")
        #expect(policy.rule(rule)?.description == "allow a.example, ports 80 8000-8080, applications HTTP")
        #expect(policy.rules(of: 1).map(\.to.description) == ["b.example", "a.example"])
    }
}
