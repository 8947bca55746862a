import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

struct CertificateTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var identity: Identity
        var name = "dns.test"
        var fault: CertificateFault?
        var trust = Pair.rootTrust
    }

    static let goodNames = "DNS:dns.test, DNS:*.wild.test, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1"
    static let selfSigned = Identity("dns.test", names: "DNS:dns.test")
    static let byOther = Identity("dns.test", names: "DNS:dns.test", by: .otherRoot)

    static let taken: [Case] = [
        Case(testDescription: "name", identity: .good),
        Case(testDescription: "name in capitals", identity: .leaf("DNS:DNS.Test")),
        Case(testDescription: "wildcard", identity: .good, name: "a.wild.test"),
        Case(testDescription: "IPv4", identity: .good, name: "192.0.2.1"),
        Case(testDescription: "IPv6", identity: .good, name: "[2001:db8::1]"),
        Case(testDescription: "RSA", identity: .leaf("DNS:dns.test", key: .rsa(2048))),
        Case(testDescription: "straight from the root", identity: Identity("x", names: "DNS:dns.test", by: .root)),
        Case(
            testDescription: "an intermediate as the anchor", identity: .good, trust: Pair.trust(Identity.middle.pem)),
        Case(testDescription: "pinned", identity: selfSigned, trust: Pair.trust(selfSigned.pem)),
        Case(
            testDescription: "one authority of two", identity: byOther,
            trust: Pair.trust(Identity.root.pem + Identity.otherRoot.pem)),
    ]

    static let refused: [Case] = [
        Case(testDescription: "another name", identity: .good, name: "other.test", fault: .wrongName(names: goodNames)),
        Case(
            testDescription: "two labels under a wildcard", identity: .good, name: "a.b.wild.test",
            fault: .wrongName(names: goodNames)),
        Case(
            testDescription: "no label under a wildcard", identity: .good, name: "wild.test",
            fault: .wrongName(names: goodNames)),
        Case(
            testDescription: "part of a label", identity: .leaf("DNS:d*.test"), fault: .wrongName(names: "DNS:d*.test")),
        Case(
            testDescription: "another address", identity: .good, name: "192.0.2.2", fault: .wrongName(names: goodNames)),
        Case(
            testDescription: "an address as a name", identity: .leaf("DNS:192.0.2.1"), name: "192.0.2.1",
            fault: .wrongName(names: "DNS:192.0.2.1")),
        Case(
            testDescription: "common name only", identity: .leaf(nil), name: "common.test", fault: .wrongName(names: "")
        ),
        Case(testDescription: "self-signed", identity: selfSigned, fault: .selfSigned),
        Case(testDescription: "unknown authority", identity: byOther, fault: .missingIssuer("CN=Other Root")),
        Case(
            testDescription: "unknown authority, sent along",
            identity: Identity("x", names: "DNS:dns.test", by: .otherRoot, chain: [.otherRoot]),
            fault: .unknownAuthority("CN=Other Root")),
        Case(
            testDescription: "incomplete chain", identity: Identity("x", names: "DNS:dns.test", by: .middle),
            fault: .missingIssuer("CN=Test Intermediate")),
        Case(
            testDescription: "SHA-1", identity: .leaf("DNS:dns.test", digest: .sha1), fault: .weakSignature),
        Case(testDescription: "short key", identity: .leaf("DNS:dns.test", key: .rsa(1024)), fault: .weakKey),
        Case(
            testDescription: "for clients",
            identity: Identity(
                "x", names: "DNS:dns.test", by: .root, extensions: [(NID_ext_key_usage, "clientAuth")]),
            fault: .wrongPurpose),
        Case(
            testDescription: "issued by one who may not",
            identity: Identity("x", names: "DNS:dns.test", by: .good, chain: [.good, .middle]),
            fault: .other("invalid CA certificate")),
    ]

    @Test(arguments: taken) func isVerified(_ one: Case) {
        for version in TLSSessionTests.versions {
            var pair = Pair(TLSSessionTests.server(version, one.identity), name: one.name, trust: one.trust)
            pair.settle()
            pair.send("hello")
            pair.settle()
            #expect(pair.client.state == .open && pair.server.received.count == 5)
        }
    }

    @Test(arguments: refused) func isRefused(_ one: Case) throws {
        for version in TLSSessionTests.versions {
            var pair = Pair(TLSSessionTests.server(version, one.identity), name: one.name, trust: one.trust)
            pair.send("secret")
            pair.settle()
            #expect(pair.client.state == .failed(.certificate(try #require(one.fault))))
            #expect(pair.client.certificate != nil && pair.client.facts == nil && pair.client.resumption() == nil)
            // The server is told so, and nothing else.
            #expect(pair.server.reason > SSL_AD_REASON_OFFSET && pair.server.received.isEmpty)
        }
    }

    @Test func datesAreNamed() {
        var late = Pair(Server(.leaf("DNS:dns.test", from: -10, to: -5)))
        late.settle()
        guard case .failed(.certificate(.expired(let notAfter))) = late.client.state else {
            return #expect(Bool(false), "\(late.client.state)")
        }
        #expect(notAfter.count == 20 && notAfter == late.client.certificate?.notAfter)
        var early = Pair(Server(.leaf("DNS:dns.test", from: 5, to: 10)))
        early.settle()
        guard case .failed(.certificate(.notYetValid(let notBefore))) = early.client.state else {
            return #expect(Bool(false), "\(early.client.state)")
        }
        #expect(notBefore == early.client.certificate?.notBefore)
        // One above the server's own may be the culprit.
        let old = Identity.authority("Old Intermediate", by: .root, to: -2)
        var above = Pair(Server(Identity("x", names: "DNS:dns.test", by: old, chain: [old])))
        above.settle()
        guard case .failed(.certificate(.expired(let then))) = above.client.state else {
            return #expect(Bool(false), "\(above.client.state)")
        }
        #expect(then != above.client.certificate?.notAfter)
    }

    @Test func whatAPeerWritesIsCutAndCleaned() {
        let name = "line\nbreak \u{e9} " + String(repeating: "y", count: 30)
        let many = (0..<40).map { "DNS:host-\($0).example.test" }.joined(separator: ",")
        var pair = Pair(Server(Identity(name, names: many)))
        pair.settle()
        let certificate = pair.client.certificate
        #expect(certificate?.subject == "CN=line\\0Abreak \u{e9} " + String(repeating: "y", count: 30))
        #expect(certificate?.names.utf8.count == PeerCertificate.textMax)
    }

    @Test func failuresInWords() {
        let words: [(TLSFailure, String)] = [
            (.certificate(.selfSigned), "the certificate is self-signed"),
            (
                .certificate(.expired(notAfter: "2020-01-01 00:00:00Z")),
                "the certificate has expired (2020-01-01 00:00:00Z)"
            ),
            (.certificate(.wrongName(names: "DNS:a")), "the certificate is for another name (DNS:a)"),
            (.certificate(.wrongName(names: "")), "the certificate is for no name at all"),
            (.alert(40), "the peer refused: handshake failure (alert 40)"),
            (.alert(70), "the peer refused: protocol version (alert 70)"),
            (.alert(200), "the peer refused: unknown (alert 200)"),
            (.closedInHandshake, "the peer closed the connection in the handshake"),
            (.truncated, "the connection ended without close_notify"), (.notTLS, "the peer does not speak TLS"),
            (.oldVersion, "the peer speaks no TLS later than 1.1"),
        ]
        for (failure, text) in words { #expect(failure.description == text) }
    }
}
