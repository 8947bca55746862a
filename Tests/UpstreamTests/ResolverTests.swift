import Bytes
import DNS
import Glibc
import Loop
import OS
import Testing

@testable import Upstream

/// The resolver over real sockets, with servers that answer as a test says.
struct ResolverTests {
    /// A server for datagrams and streams on one port of loopback. It answers `n7.test` with 192.0.2.7.
    final class Answering {
        let datagrams: Socket
        let listener: Socket
        let endpoint: Endpoint
        var truncates = false
        var isSilent = false
        private(set) var sources: Set<Endpoint> = []
        private(set) var questions = 0
        private(set) var streams: [Stream] = []

        final class Stream {
            let socket: Socket
            var input: [UInt8] = []
            init(_ socket: consuming Socket) { self.socket = socket }
        }

        static let loopback = IPAddress(v4: 0x7f00_0001)

        init() throws {
            listener = try Socket.listen(Endpoint(Answering.loopback, 0), .init())
            endpoint = try #require(try listener.localEndpoint())
            datagrams = try Socket(.datagram, for: Answering.loopback)
            try datagrams.bind(endpoint)
        }

        func turn() {
            var room = [UInt8](repeating: 0, count: 4096)
            while let (query, source) = receive(&room) {
                sources.insert(source)
                send(reply(to: query, truncated: truncates), to: source)
            }
            while let accepted = try? listener.accept() { streams.append(Stream(accepted.socket)) }
            for stream in streams { serve(stream, &room) }
        }

