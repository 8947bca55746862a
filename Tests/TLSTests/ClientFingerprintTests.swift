import Bytes
import Testing

@testable import TLS

extension Draft {
    static func numbers(_ values: [UInt16]) -> [UInt8] { values.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }

    static func protocols(_ names: [[UInt8]]) -> [UInt8] { vector16(names.flatMap { vector8($0) }) }

    /// What is read of this hello.
    var hello: ClientHello? {
        guard case .hello(let hello) = Seen(Draft.records(message)) else { return nil }
        return hello
    }
}

struct ClientFingerprintTests {
    static let empty = "000000000000"

    // MARK: The example of the specification

    static let ciphers: [UInt16] = [
        0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f,
        0x0035,
    ]
    static let extensions: [UInt16] = [
        0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b,
        0x000a, 0x0015,
    ]
    static let algorithms: [UInt16] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]

    /// A browser's hello of these, in which values of `grease` are strewn.
    static func browser(
        ciphers: [UInt16] = ciphers, extensions: [UInt16] = extensions, algorithms: [UInt16] = algorithms,
        grease: [UInt16] = []
    ) -> Draft {
        let offered = extensions.map { (type: Int($0), data: data(of: $0, algorithms, grease)) }
        let front = grease.map { (type: Int($0), data: [UInt8]()) }
        return Draft(suites: Draft.numbers(grease + ciphers), extensions: front + offered)
    }

    private static func data(of type: UInt16, _ algorithms: [UInt16], _ grease: [UInt16]) -> [UInt8] {
        switch type {
        case 0: Draft.vector16([0] + Draft.vector16(Array("example.com".utf8)))
        case 13: Draft.vector16(Draft.numbers(algorithms + grease))
        case 16:
            Draft.protocols(grease.map { Draft.numbers([$0]) } + [Array("h2".utf8), Array("http/1.1".utf8)])
        case 43: Draft.vector8(Draft.numbers(grease + [0x0304, 0x0303]))
        default: []
        }
    }

    @Test func thePublishedExample() {
        #expect(ClientFingerprintTests.browser().hello?.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1")
    }

    @Test func greaseAndOrderChangeNothing() {
        let drafts = [
            ClientFingerprintTests.browser(grease: [0x0a0a]),
            ClientFingerprintTests.browser(grease: [0x3a3a, 0xfafa, 0x8a8a]),
            ClientFingerprintTests.browser(
                ciphers: ClientFingerprintTests.ciphers.reversed(),
                extensions: ClientFingerprintTests.extensions.reversed()),
        ]
        for draft in drafts { #expect(draft.hello?.ja4 == "t13d1516h2_8daaf6152771_e5627efa2ab1") }
        // These are in order of preference, which is the client's own.
        let other = ClientFingerprintTests.browser(algorithms: ClientFingerprintTests.algorithms.reversed())
        #expect(other.hello?.ja4.hasPrefix("t13d1516h2_8daaf6152771_") == true)
        #expect(other.hello?.ja4.hasSuffix("e5627efa2ab1") == false)
    }

    @Test func withoutSignatureAlgorithmsNothingIsJoined() {
        #expect(ClientFingerprintTests.browser(algorithms: []).hello?.ja4 == "t13d1516h2_8daaf6152771_6d807ffa2a79")
    }

    /// The digests do not tell whom the client means to reach.
    @Test(arguments: [([0], "t13i1515h2"), ([16], "t13d151500"), ([0, 16], "t13i151400"), ([43], "t12d1515h2")])
    func whatIsLeftOut(_ types: [UInt16], _ front: String) {
        let left = ClientFingerprintTests.extensions.filter { !types.contains($0) }
        let ja4 = ClientFingerprintTests.browser(extensions: left).hello?.ja4
        #expect(ja4?.hasPrefix(front + "_8daaf6152771_") == true)
        #expect(ja4?.hasSuffix("_e5627efa2ab1") == !types.contains(43))
    }

    // MARK: Real clients

    @Test(arguments: [
        (Hellos.openSSL, "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"),
        (Hellos.openSSLOf12, "t12d280700_d943125447b4_e7e480e5a997"),
        (Hellos.openSSLOf10, "t10i230500_44099cda8a52_195413a0cc0f"),
        (Hellos.fragmented, "t13d3111px_e8f1e7e78f70_1f22a2ca17c4"),
        (Hellos.python, "t13d1812h1_85036bcba153_d41ae481755e"),
        (Hellos.pythonToAnAddress, "t13i181000_85036bcba153_d41ae481755e"),
        (Hellos.curl, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6"),
    ])
    func realClients(_ bytes: [UInt8], _ ja4: String) {
        guard case .hello(let hello) = Seen(bytes) else { return #expect(Bool(false), "\(Seen(bytes))") }
        #expect(hello.ja4 == ja4)
    }

    // MARK: Odd ones

    /// A single cipher suite, and the extensions given.
    private func ja4(
        suites: [UInt16] = [0x1301], version: [UInt8] = [3, 3], _ extensions: [(type: Int, data: [UInt8])]?
    ) -> String? {
        Draft(version: version, suites: Draft.numbers(suites), extensions: extensions).hello?.ja4
    }

    @Test func nothingHasNoDigest() {
        let empty = ClientFingerprintTests.empty
        #expect(ja4(version: [3, 1], nil) == "t10i010000_0f2cb44170f4_\(empty)")
        #expect(ja4([]) == "t12i010000_0f2cb44170f4_\(empty)")
        #expect(ja4(suites: [0x0a0a], [(0x1a1a, [])]) == "t12i000000_\(empty)_\(empty)")
        let toldInFront = [
            (type: 0, data: Draft.vector16([0] + Draft.vector16(Array("a.test".utf8)))),
            (type: 16, data: Draft.protocols([Array("h2".utf8)])),
        ]
        #expect(ja4(toldInFront) == "t12d0102h2_0f2cb44170f4_\(empty)")
    }

    @Test func aNameThatNoHostCanHaveIsAName() {
        #expect(Draft.named("a b").hello?.ja4.hasPrefix("t12d0101") == true)
    }

    @Test(arguments: [
        ([0x0304, 0x0303], "13"), ([0x0303], "12"), ([0x0302, 0x0301], "11"), ([0x0301], "10"), ([0x0300], "s3"),
        ([0x0002], "s2"), ([0x7f1c], "00"), ([0x0a0a], "12"), ([0xfafa, 0x0304], "13"),
    ])
    func versions(_ versions: [UInt16], _ code: String) {
        let ja4 = ja4([(43, Draft.vector8(Draft.numbers(versions)))])
        #expect(ja4 == "t\(code)i010100_0f2cb44170f4_b9a491fefe05")
    }

    @Test(arguments: [
        ("h2", "h2"), ("http/1.1", "h1"), ("x", "xx"), ("Z9", "Z9"), ("a-", "6d"), ("\u{e9}", "c9"), ("/x", "28"),
    ])
    func protocols(_ name: String, _ code: String) {
        #expect(ja4([(16, Draft.protocols([Array(name.utf8), [1]]))])?.hasPrefix("t12i0101\(code)_") == true)
    }

    /// As the specification says it.
    @Test(arguments: [
        ([0xab], "ab"), ([0xab, 0xcd], "ad"), ([0x30, 0xab], "3b"), ([0x30, 0x31, 0xab, 0xcd], "3d"),
        ([0x30, 0xab, 0xcd, 0x31], "01"), ([0x2a, 0x2a], "h2"), ([0], "00"),
    ])
    func protocolsThatAreNoText(_ name: [UInt8], _ code: String) {
        #expect(ja4([(16, Draft.protocols([name, Array("h2".utf8)]))])?.hasPrefix("t12i0101\(code)_") == true)
    }

    @Test func countsEndAt99() {
        let many = (0..<150).map { UInt16($0 + 0x1000) }
        #expect(ja4(suites: Array(many[..<99]), [])?.hasPrefix("t12i990000_") == true)
        #expect(ja4(suites: many, many.map { (Int($0), []) })?.hasPrefix("t12i999900_") == true)
    }

    /// What no server could use is no reason to refuse what was let through before.
    @Test(arguments: [[], [0], [0, 5, 4], [0, 3, 4, 3, 8], [0, 0], [0, 2, 4, 3, 9]])
    func signatureAlgorithmsNeedNotMakeSense(_ data: [UInt8]) {
        let hello = Draft(extensions: [(13, data)]).hello
        let isRead = data.count == 5
        #expect(hello?.signatureAlgorithms == (isRead ? [0x0403] : []))
        #expect(hello?.ja4.hasSuffix(isRead ? "_79c50902419d" : "_06540eb5c95f") == true)
    }
}

struct KnownECHTests {
    private func offers(_ name: String?, ech: Bool = true) -> Bool? {
        var draft = name.map { Draft.named($0) } ?? Draft()
        if ech { draft.extensions?.append((0xfe0d, [0, 0, 1])) }
        return draft.hello?.offersKnownECH
    }

    @Test(arguments: [
        ("cloudflare-ech.com", true), ("CloudFlare-ECH.com.", true), ("a.cloudflare-ech.com", true),
        ("public.tls-ech.dev", true), ("tls-ech.dev", false), ("notcloudflare-ech.com", false),
        ("cloudflare-ech.com.example", false), ("example.com", false), ("192.0.2.1", false), ("a b", false),
    ])
    func publicNames(_ name: String, _ isKnown: Bool) {
        #expect(offers(name) == isKnown)
        #expect(offers(name, ech: false) == false)
    }

    @Test func withoutANameNothingIsKnown() { #expect(offers(nil) == false) }
}
