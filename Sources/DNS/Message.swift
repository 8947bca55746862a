import Bytes

/// A message over the bytes that came, checked whole when it is made and read in ranges afterwards.
///
/// It borrows the bytes: it is valid as long as they are.
public struct Message {
    public let bytes: UnsafeRawBufferPointer
    public let header: Header
    /// Just after the last record; what follows belongs to no section.
    public let end: Int
    private let answersStart: Int
    private let authoritiesStart: Int
    private let additionalsStart: Int

    public init(_ bytes: UnsafeRawBufferPointer) throws(DNSFault) {
        guard let header = Header(bytes) else { throw .cut }
        var at = Header.length
        for _ in 0..<header.questions { at = try Question(reading: bytes, at: at).end }
        answersStart = at
        at = try Message.skip(header.answers, in: bytes, from: at)
        authoritiesStart = at
        at = try Message.skip(header.authorities, in: bytes, from: at)
        additionalsStart = at
        end = try Message.skip(header.additionals, in: bytes, from: at)
        self.bytes = bytes
        self.header = header
    }

    private static func skip(
        _ count: UInt16, in bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(DNSFault) -> Int {
        var at = start
        for _ in 0..<count {
            let record = try ResourceRecord(reading: bytes, at: at)
            try check(record, in: bytes)
            at = record.data.upperBound
        }
        return at
    }

    private static func check(_ record: ResourceRecord, in bytes: UnsafeRawBufferPointer) throws(DNSFault) {
        switch record.type {
        case .a where record.recordClass == Question.internet:
            guard record.data.count == 4 else { throw .data }
        case .aaaa where record.recordClass == Question.internet:
            guard record.data.count == 16 else { throw .data }
        case .cname:
            guard try WireName(reading: bytes, at: record.data.lowerBound).end == record.data.upperBound else {
                throw .data
            }
        default:
            break
        }
    }

    /// The first question; messages of this day hold exactly one.
    public var question: Question? {
        header.questions > 0 ? try? Question(reading: bytes, at: Header.length) : nil
    }

    public var answers: Records { Records(bytes: bytes, at: answersStart, left: header.answers) }
    public var authorities: Records { Records(bytes: bytes, at: authoritiesStart, left: header.authorities) }
    public var additionals: Records { Records(bytes: bytes, at: additionalsStart, left: header.additionals) }

    /// The records of one section, in order.
    public struct Records: Sequence, IteratorProtocol {
        let bytes: UnsafeRawBufferPointer
        var at: Int
        var left: UInt16

        public mutating func next() -> ResourceRecord? {
            guard left > 0, let record = try? ResourceRecord(reading: bytes, at: at) else { return nil }
            left -= 1
            at = record.data.upperBound
            return record
        }
    }
}

// MARK: - What the ranges hold

extension Message {
    /// The address of an A or AAAA record.
    public func address(of record: ResourceRecord) -> IPAddress? {
        guard record.recordClass == Question.internet else { return nil }
        switch record.type {
        case .a:
            return bytes.uint32(at: record.data.lowerBound).map { IPAddress(v4: $0) }
        case .aaaa:
            guard let high = bytes.uint64(at: record.data.lowerBound),
                let low = bytes.uint64(at: record.data.lowerBound + 8)
            else { return nil }
            return IPAddress(high: high, low: low)
        default:
            return nil
        }
    }

    /// The name that a CNAME record leads to.
    public func target(of record: ResourceRecord) -> WireName? {
        guard record.type == .cname, record.recordClass == Question.internet else { return nil }
        return try? WireName(reading: bytes, at: record.data.lowerBound)
    }

    /// How long a denial may be believed: the lesser of the SOA record's own time to live and its last field (RFC 2308
    /// section 5).
    public func denialTime(of record: ResourceRecord) -> UInt32? {
        guard record.type == .soa, record.data.count >= 22,
            let minimum = bytes.uint32(at: record.data.upperBound - 4)
        else { return nil }
        return Swift.min(record.timeToLive, minimum)
    }

    /// Whether two names are the same in any letter case (RFC 4343).
    public func same(_ a: WireName, _ b: WireName) -> Bool {
        guard a.length == b.length else { return false }
        if a.start == b.start { return true }
        return sameLabels(a.labels(in: bytes), b.labels(in: bytes))
    }

    /// The name in canonical form, if it is one that a host can have. Allocates.
    public func domainName(_ name: WireName) -> DomainName? {
        var text = Buffer(capacity: name.length)
        for label in name.labels(in: bytes) {
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            // A dot within a label must not pass for one between labels.
            guard !bytes[label].contains(UInt8(ascii: ".")) else { return nil }
            text.append(UnsafeRawBufferPointer(rebasing: bytes[label]))
        }
        return DomainName(text.readable)
    }
}

/// ASCII letters in lower case, every other byte as it is.
@inline(always) func lower(_ byte: UInt8) -> UInt8 {
    byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
}
