import COpenSSL
import Glibc
import TLSSupport
import Testing

@testable import TLS

/// How the files of an authority are made, read and put aside.
struct AuthorityFilesTests {
    // MARK: - Making

    @Test func aNewOne() throws {
        let folder = AuthorityFolder()
        let (certificate, key) = ("\(folder.path)/a/b/ca.pem", "\(folder.path)/c/ca.key")
        let now = unixNow()
        #expect(try !Authority.isThere(certificate: certificate, key: key))
        try Authority.make(certificate: certificate, key: key, now: now)
        #expect(try Authority.isThere(certificate: certificate, key: key))
        #expect(folder.mode(certificate) == 0o644 && folder.mode(key) == 0o600)
        for made in ["a", "a/b", "c"] { #expect(folder.mode("\(folder.path)/\(made)") == 0o700) }
        let authority = try Authority(certificate: certificate, key: key)
        #expect(authority.chainPEM == folder.text(certificate) && authority.anchorPEM == authority.chainPEM)
        #expect(authority.facts == authority.anchor && authority.facts.issuer == authority.facts.subject)
        let parts = authority.facts.subject.split(separator: " ")
        #expect(parts.count == 4 && parts.last?.hasSuffix(",O=Weir") == true && parts.last?.count == 15)
        #expect(ERR_peek_error() == 0)
    }

    @Test func nothingIsWrittenOver() throws {
        let folder = AuthorityFolder()
        try folder.make()
        let before = [folder.text(folder.certificate), folder.text(folder.key)]
        #expect(throws: AuthorityFault(path: folder.certificate, reason: "is there already, and is not written over")) {
            try folder.make()
        }
        #expect([folder.text(folder.certificate), folder.text(folder.key)] == before)
        // A link that leads nowhere is something too, and is not followed.
        #expect(unlink(folder.key) == 0 && unlink(folder.certificate) == 0)
        for path in [folder.key, folder.certificate] {
            #expect(symlink("\(folder.path)/elsewhere", path) == 0)
            #expect(throws: AuthorityFault.self) { try folder.make() }
            #expect(unlink(path) == 0 && folder.names.isEmpty)
        }
    }

    /// What cannot be done whole is not there at all.
    @Test func nothingIsLeftHalfDone() throws {
        let folder = AuthorityFolder()
        folder.put([], "\(folder.path)/file")
        let tooLong = "\(folder.path)/" + String(repeating: "n", count: 256)
        let cases: [(certificate: String, key: String, said: String)] = [
            (tooLong, folder.key, "cannot make it: File name too long"),
            (folder.certificate, tooLong, "cannot make it: File name too long"),
            ("\(folder.path)/file/ca.pem", folder.key, "cannot make it: Not a directory"),
            (folder.key, folder.key, "expected a file for the certificate and another for the key"),
        ]
        for (certificate, key, said) in cases {
            do {
                try Authority.make(certificate: certificate, key: key, now: unixNow())
                #expect(Bool(false), "\(said)")
            } catch { #expect(error.reason == said) }
            #expect(folder.names == ["file"])
        }
        #expect(ERR_peek_error() == 0)
    }

    // MARK: - Reading

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var said: String
        var spoil: @Sendable (AuthorityFolder) -> Void
    }

    static func given(_ description: String, _ said: String, _ identity: Identity, above: [Identity] = []) -> Case {
        Case(testDescription: description, said: said) { folder in
            folder.put(identity.pem + above.flatMap(\.pem), folder.certificate, mode: 0o644)
            folder.put(identity.keyPEM, folder.key)
        }
    }

    static func authority(_ extensions: [(Int32, String)], key: Identity.Key = .ec) -> Identity {
        Identity("Odd", key: key, extensions: extensions)
    }

    static let constraints = (NID_basic_constraints, "critical,CA:TRUE")

