/// The twelve bytes at the front of every message (RFC 1035 section 4.1.1).
public struct Header: Equatable, Sendable {
    public static let length = 12

    public let id: UInt16
    public let flags: UInt16
    public let questions: UInt16
    public let answers: UInt16
    public let authorities: UInt16
    public let additionals: UInt16

    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Header.length, let id = bytes.uint16(at: 0), let flags = bytes.uint16(at: 2),
            let questions = bytes.uint16(at: 4),
            let answers = bytes.uint16(at: 6), let authorities = bytes.uint16(at: 8),
            let additionals = bytes.uint16(at: 10)
        else { return nil }
        self.id = id
        self.flags = flags
        self.questions = questions
        self.answers = answers
        self.authorities = authorities
        self.additionals = additionals
    }

    public var isResponse: Bool { flags & 0x8000 != 0 }
    public var opcode: UInt8 { UInt8(truncatingIfNeeded: flags >> 11 & 0xf) }
    public var isAuthoritative: Bool { flags & 0x0400 != 0 }
    public var isTruncated: Bool { flags & 0x0200 != 0 }
    public var recursionDesired: Bool { flags & 0x0100 != 0 }
    public var recursionAvailable: Bool { flags & 0x0080 != 0 }
    public var isAuthenticated: Bool { flags & Header.authenticated != 0 }
    /// The four bits of the header alone; `Message.responseCode` has those of EDNS too.
    public var responseCode: ResponseCode { ResponseCode(rawValue: flags & 0xf) }

    static let response: UInt16 = 0x8000
    static let truncated: UInt16 = 0x0200
    static let recursionDesired: UInt16 = 0x0100
    static let recursionAvailable: UInt16 = 0x0080
    /// RFC 4035 section 3.2.3.
    static let authenticated: UInt16 = 0x0020
    static let checkingDisabled: UInt16 = 0x0010
}

/// How a server says it went: four bits of the header (RFC 1035 section 4.1.1), below the eight that EDNS adds (RFC 6891
/// section 6.1.3).
public struct ResponseCode: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let noError = ResponseCode(rawValue: 0)
    public static let formatError = ResponseCode(rawValue: 1)
    public static let serverFailure = ResponseCode(rawValue: 2)
    public static let noSuchName = ResponseCode(rawValue: 3)
    public static let notImplemented = ResponseCode(rawValue: 4)
    public static let refused = ResponseCode(rawValue: 5)
    public static let badVersion = ResponseCode(rawValue: 16)
}

/// The type of a record or of a question.
public struct RecordType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let a = RecordType(rawValue: 1)
    public static let ns = RecordType(rawValue: 2)
    public static let cname = RecordType(rawValue: 5)
    public static let soa = RecordType(rawValue: 6)
    public static let null = RecordType(rawValue: 10)
    public static let ptr = RecordType(rawValue: 12)
    public static let mx = RecordType(rawValue: 15)
    public static let txt = RecordType(rawValue: 16)
    public static let aaaa = RecordType(rawValue: 28)
    public static let srv = RecordType(rawValue: 33)
    public static let dname = RecordType(rawValue: 39)
    public static let opt = RecordType(rawValue: 41)
    public static let rrsig = RecordType(rawValue: 46)
    public static let nsec = RecordType(rawValue: 47)
    public static let nsec3 = RecordType(rawValue: 50)
    public static let svcb = RecordType(rawValue: 64)
    public static let https = RecordType(rawValue: 65)
    public static let tsig = RecordType(rawValue: 250)
    public static let ixfr = RecordType(rawValue: 251)
    public static let axfr = RecordType(rawValue: 252)
    public static let any = RecordType(rawValue: 255)
}

/// What a message asks.
public struct Question: Equatable, Sendable {
    public static let internet: UInt16 = 1

    public let name: WireName
    public let type: RecordType
    public let recordClass: UInt16

    /// Just after the question.
    public var end: Int { name.end + 4 }

    public init(reading bytes: UnsafeRawBufferPointer, at start: Int) throws(DNSFault) {
        let name = try WireName(reading: bytes, at: start)
        guard let type = bytes.uint16(at: name.end), let recordClass = bytes.uint16(at: name.end + 2) else {
            throw .cut
        }
        self.name = name
        self.type = RecordType(rawValue: type)
        self.recordClass = recordClass
    }
}

/// One record of a message; its data is a range of the message, which `Message` reads for the types it knows.
public struct ResourceRecord: Equatable, Sendable {
    public let name: WireName
    public let type: RecordType
    public let recordClass: UInt16
    public let timeToLive: UInt32
    public let data: Range<Int>

    init(reading bytes: UnsafeRawBufferPointer, at start: Int) throws(DNSFault) {
        let name = try WireName(reading: bytes, at: start)
        let at = name.end
        guard let type = bytes.uint16(at: at), let recordClass = bytes.uint16(at: at + 2),
            let timeToLive = bytes.uint32(at: at + 4), let length = bytes.uint16(at: at + 8),
            at + 10 + Int(length) <= bytes.count
        else { throw .cut }
        self.name = name
        self.type = RecordType(rawValue: type)
        self.recordClass = recordClass
        // RFC 2181 section 8: a time to live with its top bit set is zero. EDNS keeps other things there.
        self.timeToLive = timeToLive < 1 << 31 || type == RecordType.opt.rawValue ? timeToLive : 0
        data = at + 10..<at + 10 + Int(length)
    }
}
