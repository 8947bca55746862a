import Bytes
import Testing

@testable import Policy

/// Who a client is, and what a policy may not say about that.
@Suite struct IdentityTests {
    private func identity(_ service: String, _ pod: String?, _ addresses: String...) throws -> IdentitySpec {
        IdentitySpec(service: service, pod: pod, addresses: try addresses.map(prefix))
    }

    @Test func theLongestPrefixWins() throws {
        let policy = try policy(
            [],
            identities: [
                identity("legacy.vm", nil, "10.9.0.0/16", "2001:db8::/32"),
                identity("app", "app-1", "10.9.1.1", "10.9.1.2"),
                identity("app", "app-2", "10.9.2.0/24"), identity("legacy.vm", "app-1", "10.9.2.128/25"),
                identity("rest", nil, "0.0.0.0/0"),
            ])
        let expected: [(String, String, String?)] = [
            ("10.9.1.1", "app", "app-1"), ("10.9.1.2", "app", "app-1"), ("10.9.1.3", "legacy.vm", nil),
            ("10.9.2.1", "app", "app-2"),
            ("10.9.2.129", "legacy.vm", "app-1"), ("10.8.0.1", "rest", nil), ("2001:db8:1::1", "legacy.vm", nil),
            ("2001:db9::1", "unknown", nil), ("::ffff:10.9.1.1", "app", "app-1"), ("fe80::1", "unknown", nil),
        ]
        for (address, service, pod) in expected {
            let identity = policy.identify(try ip(address))
            #expect(policy.services[identity.service].name == service, "\(address)")
            #expect(policy.podName(identity) == pod, "\(address)")
        }
        // Pods of one name in two services are two pods; one pod with two addresses is one.
        #expect(policy.identify(try ip("10.9.1.1")) == policy.identify(try ip("10.9.1.2")))
        #expect(policy.identify(try ip("10.9.1.1")).pod != policy.identify(try ip("10.9.2.129")).pod)
    }

    /// Services that only an identity names take the defaults and come after the written ones.
    @Test func servicesComeFromIdentitiesToo() throws {
        let spec = PolicySpec(
            services: [ServiceSpec(name: "unknown", mode: .protect, uninspectable: .deny, rules: [])],
            identities: [try identity("legacy.vm", nil, "10.9.0.0/24")], internalSuffixes: [], ownAddresses: [],
            defaultMode: .monitor, defaultUninspectable: .allow)
        let policy = try Policy.compile(spec, learned: LearnedRules()).get()
        #expect(policy.services.map(\.name) == ["unknown", "legacy.vm"])
        #expect(policy.services[1].mode == .monitor)
        #expect(policy.services[1].uninspectable == .allow)
        #expect(policy.services.map(\.index) == [0, 1])
    }

    @Test func tenThousandPodsAreTold() throws {
        let identities = (0..<10_000).map { index in
            IdentitySpec(
                service: "s\(index % 100)", pod: "p\(index)",
                addresses: [Prefix(IPAddress(v4: 0x0a00_0000 + UInt32(index)))])
        }
        let policy = try policy([], identities: identities)
        for index in 0..<10_000 {
            let identity = policy.identify(IPAddress(v4: 0x0a00_0000 + UInt32(index)))
            #expect(policy.podName(identity) == "p\(index)")
            #expect(policy.services[identity.service].name == "s\(index % 100)")
        }
    }

