import Bytes
import DNS

/// Four ways through the DNS server, by the input's first byte: a server's message that is kept, rewritten and written to
/// clients; a client's query and what it is answered with; a script for the cache; and a name in words. What must hold
/// traps.
@c(LLVMFuzzerTestOneInput)
public func fuzzOne(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let input = UnsafeRawBufferPointer(start: start, count: count)
    guard let way = input.first else { return 0 }
    let rest = UnsafeRawBufferPointer(rebasing: input.dropFirst())
    switch way % 4 {
    case 0: keep(rest, isDNSSECOK: way & 4 != 0)
    case 1: answer(rest)
    case 2: store(rest)
    default: present(rest)
    }
    return 0
}

// MARK: - Answers

private func keep(_ bytes: UnsafeRawBufferPointer, isDNSSECOK: Bool) {
    guard let message = try? Message(bytes), let question = message.question,
        let stored = try? StoredAnswer(message, isDNSSECOK: isDNSSECOK)
    else { return }
    stored.bytes.withUnsafeBytes { kept in
        check(kept, question: question, of: bytes)
        guard let again = try? Message(kept) else { preconditionFailure("an answer that cannot be read") }
        // No record is invented, and none comes twice unless it came twice.
        let came = records(of: message, message.answers) + records(of: message, message.authorities)
        var left = came
        for record in records(of: again, again.answers) + records(of: again, again.authorities) {
            guard let index = left.firstIndex(where: { $0.isSame(record) }) else {
                preconditionFailure("a record that did not come")
            }
            left.remove(at: index)
        }
        // None of the name that was asked is lost.
        let asked = records(of: message, message.answers).filter {
            $0.type == question.type && $0.recordClass == question.recordClass
                && $0.name == lowered(message, question.name)
        }
        if question.type != .opt, question.type != .tsig {
            precondition(records(of: again, again.answers).count >= asked.count)
        }
        precondition(message.responseCode == stored.responseCode)
        // What is kept stays as it is when it is kept again.
        guard let second = try? StoredAnswer(again, isDNSSECOK: isDNSSECOK) else {
            preconditionFailure("an answer that is not kept twice")
        }
        precondition(second.addresses == stored.addresses && second.bytes.count == stored.bytes.count)
    }
    rewrite(stored)
    write(stored)
}

private func check(_ kept: UnsafeRawBufferPointer, question: Question, of bytes: UnsafeRawBufferPointer) {
    guard let message = try? Message(kept), let asked = message.question else {
        preconditionFailure("an answer that cannot be read")
    }
    precondition(message.end == kept.count && message.header.questions == 1 && message.header.additionals == 0)
    precondition(asked.type == question.type && asked.recordClass == question.recordClass)
    precondition(asked.name.length == question.name.length)
}

private struct Seen {
    let name: [UInt8]
    let type: RecordType
    let recordClass: UInt16
    let data: [UInt8]

    /// The data of types that may hold names can be longer or shorter than it came.
    func isSame(_ other: Seen) -> Bool {
        let holdsNames = [2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24, 26, 30, 33, 35, 39].contains(
            type.rawValue)
        return name == other.name && type == other.type && recordClass == other.recordClass
            && (holdsNames || data == other.data)
    }
}

private func records(of message: Message, _ section: Message.Records) -> [Seen] {
    section.map { record in
        Seen(
            name: lowered(message, record.name), type: record.type, recordClass: record.recordClass,
            data: Array(message.bytes[record.data]))
    }
}

/// A name written out, in lower case.
private func lowered(_ message: Message, _ name: WireName) -> [UInt8] {
    var written: [UInt8] = []
    var at = name.start
    while written.count < name.length - 1 {
        let head = message.bytes[at]
        if head >= 0xc0 {
            at = Int(head & 0x3f) << 8 | Int(message.bytes[at + 1])
        } else {
            written += message.bytes[at...at + Int(head)].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
            at += 1 + Int(head)
        }
    }
    return written
}

private func rewrite(_ stored: StoredAnswer) {
    let isKept = { (address: IPAddress) in address.low & 1 == 0 }
    guard let changed = stored.rewritten(keeping: isKept, dropsECH: true, dropsHTTP3: true) else {
        precondition(stored.addresses.allSatisfy(isKept) && stored.hints.allSatisfy(isKept))
        return
    }
    precondition(changed.addresses.allSatisfy(isKept) && changed.hints.allSatisfy(isKept))
    precondition(!changed.isAuthenticated && changed.addresses == stored.addresses.filter(isKept))
    precondition(changed.rewritten(keeping: isKept, dropsECH: true, dropsHTTP3: true) == nil)
    write(changed)
}

