import Bytes

/// A response as it is kept: rebuilt from the records that answer its question, so that no byte of it is one that
/// nobody understands, with the question in lower case and without EDNS, which is between neighbours.
///
/// Immutable, and so shared by the cache, by those who wait for it and by the records of what was answered.
public final class StoredAnswer: Sendable {
    /// The message. Its id is zero; its flags are those of a response that recursion was available for.
    public let bytes: ContiguousArray<UInt8>
    /// Just after the name of the question.
    let nameEnd: Int
    /// Where the times to live stand.
    let timeOffsets: ContiguousArray<UInt16>
    public let responseCode: ResponseCode
    /// The name that was asked, if it is one that a host can have.
    public let name: DomainName?
    public let type: RecordType
    /// Of the A and AAAA records at the end of the chain of aliases, in order.
    public let addresses: [IPAddress]
    /// Addresses that HTTPS and SVCB records give as hints (RFC 9460 section 7.3).
    public let hints: [IPAddress]
    /// The least time to live of the records of the answer; zero if there are none.
    public let timeToLive: UInt32
    /// How long the answer may be used, 0 if it is not to be kept.
    public let lifetimeSeconds: UInt32
    /// The name does not exist, or has no record of the type.
    public let isNegative: Bool
    /// The server has checked the signatures of all its records (RFC 4035 section 3.2.3).
    public let isAuthenticated: Bool
    /// Whether it has HTTPS or SVCB records.
    public let hasServiceBinding: Bool

    /// From a response that the forwarder has matched with its question.
    ///
    /// - Parameters:
    ///   - isDNSSECOK: whether it was asked with signatures; others do not get them.
    ///   - name: that of the question, if somebody has looked whether it is one that a host can have.
    public convenience init(_ message: Message, isDNSSECOK: Bool, name: DomainName?? = nil) throws(DNSFault) {
        guard message.header.isResponse, message.header.questions == 1, let question = message.question else {
            throw .counts
        }
        let header = message.header
        let code = message.responseCode
        var writer = AnswerWriter(
            name: question.name, of: message.bytes, type: question.type, recordClass: question.recordClass,
            capacity: message.bytes.count)
        var chain = AnswerChain(message, question: question, isDNSSECOK: isDNSSECOK)
        try chain.writeAnswers(into: &writer)
        // A server that says that there is none, or that it failed, and gives some all the same, is not understood.
        guard code == .noError || !chain.hasAnswer else { throw .counts }
        let isNegative = !chain.hasAnswer
        let denialTime = isNegative ? chain.denialTime : nil
        try chain.writeAuthorities(into: &writer, denialTime: denialTime)
        var lifetime: UInt32 = 0
        if code == .noError || code == .noSuchName, !header.isTruncated {
            if !isNegative {
                // Zero is for this one transaction alone (RFC 1035 section 3.2.1).
                lifetime = writer.leastTime == 0 ? 0 : writer.leastTime.clamped(to: Answer.ttl)
            } else if denialTime != nil || !chain.isReferral {
                // A denial without a term is not to be remembered (RFC 2308 section 5): the least time there is.
                lifetime = min(denialTime ?? 0, writer.leastTime).clamped(to: Answer.denialTTL)
            }
        }
        self.init(
            writer, code: code, type: question.type, name: name, isNegative: isNegative,
            isAuthenticated: header.isAuthenticated, isTruncated: header.isTruncated, lifetimeSeconds: lifetime)
    }

    init(
        _ writer: consuming AnswerWriter, code: ResponseCode, type: RecordType, name: DomainName?? = nil,
        isNegative: Bool, isAuthenticated: Bool, isTruncated: Bool = false, lifetimeSeconds: UInt32
    ) {
        responseCode = code
        self.type = type
        self.isNegative = isNegative
        self.isAuthenticated = isAuthenticated
        self.lifetimeSeconds = lifetimeSeconds
        timeOffsets = writer.timeOffsets
        addresses = writer.addresses
        hints = writer.hints
        hasServiceBinding = writer.hasServiceBinding
        timeToLive = writer.answers > 0 ? writer.leastTime : 0
        var flags = Header.response | Header.recursionAvailable | code.rawValue & 0xf
        if isAuthenticated { flags |= Header.authenticated }
        if isTruncated { flags |= Header.truncated }
        bytes = writer.finish(flags: flags)
        nameEnd = bytes.withUnsafeBytes { (try? WireName(reading: $0, at: Header.length).end) ?? Header.length }
        self.name =
            name
            ?? bytes.withUnsafeBytes { [nameEnd] in
                DomainName(wire: UnsafeRawBufferPointer(rebasing: $0[Header.length..<nameEnd]))
            }
    }

    /// An answer made here, such as one from the configuration's hosts: the addresses of the family that was asked for,
    /// or that there are none.
    public static func synthesized(_ key: QuestionKey, addresses: [IPAddress], timeToLive: UInt32) -> StoredAnswer? {
        var buffer = Buffer(capacity: 512)
        for word in [0, Header.response, 1, 0, 0, 0] { buffer.append(bigEndian: word) }
        buffer.append(key.name)
        buffer.append(bigEndian: key.type.rawValue)
        buffer.append(bigEndian: key.recordClass)
        let count = buffer.append(addresses, asked: key.type, recordClass: key.recordClass, timeToLive: timeToLive)
        buffer.mutableReadable.storeBytes(of: count.bigEndian, toByteOffset: 6, as: UInt16.self)
        guard let message = try? Message(buffer.readable), let question = message.question else { return nil }
        var writer = AnswerWriter(
            name: question.name, of: message.bytes, type: question.type, recordClass: question.recordClass,
            capacity: buffer.count)
        for record in message.answers {
            guard (try? writer.append(record, of: message, to: .answer)) != nil else { return nil }
        }
        return StoredAnswer(
            writer, code: .noError, type: key.type, isNegative: count == 0, isAuthenticated: false,
            lifetimeSeconds: timeToLive)
    }

    /// What it holds of memory, with the heap's own share.
    var footprint: Int {
        func array(_ bytes: Int) -> Int { bytes == 0 ? 0 : bytes + StoredAnswer.arrayFootprint }
        return StoredAnswer.ownFootprint + array(bytes.count) + array(2 * timeOffsets.count)
            + array(16 * (addresses.count + hints.count)) + array(name?.bytes.count ?? 0)
    }

    /// The object itself, and an array's header with what the heap rounds up.
    static let ownFootprint = 176
    static let arrayFootprint = 48
}

extension Buffer {
    /// Appends the addresses of the family that was asked for as records of the question's name, and says how many.
    mutating func append(
        _ addresses: [IPAddress], asked type: RecordType, recordClass: UInt16, timeToLive: UInt32
    ) -> UInt16 {
        var count: UInt16 = 0
        guard type == .a || type == .aaaa, recordClass == Question.internet else { return 0 }
        for address in addresses where address.isV4 == (type == .a) && count < 256 {
            append(bigEndian: 0xc000 | UInt16(Header.length))
            append(bigEndian: type.rawValue)
            append(bigEndian: recordClass)
            append(bigEndian32: timeToLive)
            if type == .a {
                append(bigEndian: 4)
                append(bigEndian32: address.v4Bits)
            } else {
                append(bigEndian: 16)
                for word in [address.high, address.low] {
                    append(bigEndian32: UInt32(truncatingIfNeeded: word >> 32))
                    append(bigEndian32: UInt32(truncatingIfNeeded: word))
                }
            }
            count += 1
        }
        return count
    }
}
