import Bytes
import Testing

@testable import Policy

/// Ten thousand rules cost what ten do.
@Suite struct ScaleTests {
    /// Names, suffixes and ranges in equal parts, with a port and an application each.
    static func rules(_ count: Int) throws -> [RuleSpec] {
        try (0..<count).map { index in
            let to =
                switch index % 3 {
                case 0: "host\(index).example.com"
                case 1: "*.zone\(index).example.net"
                default: "\(Prefix(IPAddress(v4: 0xcb00_0000 + UInt32(index) << 4), length: 124))"
                }
            return try allow(to, [443...443], [.http])
        }
    }

    @Test func probesDoNotGrow() throws {
        let questions = try [
            "host0.example.com", "host9.example.com", "x.zone1.example.net", "203.0.0.33",
            "www.unheard.example@198.51.100.7",
        ].map { try question($0, 443) }
        let few = try policy(ScaleTests.rules(10))
        let many = try policy(ScaleTests.rules(10_000))
        for question in questions {
            #expect(few.probes(question) == many.probes(question))
            #expect(few.cover(question) == many.cover(question))
        }
    }

    @Test func everyOneOfThemIsFound() throws {
        let rules = try ScaleTests.rules(10_000)
        let policy = try policy(rules)
        for (index, rule) in rules.enumerated() {
            let question =
                switch rule.to {
                case .name(let name): try question("\(name)", 443)
                case .suffix(let name): try question("x.\(name)", 443)
                case .prefix(let prefix): try question("\(prefix.address)", 443)
                case .any, .list: try question("any.example")
                }
            #expect(policy.cover(question).short == "+\(index)")
        }
    }

    /// One destination with ten thousand ports of its own is no slower: a port is found by halving.
    @Test func oneDestinationWithManyPorts() throws {
        let rules = try (0..<10_000).map { index in
            let port = UInt16(1 + index * 6)
            return try index % 2 == 0 ? allow("any", [port...port + 2]) : deny("any", [port...port + 2], [.http])
        }
        let policy = try policy(rules)
        for index in stride(from: 0, to: 10_000, by: 7) {
            let port = UInt16(1 + index * 6)
            #expect(
                policy.cover(try question("a.example", port + 2)).short == (index % 2 == 0 ? "+" : "-") + "\(index)")
            #expect(policy.cover(try question("a.example", port + 3)).short == "none")
        }
    }

    /// A name of as many labels as there can be costs no more look-ups than the deepest suffix rule has labels.
    @Test func deepNamesAreNotWalkedWhole() throws {
        let policy = try policy([allow("*.example.com"), allow("www.example.org")])
        let deep = try question(Array(repeating: "a", count: 127).joined(separator: "."))
        #expect(policy.probes(deep) <= 4)
    }
}
