import Bytes
import Testing

@testable import Policy

/// What an address is: every class at both its edges, every way to hide an IPv4 address in an IPv6 one.
@Suite struct AddressTests {
    static let refused = [
        "0.0.0.0", "0.255.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.170.2",
        "169.254.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255", "100.100.100.200", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255", "::", "::1", "100::", "100::ffff:ffff:ffff:ffff", "fe80::1", "febf:ffff::",
        "ff00::",
        "ff02::1", "ffff::", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
    ]
    static let privates = [
        "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "100.64.0.0",
        "100.127.255.255", "100.100.100.199", "198.18.0.0", "198.19.255.255", "168.63.129.16", "fc00::", "fd00::1",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::1", "fd00:ec3::254", "fd20:ce::255",
    ]
    static let outward = [
        "1.0.0.0", "9.255.255.255", "11.0.0.0", "52.18.63.80", "100.63.255.255", "100.128.0.0", "126.255.255.255",
        "128.0.0.0",
        "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
        "192.0.1.0",
        "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "203.0.113.1", "223.255.255.255",
        "2001:db8::1",
        "2606:4700::1111", "100:0:0:1::", "fbff::", "fe00::", "fe7f::", "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8",
        "64:ff9b:1:808:8:800::", "64:ff9b:1:8:8:808::", "64:ff9b:1:0:8:808:800:0", "2002:808:808::1",
        "2001:0:808:808:0:0:f7f7:f7f7", "::8.8.8.8", "::ffff:0:8.8.8.8",
    ]

    @Test(arguments: refused) func isRefused(_ text: String) throws {
        #expect(AddressClass(try ip(text)).kind == .refused)
        let policy = try policy([allow("any")], mode: .discover, internalSuffixes: ["internal"])
        for name in try [nil, name("a.example"), name("a.internal")] {
            #expect(policy.classify(try ip(text), name: name, service: 1) == .inward)
        }
    }

