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

/// A worker with an explicit listener, an origin and a client, all on this thread: what happens between two turns of the
/// loop is for the test to say.
private final class Bench {
    let worker: Worker
    let proxy: Endpoint
    let origin: Socket
    let originPort: UInt16
    private let directory: String

    static let loopback = IPAddress(v4: 0x7f00_0001)

    /// The service `unknown` is in Protect and may talk to loopback.
    init(sensors: String = "{}", resolver: String = "127.0.0.1:9", rules: String = "[{to: 127.0.0.0/8, action: allow}]")
        throws
    {
        var template = Array("/tmp/weir-session-XXXXXX\0".utf8).map { CChar(bitPattern: $0) }
        directory = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        proxy = Endpoint(Bench.loopback, try Bench.freePort())
        origin = try Socket.listen(Endpoint(Bench.loopback, 0), .init())
        originPort = try origin.localEndpoint()?.port ?? 0
        let text = """
            listeners: [{name: explicit, address: "\(proxy)", intercept: explicit}]
            dns: {resolvers: ["\(resolver)"]}
            sensors:
              - {name: word, rules: [{name: word, patterns: [{regex: 'SECRET-[0-9]{4}', context: [header, body]}]}]}
              - {name: heads, rules: [{name: word, patterns: [{regex: 'SECRET-[0-9]{4}', context: [header]}]}]}
            services:
              - {name: unknown, mode: protect, sensors: \(sensors), rules: \(rules)}
            state: {directory: state}
            records: {directory: records}
            """
        let path = "\(directory)/weir.yaml"
        if let file = fopen(path, "w") {
            fputs(text, file)
            fclose(file)
        }
        mkdir("\(directory)/records", 0o755)
        let settings = try Settings.load(path).get()
        let learned = LearnedRules()
        let snapshot = try Snapshot.build(
            settings, generation: 1, learned: learned, ownAddresses: [],
            fingerprintKey: [UInt8](repeating: 1, count: 32)
        ).get()
        let hub = Hub(
            writer: try RecordWriter.open(RecordWriter.Settings(settings.records)), learned: learned, mark: nil,
            systemResolvers: [], hostsFile: Hosts(), suffixes: PublicSuffixes(builtInWith: []),
            limits: settings.limits, log: Log(settings.log), ownAddresses: [], listeners: [proxy])
        worker = try Worker.make(hub: hub, snapshot: snapshot, mailbox: Mailbox())
    }

    deinit {
        // What is still open refers to each other until it is closed.
        worker.end()
        for name in ["records/sessions.jsonl", "records/events.jsonl", "records", "weir.yaml"] {
            remove("\(directory)/\(name)")
        }
        remove(directory)
    }

    private static func freePort() throws -> UInt16 {
        let probe = try Socket.listen(Endpoint(loopback, 0), .init())
        return try probe.localEndpoint()?.port ?? 0
    }

    func turns(_ count: Int = 8) {
        for _ in 0..<count {
            // The worker sets it for its own needs.
            worker.loop.longestSleep = 2
            worker.loop.turn()
        }
    }

    func connect() throws -> End {
        let client = End(try Socket(.stream, for: Bench.loopback))
        _ = try client.socket.connect(proxy)
        turns(2)
        return client
    }

    /// The next connection to the origin.
    func accepted() throws -> End? {
        for _ in 0..<50 {
            turns(1)
            if let accepted = try origin.accept() { return End(accepted.socket) }
        }
        return nil
    }

    /// What a socket has been sent within some turns, until it has `count` bytes.
    func read(_ end: End, count: Int = .max, turns most: Int = 40) -> String {
        var text = [UInt8]()
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 1)
        defer { room.deallocate() }
        for _ in 0..<most where text.count < count {
            turns(1)
            while case .moved(let count)? = try? end.socket.receive(into: room) { text += room[..<count] }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A socket that the test holds; gone with it.
private final class End {
    let socket: Socket

    init(_ socket: consuming Socket) { self.socket = socket }
}

private func send(_ text: String, to end: End) -> Bool {
    var text = text
    let result = text.withUTF8 { bytes in try? end.socket.send(UnsafeRawBufferPointer(bytes)) }
    return result == .moved(text.utf8.count)
}

@Suite(.serialized) struct SessionTests {
    /// The held bytes that a reset interrupts are given back once, and nothing traps.
    @Test func anOriginThatResetsWhileHeldBytesGoUp() throws {
        let bench = try Bench(sensors: "{word: deny}")
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
        let bench = try Bench(sensors: "{word: redact}")
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
        let bench = try Bench(sensors: "{heads: deny}")
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
        let bench = try Bench(resolver: "\(address)", rules: "[{to: \"*.good.example\", action: allow}]")
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
        let bench = try Bench(resolver: "255.255.255.255:53", rules: "[{to: any, action: allow}]")
        let client = try bench.connect()
        #expect(send("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", to: client))
        #expect(bench.read(client).hasPrefix("HTTP/1.1 502"))
    }

    @Test func whoReadsNoAnswersIsAskedForNoMoreRequests() throws {
        let bench = try Bench(rules: "[]")
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
}
