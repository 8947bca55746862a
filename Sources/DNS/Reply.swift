import Bytes

/// What a server's message means for the question it was sent for.
enum Reply: Equatable {
    /// Not an answer to this question: forged, late or confused. As if it had not come.
    case stray
    /// The answer, with the letters of the name not as they were asked: to be believed over TCP only.
    case otherLetters
    /// The rest is to be had over TCP.
    case truncated
    /// The server does not know EDNS (RFC 6891 section 7).
    case plainOnly
    /// The server would not or could not answer; another may.
    case refused(String)
    case found(Finding)

    /// Links of a chain of CNAMEs that are followed.
    static let chainMax = 16
    /// Records looked at; each costs a comparison of names for each link.
    static let recordsMax = 1024
    /// Addresses kept of one answer.
    static let addressesMax = 256

    /// Reads `bytes` as the reply to `query`, which QueryWriter wrote for one question of `type`.
    init(_ bytes: UnsafeRawBufferPointer, to query: UnsafeRawBufferPointer, type: RecordType, overTCP: Bool) {
        guard let header = Header(bytes), let asked = Header(query), header.id == asked.id, header.isResponse,
            header.opcode == 0
        else {
            self = .stray
            return
        }
        let isPlainOnly = header.responseCode == .formatError || header.responseCode == .notImplemented
        // A server that could not read the query cannot repeat its question.
        if header.questions == 0, isPlainOnly {
            self = asked.additionals > 0 ? .plainOnly : .refused("the server could not read the question")
            return
        }
        guard header.questions == 1, let letters = Reply.question(of: bytes, against: query) else {
            self = .stray
            return
        }
        if !letters, !overTCP {
            self = .otherLetters
        } else if isPlainOnly, asked.additionals > 0 {
            self = .plainOnly
        } else if header.isTruncated, !overTCP {
            self = .truncated
        } else {
            self = Reply.content(bytes, type: type)
        }
    }

    /// Whether the question of `bytes` is that of `query`: nil if not, else whether its letters are too.
    private static func question(of bytes: UnsafeRawBufferPointer, against query: UnsafeRawBufferPointer) -> Bool? {
        guard let end = try? Question(reading: query, at: Header.length).end, bytes.count >= end else { return nil }
        let (ours, theirs) = (query[Header.length..<end], bytes[Header.length..<end])
        if ours.elementsEqual(theirs) { return true }
        // Label lengths are below any letter, so folding the bytes as they stand folds the letters only.
        return ours.elementsEqual(theirs) { lower($0) == lower($1) } ? false : nil
    }

    private static func content(_ bytes: UnsafeRawBufferPointer, type: RecordType) -> Reply {
        guard let message = try? Message(bytes), let question = message.question else {
            return .refused("the server's answer is malformed")
        }
        // The upper bits of a code that has them are in the OPT record (RFC 6891 section 6.1.3).
        if let upper = message.additionals.first(where: { $0.type == .opt }).map({ $0.timeToLive >> 24 }), upper != 0 {
            return .refused(
                "the server answered with code \(upper << 4 | UInt32(message.header.responseCode.rawValue))")
        }
        switch message.header.responseCode {
        case .noError: return .found(addresses(message, of: question.name, type: type))
        case .noSuchName: return .found(.noSuchName(ttl: denialTime(message)))
        case .serverFailure: return .refused("the server failed (SERVFAIL)")
        case .refused: return .refused("the server refused (REFUSED)")
        case let code: return .refused("the server answered with code \(code.rawValue)")
        }
    }

    /// Follows the chain of CNAMEs from the question's name to its addresses; records off the chain are ignored.
    private static func addresses(_ message: Message, of asked: WireName, type: RecordType) -> Finding {
        var name = asked
        var ttl = UInt32.max
        for _ in 0..<chainMax {
            var found: [IPAddress] = []
            var next: WireName?
            var link = UInt32.max
            for record in message.answers.prefix(recordsMax) where message.same(record.name, name) {
                if record.type == type, let address = message.address(of: record) {
                    link = min(link, record.timeToLive)
                    if found.count < addressesMax { found.append(address) }
                } else if next == nil, let target = message.target(of: record) {
                    next = target
                    link = min(link, record.timeToLive)
                }
            }
            ttl = min(ttl, link)
            if !found.isEmpty { return .addresses(found, ttl: ttl) }
            guard let next else { return .noData(ttl: min(ttl, denialTime(message))) }
            name = next
        }
        return .failed("a chain of more than \(chainMax) aliases")
    }

    /// A denial without an SOA record is not to be remembered (RFC 2308 section 5): the least time there is.
    private static func denialTime(_ message: Message) -> UInt32 {
        message.authorities.lazy.compactMap { message.denialTime(of: $0) }.first ?? 0
    }
}