    static let faults: [Case] = [
        Case(
            testDescription: "neither",
            said: "ca.pem: neither it nor its key ca.key is there: `weir ca make` makes them"
        ) {
            unlink($0.certificate); unlink($0.key)
        },
        Case(
            testDescription: "no key",
            said: "ca.key: not there, though ca.pem is: put it back, or make both anew with `weir ca rotate`"
        ) { unlink($0.key) },
        Case(
            testDescription: "no certificate",
            said: "ca.pem: not there, though ca.key is: put it back, or make both anew with `weir ca rotate`"
        ) { unlink($0.certificate) },
        Case(testDescription: "a link to nothing", said: "ca.pem: cannot open it: No such file or directory") {
            unlink($0.certificate)
            symlink("nowhere", $0.certificate)
        },
        Case(testDescription: "a directory", said: "ca.pem: not a plain file") {
            unlink($0.certificate)
            mkdir($0.certificate, 0o700)
        },
        Case(testDescription: "a pipe", said: "ca.key: not a plain file") {
            unlink($0.key)
            mkfifo($0.key, 0o600)
        },
        Case(testDescription: "far too long", said: "ca.pem: has 1048577 bytes: expected 1048576 at most") {
            truncate($0.certificate, 1_048_577)
        },
        Case(
            testDescription: "an empty certificate",
            said: "ca.pem: no certificate in it: expected one in PEM, then those above it"
        ) { truncate($0.certificate, 0) },
        Case(
            testDescription: "a key for a certificate",
            said: "ca.pem: no certificate in it: expected one in PEM, then those above it"
        ) { $0.put(AuthorityTests.root.keyPEM, $0.certificate) },
        Case(
            testDescription: "an empty key", said: "ca.key: no private key in it that can be read: expected one in PEM"
        ) {
            truncate($0.key, 0)
        },
        Case(
            testDescription: "a certificate for a key",
            said: "ca.key: no private key in it that can be read: expected one in PEM"
        ) {
            $0.put(AuthorityTests.root.pem, $0.key)
        },
        Case(
            testDescription: "a damaged key", said: "ca.key: no private key in it that can be read: expected one in PEM"
        ) { truncate($0.key, 120) },
        Case(testDescription: "another's key", said: "ca.key: not the key of the first certificate in ca.pem") {
            $0.put(AuthorityTests.root.keyPEM, $0.key)
        },
        Case(
            testDescription: "read by the group",
            said: "ca.key: others may read it or write it (mode 0640): chmod 600 ca.key"
        ) { chmod($0.key, 0o640) },
        Case(
            testDescription: "written by others",
            said: "ca.key: others may read it or write it (mode 0602): chmod 600 ca.key"
        ) { chmod($0.key, 0o602) },
        Case(
            testDescription: "encrypted",
            said: "ca.key: the key is encrypted: expected one without a password, in a file of mode 0600"
        ) { $0.put(encrypted { PEM_write_bio_PKCS8PrivateKey($0, $1, EVP_aes_128_cbc(), "pw", 2, nil, nil) }, $0.key) },
        Case(
            testDescription: "encrypted as of old",
            said: "ca.key: the key is encrypted: expected one without a password, in a file of mode 0600"
        ) {
            $0.put(
                encrypted { PEM_write_bio_PrivateKey_traditional($0, $1, EVP_aes_128_cbc(), "pw", 2, nil, nil) }, $0.key
            )
        },
        given("expired", "ca.pem: CN=Old has expired (", .strictAuthority("Old", from: -9, to: -2)),
        given("not yet valid", "ca.pem: CN=New is not valid yet (", .strictAuthority("New", from: 2, to: 9)),
        given(
            "no extension",
            "ca.pem: the first certificate is not one of an authority: expected basicConstraints with CA:TRUE",
            authority([])),
        given(
            "not an authority",
            "ca.pem: the first certificate is not one of an authority: expected basicConstraints with CA:TRUE",
            authority([(NID_basic_constraints, "critical,CA:FALSE"), (NID_key_usage, "critical,keyCertSign")])),
        given(
            "may not sign", "ca.pem: the first certificate may not sign others: expected keyUsage with keyCertSign",
            authority([constraints, (NID_key_usage, "critical,digitalSignature,cRLSign")])),
        given(
            "not for servers",
            "ca.pem: the first certificate may not issue for servers: expected extendedKeyUsage with serverAuth",
            authority([constraints, (NID_ext_key_usage, "clientAuth")])),
        given(
            "short key",
            "ca.pem: the first certificate's key is of no use: expected RSA of 2048 bits or more, or EC",
            authority([constraints], key: .rsa(1024))),
        given(
            "the wrong way round",
            "ca.pem: certificate 2 (CN=Strict Root) did not issue the one before it (CN=Strict Low): expected the issuing "
                + "one first, then each one's issuer",
            AuthorityTests.low, above: [AuthorityTests.root, AuthorityTests.middle]),
        given(
            "one of the same name",
            "ca.pem: certificate 2 (CN=Strict Root) did not issue the one before it (CN=Strict Middle): expected the "
                + "issuing one first, then each one's issuer",
            AuthorityTests.middle, above: [.authority("Strict Root")]),
        given(
            "too many below", "ca.pem: certificate 2 (CN=Narrow) allows 0 below it that issue, found 1",
            .strictAuthority("Below", by: narrow), above: [narrow]),
        given(
            "expired above", "ca.pem: CN=Old Root has expired (",
            Identity.strictAuthority("Low", by: oldRoot), above: [oldRoot]),
        Case(testDescription: "damaged above", said: "ca.pem: certificate 2 cannot be read: ") {
            $0.put(AuthorityTests.root.pem + Array(TrustTests.damaged.utf8), $0.certificate)
            $0.put(AuthorityTests.root.keyPEM, $0.key)
        },
    ]

