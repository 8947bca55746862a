import COpenSSL
import Glibc
import TLSSupport
import Testing

@testable import TLS

struct TrustTests {
    static let damaged = """
        -----BEGIN CERTIFICATE-----
        MIIBszCCAVmgAwIBAgIUQ2F0cyBhcmUgbm90IGNlcnRpZmljYXRlcw==
        -----END CERTIFICATE-----

        """

    static func fault(_ text: [UInt8]) -> String? {
        do {
            _ = try text.withUnsafeBytes { try Trust(pem: $0, path: "ca.pem") }
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func bundles() throws {
        let both = Array("# ours\n".utf8) + Identity.root.pem + Array("\n".utf8) + Identity.otherRoot.keyPEM
        let trust = try (both + Identity.otherRoot.pem).withUnsafeBytes { try Trust(pem: $0, path: "ca.pem") }
        #expect(trust.certificateCount == 2 && ERR_peek_error() == 0)
    }

    @Test func faultsSayWhatIsWrong() {
        #expect(TrustTests.fault([]) == "ca.pem: no certificate in it")
        #expect(TrustTests.fault(Array("nothing".utf8)) == "ca.pem: no certificate in it")
        #expect(TrustTests.fault(Identity.root.keyPEM) == "ca.pem: no certificate in it")
        let second = TrustTests.fault(Identity.root.pem + Array(TrustTests.damaged.utf8))
        #expect(second?.hasPrefix("ca.pem: certificate 2 cannot be read: ") == true)
        let cut = TrustTests.fault(Array(Identity.root.pem.dropLast(30)))
        #expect(cut?.hasPrefix("ca.pem: certificate 1 cannot be read: ") == true)
        #expect(ERR_peek_error() == 0)
    }

    @Test func files() throws {
        let (missing, folder) = ("/nonexistent/ca.pem", "/tmp")
        #expect(throws: TrustFault(path: missing, reason: "No such file or directory")) { try Trust(.file(missing)) }
        #expect(throws: TrustFault(path: folder, reason: "Is a directory")) { try Trust(.file(folder)) }
        var path = Array("/tmp/weir-trust-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        defer { unlink(path) }
        let pem = Identity.root.pem
        #expect(write(descriptor, pem, pem.count) == pem.count)
        close(descriptor)
        let trust = try Trust(.file(String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)))
        #expect(trust.certificateCount == 1)
        var pair = Pair(Server(.good), trust: trust)
        pair.settle()
        #expect(pair.client.state == .open)
    }

    /// The distribution's bundle knows many, and not ours.
    @Test(.enabled(if: access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0)) func system() throws {
        let trust = try Trust(.system)
        #expect(trust.certificateCount > 50 && ERR_peek_error() == 0)
        var pair = Pair(Server(.good), trust: trust)
        pair.settle()
        #expect(pair.client.state == .failed(.certificate(.missingIssuer("CN=Test Root"))))
    }
}
