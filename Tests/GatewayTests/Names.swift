import Bytes
import Glibc
import Testing

@testable import DNS
@testable import Gateway
@testable import OS

/// DNS messages as clients and servers write them.
enum Wire {
    static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    static func be32(_ value: Int) -> [UInt8] { be16(value >> 16) + be16(value & 0xffff) }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// A question with recursion desired; `edns` is the payload size of its OPT record.
    static func query(
        _ name: String, _ type: RecordType = .a, id: Int = 0x1234, edns: Int? = nil, version: Int = 0
    ) -> [UInt8] {
        let head = be16(id) + [1, 0, 0, 1, 0, 0, 0, 0, 0, edns == nil ? 0 : 1]
        let opt = edns.map { [0, 0, 41] + be16($0) + [0, UInt8(version), 0, 0, 0, 0] } ?? []
        return head + Wire.name(name) + be16(Int(type.rawValue)) + [0, 1] + opt
    }

    /// A record of the name that was asked.
    static func record(_ type: RecordType, ttl: Int = 60, _ data: [UInt8]) -> [UInt8] {
        [0xc0, 12] + be16(Int(type.rawValue)) + [0, 1] + be32(ttl) + be16(data.count) + data
    }

    static func a(_ address: String, ttl: Int = 60) -> [UInt8] {
        record(.a, ttl: ttl, be32(Int(IPAddress(address)?.v4Bits ?? 0)))
    }

    static func soa() -> [UInt8] {
        record(.soa, ttl: 60, name("ns.test") + name("root.test") + [1, 2, 3, 4, 60].flatMap(be32))
    }
}

/// A resolver on loopback that answers what the test says, or waits until it does.
final class ScriptedResolver {
    /// What a question is answered: records of its section `answer`, or of `authority` with a code.
    enum Script {
        case records([[UInt8]])
        case denial(code: UInt8)
        /// Not now.
        case held
    }

    let socket: Socket
    let endpoint: Endpoint
    var script: (_ name: String, _ type: RecordType) -> Script
    /// Names that were asked for, in lower case.
    private(set) var asked: [String] = []
    private var held: [(bytes: [UInt8], from: Endpoint)] = []
    private var questions = DatagramBatch(each: 2048)
    private var answers = DatagramBatch(each: 2048)

    init(_ script: @escaping (_ name: String, _ type: RecordType) -> Script) throws {
        socket = try Socket.datagrams(Endpoint(Bench.loopback, 0), transparent: false)
        endpoint = try #require(try socket.localEndpoint())
        self.script = script
    }

    convenience init(_ records: [[UInt8]]) throws { try self.init { _, _ in .records(records) } }
    static func silent() throws -> ScriptedResolver { try ScriptedResolver { _, _ in .held } }

    /// Names that wait; one is asked for again if it waits for long.
    var heldCount: Int { Set(held.map { ScriptedResolver.name($0.bytes) }).count }

    func turn() {
        while let count = try? questions.receive(from: socket), count > 0 {
            for index in 0..<count {
                let question = Array(questions[index])
                asked.append(ScriptedResolver.name(question))
                answer(question, to: questions.peer(index))
            }
        }
    }

    /// Answers what was held, by a script that may be another now.
    func release() {
        let waiting = held
        held = []
        for question in waiting { answer(question.bytes, to: question.from) }
    }

    private func answer(_ question: [UInt8], to client: Endpoint) {
        let type = question.withUnsafeBytes { try? Question(reading: $0, at: 12).type } ?? .a
        let end = (question[12...].firstIndex(of: 0) ?? 0) + 5
        func send(flags: [UInt8], _ records: [[UInt8]], _ authorities: [[UInt8]]) {
            var reply = Array(question[..<2]) + flags + [0, 1]
            reply += Wire.be16(records.count) + Wire.be16(authorities.count) + [0, 0]
            reply += question[12..<end] + records.joined() + authorities.joined()
            reply.withUnsafeBytes { answers.append($0, to: client, from: endpoint) }
            #expect(answers.send(on: socket).taken == 1)
        }
        switch script(ScriptedResolver.name(question), type) {
        case .records(let records): send(flags: [0x81, 0x80], records, [])
        case .denial(let code): send(flags: [0x81, 0x80 | code], [], [Wire.soa()])
        case .held: held.append((question, client))
        }
    }