    @Test(arguments: privates) func isPrivate(_ text: String) throws {
        #expect(AddressClass(try ip(text)).kind == .privateRange)
        let policy = try policy([allow("any"), allow("*.example")], internalSuffixes: ["internal", "corp.example"])
        let verdicts = try [nil, "a.example", "internal", "a.internal", "x.corp.example", "ainternal"].map {
            policy.classify(try ip(text), name: try $0.map(name), service: 1)
        }
        #expect(
            verdicts == [.outward, .privateBehindName, .outward, .outward, .outward, .privateBehindName])
    }

    @Test(arguments: outward) func isOutward(_ text: String) throws {
        #expect(AddressClass(try ip(text)) == AddressClass(.outward, 0))
        let policy = try policy([])
        let verdict = policy.classify(try ip(text), name: try name("a.example"), service: 1)
        #expect(verdict == .outward)
    }

    /// Every form of IPv6 address that may lead to an IPv4 address is what that address is.
    @Test(arguments: [
        "::ffff:%", "::%", "::ffff:0:%", "64:ff9b::%", "64:ff9b:1::%", "64:ff9b:1:abcd::%", "2002:$::", "2002:$::1",
        "2001:0:$:0:0:f7f7:f7f7", "2001:0:808:808:0:0:!",
    ])
    func whatIsInsideCounts(_ form: String) throws {
        for (text, kind) in [
            ("127.0.0.1", AddressClass.Kind.refused), ("169.254.169.254", .refused), ("100.100.100.200", .refused),
            ("255.255.255.255", .refused), ("10.1.2.3", .privateRange), ("192.168.1.1", .privateRange),
            ("8.8.8.8", .outward),
        ] {
            let address = try ip(hide(text, form))
            #expect(AddressClass(address).kind == kind, "\(address) of \(text)")
        }
    }

    /// `%` is the dotted quad, `$` its two groups, `!` its two groups inverted.
    private func hide(_ text: String, _ form: String) throws -> String {
        let bits = try ip(text).v4Bits
        func groups(_ bits: UInt32) -> String {
            String(bits >> 16, radix: 16) + ":" + String(bits & 0xffff, radix: 16)
        }
        return form.map {
            switch $0 {
            case "%": text
            case "$": groups(bits)
            case "!": groups(~bits)
            default: String($0)
            }
        }.joined()
    }

    /// RFC 6052 section 2.2: the places of the address in a prefix of 48, 56 and 64 bits.
    @Test(arguments: [
        "64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9:fe:a9fe::", "64:ff9b:1:0:a9:fea9:fe00:0",
        "64:ff9b:1:ffff:a9:fea9:fe00:0",
        "64:ff9b:1:a9fe:a9:fe00:1:2", "64:ff9b:1::",
    ])
    func localTranslatorsHaveFourPlaces(_ text: String) throws {
        #expect(AddressClass(try ip(text)).kind == .refused)
    }

    /// A rule names a special address only if its range lies within the special range, and only if it allows.
    @Test(arguments: [
        ("169.254.169.254", "169.254.169.254", true), ("169.254.0.0/16", "169.254.169.254", true),
        ("169.254.169.0/24", "169.254.169.254", true), ("169.0.0.0/8", "169.254.169.254", false),
        ("0.0.0.0/0", "169.254.169.254", false), ("127.0.0.0/8", "127.0.0.1", true),
        ("126.0.0.0/7", "127.0.0.1", false),
        ("::1", "::1", true), ("::/0", "::1", false), ("fe80::/10", "fe80::1", true), ("fe80::/9", "fe80::1", false),
        ("64:ff9b::/96", "64:ff9b::127.0.0.1", false), ("64:ff9b::7f00:1", "64:ff9b::127.0.0.1", true),
        ("127.0.0.1", "64:ff9b::127.0.0.1", false), ("203.0.113.9", "203.0.113.9", true),
        ("203.0.113.0/24", "203.0.113.9", false),
    ])
    func rulesNameInwardAddresses(_ rule: String, _ address: String, _ isNamed: Bool) throws {
        let policy = try policy([allow(rule, [80...80], [.http])], mode: .discover, own: ["203.0.113.9"])
        let verdict = policy.classify(try ip(address), name: nil, service: 1)
        #expect(verdict == (isNamed ? .outward : .inward))
        #expect(policy.names(try ip(address), service: 1) == isNamed)
        // The rules of one service say nothing about another's, and a rule that denies opens nothing.
        #expect(policy.classify(try ip(address), name: nil, service: 0) == .inward)
        let denying = try PolicyTests.policy([deny(rule)], mode: .discover, own: ["203.0.113.9"])
        #expect(denying.classify(try ip(address), name: nil, service: 1) == .inward)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.1.2.3", "10.1.2.3", true), ("10.1.2.4", "10.1.2.3", false),
        ("0.0.0.0/0", "10.1.2.3", false), ("8.0.0.0/5", "10.1.2.3", false), ("fc00::/7", "fd12::1", true),
        ("::/0", "fd12::1", false),
    ])
    func rulesNamePrivateAddresses(_ rule: String, _ address: String, _ isNamed: Bool) throws {
        let policy = try policy([allow(rule), allow("*.example")])
        let verdict = policy.classify(try ip(address), name: try name("a.example"), service: 1)
        #expect(verdict == (isNamed ? .outward : .privateBehindName))
        #expect(policy.names(try ip(address), service: 1) == isNamed)
    }

    @Test func publicAddressesAreNamedByAnyRange() throws {
        let policy = try policy([allow("0.0.0.0/0"), allow("2001:db8::1")])
        #expect(policy.names(try ip("8.8.8.8"), service: 1))
        #expect(policy.names(try ip("2001:db8::1"), service: 1))
        #expect(!policy.names(try ip("2001:db8::2"), service: 1))
        #expect(!policy.names(try ip("8.8.8.8"), service: 0))
    }

    /// The gateway is not reached through itself, in any form of its address.
    @Test(arguments: [
        "203.0.113.9", "::ffff:203.0.113.9", "64:ff9b::203.0.113.9", "2002:cb00:7109::", "2001:db8::9",
    ])
    func ownAddressesAreRefused(_ text: String) throws {
        let policy = try policy([allow("any")], own: ["203.0.113.9", "2001:db8::9"])
        #expect(policy.classify(try ip(text), name: nil, service: 1) == .inward)
        #expect(policy.classify(try ip("203.0.113.10"), name: nil, service: 1) == .outward)
    }
}
