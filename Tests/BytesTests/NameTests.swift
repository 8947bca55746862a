import Bytes
import Testing

/// Names and hosts: one canonical form, whatever the notation.
@Suite struct DomainNameTests {
    @Test(arguments: [
        ("example.com", "example.com"), ("EXAMPLE.Com.", "example.com"), ("a", "a"), ("_dmarc.x-y.z0", "_dmarc.x-y.z0"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ])
    func isCanonical(_ text: String, _ canonical: String) throws {
        let name = try #require(DomainName(text))
        #expect(name.description == canonical)
        #expect(name == DomainName(canonical))
        #expect(name.hashValue == DomainName(canonical)?.hashValue)
    }

    @Test(arguments: [
        "", ".", "..", "a..b", ".a", "a..", "a b", "a\u{0}b", "bücher.example", "a/b", "a:80", "a@b", "a%2e", "*.a",
        "a\n", "[a]",
    ])
    func otherBytesAreRefused(_ text: String) { #expect(DomainName(text) == nil) }

    /// RFC 1035 section 2.3.4, at each bound and one beyond.
    @Test func lengthsAreBounded() {
        let label = { String(repeating: "a", count: $0) }
        #expect(DomainName(label(63)) != nil)
        #expect(DomainName(label(64)) == nil)
        #expect(DomainName("x." + label(63) + ".y") != nil)
        #expect(DomainName("x." + label(64) + ".y") == nil)
        let three = [label(63), label(63), label(63)].joined(separator: ".")
        #expect(DomainName(three + "." + label(61))?.bytes.count == 253)
        #expect(DomainName(three + "." + label(61) + ".")?.bytes.count == 253)
        #expect(DomainName(three + "." + label(62)) == nil)
        #expect(DomainName(Array(repeating: "a", count: 127).joined(separator: ".")) != nil)
        #expect(DomainName(Array(repeating: "a", count: 128).joined(separator: ".")) == nil)
    }

    @Test(arguments: [
        ("example.com", true), ("EXAMPLE.com.", true), ("example.co", false), ("example.comm", false), ("", false),
        (".", false), ("example.com..", false), ("example\u{0}com", false),
    ])
    func matches(_ text: String, _ expected: Bool) throws {
        let name = try #require(DomainName("example.com"))
        var text = text
        #expect(text.withUTF8 { name.matches(UnsafeRawBufferPointer($0)) } == expected)
    }

    @Test(arguments: [
        ("example.com", "example.com", true), ("a.example.com", "example.com", true),
        ("a.b.example.com", "example.com", true),
        ("aexample.com", "example.com", false), ("com", "example.com", false), ("example.com", "com", true),
        ("example.com.org", "example.com", false), ("x.com", "com", true), ("xcom", "com", false),
    ])
    func isWithin(_ name: String, _ suffix: String, _ expected: Bool) throws {
        #expect(try #require(DomainName(name)).isWithin(#require(DomainName(suffix))) == expected)
    }
}

@Suite struct HostTests {
    /// Whatever a resolver library takes for an address is that address.
    @Test(arguments: [
        "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F.1", "0x7f.0x0.0x0.0x1",
        "017700000001",
        "0177.0.0.1", "0177.0.0.01", "127.0.0.0x1", "127.0.0.00000000000000000000001",
        "0x000000000000000000000000000000007f000001", "00000000000000000000000000017700000001", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ])
    func oddNotationsAreTheAddress(_ text: String) throws {
        #expect(try #require(Host(text)) == .address(#require(IPAddress("127.0.0.1"))))
    }

    @Test(arguments: [
        ("0x", "0.0.0.0"), ("0", "0.0.0.0"), ("1.0x", "1.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("4294967295", "255.255.255.255"),
        ("1.16777215", "1.255.255.255"), ("1.2.65535", "1.2.255.255"), ("[::1]", "::1"),
        ("[2001:DB8::1]", "2001:db8::1"),
    ])
    func isAddress(_ text: String, _ address: String) throws {
        #expect(try #require(Host(text)) == .address(#require(IPAddress(address))))
    }

    /// A name whose last label is a number is an address or nothing.
    @Test(arguments: [
        "4294967296", "256.1.1.1", "1.2.3.256", "1.16777216", "1.2.65536", "1.2.3.4.5", "foo.1", "foo.0x1", "foo.0x",
        "1.2.3.08",
        "09", "0x100000000", "0xffffffffffffffffffffffff", "99999999999999999999999999999999", "1e3.4", "[1.2.3.4]",
        "[::1", "::1",
        "[::1%25eth0]", "[::1]x", "[]", "[:]", "", ".", "user@host", "host:80", "a b", "ho%73t", "-0.1",
    ])
    func othersAreRefused(_ text: String) { #expect(Host(text) == nil) }

    @Test(arguments: ["example.com", "1.example", "0x7g", "x1", "1.2.3.-0", "0x-0", "a.-1", "1.2.3.4a"])
    func isName(_ text: String) throws { #expect(try #require(Host(text)) == .name(#require(DomainName(text)))) }

    @Test(arguments: [("[::1]", "[::1]"), ("10.1", "10.0.0.1"), ("A.Example.", "a.example")])
    func isWrittenCanonically(_ text: String, _ canonical: String) throws {
        #expect(try #require(Host(text)).description == canonical)
    }
}
