import Bytes
import COpenSSL
import Testing

@testable import DLP

/// What a finding shows besides the masked match.
@Suite struct EvidenceTests {
    static func profile(_ regexes: [String], context: Int, sealTo: SealKey? = nil) throws -> Profile {
        let sensors = regexes.enumerated().map { Make.sensor("s\($0)", $1) }
        let database = try Database.compile(
            sensors, used: [], limits: Limits(), fingerprintKey: Make.key,
            evidence: EvidenceSpec(context: context, sealTo: sealTo)
        ).get()
        return Profile(
            database, sensors.map { Attachment(sensor: $0.name, action: .alert) }, enforcing: false, hold: 65536)
    }

    static func findings(
        _ profile: Profile, _ body: [UInt8], cuts: [Int] = [], codings: [ContentCoding] = []
    ) -> [Finding] {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(body, cuts: cuts, codings: codings)
        return inspection.findings
    }

    struct Shown: Sendable {
        var text: String
        var expected: String
        init(_ text: String, _ expected: String) { (self.text, self.expected) = (text, expected) }
    }

    @Test(arguments: [
        // Words and punctuation stay.
        Shown(#"{"card_number": "MATCH", "name": "Jean Dupont"}"#, #"{"card_number": "M***H", "name": "Jean Dupont"}"#),
        Shown("Numéro de sécurité : MATCH, né à Besançon", "Numéro de sécurité : M***H, né à Besançon"),
        Shown("creditCardNumber=MATCH&next=Yes", "creditCardNumber=M***H&next=Yes"),
        // Digits do not, wherever they are.
        Shown("order 12345 of 2024-01-31: MATCH x9 utf8", "order ***** of **********: M***H ** ****"),
        Shown("prix ١٢٣ MATCH", "prix *** M***H"),
        // Nor what is no word.
        Shown("k qWzRtYpLkJhG MATCH abcdefghijklmnopqr", "k ************ M***H ******************"),
        Shown("Zm9v/YmFy+abc== MATCH", "*************== M***H"),
        // Nor what touches the match.
        Shown("xyMATCH-rest MATCHand", "**M***H***** *****\u{2a}\u{2a}\u{2a}"),
        // Nor what follows a herald.
        Shown("password=hunter MATCH", "password=****** M***H"),
        Shown(#""db_password" : "correct horse", MATCH"#, #""db_password" : "******* *****", M***H"#),
        Shown("Authorization: Bearer abcdef\nHost: there\nMATCH", "Authorization: ****** ****** Host: there M***H"),
        Shown("the tokens: alpha, beta MATCH", "the tokens: *****, beta M***H"),
        Shown("<secret>alpha</secret> MATCH", "<secret>*****</secret> M***H"),
        // Nor the name of an address.
        Shown("to jean.dupont@example.org MATCH", "to jean.******@example.org M***H"),
        // What is no text cannot steer a terminal.
        Shown("a\u{1b}[2Jb\u{202e}c MATCH", "a [***.c M***H"),
    ]) func whatStandsAroundIsMasked(_ c: Shown) throws {
        let profile = try Self.profile(["MATCH"], context: 64)
        #expect(Self.findings(profile, Array(c.text.utf8)).first?.excerpt == c.expected)
    }

    @Test func whatIsCutOffByTheBoundsIsMasked() throws {
        let profile = try Self.profile(["MATCH"], context: 8)
        let shown = Self.findings(profile, Array("abcdefgh ijk MATCH lm nopqrstu".utf8)).map(\.excerpt)
        #expect(shown == ["*** ijk M***H lm ****"])
        let quoted = Self.findings(profile, Array(#"abcdef gh", i MATCH"#.utf8)).map(\.excerpt)
        #expect(quoted == [#" **", i M***H"#])
        #expect(Self.findings(profile, Array("ij MATCH lm".utf8)).map(\.excerpt) == ["ij M***H lm"])
        #expect(Self.findings(try Self.profile(["MATCH"], context: 0), Array("ij MATCH".utf8)).map(\.excerpt) == [""])
    }

    /// A match of one rule is not to be read in the excerpt of another, whether or not anything is told of it.
    @Test func otherMatchesAreMasked() throws {
        let pair = SensorRuleSpec(
            name: "pair",
            patterns: [
                PatternSpec(regex: "heron", contexts: .body), PatternSpec(regex: "never there", contexts: .body),
            ])
        let sensors = [Make.sensor("m", "MATCH"), SensorSpec(name: "p", rules: [pair]), Make.sensor("e", "egret")]
        let database = try Database.compile(
            sensors, used: [], limits: Limits(), fingerprintKey: Make.key, evidence: EvidenceSpec(context: 64)
        ).get()
        let profile = Profile(
            database, sensors.map { Attachment(sensor: $0.name, action: .alert) }, enforcing: false, hold: 65536)
        let body = Array("a heron, egret MATCH egret, the heron of".utf8)
        for cut in 0...body.count {
            #expect(
                Self.findings(profile, body, cuts: [cut]).map(\.excerpt) == [
                    "a *****, e***t ***** *****, the ***** of", "a *****, ***** M***H *****, the ***** of",
                    "a *****, ***** ***** e***t, the ***** of",
                ])
        }
    }

    @Test func theCutDoesNotMatter() throws {
        let profile = try Self.profile(
            ["b[a-z]{2,9}r", "[0-9]{3}-[0-9]{2}", "the b", "(?s)bar.{20,70}baz"], context: 24)
        let words = ["bar", "bazaar", "baz", "123-45", "of", "the boar", "password: x", "naïve", "\n", "Z9x"]
        var dice = Dice(5)
        for _ in 0..<40 {
            let body = Array((0..<dice.below(24)).map { _ in dice.pick(words) }.joined(separator: " ").utf8)
            let expected = Self.findings(profile, body)
            for cut in 0...body.count {
                #expect(Self.findings(profile, body, cuts: [cut]) == expected)
            }
            #expect(Self.findings(profile, body, cuts: Array(0...body.count)) == expected)
            let packed = Pack.gzip(body)
            let decoded = Self.findings(profile, packed, codings: [.gzip])
            #expect(decoded.map(\.excerpt) == expected.map(\.excerpt))
            #expect(Self.findings(profile, packed, cuts: Array(0...packed.count), codings: [.gzip]) == decoded)
        }
    }

    /// No secret, whole or in its middle, is in anything that is told of a body full of secrets.
    @Test func noPlainMatchIsTold() throws {
        let secrets = [
            "4111111111111111", "AKIAZQ3DRSTUVWXY2345", "536-90-4399", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        ]
        let regexes = ["[0-9]{16}", "AKIA[A-Z0-9]{16}", "[0-9]{3}-[0-9]{2}-[0-9]{4}", "ghp_[A-Za-z0-9]{36}"]
        let profile = try Self.profile(regexes, context: 256)
        var dice = Dice(11)
        for _ in 0..<50 {
            let body = (0..<12).map { _ in "\(dice.pick(["x=", "key: ", "and ", "\""]))\(dice.pick(secrets))" }
            for finding in Self.findings(profile, Array(body.joined(separator: " ").utf8)) {
                for secret in secrets {
                    #expect(!finding.excerpt.contains(String(secret.dropFirst(1).prefix(6))))
                    #expect(!finding.excerpt.contains(String(secret.dropLast(1).suffix(5))))
                }
            }
        }
    }

    @Test func findingsOfFilesHaveExcerptsWhateverTheChunk() throws {
        let database = try Database.compile(
            [Make.sensor("words", "b[a-z]+r")], used: Set(Make.classic), limits: Limits(), fingerprintKey: Make.key,
            evidence: EvidenceSpec(context: 64)
        ).get()
        let body = Array(String(repeating: "a bar, 4111111111111111, bor. Of which: ", count: 40).utf8)
        var expected: [Finding] = []
        for chunk in [100_000, 2, 7, 64, 300] {
            var options = FileScan.Options()
            options.chunkBytes = chunk
            let scan = try FileScan(database, options)
            var findings: [Finding] = []
            try File.with(body) { descriptor in
                _ = try scan.scan(descriptor: descriptor, path: ScanPath("x")) { findings.append($0.finding) }
            }
            if expected.isEmpty { expected = findings }
            #expect(findings == expected && findings.count == 120)
        }
    }

    // MARK: Versions

    @Test func aVersionIsThatOfTheRule() throws {
        let (a, b) = (SensorRuleSpec(name: "r", patterns: [PatternSpec(regex: "a", contexts: .body)]), "b")
        var other = a
        other.patterns[0].regex = b
        #expect(RuleVersion.of(a).utf8.count == 8 && RuleVersion.of(a) == RuleVersion.of(a))
        #expect(RuleVersion.of(a) != RuleVersion.of(other))
        var detector = DetectorSpec(name: "d", patterns: ["a"])
        let version = RuleVersion.of(detector)
        detector.allow = ["x"]
        #expect(RuleVersion.of(detector) != version)
    }

    // MARK: Seals

    /// A new key, as OpenSSL writes it.
    static func key() throws -> (private: [UInt8], public: [UInt8]) {
        let context = try #require(EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, nil))
        defer { EVP_PKEY_CTX_free(context) }
        var made: OpaquePointer?
        #expect(EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_keygen(context, &made) == 1)
        let key = try #require(made)
        defer { EVP_PKEY_free(key) }
        func pem(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
            let bio = BIO_new(BIO_s_mem())
            defer { BIO_free(bio) }
            #expect(write(bio) == 1)
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = BIO_read(bio, &bytes, 4096)
            return Array(bytes.prefix(Int(count)))
        }
        return (
            pem { PEM_write_bio_PrivateKey($0, key, nil, nil, 0, nil, nil) }, pem { PEM_write_bio_PUBKEY($0, key) }
        )
    }

    @Test func whoHasTheKeyReadsTheMatch() throws {
        let (key, other) = (try Self.key(), try Self.key())
        let profile = try Self.profile(["b[a-z]*r"], context: 0, sealTo: try SealKey(pem: key.public))
        let findings = Self.findings(profile, Array("bar and bazaar".utf8))
        let sealed = findings.compactMap(\.sealed)
        let (opener, stranger) = (try Unsealer(pem: key.private), try Unsealer(pem: other.private))
        #expect(sealed.map { opener.open($0) } == [Array("bar".utf8), Array("bazaar".utf8)])
        #expect(sealed.allSatisfy { stranger.open($0) == nil })
        // The same match looks another way each time.
        #expect(sealed != Self.findings(profile, Array("bar and bazaar".utf8)).compactMap(\.sealed))
        #expect(Self.findings(try Self.profile(["bar"], context: 0), Array("bar".utf8)).map(\.sealed) == [nil])
    }

    @Test func whatWasTamperedWithDoesNotOpen() throws {
        let key = try Self.key()
        let sealer = try #require(Sealer(to: try SealKey(pem: key.public)))
        let opener = try Unsealer(pem: key.private)
        let line = Array("4111111111111111".utf8).withUnsafeBytes { sealer.seal($0) }
        let sealed = Array(try #require(line).utf8)
        for at in sealed.indices where sealed[at] != UInt8(ascii: "=") {
            var changed = sealed
            changed[at] = sealed[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let opened = opener.open(String(decoding: changed, as: UTF8.self))
            // The last digit of base64 has bits that are not of the text.
            #expect(opened == nil || at >= sealed.count - 3)
        }
        for short in ["", "=", "AAAA", "====", String(repeating: "A", count: 80), "é"] {
            #expect(opener.open(short) == nil)
        }
    }

    @Test func aKeyOfAnotherKindIsRefused() throws {
        #expect(throws: SealKey.Failure.self) { try SealKey(pem: []) }
        #expect(throws: SealKey.Failure.self) { try SealKey(pem: Array("-----BEGIN PUBLIC KEY-----\n".utf8)) }
        let key = try Self.key()
        #expect(throws: SealKey.Failure.self) { try SealKey(pem: key.private) }
        #expect(throws: SealKey.Failure.self) { try Unsealer(pem: key.public) }
    }
}
