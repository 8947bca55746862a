import Bytes
import COpenSSL
import Glibc
import TLSSupport
import Testing

@testable import TLS

struct AuthorityTests {
    static let root = Identity.strictAuthority("Strict Root")
    static let middle = Identity.strictAuthority("Strict Middle", by: root, key: .p384)
    static let low = Identity.strictAuthority("Strict Low", by: middle, path: ",pathlen:0")
    static let long = "a-name-that-is-longer-than-a-common-name-may-be.and-has-a-label-or-two-more.example.test"
    static let names = ["dns.test", "_under.score.test", long, "192.0.2.1", "[2001:db8::1]"]

    static func host(_ text: String) throws -> Host { try #require(Host(text)) }

    static let hasProgram = shell("openssl version").status == 0

    // MARK: - What it issues

    enum Kind: String, CaseIterable { case made, rsa, p384, intermediate, withoutRoot, combined }

    static func folder(_ kind: Kind) throws -> AuthorityFolder {
        switch kind {
        case .made:
            let folder = AuthorityFolder()
            try folder.make()
            return folder
        case .rsa: return AuthorityFolder(.strictAuthority("RSA Root", key: .rsa(2048)))
        case .p384: return AuthorityFolder(.strictAuthority("P-384 Root", key: .p384))
        case .intermediate: return AuthorityFolder(low, above: [middle, root])
        case .withoutRoot: return AuthorityFolder(low, above: [middle])
        case .combined:
            // Some keep all of it in one file, and `openssl ecparam -genkey` begins with the curve.
            let folder = AuthorityFolder(middle, above: [root])
            let curve = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n"
            folder.put(Array(curve.utf8) + middle.pem + root.pem + middle.keyPEM, folder.key)
            folder.put(Array(curve.utf8) + middle.keyPEM + middle.pem + root.pem, folder.certificate)
            return folder
        }
    }

    /// The strictest reader at hand takes every kind of name from every kind of authority.
    @Test(.enabled(if: hasProgram), arguments: Kind.allCases) func opensslVerifies(_ kind: Kind) throws {
        let folder = try AuthorityTests.folder(kind)
        let authority = try folder.authority()
        let anchor = kind == .withoutRoot ? AuthorityTests.root.pem : Array(authority.anchorPEM.utf8)
        folder.put(anchor, "\(folder.path)/anchor")
        for (index, name) in AuthorityTests.names.enumerated() {
            let host = try AuthorityTests.host(name)
            let leaf = try authority.leaf(for: host, now: unixNow())
            folder.put(pem(leaf.certificate), "\(folder.path)/leaf\(index)")
            let chain = (0..<weir_chain_count(leaf.chain)).flatMap { weir_chain_at(leaf.chain, $0).map(pem) ?? [] }
            folder.put(chain, "\(folder.path)/chain")
            let also = chain.isEmpty ? "" : "-untrusted \(folder.path)/chain"
            let plain = name.filter { $0 != "[" && $0 != "]" }
            let check = if case .name = host { "-verify_hostname \(plain)" } else { "-verify_ip \(plain)" }
            let said = shell(
                "openssl verify -x509_strict -purpose sslserver \(check) -no-CApath -CAfile \(folder.path)/anchor \(also) "
                    + "\(folder.path)/leaf\(index)")
            #expect(said.status == 0 && said.text.hasSuffix(": OK\n"), "\(name): \(said.text)")
        }
        #expect(ERR_peek_error() == 0)
    }

    @Test func chainsThatAreSent() throws {
        let counts: [(Kind, sent: Int32, anchor: String)] = [
            (.made, 0, "CN=Weir egress authority "), (.rsa, 0, "CN=RSA Root"), (.intermediate, 2, "CN=Strict Root"),
            (.withoutRoot, 2, "CN=Strict Low"), (.combined, 1, "CN=Strict Root"),
        ]
        for (kind, sent, anchor) in counts {
            let authority = try AuthorityTests.folder(kind).authority()
            let leaf = try authority.leaf(for: AuthorityTests.host("dns.test"), now: unixNow())
            #expect(weir_chain_count(leaf.chain) == sent && authority.anchor.subject.hasPrefix(anchor), "\(kind)")
        }
        let whole = try AuthorityTests.folder(.intermediate).authority()
        #expect(
            whole.facts.subject == "CN=Strict Low"
                && whole.anchorPEM == String(decoding: AuthorityTests.root.pem, as: UTF8.self))
        let all = AuthorityTests.low.pem + AuthorityTests.middle.pem + AuthorityTests.root.pem
        #expect(whole.chainPEM == String(decoding: all, as: UTF8.self))
    }