/// Writes to clients that ask in different ways.
private func write(_ stored: StoredAnswer) {
    for way in 0..<4 {
        var query: [UInt8] = [0xbe, 0xef, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, way == 0 ? 0 : 1]
        stored.bytes.withUnsafeBytes { kept in
            guard let question = (try? Message(kept))?.question else { preconditionFailure("no question") }
            query += kept[12..<question.end].map { (0x61...0x7a).contains($0) && way & 1 == 1 ? $0 & 0xdf : $0 }
        }
        // Only letters may change: the bytes of type and class stay as they are.
        query.replaceSubrange(query.count - 4..<query.count, with: stored.questionTail)
        if way > 0 { query += [0, 0, 41, 4, 0xd0, 0, 0, way == 2 ? 0x80 : 0, 0, 0, 0] }
        query.withUnsafeBytes { bytes in
            guard case .query(let read) = Query.read(bytes) else { preconditionFailure("a query that is not read") }
            for sizeMax in [512, 65535] {
                var out = Buffer()
                let isTruncated = ResponseWriter.write(
                    stored, age: 17, isStale: way == 3, to: read, in: bytes, sizeMax: sizeMax, payloadSize: 1232,
                    into: &out)
                guard let message = try? Message(out.readable) else { preconditionFailure("a response not read") }
                precondition(out.count <= sizeMax && message.end == out.count && message.header.id == 0xbeef)
                precondition(out.readable[12..<read.question.end].elementsEqual(bytes[12..<read.question.end]))
                precondition(message.header.isTruncated == isTruncated || stored.bytes[2] & 2 != 0)
                if !isTruncated { precondition(message.header.answers == stored.answerCount) }
            }
        }
    }
}

extension StoredAnswer {
    fileprivate var questionTail: [UInt8] {
        bytes.withUnsafeBytes { kept in
            guard let end = (try? Message(kept))?.question?.end else { preconditionFailure("no question") }
            return Array(kept[end - 4..<end])
        }
    }

    fileprivate var answerCount: UInt16 { UInt16(bytes[6]) << 8 | UInt16(bytes[7]) }
}

// MARK: - Queries

private func answer(_ bytes: UnsafeRawBufferPointer) {
    var out = Buffer()
    switch Query.read(bytes) {
    case .drop:
        precondition(bytes.count < 12 || bytes[2] & 0x80 != 0)
    case .reject(let rejection):
        ResponseWriter.reject(rejection, in: bytes, payloadSize: 1232, into: &out)
        precondition((try? Message(out.readable))?.responseCode == rejection.code && out.count <= 23 + 260)
    case .query(let query):
        let name = query.name(in: bytes)
        precondition(name.count == query.question.name.length && query.question.end <= bytes.count)
        ResponseWriter.refuse(
            query, in: bytes, .noSuchName, extended: .blocked,
            addresses: [IPAddress(v4: 7), IPAddress(high: 1, low: 1)],
            timeToLive: 10, payloadSize: 1232, into: &out)
        guard let message = try? Message(out.readable) else { preconditionFailure("a refusal that is not read") }
        precondition(message.end == out.count && message.responseCode == .noSuchName)
        _ = DomainName(wire: name)
    }
}

// MARK: - The cache

/// The input is a script: names of one letter are kept and found, and the answer found is the one kept last.
private func store(_ script: UnsafeRawBufferPointer) {
    var store = AnswerStore(bytesMax: 8192, staleFor: .seconds(20), random: { 0x9e37_79b9_7f4a_7c15 })
    var latest: [UInt8: StoredAnswer] = [:]
    var now = Ticks(milliseconds: 0)
    for pair in stride(from: 0, to: script.count - 1, by: 2) {
        let (operation, letter) = (script[pair], 0x61 + script[pair + 1] % 26)
        let name: [UInt8] = [1, letter, 0]
        name.withUnsafeBytes { name in
            let key = QuestionKey(name: name, type: .a)
            switch operation & 3 {
            case 0:
                let made = StoredAnswer.synthesized(
                    key, addresses: [IPAddress(v4: UInt32(pair))], timeToLive: UInt32(operation >> 2))
                guard let made else { preconditionFailure("no answer") }
                store.insert(made, for: key, now: now)
                if made.lifetimeSeconds > 0 { latest[letter] = made }
            case 1, 2:
                guard let hit = store.find(key, now: now) else { return }
                precondition(hit.answer === latest[letter])
                precondition(hit.isStale == (hit.age >= hit.answer.lifetimeSeconds))
            default:
                now = now + Milliseconds(Int64(operation) * 10)
            }
        }
        precondition(store.bytes <= 8192 && store.count <= 26)
    }
}

// MARK: - Names

private func present(_ bytes: UnsafeRawBufferPointer) {
    // A name is what a query has.
    var query: [UInt8] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    query += bytes.prefix(254)
    query += [0, 0, 1, 0, 1]
    query.withUnsafeBytes { bytes in
        guard case .query(let read) = Query.read(bytes) else { return }
        let name = read.name(in: bytes)
        var text = Buffer()
        text.append(presentation: name)
        precondition(text.count >= 1 && text.count <= 4 * name.count)
        precondition(text.readable.allSatisfy { (0x21...0x7e).contains($0) && !(0x41...0x5a).contains($0) })
        guard let host = DomainName(wire: name) else { return }
        precondition(host.matches(text.readable))
        var wire = Buffer()
        wire.append(wire: host)
        precondition(DomainName(wire: wire.readable) == host && wire.count == name.count)
    }
}
