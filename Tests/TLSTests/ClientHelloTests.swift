import Bytes
import Testing

@testable import TLS

/// Writes hellos that no client would.
struct Draft {
    var version: [UInt8] = [3, 3]
    var session: [UInt8] = []
    var suites: [UInt8] = [0x0a, 0x0a, 0x13, 0x01]
    var compressions: [UInt8] = [0]
    var extensions: [(type: Int, data: [UInt8])]? = []
    var trailing: [UInt8] = []

    static func vector16(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes }
    static func vector8(_ bytes: [UInt8]) -> [UInt8] { [UInt8(bytes.count)] + bytes }

    /// The message with its header.
    var message: [UInt8] {
        var body = version + [UInt8](repeating: 7, count: 32)
        body += Draft.vector8(session) + Draft.vector16(suites) + Draft.vector8(compressions)
        if let extensions {
            body += Draft.vector16(
                extensions.flatMap { [UInt8($0.type >> 8), UInt8($0.type & 255)] + Draft.vector16($0.data) })
        }
        body += trailing
        return [1, UInt8(body.count >> 16), UInt8(body.count >> 8 & 255), UInt8(body.count & 255)] + body
    }

    /// The message in records of at most `size` bytes.
    static func records(_ message: [UInt8], size: Int = 1 << 14) -> [UInt8] {
        stride(from: 0, to: message.count, by: size).flatMap { start in
            [22, 3, 1] + vector16(Array(message[start..<min(start + size, message.count)]))
        }
    }

    static func named(_ name: String) -> Draft {
        Draft(extensions: [(0, vector16([0] + vector16(Array(name.utf8))))])
    }
}

/// What a step is, for tables.
enum Seen: Equatable {
    case needMore, notTLS
    case malformed(String)
    case hello(ClientHello)

    init(_ bytes: some Collection<UInt8>) {
        self = Array(bytes).withUnsafeBytes { bytes in
            switch ClientHello.read(bytes) {
            case .needMore: .needMore
            case .notTLS: .notTLS
            case .malformed(let reason): .malformed(reason.description)
            case .hello(let hello): .hello(hello)
            }
        }
    }
}

