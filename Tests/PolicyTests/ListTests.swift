import Bytes
import Testing

@testable import Policy

/// Rules about named lists: as if each entry stood at the place of the rule.
@Suite struct ListTests {
    private func list(_ name: String, _ entries: String...) throws -> ListSpec {
        ListSpec(name: name, entries: try entries.map(destination))
    }

    private func expect(_ rules: [RuleSpec], _ lists: [ListSpec], _ asked: [(Question, String)]) throws {
        let policy = try policy(rules, lists: lists)
        for (question, expected) in asked {
            #expect(policy.cover(question).short == expected, "\(policy.explain(question))")
        }
    }

    @Test func entriesStandAtThePlaceOfTheRule() throws {
        let lists = [
            try list("one", "a.example", "*.b.example", "192.0.2.0/24"), try list("two", "a.example", "2001:db8::1"),
        ]
        try expect(
            [allow("x.b.example"), deny("list:one"), allow("list:two"), allow("any", [], [.http])], lists,
            [
                (question("a.example"), "-1"), (question("b.example"), "+3"), (question("x.b.example"), "+0"),
                (question("y.b.example"), "-1"), (question("192.0.2.9"), "-1"), (question("192.0.3.9"), "+3"),
                (question("2001:db8::1"), "+2"), (question("2001:db8::1", 22, .ssh), "+2"),
                (question("c.example@192.0.2.1"), "-1"), (question("2001:db8::2", 22, .ssh), "none"),
            ])
        try expect([allow("list:two"), deny("list:one")], lists, [(question("a.example"), "+0")])
        // The rules of one service say nothing about another's.
        var other = try question("a.example")
        other.service = 0
        try expect([deny("list:one")], lists, [(other, "none")])
    }

    @Test func portsAndApplications() throws {
        let lists = [try list("l", "a.example", "192.0.2.1")]
        try expect(
            [deny("list:l", [443...443], [.tls]), allow("list:l", [], [.http]), deny("list:l", [80...80])], lists,
            [
                (question("a.example", 443, .tls), "-0"), (question("a.example", 80, .http), "+1"),
                (question("a.example", 80, .tls), "-2"), (question("192.0.2.1", 443, .tls), "-0"),
                (question("192.0.2.1", 443, .ssh), "none"),
            ])
    }

    /// The question for a name on the list is covered whatever the rule's applications; plain DNS to an address is not.
    @Test func questionsOfDNS() throws {
        try expect(
            [deny("list:encrypted-dns", [], [.tls, .http, .http2]), allow("any")], [],
            [
                (question("dns.google@10.96.0.10", 53, .dns), "-0"),
                (question("www.example.com@8.8.8.8", 53, .dns), "+1"),
                (question("use-application-dns.net@10.96.0.10", 53, .dns), "-0"),
                (question("mozilla.cloudflare-dns.com", 443, .tls), "-0"), (question("8.8.8.8", 443, .tls), "-0"),
                (question("2606:4700:4700::1111", 853, .tls), "-0"), (question("45.90.28.77", 443, .tls), "-0"),
                (question("www.google.com", 443, .tls), "+1"), (question("8.8.8.9", 443, .tls), "+1"),
            ])
    }

    /// What denies an IPv4 address denies it inside an IPv6 address; what allows it does not open that one.
    @Test func addressesInsideAddresses() throws {
        let lists = [try list("l", "198.51.100.0/24")]
        try expect([deny("list:l")], lists, [(question("64:ff9b::198.51.100.7"), "-0")])
        try expect([allow("list:l")], lists, [(question("64:ff9b::198.51.100.7"), "none")])
    }