    private static func name(_ message: [UInt8]) -> String {
        message.withUnsafeBytes { bytes in
            var text = Buffer()
            guard let name = try? WireName(reading: bytes, at: 12) else { return "" }
            text.append(presentation: UnsafeRawBufferPointer(rebasing: bytes[name.start..<name.end]))
            return String(decoding: text.readable, as: UTF8.self).lowercased()
        }
    }
}

/// What a client makes of a response.
struct Response: Equatable {
    var id: UInt16 = 0
    var code: UInt16 = 0
    var isTruncated = false
    var addresses: [String] = []
    var timesToLive: [UInt32] = []
    /// The question's name, with the letters that it came back with.
    var question: [UInt8] = []
    /// The code of an Extended DNS Error.
    var extended: UInt16?

    init?(_ bytes: [UInt8]) {
        let isRead = bytes.withUnsafeBytes { raw -> Bool in
            guard let message = try? Message(raw), message.header.isResponse, message.end == raw.count else {
                return false
            }
            id = message.header.id
            code = message.responseCode.rawValue
            isTruncated = message.header.isTruncated
            addresses = message.answers.compactMap { message.address(of: $0)?.description }
            timesToLive = message.answers.map(\.timeToLive)
            if let name = message.question?.name { question = Array(raw[name.start..<name.end]) }
            for record in message.additionals where record.type == .opt && record.data.count >= 6 {
                extended = raw.uint16(at: record.data.lowerBound + 4)
            }
            return true
        }
        if !isRead { return nil }
    }
}

extension Bench {
    /// An explicit `dns` listener before a scripted resolver. `unknown` is in Protect and may ask for names below
    /// good.test; a sensor reads names for `SECRET-` and four digits.
    ///
    /// - Parameters:
    ///   - dns: more keys of that section, after a comma.
    ///   - more: more sections, a line each.
    static func forNames(
        _ resolver: ScriptedResolver, at address: IPAddress = loopback, dns: String = "", mode: String = "protect",
        more: String = ""
    ) throws -> Bench {
        let bench = try Bench(at: address) { names($0, resolver, dns: dns, mode: mode, more: more) }
        bench.party = { resolver.turn() }
        return bench
    }

    static func names(
        _ door: Endpoint, _ resolver: ScriptedResolver, dns: String = "", mode: String = "protect",
        rules: String = #"[{to: "*.good.test", action: allow}]"#, more: String = ""
    ) -> String {
        """
        listeners: [{name: names, address: "\(door)", intercept: explicit, protocol: dns}]
        dns: {resolvers: ["\(resolver.endpoint)"]\(dns)}
        sensors: [{name: word, rules: [{name: word, patterns: [{regex: '(?i)secret-[0-9]{4}', context: [name]}]}]}]
        services: [{name: unknown, mode: \(mode), sensors: {word: deny}, rules: \(rules)}]
        \(more)
        """
    }

    /// A client that asks by datagrams, from an address of its own if need be.
    func asker(_ address: IPAddress = Bench.loopback, of server: IPAddress? = nil) throws -> End {
        let end = End(try Socket(.datagram, for: address))
        try end.socket.bind(Endpoint(address, 0))
        _ = try end.socket.connect(Endpoint(server ?? door.address, door.port))
        return end
    }

    /// The answer to what an asker has asked; nil if there is none.
    func answer(_ end: End, turns most: Int = 200) -> Response? {
        for _ in 0..<most {
            turns(1)
            if let bytes = end.datagram() { return Response(bytes) }
        }
        return nil
    }

    func ask(_ end: End, _ query: [UInt8]) -> Response? {
        guard end.send(query) else { return nil }
        return answer(end)
    }

    /// The answers that a stream brings, until there are `count`.
    func answers(_ end: End, _ count: Int) -> [Response] {
        var (input, answers) = ([UInt8](), [Response]())
        _ = turns {
            input += end.received()
            while input.count >= 2, case let length = Int(input[0]) << 8 | Int(input[1]), input.count >= 2 + length {
                if let answer = Response(Array(input[2..<2 + length])) { answers.append(answer) }
                input.removeFirst(2 + length)
            }
            return answers.count >= count
        }
        return answers
    }
}

/// A message of a stream, behind its length.
func framed(_ message: [UInt8]) -> [UInt8] { Wire.be16(message.count) + message }
