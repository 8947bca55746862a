import Bytes
import TLS
import Testing

@testable import Gateway

/// First bytes and what is spoken, each tried at every cut.
struct DetectorTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var bytes: [UInt8]
        var expected: Detected
        var speaker = Speaker.client

        init(_ text: String, _ expected: Detected, _ speaker: Speaker = .client) {
            self.init(Array(text.utf8), expected, speaker)
        }

        init(_ bytes: [UInt8], _ expected: Detected, _ speaker: Speaker = .client) {
            self.bytes = bytes
            self.expected = expected
            self.speaker = speaker
        }

        var testDescription: String { String(decoding: bytes.prefix(60), as: UTF8.self).debugDescription }
    }

    static func detect(
        _ bytes: some Collection<UInt8>, _ speaker: Speaker = .client, ended: Bool = false, limit: Int = 16 * 1024
    ) -> Detected {
        Array(bytes).withUnsafeBytes {
            switch speaker {
            case .client: Detector.client($0, ended: ended, limit: limit)
            case .server: Detector.server($0, ended: ended, limit: limit)
            }
        }
    }

    static func application(_ texts: [String], _ application: Application, _ speaker: Speaker = .client) -> [Case] {
        texts.map { Case($0, .application(application), speaker) }
    }

    static let requests: [Case] = [
        "GET / HTTP/1.1\r\n", "POST /x HTTP/1.0\r\n", "GET http://a.test/ HTTP/1.1\r\n",
        "CONNECT a.test:443 HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n", "PROPFIND /x HTTP/1.1\r\n",
        "VERSION-CONTROL /x HTTP/1.1\r\n", "QQQ /\r\n", "\r\nGET / HTTP/1.1\r\n", "\r\n\n\r\nGET / HTTP/1.1\r\n",
        // What only some servers accept.
        "GET /\r\n", "GET x\r\n", "GET x HTTP/1.1\r\n", "get / HTTP/1.1\r\n", "Get x HTTP/1.1\n",
        "GET\t/\tHTTP/1.1\r\n", "GET  /  HTTP/1.1\r\n", " GET / HTTP/1.1\r\n", "\tGET / HTTP/1.1\r\n",
        "GET a b c HTTP/1.1\r\n", "GET\r/\rHTTP/1.1\r\n", "p!#$%&'*+-.^_`|~ost x http/1.1\r\n",
        // Lines of other protocols that a server of HTTP would take.
        "EHLO a.test HTTP/1.1\r\n", "USER x HTTP/1.0\r\n", "a1 LOGIN x HTTP/1.1\r\n", "SSH-2.0-x / HTTP/1.1\r\n",
        "PING / HTTP/1.1\r\n", "PRI * HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "*3 / HTTP/1.1\r\n",
        "PRI / HTTP/2.0\r\n",
    ].map { Case($0, .http1) }

    static let texts =
        application(["SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", "SSH-2.0-Go\r\n", "SSH-1.99-old\n"], .ssh)
        + application(["*1\r\n$4\r\nPING\r\n", "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n", "PING\r\n", "ping\n"], .redis)
        + application(["EHLO client.test\r\n", "HELO x\r\n", "ehlo [10.0.0.1]\r\n", "LHLO x\r\n"], .smtp)
        + application(["USER anonymous\r\n", "AUTH TLS\r\n", "FEAT\r\n", "SYST\r\n"], .ftp)
        + application(["CAPA\r\n", "APOP x 0123\r\n", "STLS\r\n"], .pop3)
        + application(
            ["a001 CAPABILITY\r\n", "A1 LOGIN x y\r\n", "1 AUTHENTICATE PLAIN\r\n", "t1 STARTTLS\r\n"], .imap)
        + [
            "OPTIONS rtsp://a.test/ RTSP/1.0\r\n", "INVITE sip:a@b SIP/2.0\r\n", "SET k v\r\n", "NICK x\r\n",
            "get key\r\n", "GET\r\n", "hello\n", "{\"a\":1}", "/path\r\n", "*x\r\n", "*\r\nabc", "SSH-3.0-x\r\n",
            "USER a 0 * :b\r\n", "EHLO\r\n", "PING x\r\n", "a b\0cdefghijklmno", "<xml/>",
            "CONNECT\naccept-version:1.2\n\n\0",
        ].map { Case($0, .unknown) }

    static let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    static let binaries: [Case] = [
        Case(preface, .application(.http2)), Case("AMQP\0\0\u{9}\u{1}", .application(.amqp)),
        Case("AMQP\u{3}\u{1}\0\0", .application(.amqp)), Case("AMQP\u{4}", .unknown),
        Case([0x10, 0x12, 0, 4] + Array("MQTT".utf8) + [4, 2], .application(.mqtt)),
        Case([0x10, 0x92, 0x01, 0, 6] + Array("MQIsdp".utf8) + [3, 2], .application(.mqtt)),
        Case([0x10, 0xff, 0xff, 0xff, 0xff], .unknown),
        // PostgreSQL: startup, SSLRequest, GSSENCRequest, CancelRequest, and near misses.
        Case([0, 0, 0, 0x29, 0, 3, 0, 0] + Array("user\0".utf8), .application(.postgresql)),
        Case([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], .application(.postgresql)),
        Case([0, 0, 0, 8, 4, 0xd2, 0x16, 0x30], .application(.postgresql)),
        Case([0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e, 0, 0, 0, 1, 0, 0, 0, 2], .application(.postgresql)),
        Case([0, 0, 0, 9, 4, 0xd2, 0x16, 0x2f], .unknown), Case([0, 0, 0, 7, 0, 3, 0, 0], .unknown),
        // Kafka: ApiVersions v3 of a named client, and Metadata v0, which begins as PostgreSQL does.
        Case([0, 0, 0, 0x20, 0, 18, 0, 3, 0, 0, 0, 1, 0, 7] + Array("rdkafka".utf8), .application(.kafka)),
        Case([0, 0, 0, 0x20, 0, 3, 0, 0, 0, 0, 0, 1, 0, 3] + Array("abc".utf8), .application(.kafka)),
        Case([0, 0, 0, 0x0e, 0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0], .application(.kafka)),
        Case([0, 0, 0, 0x20, 0, 18, 0, 3, 0, 0, 0, 1, 0, 3, 1, 2, 3], .unknown),
        // DNS: a query with EDNS, one without; a response; two questions; a name that is cut by its length.
        Case(
            [0, 28, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0x61, 0, 0, 1, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0],
            .application(.dns)),
        Case([0, 19, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1], .application(.dns)),
        Case([0, 19, 7, 7, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1], .unknown),
        Case([0, 19, 7, 7, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1], .unknown),
        Case([0, 18, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0x61, 0, 0, 1, 0, 1], .unknown),
        Case([0, 20, 7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1, 0, 0], .unknown),
        Case(
            [0x3f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0, 0, 0, 0], .application(.mongodb)),
        Case([0x3f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xd4, 7, 0, 0], .application(.mongodb)),
        Case([0x3f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xde, 7, 0, 0], .unknown),
        Case([0x3f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0xdd, 7, 0, 0], .unknown),
        Case([4, 0, 0, 0, 5, 0, 0, 0, 0], .application(.cassandra)),
        Case([4, 0, 0, 1, 1, 0, 0, 0, 22, 0, 1, 0, 11] + Array("CQL_VERSION".utf8), .application(.cassandra)),
        Case([4, 0, 0, 0, 5, 0, 0, 0, 1], .unknown), Case([4, 0, 0, 0, 7, 0, 0, 0, 0], .unknown),
        Case([0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0], .application(.ldap)),
        Case([0x30, 0x84, 0, 0, 0, 0x0c, 2, 1, 1, 0x77, 7], .application(.ldap)),
        Case([0x30, 0x0c, 4, 9, 1, 0x60], .unknown),
        // Protocols without a name here, some of which begin much like one that has: SMB, RDP, SQL Server, Oracle,
        // RTMP, BitTorrent, X11, Java RMI.
        Case([0, 0, 0, 0x45, 0xff] + Array("SMBr".utf8), .unknown),
        Case([0, 0, 0, 0x45, 0xfe] + Array("SMB@".utf8), .unknown),
        Case([3, 0, 0, 0x13, 0x0e, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0], .unknown),
        Case([0x12, 1, 0, 0x2f, 0, 0, 1, 0, 0, 0, 0x1a, 0], .unknown),
        Case([0, 0x3a, 0, 0, 1, 0, 0, 0, 1, 0x3a, 1, 0x2c, 0, 0, 0x20, 0], .unknown),
        Case([3] + Array(repeating: 0, count: 20), .unknown),
        Case([19] + Array("BitTorrent protocol".utf8), .unknown),
        Case([0x6c, 0, 0x0b, 0, 0, 0, 0x12, 0, 0x10, 0, 0, 0], .unknown),
        Case([0x4a, 0x52, 0x4d, 0x49, 0, 2, 0x4b], .unknown),
        Case([0xff, 1, 2, 3], .unknown), Case([0, 0, 0, 0, 0], .unknown), Case([0x16, 2, 0, 9], .unknown),
        Case([0x16, 3, 1, 0, 0], .malformedTLS), Case([0x16, 3, 1, 0, 4, 2], .malformedTLS),
    ]

    /// First flights of redis-cli, psql, ssh, dig and kdig, as they came from the wire.
    static let captured: [Case] = [
        Case("*2\r\n$3\r\nget\r\n$1\r\nk\r\n", .application(.redis)),
        Case([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], .application(.postgresql)),
        Case(
            [0, 0, 0, 0x32, 0, 3, 0, 0] + Array("user\0u\0database\0db\0application_name\0psql\0\0".utf8),
            .application(.postgresql)),
        Case("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n", .application(.ssh)),
        Case(
            [0, 0x38, 0x4c, 0xf7, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 1, 3] + Array("www\u{7}example\u{3}com".utf8)
                + [0, 0, 1, 0, 1, 0, 0, 0x29, 4, 0xd0, 0, 0, 0, 0, 0, 0x0c, 0, 0x0a, 0, 8, 0xe0, 0xfd, 0x1a, 0xde]
                + [0xd9, 0x9c, 0x4b, 0], .application(.dns)),
        Case(
            [0, 0x21, 0x7c, 0x82, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0, 3] + Array("www\u{7}example\u{3}com".utf8)
                + [0, 0, 1, 0, 1], .application(.dns)),
    ]

    static let greetings =
        application(["SSH-2.0-OpenSSH_9.2p1\r\n"], .ssh, .server)
        + application(
            [
                "220 mail.test ESMTP Postfix\r\n", "220-mx.test ESMTP Exim 4.96\r\n", "220 mail.example.com ready\r\n",
                "554 no service\r\n", "220 ftp.test esmtp\r\n",
            ], .smtp, .server)
        + application(
            [
                "220 (vsFTPd 3.0.3)\r\n", "220---------- Welcome to Pure-FTPd ----------\r\n", "220 Welcome\r\n",
                "220 files.test FTP server ready\r\n", "220 \r\n",
            ], .ftp, .server)
        + application(["+OK ready <1.2@x>\r\n", "+OK\r\n"], .pop3, .server)
        + application(["* OK [CAPABILITY IMAP4rev1] ready\r\n", "* PREAUTH x\r\n", "* BYE x\r\n"], .imap, .server)
        + [
            Case([0x4a, 0, 0, 0, 0x0a] + Array("8.0.36\0".utf8) + [1, 0, 0, 0], .application(.mysql), .server),
            Case([0x5b, 0, 0, 0, 0x0a] + Array("5.5.5-10.11.6-MariaDB\0".utf8), .application(.mysql), .server),
            Case([0x45, 0, 0, 0, 0xff, 0x6a, 4] + Array("Host is not allowed".utf8), .application(.mysql), .server),
            Case([0x4a, 0, 0, 1, 0x0a], .unknown, .server), Case([0x4a, 0, 0, 0, 0x0b], .unknown, .server),
            Case([0x4a, 0, 0, 0, 0x0a, 0], .unknown, .server), Case([0x4a, 0, 0, 0, 0xff, 1, 0], .unknown, .server),
            Case("RFB 003.008\n", .unknown, .server), Case("221 bye\r\n", .unknown, .server),
            Case("2200 x\r\n", .unknown, .server), Case("220\r\n", .unknown, .server), Case("+OKAY", .unknown, .server),
        ]

    static let cases = requests + texts + binaries + captured + greetings

    /// The verdict, and the property that everything rests on: needMore, then one verdict, whatever follows.
    @Test(arguments: cases) func verdictsAtEveryCut(_ c: Case) {
        #expect(DetectorTests.detect(c.bytes, c.speaker) == c.expected)
        var final: Detected?
        for count in 0...c.bytes.count {
            let detected = DetectorTests.detect(c.bytes.prefix(count), c.speaker)
            if let final { #expect(detected == final) } else if detected != .needMore { final = detected }
        }
        for tail in ["\r\n\r\n", " / HTTP/1.1\r\n", "\0\u{1}\u{16}", String(repeating: "x", count: 20_000)] {
            #expect(DetectorTests.detect(c.bytes + Array(tail.utf8), c.speaker) == c.expected)
        }
    }

    @Test(arguments: cases) func theEndSettlesEverything(_ c: Case) {
        for count in 0...c.bytes.count {
            #expect(DetectorTests.detect(c.bytes.prefix(count), c.speaker, ended: true) != .needMore)
        }
        #expect(DetectorTests.detect(c.bytes, c.speaker, ended: true) == c.expected)
    }

    /// At the limit the verdict is final, for every limit.
    @Test(arguments: cases) func theLimitSettlesEverything(_ c: Case) {
        for limit in 1...max(c.bytes.count, 1) {
            let settled = DetectorTests.detect(c.bytes.prefix(limit), c.speaker, limit: limit)
            #expect(settled != .needMore)
            #expect(DetectorTests.detect(c.bytes + [1, 2, 3], c.speaker, limit: limit) == settled)
        }
    }

    /// A line without end is HTTP's to refuse, not an unknown protocol's to pass.
    @Test func whatCouldStillBeHTTPAtTheLimitIsHTTP() {
        for text in ["get x", "\r\n", "EHLO ", "SSH-2.0-x "] {
            let bytes = Array(text.utf8) + Array(repeating: UInt8(ascii: " "), count: 1000)
            #expect(DetectorTests.detect(bytes, limit: 1000) == .http1)
        }
        #expect(DetectorTests.detect(Array("PRI * HT".utf8), limit: 8) == .http1)
        #expect(DetectorTests.detect([22, 3, 1, 1, 0, 1, 0, 0], limit: 8) == .malformedTLS)
    }

    @Test func halfARequestMayBecomeReadable() {
        func may(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { Detector.mayBecomeReadable($0) } }
        for text in ["G", "GET", "GET x", "\r\n", "ehlo a", "PRI * HTTP/2.0\r\n\r\nS", "\u{16}\u{3}\u{1}"] {
            #expect(may(Array(text.utf8)))
        }
        for bytes: [UInt8] in [
            [], [0, 0, 0, 8], [0x10, 4], [0xff, 1, 2], Array("GET / HTTP/1.1\r\n".utf8), [4, 0, 0],
        ] {
            #expect(!may(bytes))
        }
    }

    @Test func tlsTellsItsName() {
        let name: [UInt8] = [0, 0, 0, 11, 0, 9, 0, 0, 6] + Array("a.test".utf8)
        let body: [UInt8] =
            [3, 3] + Array(repeating: 7, count: 32) + [0, 0, 2, 0x13, 1, 1, 0, 0, UInt8(name.count)] + name
        let bytes = [22, 3, 1, 0, UInt8(body.count + 4), 1, 0, 0, UInt8(body.count)] + body
        for count in 0..<bytes.count { #expect(DetectorTests.detect(bytes.prefix(count)) == .needMore) }
        guard case .serverNameTLS(let hello) = DetectorTests.detect(bytes) else { return #expect(Bool(false)) }
        #expect(hello.serverName == Host("a.test"))
        #expect(DetectorTests.detect(bytes + [0, 1, 2]) == .serverNameTLS(hello))
    }

    /// Random bytes, and the table's with bytes changed: every prefix agrees with the whole.
    @Test func randomBytesNeverChangeTheirVerdict() {
        var state: UInt64 = 42
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<5000 {
            var bytes = DetectorTests.cases[next(DetectorTests.cases.count)].bytes
            for _ in 0...next(3) { bytes[next(bytes.count)] = UInt8(next(256)) }
            for speaker in [Speaker.client, .server] {
                var final: Detected?
                for count in 0...bytes.count {
                    let detected = DetectorTests.detect(bytes.prefix(count), speaker)
                    if let final { #expect(detected == final) } else if detected != .needMore { final = detected }
                }
            }
        }
    }
}
