import Bytes
import Config
import Glibc
import HTTP
import Testing

@testable import DNS
@testable import Gateway
@testable import Loop
@testable import OS
@testable import Policy
@testable import Record

extension Bench {
    /// An explicit listener, an origin and a client. The service `unknown` is in Protect and may talk to loopback.
    fileprivate static func forSessions(
        sensors: String = "{}", resolver: String = "127.0.0.1:9", rules: String = "[{to: 127.0.0.0/8, action: allow}]"
    ) throws -> Bench {
        try Bench { door in
            """
            listeners: [{name: explicit, address: "\(door)", intercept: explicit}]
            dns: {resolvers: ["\(resolver)"]}
            sensors:
              - {name: word, rules: [{name: word, patterns: [{regex: 'SECRET-[0-9]{4}', context: [header, body]}]}]}
              - {name: heads, rules: [{name: word, patterns: [{regex: 'SECRET-[0-9]{4}', context: [header]}]}]}
            services:
              - {name: unknown, mode: protect, sensors: \(sensors), rules: \(rules)}
            """
        }
    }
}

private func send(_ text: String, to end: End) -> Bool { end.send(text.utf8) }

@Suite(.serialized) struct SessionTests {
    /// The held bytes that a reset interrupts are given back once, and nothing traps.
    @Test func anOriginThatResetsWhileHeldBytesGoUp() throws {
        let bench = try Bench.forSessions(sensors: "{word: deny}")
        let client = try bench.connect()
        let head = "POST http://127.0.0.1:\(bench.originPort)/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n"
        let piece = String(repeating: "a", count: 60_000) + " SECRET-12"
        #expect(send(head + piece, to: client))
        bench.turns()
        #expect(send("x" + piece, to: client))
        do {
            let origin = try #require(try bench.accepted())
            _ = bench.read(origin, count: 100_000)
            origin.socket.setResetOnClose()
        }
        // Both are ready in one turn: the reset, and more of the body.
        _ = send("x" + piece, to: client)
        #expect(bench.read(client).hasPrefix("HTTP/1.1 502"))
        #expect(bench.worker.heldBytes == 0)
    }

    @Test func aMatchInOneReadOfAStreamedBodyIsRedacted() throws {
        let bench = try Bench.forSessions(sensors: "{word: redact}")
        let client = try bench.connect()
        let filler = String(repeating: "a", count: 70_000)
        let tail = " SECRET-1234 bbbb"
        let head =
            "POST http://127.0.0.1:\(bench.originPort)/ HTTP/1.1\r\nHost: a\r\n"
            + "Content-Length: \(filler.utf8.count + tail.utf8.count)\r\n\r\n"
        #expect(send(head + filler, to: client))
        let origin = try #require(try bench.accepted())
        var seen = bench.read(origin)
        #expect(send(tail, to: client))
        seen += bench.read(origin)
        #expect(seen.hasSuffix("aaa *********** bbbb"))
    }

    @Test func trailersAreReadWithoutASensorForBodies() throws {
        let bench = try Bench.forSessions(sensors: "{heads: deny}")
        let client = try bench.connect()
        let head =
            "POST http://127.0.0.1:\(bench.originPort)/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        #expect(send(head + "1\r\na\r\n0\r\nX-Note: SECRET-1234\r\n\r\n", to: client))
        #expect(bench.read(client).hasPrefix("HTTP/1.1 403"))
    }

    /// The question itself would carry the name outside.
    @Test func aNameThatMayNotBeReachedIsNotAskedFor() throws {
        let resolver = End(try Socket(.datagram, for: Bench.loopback))
        try resolver.socket.bind(Endpoint(Bench.loopback, 0))
        let address = try #require(try resolver.socket.localEndpoint())
        let bench = try Bench.forSessions(resolver: "\(address)", rules: "[{to: \"*.good.example\", action: allow}]")
        let client = try bench.connect()
        #expect(send("GET http://c2VjcmV0.bad.example/ HTTP/1.1\r\nHost: c2VjcmV0.bad.example\r\n\r\n", to: client))
        #expect(bench.read(client).hasPrefix("HTTP/1.1 403"))
        #expect(bench.read(resolver, turns: 1).isEmpty)
        #expect(send("GET http://a.good.example/ HTTP/1.1\r\nHost: a.good.example\r\n\r\n", to: client))
        bench.turns()
        #expect(!bench.read(resolver).isEmpty)
    }

    /// A broadcast address is refused by the kernel at once, so that the lookup is over before it has been waited for.
    @Test func aLookupThatFailsAtOnceIsAnswered() throws {
        let bench = try Bench.forSessions(resolver: "255.255.255.255:53", rules: "[{to: any, action: allow}]")
        let client = try bench.connect()
        #expect(send("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", to: client))
        #expect(bench.read(client).hasPrefix("HTTP/1.1 502"))
    }

    @Test func whoReadsNoAnswersIsAskedForNoMoreRequests() throws {
        let bench = try Bench.forSessions(rules: "[]")
        let client = try bench.connect()
        let requests = String(repeating: "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", count: 100)
        var sent = 0
        var refused = 0
        while refused < 50, sent < 20_000_000 {
            if send(requests, to: client) {
                (sent, refused) = (sent + requests.utf8.count, 0)
            } else {
                refused += 1
            }
            bench.turns(1)
        }
        // What the two sockets' buffers take, and no more.
        #expect(sent < 16_000_000)
    }

    /// Pods have numbers, and those of a request that has begun are its own configuration's.
    @Test func aPodThatAReloadTakesAwayWhileItsRequestComes() throws {
        func configuration(_ door: Endpoint, _ pods: String) -> String {
            """
            listeners: [{name: taken, address: "\(door)", intercept: redirect}]
            services: [{name: unknown, mode: protect}, {name: app, mode: protect}]
            identity: {pods: \(pods)}
            """
        }
        let bench = try Bench(knowsItself: false) { door in
            configuration(
                door,
                "[{addresses: [10.0.0.1], service: app, pod: a-1}, {addresses: [127.0.0.1], service: app, pod: a-2}]")
        }
        let client = try bench.connect()
        #expect(send("GET / HTTP/1.1\r\nHost: a.exa", to: client))
        bench.turns(2)
        try bench.reload(configuration(bench.door, "[]"))
        #expect(send("mple\r\n\r\n", to: client))
        #expect(bench.read(client).hasPrefix("HTTP/1.1 403"))
        #expect(try #require(bench.sessions.first).contains(#""service":"app","pod":"a-2""#))
    }
}
