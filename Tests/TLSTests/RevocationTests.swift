import COpenSSL
import Glibc
import TLSSupport
import Testing

@testable import TLS

/// Certificates that were taken back.
struct RevocationTests {
    static func lists(_ pem: [[UInt8]]) throws -> Revocation {
        let paths = try pem.map { bytes in
            var path = Array("/tmp/weir-list-XXXXXX".utf8CString)
            let descriptor = mkstemp(&path)
            defer { close(descriptor) }
            try #require(write(descriptor, bytes, bytes.count) == bytes.count)
            return String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        defer { for path in paths { unlink(path) } }
        return try Revocation(paths)
    }

    static func state(_ identity: Identity, _ lists: [[UInt8]]) throws -> TLSSession.State {
        let lists = try RevocationTests.lists(lists)
        let trust = try Identity.root.pem.withUnsafeBytes { try Trust(pem: $0, path: "root", revocation: lists) }
        var pair = Pair(Server(identity), trust: trust)
        pair.settle()
        return pair.client.state
    }

    static let revoked = TLSSession.State.failed(.certificate(.revoked))

    @Test func whoIsOnAListIsRefused() throws {
        let bad = Identity.leaf("DNS:dns.test")
        #expect(try RevocationTests.state(bad, [Identity.middle.revocationList([bad])]) == RevocationTests.revoked)
        #expect(try RevocationTests.state(.good, [Identity.middle.revocationList([bad])]) == .open)
        // In a file among others, and one of many.
        let many = [Identity.otherRoot.revocationList([]) + Identity.middle.revocationList([.good, bad, .root])]
        #expect(try RevocationTests.state(bad, many) == RevocationTests.revoked)
        #expect("\(TLSFailure.certificate(.revoked))" == "the certificate or one above it has been revoked")
    }

    @Test func whatARevokedAuthorityIssuedIsRefused() throws {
        let list = Identity.root.revocationList([.middle])
        #expect(try RevocationTests.state(.good, [list]) == RevocationTests.revoked)
    }

    /// There is no list of most issuers, and of whose there is none nothing is asked.
    @Test func aMissingListRefusesNothing() throws {
        #expect(try RevocationTests.state(.good, [Identity.otherRoot.revocationList([.good])]) == .open)
        #expect(try RevocationTests.state(.good, [Identity.root.revocationList([.good])]) == .open)
    }

    @Test func anOverdueListStillHolds() throws {
        let bad = Identity.leaf("DNS:dns.test")
        let list = Identity.middle.revocationList([bad], next: -3)
        #expect(try RevocationTests.state(bad, [list]) == RevocationTests.revoked)
        #expect(try RevocationTests.state(.good, [list]) == .open)
        let doubts = try RevocationTests.lists([list, Identity.root.revocationList([])]).doubts
        #expect(doubts.count == 1 && doubts[0].contains("the list of CN=Test Intermediate was to be replaced by "))
    }

    /// Who is not the issuer takes nothing back, and its list is not taken for one.
    @Test func aListUnderAFalseName() throws {
        let impostor = Identity.authority("Test Intermediate")
        let state = try RevocationTests.state(.good, [impostor.revocationList([.good])])
        #expect(state == .failed(.certificate(.other("CRL signature failure"))))
    }

    @Test func aPinComesFirst() throws {
        let lists = try RevocationTests.lists([Identity.middle.revocationList([.good])])
        let pin = Pin(.host(try #require(.init("dns.test"))), [.ofCertificate(Identity.good.certificate)])
        let trust = try Identity.root.pem.withUnsafeBytes {
            try Trust(pem: $0, path: "root", pins: [pin], revocation: lists)
        }
        var pair = Pair(Server(.good), trust: trust)
        pair.settle()
        #expect(pair.client.state == .open)
    }

    @Test func faultsSayWhatIsWrong() throws {
        func reason(_ bytes: [UInt8]) -> String? {
            do {
                _ = try RevocationTests.lists([bytes])
                return nil
            } catch {
                return (error as? TrustFault)?.reason
            }
        }
        let list = Identity.middle.revocationList([])
        #expect(reason([]) == "no X509 CRL in it: expected one in PEM")
        #expect(reason(Identity.root.pem) == "no X509 CRL in it: expected one in PEM")
        #expect(reason(list + list.dropLast(30))?.hasPrefix("list 2 cannot be read: ") == true)
        #expect(throws: TrustFault(path: "/nonexistent", reason: "No such file or directory")) {
            try Revocation(["/nonexistent"])
        }
        #expect(throws: TrustFault(path: "/tmp", reason: "Is a directory")) { try Revocation(["/tmp"]) }
        #expect(ERR_peek_error() == 0)
    }
}