    @Test func whatStandsInACertificate() throws {
        let authority = try AuthorityTests.folder(.made).authority()
        let cases: [(String, subject: String, names: String, isCritical: Bool)] = [
            ("dns.test", "CN=dns.test", "DNS:dns.test", false),
            (
                String(repeating: "a", count: 59) + ".test", "CN=" + String(repeating: "a", count: 59) + ".test", "",
                false
            ),
            (String(repeating: "a", count: 60) + ".test", "", "", true),
            ("192.0.2.1", "CN=192.0.2.1", "IP Address:192.0.2.1", false),
            ("[2001:db8::1]", "CN=2001:db8::1", "IP Address:2001:DB8:0:0:0:0:0:1", false),
        ]
        var serials: Set<[UInt8]> = []
        for (name, subject, names, isCritical) in cases {
            let host = try AuthorityTests.host(name)
            let leaf = try authority.leaf(for: host, now: unixNow())
            let facts = PeerCertificate(leaf.certificate)
            #expect(facts.subject == subject && facts.names == (names.isEmpty ? "DNS:\(name)" : names))
            #expect(facts.issuer == authority.facts.subject && leaf.name == host)
            let index = X509_get_ext_by_NID(leaf.certificate, NID_subject_alt_name, -1)
            let one = X509_get_ext(leaf.certificate, index)
            #expect((X509_EXTENSION_get_critical(one) == 1) == isCritical && X509_get_ext_count(leaf.certificate) == 6)
            #expect(X509_check_ca(leaf.certificate) == 0)
            #expect(X509_get_key_usage(leaf.certificate) == KU_DIGITAL_SIGNATURE)
            #expect(X509_get_extended_key_usage(leaf.certificate) == XKU_SSL_SERVER)
            #expect(X509_check_private_key(leaf.certificate, leaf.key) == 1)
            let serial = X509_get0_serialNumber(leaf.certificate)
            #expect(ASN1_STRING_type(serial) == V_ASN1_INTEGER)
            serials.insert(
                Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(serial), count: Int(ASN1_STRING_length(serial))))
            )
        }
        #expect(serials.count == cases.count && serials.allSatisfy { (12...16).contains($0.count) })
        #expect(ERR_peek_error() == 0)
    }

    @Test func timesAreWithinThoseOfTheAuthority() throws {
        let (day, made): (Int64, Int64) = (86_400, unixNow() / 86_400 * 86_400)
        let folder = AuthorityFolder()
        try folder.make(now: made)
        let authority = try folder.authority()
        func times(_ now: Int64) throws -> (start: Int64?, end: Int64?, expires: Int64) {
            let leaf = try authority.leaf(for: AuthorityTests.host("dns.test"), now: now)
            let (start, end) = (X509_get0_notBefore(leaf.certificate), X509_get0_notAfter(leaf.certificate))
            return (Certificate.seconds(start), Certificate.seconds(end), leaf.expires)
        }
        let last = made + 3653 * day
        // In the middle, at its first and last second, and in its last week.
        #expect(try times(made + 100 * day) == (made + 99 * day, made + 107 * day, made + 106 * day))
        #expect(try times(made - day) == (made - day, made + 6 * day, made + 5 * day))
        #expect(try times(made - day + 5) == (made - day, made + 6 * day + 5, made + 5 * day + 5))
        #expect(try times(last - 70) == (last - 70 - day, last, last - 10))
        #expect(try times(last) == (last - day, last, last))
        #expect(throws: AuthorityFault.self) { try times(made - day - 1) }
        #expect(throws: AuthorityFault.self) { try times(last + 1) }
        #expect(authority.facts.notBefore.hasSuffix(" 00:00:00Z") && ERR_peek_error() == 0)
    }

    /// A client that trusts the root takes them, in both versions of the protocol.
    @Test(arguments: [Kind.made, .rsa, .p384, .intermediate]) func aClientTakesThem(_ kind: Kind) throws {
        let authority = try AuthorityTests.folder(kind).authority()
        let trust = Pair.trust(Array(authority.anchorPEM.utf8))
        for version in TLSSessionTests.versions {
            for name in AuthorityTests.names {
                let leaf = try authority.leaf(for: AuthorityTests.host(name), now: unixNow())
                let server = TLSSessionTests.server(version, .good)
                server.show(certificate: leaf.certificate, key: leaf.key, chain: leaf.chain)
                var pair = Pair(server, name: name, trust: trust)
                pair.settle()
                #expect(pair.client.state == .open)
            }
            let other = try authority.leaf(for: AuthorityTests.host("dns.test"), now: unixNow())
            let server = TLSSessionTests.server(version, .good)
            server.show(certificate: other.certificate, key: other.key, chain: other.chain)
            var pair = Pair(server, name: "below.dns.test", trust: trust)
            pair.settle()
            #expect(pair.client.state == .failed(.certificate(.wrongName(names: "DNS:dns.test"))))
        }
    }

    /// All loops share one, and its leaf key signs in all their handshakes.
    @Test func manyThreadsAtOnce() async throws {
        let authority = try AuthorityTests.folder(.rsa).authority()
        let trust = Pair.trust(Array(authority.anchorPEM.utf8))
        let good = await withTaskGroup(of: Int.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    (0..<25).count { index in
                        guard let name = Host("host-\(thread)-\(index).test"),
                            let leaf = try? authority.leaf(for: name, now: unixNow())
                        else { return false }
                        let server = Server(.good)
                        server.show(certificate: leaf.certificate, key: leaf.key, chain: leaf.chain)
                        var pair = Pair(server, name: "\(name)", trust: trust)
                        pair.settle()
                        return pair.client.state == .open
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(good == 100)
    }
}