        private func receive(_ room: inout [UInt8]) -> ([UInt8], Endpoint)? {
            var address = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(datagrams.number, &room, room.count, 0, $0, &length)
                }
            }
            guard count > 0 else { return nil }
            let from = IPAddress(v4: UInt32(bigEndian: address.sin_addr.s_addr))
            return (Array(room[..<count]), Endpoint(from, UInt16(bigEndian: address.sin_port)))
        }

        private func send(_ reply: [UInt8], to source: Endpoint) {
            guard !isSilent else { return }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = source.port.bigEndian
            address.sin_addr.s_addr = source.address.v4Bits.bigEndian
            withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    _ = sendto(
                        datagrams.number, reply, reply.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }

        private func serve(_ stream: Stream, _ room: inout [UInt8]) {
            room.withUnsafeMutableBytes { room in
                while case .moved(let count)? = try? stream.socket.receive(into: room) {
                    stream.input += room[..<count]
                }
            }
            while stream.input.count >= 2 {
                let end = 2 + Int(stream.input[0]) << 8 + Int(stream.input[1])
                guard stream.input.count >= end else { break }
                let reply = reply(to: Array(stream.input[2..<end]), truncated: false)
                stream.input.removeFirst(end)
                let bytes = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
                bytes.withUnsafeBytes { _ = try? stream.socket.send($0) }
            }
        }

        private func reply(to query: [UInt8], truncated: Bool) -> [UInt8] {
            questions += 1
            guard let root = query[12...].firstIndex(of: 0) else { return [] }
            let label = String(decoding: query[14..<13 + Int(query[12])], as: UTF8.self)
            let isA = query[root + 2] == 1 && !truncated
            let flags: [UInt8] = [truncated ? 0x83 : 0x81, 0x80]
            let record: [UInt8] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, UInt8(label) ?? 0]
            let counts: [UInt8] = [0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]
            let question = query[12...(root + 4)]
            var reply = Array(query[..<2])
            for part in [flags, counts, Array(question), isA ? record : []] { reply += part }
            return reply
        }
    }

    /// A resolver on a loop of its own, and what its clients were told.
    final class Bench {
        let loop: EventLoop
        let resolver: Resolver
        private(set) var told: [UInt64: String] = [:]
        private(set) var wakes = 0

        init(_ servers: [Endpoint], timeout: Milliseconds = .seconds(5)) throws {
            loop = try EventLoop()
            loop.longestSleep = 5
            resolver = try Resolver(loop: loop, settings: Bench.settings(servers, timeout), mark: nil)
            resolver.wake = { [unowned self] _ in wakes += 1 }
            resolver.answered = { [unowned self] number, outcome in
                #expect(told[number] == nil)
                switch outcome {
                case .answer(let answer, _): told[number] = answer.addresses.map(\.description).joined(separator: " ")
                case .failed(let failure): told[number] = failure.reason
                }
            }
        }

        deinit { resolver.close() }

        static func settings(_ servers: [Endpoint], _ timeout: Milliseconds = .seconds(5)) -> ResolverSettings {
            var settings = ResolverSettings(
                rules: ForwardingRules(servers: servers.map { ServerAddress($0) }), hosts: Hosts(), limits: Limits())
            settings.timeout = timeout
            return settings
        }

        @discardableResult func ask(_ number: UInt64) -> ForwarderCore.Start {
            var wire = Buffer()
            wire.append(wire: Bench.name(number))
            return resolver.ask(
                QuestionKey(name: wire.readable, type: .a), name: Bench.name(number), number: number)
        }

        static func name(_ number: UInt64) -> DomainName {
            guard let name = DomainName("n\(number).test") else { preconditionFailure("a test's name") }
            return name
        }

        func turn(_ servers: Answering..., until isSo: (Bench) -> Bool) {
            for _ in 0..<2000 where !isSo(self) {
                loop.turn()
                for server in servers { server.turn() }
            }
            #expect(isSo(self))
        }
    }

    @Test func questionsShareSomeSockets() throws {
        let server = try Answering()
        let bench = try Bench([server.endpoint])
        for round in 0..<20 {
            for index in 0..<50 { #expect(bench.ask(UInt64(round * 50 + index)) == .pending) }
            // Whoever asks is never told before it has asked.
            #expect(bench.told.count == round * 50)
            bench.turn(server) { $0.told.count == (round + 1) * 50 }
        }
        #expect((0..<1000).allSatisfy { bench.told[UInt64($0)] == "192.0.2.\($0 < 256 ? $0 : 0)" })
        #expect(server.sources.count > 32 && server.sources.count <= 64 && server.questions == 1000)
        #expect(bench.resolver.cachedAnswers == 1000 && bench.resolver.inflight == 0)
    }

    @Test func whatIsTruncatedComesOverOneStream() throws {
        let server = try Answering()
        server.truncates = true
        let bench = try Bench([server.endpoint])
        for number in 1...40 { bench.ask(UInt64(number)) }
        bench.turn(server) { $0.told.count == 40 }
        #expect((1...40).allSatisfy { bench.told[UInt64($0)] == "192.0.2.\($0)" })
        #expect(server.streams.count == 1)
    }

    @Test func aPortWhereNobodyListensIsFollowedByTheNextServer() throws {
        let server = try Answering()
        let gone = try Answering().endpoint
        let bench = try Bench([gone, server.endpoint])
        bench.ask(7)
        bench.turn(server) { $0.told[7] == "192.0.2.7" }
    }

    /// The kernel refuses a broadcast address at once: it is over before whoever asked waits.
    @Test func whatFailsAtOnceIsToldLater() throws {
        let bench = try Bench([Endpoint(IPAddress(v4: .max), 53)])
        #expect(bench.ask(1) == .pending && bench.told.isEmpty)
        #expect(bench.resolver.lookup(Bench.name(2), for: .none) == .pending && bench.wakes == 0)
        bench.turn { $0.told[1] == "no connection to 255.255.255.255:53" && $0.wakes == 1 }
        guard case .failed? = bench.resolver.known(Bench.name(2))?.outcome else { return #expect(Bool(false)) }
    }

    @Test func aClientAndALookupGetOneAnswer() throws {
        let server = try Answering()
        let bench = try Bench([server.endpoint])
        #expect(bench.resolver.lookup(Bench.name(9), for: .none) == .pending)
        bench.ask(9)
        bench.turn(server) { $0.told[9] == "192.0.2.9" && $0.wakes == 1 }
        #expect(bench.resolver.known(Bench.name(9))?.addresses == [IPAddress(v4: 0xc000_0209)])
        #expect(server.questions == 2)
    }

    @Test func newServersAnswerWhoWaitsForOldOnes() throws {
        let (old, new) = (try Answering(), try Answering())
        old.isSilent = true
        let bench = try Bench([old.endpoint])
        bench.ask(3)
        bench.turn(old, new) { _ in old.questions == 1 }
        bench.resolver.adopt(Bench.settings([new.endpoint]))
        bench.turn(old, new) { $0.told[3] == "192.0.2.3" }
        // Their answers stay while they do.
        bench.resolver.adopt(Bench.settings([new.endpoint], .seconds(3)))
        #expect(bench.resolver.cachedAnswers == 1)
    }

    @Test func silenceEnds() throws {
        let server = try Answering()
        server.isSilent = true
        let bench = try Bench([server.endpoint], timeout: Milliseconds(100))
        bench.ask(1)
        bench.turn(server) { $0.told[1] == "no answer from any server in time" }
        #expect(bench.ask(1) != .pending)
    }
}