struct ClientHelloTests {
    struct Real: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]
        var name: String?
        var alpn: [String] = []
        var versions: [UInt16]
    }

    static let protocols = (0..<6).map { "proto00\($0)-" + String(repeating: "x", count: 200) }

    static let all: [UInt16] = [0x0304, 0x0303, 0x0302, 0x0301]

    static let real: [Real] = [
        Real(
            testDescription: "openssl", bytes: Hellos.openSSL, name: "www.example.com", alpn: ["h2", "http/1.1"],
            versions: all),
        Real(testDescription: "TLS 1.2", bytes: Hellos.openSSLOf12, name: "old.example.com", versions: [0x0303]),
        Real(testDescription: "TLS 1.0", bytes: Hellos.openSSLOf10, versions: [0x0301]),
        Real(
            testDescription: "several records", bytes: Hellos.fragmented, name: "frag.example.com", alpn: protocols,
            versions: all),
        Real(
            testDescription: "Python", bytes: Hellos.python, name: "api.example.org", alpn: ["http/1.1"],
            versions: [0x0304, 0x0303]),
        Real(
            testDescription: "Python to an address", bytes: Hellos.pythonToAnAddress, versions: [0x0304, 0x0303]),
        Real(
            testDescription: "curl", bytes: Hellos.curl, name: "canarytokens.com", alpn: ["h2", "http/1.1"],
            versions: all),
    ]

    @Test(arguments: real) func readsRealClients(_ c: Real) throws {
        guard case .hello(let hello) = Seen(c.bytes) else { return #expect(Bool(false), "\(Seen(c.bytes))") }
        #expect(hello.serverName == c.name.flatMap { Host($0) })
        #expect(!hello.hasMalformedServerName && !hello.hasECH)
        #expect(hello.alpn == c.alpn && hello.versions == c.versions)
        #expect(hello.highestVersion == c.versions[0])
    }

    @Test(arguments: real) func everyCutWaitsAndThenStays(_ c: Real) {
        for count in 0..<c.bytes.count { #expect(Seen(c.bytes.prefix(count)) == .needMore) }
        let whole = Seen(c.bytes)
        #expect(Seen(c.bytes + [23, 9, 9, 0, 0]) == whole)
        #expect(Seen(c.bytes + [22, 3, 3, 0, 0]) == whole)
    }

    /// The record layer may cut the message anywhere; so may the network cut the records.
    @Test(arguments: [1, 2, 3, 5, 64, 200, 333]) func everyFragmentationReadsTheSame(_ size: Int) {
        let message = Array(Hellos.openSSL.dropFirst(5))
        let whole = Seen(Hellos.openSSL)
        let records = Draft.records(message, size: size)
        for count in 0..<records.count { #expect(Seen(records.prefix(count)) == .needMore) }
        #expect(Seen(records) == whole)
    }

    @Test func aSecondMessageInTheRecordIsLeftAlone() {
        let message = Draft.named("a.test").message
        #expect(Seen(Draft.records(message + [2, 0, 0, 1, 9])) == Seen(Draft.records(message)))
    }

    @Test func greaseIsPassedOverAndECHIsSeen() {
        let draft = Draft(extensions: [
            (0x1a1a, []), (0, Draft.vector16([0] + Draft.vector16(Array("Front.Test".utf8)))),
            (16, Draft.vector16(Draft.vector8([0x2a, 0x2a]) + Draft.vector8(Array("h2".utf8)))),
            (43, Draft.vector8([0x3a, 0x3a, 3, 4, 3, 3])), (0xfe0d, [0, 1, 2]), (0x4a4a, [0]),
        ])
        guard case .hello(let hello) = Seen(Draft.records(draft.message)) else { return #expect(Bool(false)) }
        #expect(hello.serverName == Host("front.test") && hello.alpn == ["h2"])
        #expect(hello.versions == [0x0304, 0x0303] && hello.hasECH)
    }

    @Test func aHelloMayEndBeforeItsExtensions() {
        guard case .hello(let hello) = Seen(Draft.records(Draft(version: [3, 1], extensions: nil).message)) else {
            return #expect(Bool(false))
        }
        #expect(hello.versions == [0x0301] && hello.serverName == nil && !hello.hasMalformedServerName)
    }

    @Test(arguments: [
        ("WWW.Example.COM", "www.example.com"), ("a.test.", "a.test"), ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "[2001:db8::1]"), ("0x7f.1", "127.0.0.1"), ("xn--bcher-kva.test", "xn--bcher-kva.test"),
    ])
    func namesAndAddresses(_ text: String, _ host: String) {
        guard case .hello(let hello) = Seen(Draft.records(Draft.named(text).message)) else {
            return #expect(Bool(false))
        }
        #expect(hello.serverName?.description == host && !hello.hasMalformedServerName)
    }

    @Test(arguments: [
        ".", "a..b", "a b", "a\0.test", "a/b", "b\u{fc}cher.test", "[::1]", "*.test", "1.2.3.4.5", "::1%1",
        String(repeating: "a", count: 64), String(repeating: "a.", count: 127) + "b",
    ])
    func namesThatNoHostCanHaveAreReported(_ text: String) {
        guard case .hello(let hello) = Seen(Draft.records(Draft.named(text).message)) else {
            return #expect(Bool(false))
        }
        #expect(hello.serverName == nil && hello.hasMalformedServerName)
    }
}

struct HostileHelloTests {
    static func sni(_ data: [UInt8]) -> Draft { Draft(extensions: [(0, data)]) }

    static let entry: [UInt8] = [0, 0, 1, 0x61]

    static let drafts: [(Draft, String)] = [
        (Draft(version: [2, 3]), "version"),
        (Draft(session: Array(repeating: 1, count: 33)), "session id"),
        (Draft(suites: []), "cipher suites"),
        (Draft(suites: [0x13]), "cipher suites"),
        (Draft(compressions: []), "compression methods"),
        (Draft(compressions: [1]), "compression methods"),
        (Draft(trailing: [0]), "extensions"),
        (Draft(extensions: nil, trailing: [0]), "extensions"),
        (Draft(extensions: nil, trailing: [0, 5, 0, 0]), "extensions"),
        (Draft(extensions: nil, trailing: [0, 3, 0, 0, 0]), "extension"),
        (Draft(extensions: nil, trailing: [0, 4, 0, 0, 0, 1]), "extension"),
        (Draft(extensions: [(0, Draft.vector16(entry)), (0, Draft.vector16(entry))]), "repeated extension"),
        (sni([]), "server_name"), (sni([0, 0]), "server_name"), (sni([0, 4] + entry + [0]), "server_name"),
        (sni([0, 5] + entry), "server_name"), (sni(Draft.vector16(entry + entry)), "server_name"),
        (sni(Draft.vector16([1, 0, 1, 0x61])), "server_name"), (sni(Draft.vector16([0, 0, 0])), "server_name"),
        (sni(Draft.vector16([0, 0, 2, 0x61])), "server_name"),
        (Draft(extensions: [(16, [])]), "application_layer_protocol_negotiation"),
        (Draft(extensions: [(16, [0, 0])]), "application_layer_protocol_negotiation"),
        (Draft(extensions: [(16, [0, 1, 0])]), "application_layer_protocol_negotiation"),
        (Draft(extensions: [(16, [0, 2, 2, 0x61])]), "application_layer_protocol_negotiation"),
        (Draft(extensions: [(43, [])]), "supported_versions"),
        (Draft(extensions: [(43, [1, 3])]), "supported_versions"),
        (Draft(extensions: [(43, [2, 3, 4, 0])]), "supported_versions"),
    ]

    @Test(arguments: drafts.indices) func lengthsMustAgree(_ index: Int) {
        let (draft, reason) = HostileHelloTests.drafts[index]
        let bytes = Draft.records(draft.message)
        for count in 0..<bytes.count { #expect(Seen(bytes.prefix(count)) == .needMore) }
        #expect(Seen(bytes) == .malformed(reason))
        #expect(Seen(Draft.records(draft.message, size: 3)) == .malformed(reason))
    }

    @Test(arguments: [
        ([23], Seen.notTLS), ([0x80, 0x2e, 2, 3, 1], .notTLS), ([0x80, 0x2e, 1, 2, 1], .notTLS), ([22, 2], .notTLS),
        ([22, 3, 5], .notTLS),
        ([22, 3, 1, 0, 0], .malformed("empty handshake record")), ([22, 3, 1, 0x40, 1], .malformed("record length")),
        ([22, 3, 1, 0, 4, 2], .malformed("first message")),
        ([22, 3, 1, 0, 4, 1, 1, 0, 1], .malformed("ClientHello length")),
        ([22, 3, 1, 0, 1, 1, 21], .malformed("another record within the ClientHello")),
        ([22, 3, 1, 0, 1, 1, 22, 2], .malformed("record version")),
        ([22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 0], .malformed("empty handshake record")),
        ([0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16], .malformed("SSL 2.0 ClientHello")),
        ([0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 17], .notTLS), ([0x80, 0x1c, 1, 3, 1, 0, 4, 0, 0, 0, 15], .notTLS),
        ([0x80], .needMore), ([0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0], .needMore),
        ([], .needMore), ([22], .needMore), ([22, 3], .needMore), ([22, 3, 1, 0], .needMore),
    ])
    func recordLayer(_ bytes: [UInt8], _ expected: Seen) {
        #expect(Seen(bytes) == expected)
        if expected != .needMore { #expect(Seen(bytes + [1, 2, 3, 22]) == expected) }
    }

    /// Every byte of a real hello, changed: a step, never a trap, and the same one for every longer input.
    @Test func everyChangedByteIsAnswered() {
        for index in Hellos.openSSL.indices {
            for flip: UInt8 in [0x01, 0x80, 0xff] {
                var bytes = Hellos.openSSL
                bytes[index] ^= flip
                var final: Seen?
                for count in stride(from: 0, through: bytes.count, by: 3) {
                    let seen = Seen(bytes.prefix(count))
                    if let final { #expect(seen == final) } else if seen != .needMore { final = seen }
                }
            }
        }
    }
}