    /// All that is wrong is said at once, each with its place.
    @Test func errorsComeTogether() throws {
        let spec = PolicySpec(
            services: [
                ServiceSpec(name: "unknown", mode: .discover, uninspectable: .redact, rules: []),
                ServiceSpec(
                    name: "app", mode: .discover, uninspectable: .alert,
                    rules: [
                        try allow("any"), RuleSpec(to: .any, action: .alert), try allow("any", [0...80]),
                    ]),
                ServiceSpec(name: "app", mode: .protect, uninspectable: .alert, rules: []),
                ServiceSpec(name: "a b", mode: .protect, uninspectable: .alert, rules: []),
            ],
            identities: [
                try identity("app", "p", "10.0.0.1", "10.0.0.0/8"), try identity("other", nil, "10.0.0.1"),
                try identity("app", "p", "10.0.0.0/8"), IdentitySpec(service: "x\ty", pod: "", addresses: []),
            ], internalSuffixes: [], ownAddresses: [])
        guard case .failure(let failure) = Policy.compile(spec, learned: LearnedRules()) else {
            Issue.record("this policy is full of mistakes")
            return
        }
        #expect(
            failure.errors.map(\.place) == [
                .service(0), .rule(service: 1, rule: 1), .rule(service: 1, rule: 2), .service(2), .service(3),
                .address(identity: 1, address: 0), .address(identity: 2, address: 0), .identity(3), .identity(3),
                .identity(3),
            ])
        #expect(
            failure.errors[5].description
                == "identity.pods[1].addresses[0]: 10.0.0.1/32 is already given to `app` by identity.pods[0]")
        #expect(failure.description.split(separator: "\n").count == failure.errors.count)
    }

    @Test func theFirstServiceIsUnknown() throws {
        for services in [[], [ServiceSpec(name: "app", mode: .discover, uninspectable: .alert, rules: [])]] {
            let spec = PolicySpec(services: services, identities: [], internalSuffixes: [], ownAddresses: [])
            guard case .failure(let failure) = Policy.compile(spec, learned: LearnedRules()) else {
                Issue.record("the service `unknown` is missing")
                return
            }
            #expect(failure.errors.map(\.place) == [.policy])
        }
    }

    @Test func explainsItself() throws {
        let policy = try policy([allow("*.github.com", [443...443]), deny("10.0.0.0/8")])
        #expect(
            policy.explain(try question("api.github.com@10.0.0.1", 443, .tls)).description == """
                service      app, protect
                destination  api.github.com at 10.0.0.1, port 443, TLS
                rule         app/0: allow *.github.com, ports 443
                address      private behind a public name
                threat       rebinding
                action       deny
                would        deny
                reason       threat
                """)
        var asked = try question("a.example", 80)
        asked.service = 0
        #expect(
            policy.explain(asked).description == """
                service      unknown, discover
                destination  a.example, port 80, HTTP
                rule         none covers it
                action       allow, and learns a rule
                would        deny
                reason       violation
                """)
    }

    /// A pod that asks by IPv4 and connects by IPv6 is one; whoever is no pod, or a pod of ranges, is its address.
    @Test func whoseNamesAreRemembered() throws {
        let policy = try policy(
            [],
            identities: [
                identity("app", "both", "10.9.1.0/28", "10.9.1.1", "2001:db8::1"),
                identity("app", "six", "2001:db8::6"), identity("app", "range", "10.9.2.0/24", "2001:db8:2::/64"),
                identity("legacy.vm", nil, "10.9.3.1", "10.9.3.2"), identity("other", "both", "10.9.4.1"),
            ])
        let expected: [(String, String)] = [
            ("10.9.1.1", "10.9.1.1"), ("2001:db8::1", "10.9.1.1"), ("10.9.1.7", "10.9.1.1"),
            ("::ffff:10.9.1.1", "10.9.1.1"), ("2001:db8::6", "2001:db8::6"),
            ("10.9.2.3", "10.9.2.3"), ("2001:db8:2::3", "2001:db8:2::3"),
            ("10.9.3.1", "10.9.3.1"), ("10.9.3.2", "10.9.3.2"), ("10.9.4.1", "10.9.4.1"), ("10.1.1.1", "10.1.1.1"),
        ]
        for (client, keeper) in expected {
            let client = try ip(client)
            #expect(policy.keeper(policy.identify(client), client) == (try ip(keeper)), "\(client)")
        }
    }
}
