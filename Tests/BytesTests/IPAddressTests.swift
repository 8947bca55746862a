import Bytes
import Testing

/// Addresses and ranges as text, in both directions.
@Suite struct IPAddressTests {
    /// RFC 5952: what is read, and the one way in which it is written.
    @Test(arguments: [
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),  // section 4.2.3: the first of equal runs
        ("2001:0db8::0001", "2001:db8::1"),  // section 4.1: no leading zeros
        ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),  // section 4.2.1: as short as possible
        ("2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),  // section 4.2.2: never for one group
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),  // section 4.2.3: the longest run
        ("2001:DB8:AAAA::F", "2001:db8:aaaa::f"),  // section 4.3: lower case
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"),
        ("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
        ("fe80::", "fe80::"), ("::", "::"), ("::1", "::1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("::ffff:10.0.0.1", "10.0.0.1"), ("::ffff:a00:1", "10.0.0.1"),
        ("0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255"),
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"), ("1.20.30.4", "1.20.30.4"),
    ])
    func isReadAndWritten(_ text: String, _ canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "256.1.1.1", "01.2.3.4",
        "1.2.3.04",
        "0x7f.0.0.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.+4", "1.2.3.-4", "1.2.3.4%1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "12345::", "g::", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8",
        "fe80::1%eth0", "[::1]", "::1.2.3", "::1.2.3.256", "::ff.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5",
        "1.2.3.4::",
        "00000::", "::00001", "0000:0000:0000:0000:0000:ffff:255.255.255.2555", "\u{0661}.1.1.1",
    ])
    func otherNotationsAreRefused(_ text: String) { #expect(IPAddress(text) == nil) }

    /// Every pattern of zero and non-zero groups survives being written and read.
    @Test func everyShapeSurvives() {
        for pattern in UInt64(0)..<256 {
            for unit: UInt64 in [1, 0xabc, 0xffff] {
                let groups = (UInt64(0)..<8).map { pattern >> $0 & 1 == 1 ? unit : 0 }
                let address = IPAddress(
                    high: groups[0..<4].reduce(0) { $0 << 16 | $1 }, low: groups[4..<8].reduce(0) { $0 << 16 | $1 })
                #expect(IPAddress(address.description) == address)
            }
        }
    }

    @Test func anIPv4AddressIsItsMappedForm() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        #expect(address.isV4)
        #expect(address.v4Bits == 0x0a00_0001)
        #expect(address == IPAddress(high: 0, low: 0xffff_0a00_0001))
        #expect(IPAddress.anyV4 < address)
        #expect(!IPAddress.anyV6.isV4)
    }
}

@Suite struct PrefixTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("10.1.2.3", "10.1.2.3/32"), ("::/0", "::/0"),
        ("2001:db8::/32", "2001:db8::/32"), ("::1", "::1/128"), ("10.0.0.128/25", "10.0.0.128/25"),
        ("2001:db8::8000:0:0:0/65", "2001:db8:0:0:8000::/65"),
    ])
    func isReadAndWritten(_ text: String, _ canonical: String) throws {
        #expect(try #require(Prefix(text)).description == canonical)
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "/8", "10.0.0.0/33", "::/129", "10.0.0.0/+8", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.1/8",
        "2001:db8::1/32", "10.0.0.0/8 ", "10.0.0.0/256", "10/8", "10.0.0.0/\u{0668}",
    ])
    func mistakesAreRefused(_ text: String) { #expect(Prefix(text) == nil) }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "9.255.255.255", false),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.2", false), ("0.0.0.0/0", "255.1.2.3", true),
        ("0.0.0.0/0", "::1", false), ("::/0", "2001:db8::1", true), ("2001:db8::/63", "2001:db8:0:1::", true),
        ("2001:db8::/63", "2001:db8:0:2::", false), ("2001:db8::/65", "2001:db8::8000:0:0:0", false),
        // The mapped form is how IPv4 is kept here, not something that a range of IPv6 addresses reaches.
        ("::/0", "10.0.0.1", false), ("::/64", "10.0.0.1", false),
    ])
    func contains(_ prefix: String, _ address: String, _ expected: Bool) throws {
        #expect(try #require(Prefix(prefix)).contains(#require(IPAddress(address))) == expected)
    }

    @Test func hostBitsAreCleared() throws {
        let address = try #require(IPAddress("10.1.2.3"))
        #expect(Prefix(address, length: 104) == Prefix("10.0.0.0/8"))
    }
}

@Suite struct EndpointTests {
    @Test(arguments: ["10.0.0.1:80", "[::1]:65535", "0.0.0.0:0", "[2001:db8::1]:443"])
    func isReadAndWritten(_ text: String) throws { #expect(try #require(Endpoint(text)).description == text) }

    @Test(arguments: [
        "", ":", "10.0.0.1", "10.0.0.1:", ":80", "10.0.0.1:65536", "10.0.0.1:+80", "10.0.0.1:-1", "10.0.0.1:8o",
        "::1:80",
        "[::1]", "[::1]80", "[10.0.0.1]:80", "[::1:80", "::1]:80", "[]:80", "[[::1]]:80", "localhost:80",
        "10.0.0.1: 80",
    ])
    func mistakesAreRefused(_ text: String) { #expect(Endpoint(text) == nil) }
}