    @Test func listsNameInwardAddresses() throws {
        let lists = [try list("l", "169.254.169.254", "10.0.0.0/8", "0.0.0.0/0")]
        let metadata = try ip("169.254.169.254")
        #expect(try policy([allow("list:l")], lists: lists).classify(metadata, name: nil, service: 1) == .outward)
        #expect(try policy([deny("list:l")], lists: lists).classify(metadata, name: nil, service: 1) == .inward)
        let allowing = try policy([allow("list:l")], lists: lists)
        #expect(allowing.classify(try ip("169.254.0.1"), name: nil, service: 1) == .inward)
        #expect(allowing.names(try ip("10.1.2.3"), service: 1))
        #expect(try !allowing.names(ip("127.0.0.1"), service: 1))
    }

    @Test func rulesSpeakOfNamesAndAddresses() throws {
        let lists = [try list("names", "a.example"), try list("both", "*.a.example", "::1"), try list("none")]
        let policy = try policy([], lists: lists)
        for (text, names, addresses) in [
            ("any", false, false), ("a.example", true, false), ("*.a.example", true, false), ("10.0.0.1", false, true),
            ("list:names", true, false), ("list:both", true, true), ("list:none", false, false),
        ] {
            #expect(try policy.speaksOfNames(allow(text)) == names)
            #expect(try policy.speaksOfAddresses(allow(text)) == addresses)
        }
    }

    /// Random rules about lists and others are what the rules are with every entry written out.
    @Test(arguments: UInt64(1)...20) func agreesWithTheEntriesWrittenOut(_ seed: UInt64) throws {
        var random = Xorshift(state: seed &* 0x9e37_79b9_7f4a_7c15)
        let destinations = try [
            "a.b", "b", "x.a.b", "*.b", "*.a.b", "10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "::/0", "2001:db8::/32",
        ].map(destination)
        func pick() -> Destination { destinations[Int(random.next() % UInt64(destinations.count))] }
        let lists = (0..<4).map { index in
            ListSpec(name: "l\(index)", entries: (0..<Int(random.next() % 5)).map { _ in pick() })
        }
        let rules = (0..<Int(random.next() % 12)).map { _ in
            RuleSpec(
                to: random.next() % 2 == 0 ? pick() : .list("l\(random.next() % 4)"),
                ports: (0..<Int(random.next() % 2)).map { _ in 1...UInt16(1 + random.next() % 3) },
                applications: random.next() % 3 == 0 ? [.http] : [], action: random.next() % 2 == 0 ? .allow : .deny)
        }
        var owners: [Int] = []
        var writtenOut: [RuleSpec] = []
        for (index, rule) in rules.enumerated() {
            var entries = [rule.to]
            if case .list(let name) = rule.to { entries = lists.first { $0.name == name }?.entries ?? [] }
            for entry in entries {
                var one = rule
                one.to = entry
                writtenOut.append(one)
                owners.append(index)
            }
        }
        let (listing, plain) = (try policy(rules, lists: lists), try policy(writtenOut))
        for name in try [nil, "b", "a.b", "x.a.b", "y.x.a.b", "q"].map({ try $0.map(name) }) {
            for address in try [nil, "10.0.0.1", "11.0.0.1", "2001:db8::1", "64:ff9b::10.0.0.1"].map({ try $0.map(ip) })
            {
                for port in UInt16(1)...4 {
                    for application in [Application.http, .dns] {
                        let question = Question(
                            service: 1, name: name, address: address, port: port, application: application)
                        let expected =
                            switch plain.cover(question) {
                            case .allowed(let id): "+\(owners[id.rule ?? 0])"
                            case .denied(let id): "-\(owners[id.rule ?? 0])"
                            case .learned, .uncovered: "none"
                            }
                        #expect(listing.cover(question).short == expected)
                    }
                }
            }
        }
    }

    /// However long a list is and however many there are, a question costs the same.
    @Test func probesDoNotGrow() throws {
        func policy(_ lists: Int, _ entries: Int) throws -> Policy {
            let specs = try (0..<lists).map { list in
                ListSpec(
                    name: "l\(list)",
                    entries: try (0..<entries).map { .name(try name("h\($0).l\(list).example")) }
                        + [.suffix(try name("s\(list).example")), .prefix(Prefix(IPAddress(v4: UInt32(list))))])
            }
            return try PolicyTests.policy(try (0..<lists).map { try deny("list:l\($0)") }, lists: specs)
        }
        let (few, many) = (try policy(1, 1), try policy(50, 1000))
        for text in ["h0.l0.example", "x.s0.example", "www.unheard.example@198.51.100.7"] {
            let question = try question(text)
            #expect(few.probes(question) == many.probes(question))
            #expect(few.cover(question) == many.cover(question))
        }
    }