    static let narrow = Identity.strictAuthority("Narrow", path: ",pathlen:0")
    static let oldRoot = Identity.strictAuthority("Old Root", from: -9, to: -2)

    static func encrypted(_ write: (OpaquePointer?, OpaquePointer) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        #expect(write(bio, AuthorityTests.root.key) == 1)
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(bio))
        BIO_read(bio, &bytes, Int32(bytes.count))
        return bytes
    }

    @Test(arguments: faults) func faultsSayWhatIsWrong(_ one: Case) throws {
        let folder = AuthorityFolder()
        try folder.make()
        one.spoil(folder)
        let said = folder.fault() ?? "good"
        // Dates and OpenSSL's own words follow where the text ends open.
        let isOpen = one.said.hasSuffix("(") || one.said.hasSuffix(" ")
        #expect(isOpen ? said.hasPrefix(one.said) : said == one.said, "\(said)")
        #expect(ERR_peek_error() == 0)
    }

    // MARK: - Another in its place

    @Test func rotation() throws {
        let folder = AuthorityFolder()
        try folder.make()
        let before = [folder.text(folder.certificate), folder.text(folder.key)]
        // 2026-11-22 12:42:56 UTC.
        let now: Int64 = 1_795_351_376
        let old = try Authority.rotate(certificate: folder.certificate, key: folder.key, now: now)
        let suffix = ".20261122124256"
        #expect(old == [folder.key + suffix, folder.certificate + suffix])
        #expect([folder.text(folder.certificate + suffix), folder.text(folder.key + suffix)] == before)
        #expect(folder.mode(folder.key + suffix) == 0o600 && folder.mode(folder.key) == 0o600)
        #expect(folder.names.count == 4 && folder.text(folder.key) != before[1])
        // Twice in a second would lose the first.
        #expect(throws: AuthorityFault.self) {
            try Authority.rotate(certificate: folder.certificate, key: folder.key, now: now)
        }
        #expect(folder.names.count == 4)
    }

    @Test func rotationPutsHalfAPairRight() throws {
        for isKey in [true, false] {
            let folder = AuthorityFolder()
            try folder.make()
            #expect(unlink(isKey ? folder.certificate : folder.key) == 0)
            let old = try Authority.rotate(certificate: folder.certificate, key: folder.key, now: unixNow())
            #expect(old.count == 1 && folder.fault() == nil && folder.names.count == 3)
        }
        let empty = AuthorityFolder()
        #expect(throws: AuthorityFault.self) {
            try Authority.rotate(certificate: empty.certificate, key: empty.key, now: unixNow())
        }
    }

    /// Where no new one can be made, the old one stays.
    @Test func rotationThatFailsChangesNothing() throws {
        let folder = AuthorityFolder(AuthorityTests.root)
        let both = AuthorityTests.root.pem + AuthorityTests.root.keyPEM
        folder.put(both, folder.key)
        #expect(unlink(folder.certificate) == 0)
        #expect(throws: AuthorityFault.self) {
            try Authority.rotate(certificate: folder.key, key: folder.key, now: unixNow())
        }
        #expect(folder.names == ["ca.key"] && folder.text(folder.key) == String(decoding: both, as: UTF8.self))
    }
}
