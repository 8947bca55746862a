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

/// The input is a script: an operation, then what it needs. Sockets must be opened once and closed once, tries are
/// bounded, and when time is up nothing is left open.
private func resolve(_ script: UnsafeRawBufferPointer) {
    let servers = [Endpoint(IPAddress(v4: 0x0a00_0001), 53), Endpoint(IPAddress(v4: 0x0a00_0002), 53)]
    guard let name = DomainName("www.example.com") else { return }
    var core = ResolverCore(servers: servers, limits: Limits(), random: { 0 })
    var now = Ticks(milliseconds: 0)
    var open: [(slot: Slot, server: Endpoint, query: [UInt8], overTCP: Bool)] = []
    var answers = 0
    func act() {
        while let action = core.nextAction() {
            switch action {
            case .sendUDP(let server, let slot, let bytes): open.append((slot, server, Array(bytes), false))
            case .sendTCP(let server, let slot, let bytes): open.append((slot, server, Array(bytes.dropFirst(2)), true))
            case .close(let slot):
                guard let index = open.firstIndex(where: { $0.slot == slot }) else {
                    preconditionFailure("closed twice")
                }
                open.remove(at: index)
            }
        }
        while core.takeFinished() != nil { answers += 1 }
        precondition(open.count <= 16)
    }
    let asked = core.lookup(name, now: now)
    precondition(asked == .pending)
    act()
    var at = 0
    func take(_ count: Int) -> UnsafeRawBufferPointer {
        let taken = UnsafeRawBufferPointer(rebasing: script[at...].prefix(count))
        at += taken.count
        return taken
    }
    while at < script.count, let one = open.first {
        let operation = take(1)[0]
        let attempt = open.count > 1 && operation & 0x80 != 0 ? open[open.count - 1] : one
        switch operation & 7 {
        case 0...4:
            // A reply whose id and question are right, so that what follows is read.
            let size = take(1).first.map(Int.init) ?? 0
            let tail = take(10 + size)
            var bytes = Array(attempt.query.prefix(2)) + Array(tail.prefix(10))
            if bytes.count == 12, operation & 0x40 == 0 { bytes.replaceSubrange(4...5, with: [0, 1]) }
            let question = attempt.query.dropFirst(12).prefix(21)
            bytes += Array(question) + Array(tail.dropFirst(10))
            if attempt.overTCP {
                let stream = [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
                stream.withUnsafeBytes { core.receivedTCP($0, slot: attempt.slot, now: now) }
            } else {
                bytes.withUnsafeBytes { core.received($0, from: attempt.server, slot: attempt.slot, now: now) }
            }
        case 5: core.failed(attempt.slot, now: now)
        case 6:
            now = now + Milliseconds(Int64(take(1).first ?? 0) * 8)
            core.expired(now: now)
        default:
            let bytes = take(Int(operation >> 3))
            core.receivedTCP(bytes, slot: attempt.slot, now: now)
        }
        act()
    }
    core.expired(now: now + .seconds(60))
    act()
    precondition(open.isEmpty && answers == 1 && core.deadline == .never)
}

private func writeAndRead(_ text: UnsafeRawBufferPointer) {
    guard let name = DomainName(text) else { return }
    var buffer = Buffer()
    QueryWriter.write(
        id: 7, name: name, type: .aaaa, into: &buffer, capitals: UInt64(text.count) &* 0x9e37_79b9_7f4a_7c15)
    guard let message = try? Message(buffer.readable), let question = message.question else {
        preconditionFailure("a query that cannot be read")
    }
    precondition(message.domainName(question.name) == name && message.end == buffer.count)
}