    // MARK: - The built-in list

    /// The binary has the list in it, and people read the file: both say the same, and all of it is understood.
    @Test func theBuiltInListIsTheFile() throws {
        let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }
        let text = String(decoding: try contents("\(root)/conf/lists/encrypted-dns.txt"), as: UTF8.self)
        #expect(text == EncryptedDNS.text, "paste the file into EncryptedDNS.swift")
        let words = text.split(separator: "\n").filter { !$0.hasPrefix("#") }.flatMap { $0.split(separator: " ") }
        let entries = try #require(ListSpec.builtIn.first { $0.name == "encrypted-dns" }).entries
        #expect(entries.map(\.description) == words.map(String.init))
        #expect(entries.count > 300 && Set(entries).count == entries.count)
        // An address that somebody's other servers have, too, would be a trap.
        #expect(entries.allSatisfy { if case .prefix(let prefix) = $0 { prefix.length >= 32 } else { true } })
    }

    @Test func aWrittenListTakesThePlaceOfTheBuiltInOne() throws {
        let policy = try policy([deny("list:encrypted-dns")], lists: [try list("encrypted-dns", "doh.corp.example")])
        #expect(policy.cover(try question("doh.corp.example")).short == "-0")
        #expect(policy.cover(try question("dns.google")).short == "none")
        #expect(policy.lists.map(\.name) == ["encrypted-dns"])
    }

    @Test func textsAreRead() throws {
        let spec = ListSpec(name: "l", text: "a.example # one\n\n#none\n*.b.example\t10.0.0.0/8 0x7f.1 ::1\n")
        #expect(spec.entries.map(\.description) == ["a.example", "*.b.example", "10.0.0.0/8", "::1"])
    }

    // MARK: - Errors and words

    @Test func whatIsWrongIsTold() throws {
        func errors(_ rules: [RuleSpec], _ lists: [ListSpec]) -> [String] {
            let service = ServiceSpec(name: "unknown", mode: .protect, uninspectable: .alert, rules: rules)
            let spec = PolicySpec(
                services: [service], identities: [], internalSuffixes: [], ownAddresses: [], lists: lists)
            guard case .failure(let failure) = Policy.compile(spec, learned: LearnedRules()) else { return [] }
            return failure.errors.map(\.description)
        }
        #expect(try errors([deny("list:mine")], [list("mine", "a.example")]).isEmpty)
        #expect(
            try errors([deny("any"), deny("list:mein")], [list("mine")])
                == ["services[0].rules[1]: no list is called `mein`, expected one of encrypted-dns, mine"])
        #expect(try errors([], [list("l"), list("l")]) == ["the list `l` is defined twice"])
        #expect(
            try errors([], [list("l", "any", "list:m", "a")]) == [
                "list `l`: expected names, suffixes and ranges, found any",
                "list `l`: expected names, suffixes and ranges, found list:m",
            ])
    }

    @Test func rulesAndDecisionsInWords() throws {
        let rule = try deny("list:encrypted-dns", [443...443])
        #expect(rule.description == "deny list:encrypted-dns, ports 443")
        let policy = try policy([rule])
        let lines = policy.explain(try question("chrome.cloudflare-dns.com", 443, .tls)).description.split(
            separator: "\n")
        #expect(lines.contains("rule         app/0: deny list:encrypted-dns, ports 443"))
        #expect(lines.contains("entry        *.cloudflare-dns.com"))
        let mapped = policy.explain(try question("64:ff9b::8.8.4.4", 443, .tls)).description
        #expect(mapped.contains("entry        8.8.4.4"))
    }
}
