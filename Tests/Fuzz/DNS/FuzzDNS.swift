import Bytes
import DNS

/// Three ways into the module, by the input's first byte: a message read whole, a server's replies to a resolver, and
/// a name written and read back. What must hold traps.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let way = input.first else { return 0 }
    let rest = UnsafeRawBufferPointer(rebasing: input.dropFirst())
    switch way % 3 {
    case 0: readMessage(rest)
    case 1: resolve(rest)
    default: writeAndRead(rest)
    }
    return 0
}

private func readMessage(_ bytes: UnsafeRawBufferPointer) {
    guard let message = try? Message(bytes) else { return }
    precondition(message.end <= bytes.count)
    var records = 0
    for section in [message.answers, message.authorities, message.additionals] {
        for record in section {
            records += 1
            precondition(record.data.upperBound <= message.end && (1...255).contains(record.name.length))
            precondition(message.same(record.name, record.name))
            _ = message.domainName(record.name)
            _ = message.address(of: record)
            _ = message.denialTime(of: record)
            if let target = message.target(of: record) { _ = message.same(target, record.name) }
        }
    }
    let header = message.header
    precondition(records == Int(header.answers) + Int(header.authorities) + Int(header.additionals))
    if let question = message.question { precondition(question.end <= message.end) }
}

/// The input is a script: an operation, then what it needs. Sockets must be opened once and closed once, nothing is sent
/// on one that is not open, tries are bounded, and when time is up everybody is told and nothing is left open.
private func resolve(_ script: UnsafeRawBufferPointer) {
    let servers = [1, 2].map { ServerAddress(Endpoint(IPAddress(v4: 0x0a00_0000 + $0), 53)) }
    guard let name = DomainName("www.example.com") else { return }
    var settings = ResolverSettings(rules: ForwardingRules(servers: servers), hosts: Hosts(), limits: Limits())
    settings.cacheBytes = 1 << 14
    var bits: UInt64 = 0
    var core = ResolverCore(
        settings,
        random: {
            bits &+= 0x9e37_79b9_7f4a_7c15
            return bits
        })
    var now = Ticks(milliseconds: 0)
    var open: [Channel: Bool] = [:]
    var sent: [(channel: Channel, query: [UInt8], overStream: Bool)] = []
    var (tries, answers, clients) = (0, 0, 0)
    func act() {
        while let action = core.nextAction() {
            switch action {
            case .open(let channel, let kind, _):
                precondition(open.updateValue(kind == .stream, forKey: channel) == nil, "opened twice")
            case .send(let channel, let bytes):
                guard let overStream = open[channel] else { preconditionFailure("sent on a closed channel") }
                sent.append((channel, Array(bytes.dropFirst(2)), overStream))
                tries += 1
            case .close(let channel):
                precondition(open.removeValue(forKey: channel) != nil, "closed twice")
                sent.removeAll { $0.channel == channel }
            }
        }
        while core.takeFinishedLookup() != nil { answers += 1 }
        while core.takeFinished() != nil { clients += 1 }
    }
    let asked = core.lookup(name, now: now)
    precondition(asked == .pending)
    act()
    let query = Array(sent[0].query)
    query.withUnsafeBytes { query in
        guard case .query(let read) = Query.read(query) else { preconditionFailure("a query that cannot be read") }
        let start = core.ask(read.key(in: query), name: nil, number: 7, until: .never, client: nil, now: now)
        precondition(start == .pending)
    }
    act()
    var at = 0
    func take(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: script[at...].prefix(count))
        at += taken.count
        return taken
    }
    while at < script.count, let one = sent.first {
        let operation = take(1)[0]
        let attempt = operation & 0x80 != 0 ? sent[sent.count - 1] : one
        switch operation & 7 {
        case 0...4:
            // A reply whose id and question are right, so that what follows is read.
            let size = take(1).first.map(Int.init) ?? 0
            let tail = take(10 + size)
            var bytes = Array(attempt.query.prefix(2)) + Array(tail.prefix(10))
            if bytes.count == 12, operation & 0x40 == 0 { bytes.replaceSubrange(4...5, with: [0, 1]) }
            let question = attempt.query.dropFirst(12).prefix(21)
            bytes += Array(question) + Array(tail.dropFirst(10))
            if attempt.overStream { bytes = [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes }
            bytes.withUnsafeBytes { core.received($0, on: attempt.channel, now: now) }
        case 5:
            core.failed(attempt.channel, now: now)
        case 6:
            now = now + Milliseconds(Int64(take(1).first ?? 0) * 8)
            core.expired(now: now)
        default:
            core.received(take(Int(operation >> 3)), on: attempt.channel, now: now)
        }
        act()
    }
    for _ in 0..<4 {
        now = now + .seconds(60)
        core.expired(now: now)
        act()
    }
    // Two questions of eight tries each, and probes.
    precondition(open.isEmpty && answers == 1 && clients == 1 && tries <= 32 && core.deadline == .never)
}

private func writeAndRead(_ text: UnsafeRawBufferPointer) {
    guard let name = DomainName(text) else { return }
    var buffer = Buffer()
    for word: UInt16 in [7, 0x0100, 1, 0, 0, 0] {
        buffer.append(UInt8(word >> 8))
        buffer.append(UInt8(word & 255))
    }
    buffer.append(wire: name)
    for byte: UInt8 in [0, 28, 0, 1] { buffer.append(byte) }
    guard let message = try? Message(buffer.readable), let question = message.question else {
        preconditionFailure("a query that cannot be read")
    }
    precondition(message.domainName(question.name) == name && message.end == buffer.count)
    guard case .query(let query) = Query.read(buffer.readable) else { preconditionFailure("a query that is refused") }
    precondition(Inquiry(query.key(in: buffer.readable)) == Inquiry(name, .aaaa))
}
