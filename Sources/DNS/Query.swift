import Bytes

/// A client's query, read strictly: what is not one plain question is answered with a code and goes no further.
///
/// It borrows nothing: its offsets are those of the bytes it was read from, which are handed in again where they are
/// needed.
public struct Query: Equatable, Sendable {
    public enum Reading: Equatable, Sendable {
        case query(Query)
        /// To be answered by `ResponseWriter.reject`.
        case reject(Rejection)
        /// Too short for an answer, or itself a response: answering it could make two servers talk for ever.
        case drop
    }

    public let id: UInt16
    public let isRecursionDesired: Bool
    /// The client checks signatures itself (RFC 4035 section 3.2.2).
    public let isCheckingDisabled: Bool
    /// The client understands the AD bit (RFC 6840 section 5.7).
    public let wantsAuthenticated: Bool
    /// Its name stands uncompressed just after the header.
    public let question: Question
    public let edns: EDNS?

    public var type: RecordType { question.type }
    public var isDNSSECOK: Bool { edns?.isDNSSECOK ?? false }

    /// The name as it stands on the wire, root label included, with the letters that the client chose.
    public func name(in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[question.name.start..<question.name.end])
    }

    /// - Parameter server: the resolver that the client meant, where its answers are for it alone.
    public func key(in bytes: UnsafeRawBufferPointer, server: Endpoint? = nil) -> QuestionKey {
        QuestionKey(
            name: name(in: bytes), type: question.type, recordClass: question.recordClass, isDNSSECOK: isDNSSECOK,
            isCheckingDisabled: isCheckingDisabled, server: server)
    }

    /// What may be sent to the client in one datagram, where we send at most `own` (RFC 6891 section 6.2.5).
    public func datagramMax(_ own: Int) -> Int {
        min(Int(edns?.payloadSize ?? EDNS.payloadMin), max(own, Int(EDNS.payloadMin)))
    }
}

/// What a client says of itself in its OPT record (RFC 6891), version 0.
public struct EDNS: Equatable, Sendable {
    /// What every client takes in a datagram (RFC 1035 section 4.2.1); less is read as this (RFC 6891 section 6.2.3).
    public static let payloadMin: UInt16 = 512

    public let payloadSize: UInt16
    /// DNSSEC records are wanted (RFC 3225).
    public let isDNSSECOK: Bool
}

/// Why a message is no query of ours, and how it is answered.
public struct Rejection: Equatable, Sendable {
    public let id: UInt16
    public let flags: UInt16
    public let code: ResponseCode
    /// What is wrong with its bytes; nil where they only ask for what we do not do.
    public let fault: DNSFault?
    /// Where the question ends, where it could be read: it is repeated.
    var questionEnd: Int?
}

/// What is asked of whom: the key of what is kept and of what is under way. It borrows the name.
public struct QuestionKey {
    /// On the wire, uncompressed, root label included, in any letters.
    public let name: UnsafeRawBufferPointer
    public let type: RecordType
    public let recordClass: UInt16
    public let isDNSSECOK: Bool
    public let isCheckingDisabled: Bool
    /// Answers of a resolver that a client chose are kept apart from all others.
    public let server: Endpoint?
    /// All of the key but the bytes of its name and its server, in one word.
    let kind: UInt64

    public init(
        name: UnsafeRawBufferPointer, type: RecordType, recordClass: UInt16 = Question.internet,
        isDNSSECOK: Bool = false, isCheckingDisabled: Bool = false, server: Endpoint? = nil
    ) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
        self.isDNSSECOK = isDNSSECOK
        self.isCheckingDisabled = isCheckingDisabled
        self.server = server
        let flags: UInt64 = (isDNSSECOK ? 1 : 0) | (isCheckingDisabled ? 2 : 0) | (server == nil ? 0 : 4)
        kind = UInt64(type.rawValue) << 48 | UInt64(recordClass) << 32 | UInt64(name.count) << 8 | flags
    }
}

// MARK: - Reading

extension Query {
    public static func read(_ bytes: UnsafeRawBufferPointer) -> Reading {
        guard let header = Header(bytes), !header.isResponse else { return .drop }
        guard header.opcode == 0 else { return reject(header, .notImplemented, nil) }
        do throws(DNSFault) {
            guard header.questions == 1, header.answers == 0 else { throw .counts }
            let question = try Question(reading: bytes, at: Header.length)
            var at = question.end
            if header.authorities > 0 {
                // The version that a secondary has of a zone (RFC 1995 section 3): read, so that it is called a transfer.
                guard header.authorities == 1, question.type == .ixfr else { throw .counts }
                at = try ResourceRecord(reading: bytes, at: at).data.upperBound
            }
            var edns: EDNS?
            if header.additionals > 0 {
                let additional = try readAdditionals(header.additionals, of: bytes, from: at)
                guard additional.version == 0 else {
                    return reject(header, .badVersion, nil, questionEnd: question.end)
                }
                (edns, at) = (additional.edns, additional.end)
            }
            guard at == bytes.count else { throw .trailing }
            return .query(
                Query(
                    id: header.id, isRecursionDesired: header.recursionDesired,
                    isCheckingDisabled: header.flags & Header.checkingDisabled != 0,
                    wantsAuthenticated: header.isAuthenticated, question: question, edns: edns))
        } catch {
            return reject(header, .formatError, error)
        }
    }

    private static func reject(
        _ header: Header, _ code: ResponseCode, _ fault: DNSFault?, questionEnd: Int? = nil
    ) -> Reading {
        .reject(
            Rejection(id: header.id, flags: header.flags, code: code, fault: fault, questionEnd: questionEnd))
    }

    /// An OPT record and, after it, the signature of a transaction (RFC 8945), which is not ours to check.
    private static func readAdditionals(
        _ count: UInt16, of bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(DNSFault) -> (edns: EDNS?, version: UInt8, end: Int) {
        var at = start
        var edns: EDNS?
        var version: UInt8 = 0
        for index in 0..<count {
            // Nearly every query ends in an OPT record, which is read without the detours of others: its name is one byte.
            guard let size = bytes.uint16(at: at + 3), let flags = bytes.uint32(at: at + 5),
                let length = bytes.uint16(at: at + 9), bytes[at] == 0,
                bytes.uint16(at: at + 1) == RecordType.opt.rawValue
            else {
                let record = try ResourceRecord(reading: bytes, at: at)
                guard record.type != .opt else { throw .edns }
                guard record.type == .tsig, index == count - 1 else { throw .counts }
                at = record.data.upperBound
                continue
            }
            guard edns == nil else { throw .counts }
            let options = at + 11..<at + 11 + Int(length)
            guard options.upperBound <= bytes.count else { throw .cut }
            at = options.upperBound
            version = UInt8(truncatingIfNeeded: flags >> 16)
            edns = EDNS(payloadSize: max(size, EDNS.payloadMin), isDNSSECOK: flags & 0x8000 != 0)
            // Another version may have other options.
            if version == 0 { try checkOptions(of: bytes, in: options) }
        }
        return (edns, version, at)
    }

    /// Options are passed over, but must fill the record exactly.
    private static func checkOptions(of bytes: UnsafeRawBufferPointer, in data: Range<Int>) throws(DNSFault) {
        var at = data.lowerBound
        while at < data.upperBound {
            guard at + 4 <= data.upperBound, let length = bytes.uint16(at: at + 2) else { throw .edns }
            at += 4 + Int(length)
        }
        guard at == data.upperBound else { throw .edns }
    }
}
