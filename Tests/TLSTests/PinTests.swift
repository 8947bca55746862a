import Bytes
import COpenSSL
import TLSSupport
import Testing

@testable import TLS

/// Names whose certificates are known, and so are not judged.
struct PinTests {
    private static func state(
        _ identity: Identity, pinned: [(String, [Pin.Fingerprint])], name: String = "dns.test",
        revocation: Revocation? = nil
    ) throws -> TLSSession.State {
        let pins = try pinned.map { pattern, prints in
            if pattern.hasPrefix("*.") {
                return Pin(.below(try #require(DomainName(String(pattern.dropFirst(2))))), Set(prints))
            }
            return Pin(.host(try #require(Host(pattern))), Set(prints))
        }
        let trust = try Identity.root.pem.withUnsafeBytes {
            try Trust(pem: $0, path: "root", pins: pins, revocation: revocation)
        }
        var pair = Pair(Server(identity), name: name, trust: trust)
        pair.settle()
        let isPinned = trust.pins.of(try #require(Host(name))) != nil
        if pair.client.state == .open { #expect(pair.client.facts?.isPinned == isPinned) }
        return pair.client.state
    }

    /// What would else be refused, for every reason there is.
    static let refused = [
        Identity("self", names: "DNS:dns.test"), Identity("nobody"), Identity.leaf("DNS:other.test"),
        Identity.leaf("DNS:dns.test", from: -9, to: -2), Identity.leaf("DNS:dns.test", digest: .sha1),
        Identity.leaf("DNS:dns.test", key: .rsa(1024)), Identity("orphan", names: "DNS:dns.test", by: .middle),
    ]

    @Test(arguments: refused.indices) func aPinIsAnException(_ index: Int) throws {
        let identity = PinTests.refused[index]
        let own = Pin.Fingerprint.ofCertificate(identity.certificate)
        let key = try #require(Pin.Fingerprint.ofKey(identity.certificate))
        #expect(try PinTests.state(identity, pinned: [("dns.test", [own])]) == .open)
        #expect(try PinTests.state(identity, pinned: [("dns.test", [key])]) == .open)
        let other = try PinTests.state(identity, pinned: [("other.test", [own])])
        #expect(other != .open && other != .failed(.certificate(.notPinned)))
    }

    @Test func aPinIsAnObligation() throws {
        let other = Pin.Fingerprint.ofCertificate(Identity.root.certificate)
        // Also of who would else be trusted, and though what is pinned stands above it in the chain.
        let above = Pin.Fingerprint.ofCertificate(Identity.middle.certificate)
        let state = try PinTests.state(.good, pinned: [("dns.test", [other, above])])
        #expect(state == .failed(.certificate(.notPinned)))
        #expect(
            "\(TLSFailure.certificate(.notPinned))"
                == "the certificate is none of those that tls.pins has for this name")
    }

    @Test func theCertificateThatWasRefusedIsTold() throws {
        let pin = Pin(.host(try #require(Host("dns.test"))), [.ofCertificate(Identity.root.certificate)])
        let trust = try Identity.root.pem.withUnsafeBytes { try Trust(pem: $0, path: "root", pins: [pin]) }
        var pair = Pair(Server(.good), trust: trust)
        pair.settle()
        #expect(pair.client.certificate?.subject == "CN=common.test")
        // Of the connection nothing can be resumed.
        #expect(pair.client.resumption() == nil)
        #expect(pair.server.reason == SSL_AD_REASON_OFFSET + SSL_AD_BAD_CERTIFICATE)
    }

    @Test func whichPinIsMeant() throws {
        let good = Pin.Fingerprint.ofCertificate(Identity.good.certificate)
        let bad = Pin.Fingerprint.ofCertificate(Identity.root.certificate)
        let pinned = [("*.test", [bad]), ("*.wild.test", [good]), ("b.wild.test", [bad]), ("192.0.2.9", [good])]
        let notPinned = TLSSession.State.failed(.certificate(.notPinned))
        #expect(try PinTests.state(.good, pinned: pinned, name: "dns.test") == notPinned)
        #expect(try PinTests.state(.good, pinned: pinned, name: "wild.test") == notPinned)
        #expect(try PinTests.state(.good, pinned: pinned, name: "x.y.wild.test") == .open)
        #expect(try PinTests.state(.good, pinned: pinned, name: "b.wild.test") == notPinned)
        #expect(try PinTests.state(.good, pinned: pinned, name: "192.0.2.9") == .open)
        #expect(try PinTests.state(.good, pinned: pinned, name: "192.0.2.1") == .open)
        // A suffix is what is below it.
        #expect(try PinTests.state(.good, pinned: [("*.dns.test", [bad])]) == .open)
    }

    @Test func fingerprintsAsTheyAreWritten() throws {
        let text = PeerCertificate(Identity.good.certificate).fingerprint
        let own = Pin.Fingerprint.ofCertificate(Identity.good.certificate)
        let digits = Array(text.uppercased())
        let colons = stride(from: 0, to: 64, by: 2).map { String(digits[$0..<$0 + 2]) }.joined(separator: ":")
        #expect(Pin.Fingerprint(text) == own && Pin.Fingerprint(colons) == own)
        for wrong in ["", ":", String(text.dropLast()), text + "0", "g" + text.dropFirst(), colons + ":", ":" + colons]
        {
            #expect(Pin.Fingerprint(wrong) == nil, "\(wrong)")
        }
        #expect(Pin.Fingerprint(text.prefix(32) + ":" + text.suffix(32)) == nil)
    }
}
