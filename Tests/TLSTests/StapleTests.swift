import COpenSSL
import TLSSupport
import Testing

@testable import TLS

/// What issuers say of certificates, in the handshake.
struct StapleTests {
    static let delegate = Identity(
        "Responder", by: .middle, extensions: [(NID_key_usage, "digitalSignature"), (NID_ext_key_usage, "OCSPSigning")])
    static let must = Identity(
        "must", names: "DNS:dns.test", by: .middle, chain: [.middle], extensions: [(NID_tlsfeature, "status_request")])

    static func state(_ identity: Identity, _ staple: [UInt8]?, _ version: Int32 = TLS1_3_VERSION) -> TLSSession.State {
        var pair = Pair(Server(identity, .init(versions: version...version, staple: staple)))
        pair.settle()
        return pair.client.state
    }

    static let revoked = TLSSession.State.failed(.certificate(.revoked))
    static let none = TLSSession.State.failed(.certificate(.noStaple))

    @Test(arguments: TLSSessionTests.versions) func whoIsSpokenAgainstIsRefused(_ version: Int32) {
        let middle = Identity.middle
        #expect(StapleTests.state(.good, middle.statusOf(.good), version) == .open)
        #expect(StapleTests.state(.good, middle.statusOf(.good, isRevoked: true), version) == StapleTests.revoked)
        #expect(StapleTests.state(.good, nil, version) == .open)
        // However old, and by whatever digest the certificate is named.
        let old = middle.statusOf(.good, isRevoked: true, days: -3)
        #expect(StapleTests.state(.good, old, version) == StapleTests.revoked)
        let sha256 = middle.statusOf(.good, isRevoked: true, digest: EVP_sha256())
        #expect(StapleTests.state(.good, sha256, version) == StapleTests.revoked)
    }

    @Test func whoeverItsIssuerNamedMaySpeak() {
        let said = Identity.middle.statusOf(.good, isRevoked: true, by: StapleTests.delegate)
        // Not known to us by this answer, which leaves out the certificate of who signed it.
        #expect(StapleTests.state(.good, said) == .open)
        let whole = Identity.middle.statusOf(.good, isRevoked: true, by: StapleTests.delegate, names: true)
        #expect(StapleTests.state(.good, whole) == StapleTests.revoked)
    }

    /// It neither refuses nor vouches: of a stranger, of itself, of somebody else, without sense, too old.
    @Test func whatIsNoAnswerIsNone() {
        let (middle, must) = (Identity.middle, StapleTests.must)
        let impostor = Identity.authority("Test Intermediate")
        let answers = { (identity: Identity, isRevoked: Bool) -> [[UInt8]] in
            let whole = middle.statusOf(identity, isRevoked: isRevoked)
            return [
                middle.statusOf(identity, isRevoked: isRevoked, by: impostor, names: true),
                middle.statusOf(identity, isRevoked: isRevoked, by: identity, names: true),
                middle.statusOf(.root, isRevoked: isRevoked), whole.dropLast(), [], [0x30, 0x80],
                Array(whole.prefix(9)),
            ]
        }
        for answer in answers(.good, true) { #expect(StapleTests.state(.good, Array(answer)) == .open) }
        let unfit = answers(must, false) + [middle.statusOf(must, days: -3)]
        for answer in unfit { #expect(StapleTests.state(must, Array(answer)) == StapleTests.none) }
    }

    @Test(arguments: TLSSessionTests.versions) func whoMustHaveAnAnswerAndHasNone(_ version: Int32) {
        #expect(StapleTests.state(StapleTests.must, nil, version) == StapleTests.none)
        #expect(StapleTests.state(StapleTests.must, Identity.middle.statusOf(StapleTests.must), version) == .open)
    }

    /// Every byte of an answer, changed: never a trap, and never a refusal of another kind.
    @Test func everyChangedByte() {
        let whole = Identity.middle.statusOf(.good, isRevoked: true)
        let server = { (staple: [UInt8]) in StapleTests.state(.good, staple) }
        for index in whole.indices {
            var changed = whole
            changed[index] ^= 0x41
            let state = server(changed)
            #expect(state == .open || state == StapleTests.revoked, "\(index)")
        }
    }

    @Test func aTicketNeedsNoAnswer() {
        var first = Pair(Server(StapleTests.must, .init(staple: Identity.middle.statusOf(StapleTests.must))))
        first.settle()
        var second = Pair(Server(like: first.server), resuming: first.client.resumption())
        second.settle()
        #expect(second.client.state == .open && second.client.facts?.isResumed == true)
    }
}
