import Bytes
import Testing

@testable import DNS

struct PublicSuffixTests {
    /// The vectors of publicsuffix.org (public domain), as far as they are names that can be asked for.
    static let vectors: [(String, String?)] = [
        ("COM", nil), ("example.COM", "example.com"), ("WwW.example.COM", "example.com"), ("example", nil),
        ("example.example", "example.example"), ("b.example.example", "example.example"),
        ("a.b.example.example", "example.example"), ("biz", nil), ("domain.biz", "domain.biz"),
        ("b.domain.biz", "domain.biz"), ("a.b.domain.biz", "domain.biz"), ("com", nil),
        ("example.com", "example.com"), ("b.example.com", "example.com"), ("a.b.example.com", "example.com"),
        ("uk.com", nil), ("example.uk.com", "example.uk.com"), ("b.example.uk.com", "example.uk.com"),
        ("a.b.example.uk.com", "example.uk.com"), ("test.ac", "test.ac"), ("mm", nil), ("c.mm", nil),
        ("b.c.mm", "b.c.mm"), ("a.b.c.mm", "b.c.mm"), ("jp", nil), ("test.jp", "test.jp"), ("www.test.jp", "test.jp"),
        ("ac.jp", nil), ("test.ac.jp", "test.ac.jp"), ("www.test.ac.jp", "test.ac.jp"), ("kyoto.jp", nil),
        ("test.kyoto.jp", "test.kyoto.jp"), ("ide.kyoto.jp", nil), ("b.ide.kyoto.jp", "b.ide.kyoto.jp"),
        ("a.b.ide.kyoto.jp", "b.ide.kyoto.jp"), ("c.kobe.jp", nil), ("b.c.kobe.jp", "b.c.kobe.jp"),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"), ("city.kobe.jp", "city.kobe.jp"), ("www.city.kobe.jp", "city.kobe.jp"),
        ("ck", nil), ("test.ck", nil), ("b.test.ck", "b.test.ck"), ("a.b.test.ck", "b.test.ck"), ("www.ck", "www.ck"),
        ("www.www.ck", "www.ck"), ("us", nil), ("test.us", "test.us"), ("www.test.us", "test.us"), ("ak.us", nil),
        ("test.ak.us", "test.ak.us"), ("www.test.ak.us", "test.ak.us"), ("k12.ak.us", nil),
        ("test.k12.ak.us", "test.k12.ak.us"), ("www.test.k12.ak.us", "test.k12.ak.us"),
        ("xn--85x722f.com.cn", "xn--85x722f.com.cn"), ("xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("shishi.xn--55qx5d.cn", "shishi.xn--55qx5d.cn"), ("xn--55qx5d.cn", nil),
        ("xn--85x722f.xn--fiqs8s", "xn--85x722f.xn--fiqs8s"),
        ("www.xn--85x722f.xn--fiqs8s", "xn--85x722f.xn--fiqs8s"), ("shishi.xn--fiqs8s", "shishi.xn--fiqs8s"),
        ("xn--fiqs8s", nil),
    ]

    private func registered(_ text: String, _ suffixes: PublicSuffixes = suffixList) -> String? {
        guard let name = DomainName(text), let range = suffixes.registered(of: name) else { return nil }
        return String(decoding: name.bytes[range], as: UTF8.self)
    }

    @Test(arguments: vectors) func vector(_ name: String, _ expected: String?) {
        #expect(registered(name) == expected?.lowercased())
    }

    /// The same on the wire, in the letters that came, with the labels below in a range of their own.
    @Test(arguments: vectors) func cut(_ name: String, _ expected: String?) throws {
        let wire = Wire.name(name)
        try wire.withUnsafeBytes { bytes in
            let cut = try #require(suffixList.cut(bytes))
            #expect(cut.isRegistered == (expected != nil))
            #expect(cut.below.upperBound == cut.registered.lowerBound && cut.registered.upperBound == bytes.count - 1)
            guard let expected else { return }
            #expect(Array(bytes[cut.registered]) == Wire.name(name).suffix(expected.utf8.count + 2).dropLast())
            let labels = name.split(separator: ".").count - expected.split(separator: ".").count
            #expect(cut.labelsBelow == labels && cut.below.isEmpty == (labels == 0))
        }
    }

    /// Who has a place below somebody's domain is told apart from his neighbours.
    @Test(arguments: [
        ("data.evil.github.io", "evil.github.io"), ("evil.github.io", "evil.github.io"),
        ("d111111abcdef8.cloudfront.net", "d111111abcdef8.cloudfront.net"), ("a.b.duckdns.org", "b.duckdns.org"),
        ("a248.e.akamai.net", "e.akamai.net"), ("x.y.internal", "y.internal"),
        ("3.2.1.10.in-addr.arpa", "10.in-addr.arpa"),
        ("a.svc.cluster.local", "cluster.local"),
        // All of a /48 is one owner's.
        (
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.3.2.1.8.7.6.5.8.b.d.0.1.0.0.2.ip6.arpa",
            "8.7.6.5.8.b.d.0.1.0.0.2.ip6.arpa"
        ), ("data.8.b.d.0.1.0.0.2.ip6.arpa", "2.ip6.arpa"),
    ])
    func owners(_ name: String, _ expected: String) { #expect(registered(name) == expected) }

    @Test func lettersCount() throws {
        let cuts = try ["WWW.Example.CO.uk", "www.example.co.uk", "wwx.example.co.uk", "www.example.co.uk.a"].map {
            text in
            try Wire.name(text).withUnsafeBytes { try #require(suffixList.cut($0)) }
        }
        #expect(cuts[0] == cuts[1])
        #expect(cuts[2].domain == cuts[1].domain && cuts[2].whole != cuts[1].whole)
        #expect(cuts[3].domain != cuts[1].domain)
    }

    @Test func trustedZones() throws {
        #expect(TrustedZones.names.count == TrustedZones.all.count)
        for (name, isTrusted) in [
            ("4.3.2.1.zen.spamhaus.org", true), ("SPAMHAUS.org", true), ("spamhaus.org.evil.com", false),
            ("notspamhaus.org", false), ("a.b.avqs.mcafee.com", true), ("www.mcafee.com", false), ("x.internal", true),
            ("9.1.168.192.in-addr.arpa", true), ("9.1.169.192.in-addr.arpa", false),
        ] {
            let cut = try Wire.name(name).withUnsafeBytes { try #require(suffixList.cut($0)) }
            #expect(cut.isTrusted == isTrusted, "\(name)")
        }
    }

    @Test func bytesThatAreNoName() {
        for bad: [UInt8] in [[], [3, 1, 2], [1], [64] + Array(repeating: 65, count: 64) + [0], [0xc0, 0x0c]] {
            bad.withUnsafeBytes { #expect(suffixList.cut($0) == nil) }
        }
        let longest: [UInt8] = Array([[UInt8]](repeating: [1, 97], count: 127).joined()) + [0]
        longest.withUnsafeBytes { #expect(suffixList.cut($0)?.labelsBelow == 125) }
        ([UInt8](arrayLiteral: 1, 97) + longest).withUnsafeBytes { #expect(suffixList.cut($0) == nil) }
        [0 as UInt8].withUnsafeBytes { #expect(suffixList.cut($0)?.isRegistered == false) }
    }

    private func parse(_ text: String) -> Result<PublicSuffixes, PublicSuffixes.Problem> {
        Array(text.utf8).withUnsafeBytes { bytes in
            do throws(PublicSuffixes.Problem) { return .success(try PublicSuffixes(bytes)) } catch {
                return .failure(error)
            }
        }
    }

    @Test(arguments: [
        ("// nothing\n\n", "expected a public suffix list, found no rule in it"),
        ("com\n<html>\n", "line 2: expected a name, found `<html>`"),
        ("com\nco..uk", "line 2: `co..uk`: a label is empty"),
        ("com\n// c\n.uk\n", "line 3: `.uk`: a label is empty"),
        ("uk.\n", "line 1: `uk.`: a label is empty"),
        ("!\n", "line 1: expected a name, found ``"),
        ("a.*.uk\n", "line 1: `a.*.uk`: expected `*` as the first label alone"),
        ("!*.uk\n", "line 1: `*.uk`: expected `*` as the first label alone"),
        (
            "\(String(repeating: "a", count: 64)).uk\n",
            "line 1: `\(String(repeating: "a", count: 64))`: a label is too long"
        ),
    ])
    func badList(_ text: String, _ message: String) {
        guard case .failure(let problem) = parse(text) else {
            Issue.record("\(text) was taken")
            return
        }
        #expect(problem.description == message)
    }

    @Test func whatALineMayHold() throws {
        let list = try parse("// ===BEGIN===\r\ncom\r\nCo.UK  trailing words\n*.ck\n!www.ck\n公司.cn\n*\n").get()
        #expect(list.count == 6)
        #expect(registered("a.b.co.uk", list) == "b.co.uk")
        #expect(registered("a.b.c.ck", list) == "b.c.ck" && registered("a.www.ck", list) == "www.ck")
        #expect(registered("a.b.xn--55qx5d.cn", list) == "b.xn--55qx5d.cn")
        #expect(registered("a.b.trailing", list) == "b.trailing")
    }

    @Test func theShippedList() {
        #expect(suffixList.count > 9000)
        #expect(PublicSuffixes(builtInWith: []).count == 0)
        #expect(registered("a.b.co.uk", PublicSuffixes(builtInWith: [])) == "b.co.uk")
    }
}
