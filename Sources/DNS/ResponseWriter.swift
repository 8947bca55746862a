import Bytes
import Glibc

/// Why a response is what it is, for whoever looks into a failure (RFC 8914).
public struct ExtendedError: Sendable {
    public let code: UInt16
    public let text: StaticString

    public init(code: UInt16, text: StaticString = "") {
        self.code = code
        self.text = text
    }

    public static let stale = ExtendedError(code: 3)
    public static let staleNoSuchName = ExtendedError(code: 19)
    public static let blocked = ExtendedError(code: 15)
    public static let filtered = ExtendedError(code: 17)
    public static let prohibited = ExtendedError(code: 18)
    public static let notSupported = ExtendedError(code: 21)
    public static let noReachableAuthority = ExtendedError(code: 22)
    public static let networkError = ExtendedError(code: 23)

    fileprivate static func stale(_ answer: StoredAnswer) -> ExtendedError {
        answer.responseCode == .noSuchName ? .staleNoSuchName : .stale
    }
}

/// Writes the responses that clients get. All of them append to a buffer; none allocates unless the buffer must grow.
public enum ResponseWriter {
    /// What a client may believe of an answer that is past its time (RFC 8767 section 4).
    public static let staleTimeToLive: UInt32 = 30

    /// Writes an answer that is kept: with the client's id and the letters of its name, times to live less the answer's
    /// age, and an OPT record if the client sent one. What is larger than `sizeMax` becomes a truncated response without
    /// records: the client asks again over TCP.
    ///
    /// - Parameters:
    ///   - age: seconds since the answer came.
    ///   - isStale: it is past its time, and nobody could be asked.
    ///   - sizeMax: `Query.datagramMax`, or 65535 over TCP.
    ///   - payloadSize: what we take in a datagram ourselves.
    /// - Returns: whether it was truncated.
    @discardableResult
    public static func write(
        _ answer: StoredAnswer, age: UInt32, isStale: Bool = false, to query: Query, in bytes: UnsafeRawBufferPointer,
        sizeMax: Int, payloadSize: UInt16, extended: ExtendedError? = nil, into buffer: inout Buffer
    ) -> Bool {
        let questionEnd = query.question.end
        precondition(answer.nameEnd == query.question.name.end, "the answer to another question")
        precondition(bytes.count >= questionEnd, "another query's bytes")
        var opt = Opt(query, answer.responseCode, payloadSize, extended ?? (isStale ? .stale(answer) : nil))
        if answer.bytes.count + opt.length > sizeMax { opt.drop() }
        let isTruncated = answer.bytes.count + opt.length > sizeMax
        let count = isTruncated ? questionEnd : answer.bytes.count
        let room = buffer.writable(count + opt.length)
        answer.bytes.withUnsafeBytes { stored in
            // Bounds: `writable` gave at least `count` bytes, of which the question's end is not past the last.
            guard let target = room.baseAddress, let source = stored.baseAddress, let letters = bytes.baseAddress else {
                return
            }
            memcpy(target, source, count)
            memcpy(target + Header.length, letters + Header.length, questionEnd - Header.length)
        }
        var flags = answer.flags | query.mirroredFlags
        if !query.wantsAuthenticated, !query.isDNSSECOK { flags &= ~Header.authenticated }
        if answer.responseCode.rawValue > 15 { flags = flags & ~0xf | opt.headerCode }
        if isTruncated { flags |= Header.truncated }
        room.store(query.id, at: 0)
        room.store(flags, at: 2)
        room.store(UInt16(opt.length > 0 ? 1 : 0), at: 10)
        if isTruncated {
            room.store(0 as UInt32, at: 6)
        } else {
            lower(room, at: answer.timeOffsets, by: age, isStale: isStale)
        }
        opt.write(to: room, at: count)
        buffer.wrote(count + opt.length)
        return isTruncated
    }

    @inline(always) private static func lower(
        _ room: UnsafeMutableRawBufferPointer, at offsets: ContiguousArray<UInt16>, by age: UInt32, isStale: Bool
    ) {
        for offset in offsets {
            let offset = Int(offset)
            if isStale {
                room.store(staleTimeToLive, at: offset)
            } else {
                let time = UInt32(bigEndian: room.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                room.store(time > age ? time &- age : 0, at: offset)
            }
        }
    }

    /// Writes a response of our own: a code without records, or addresses of the operator's choice, of the family that was
    /// asked for.
    public static func refuse(
        _ query: Query, in bytes: UnsafeRawBufferPointer, _ code: ResponseCode, extended: ExtendedError? = nil,
        addresses: [IPAddress] = [], timeToLive: UInt32 = 0, payloadSize: UInt16, into buffer: inout Buffer
    ) {
        let start = buffer.count
        let opt = Opt(query, code, payloadSize, extended)
        let flags = Header.response | Header.recursionAvailable | query.mirroredFlags | opt.headerCode
        buffer.append(header: query.id, flags: flags, questions: 1, additionals: opt.length > 0 ? 1 : 0)
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[Header.length..<query.question.end]))
        let count = buffer.append(
            addresses, asked: query.type, recordClass: query.question.recordClass, timeToLive: timeToLive)
        buffer.mutableReadable.store(count, at: start + 6)
        opt.append(to: &buffer)
    }

    /// Answers what is no query of ours: a header alone, with the code.
    public static func reject(_ rejection: Rejection, payloadSize: UInt16, into buffer: inout Buffer) {
        // Operation and recursion desired are the client's; a code over 15 needs an OPT record.
        let opt = Opt(code: rejection.code, payloadSize: payloadSize)
        let flags = Header.response | rejection.flags & (0x7800 | Header.recursionDesired) | opt.headerCode
        buffer.append(header: rejection.id, flags: flags, questions: 0, additionals: opt.length > 0 ? 1 : 0)
        opt.append(to: &buffer)
    }
}

// MARK: - Pieces

/// The OPT record of a response (RFC 6891 section 6.1.2): there if the client sent one.
private struct Opt {
    private let isThere: Bool
    private let isDNSSECOK: Bool
    private let code: ResponseCode
    private let payloadSize: UInt16
    private var extended: ExtendedError?
    /// What it takes of the message; zero if it is not there.
    private(set) var length: Int

    init(_ query: Query, _ code: ResponseCode, _ payloadSize: UInt16, _ extended: ExtendedError?) {
        isThere = query.edns != nil
        isDNSSECOK = query.isDNSSECOK
        self.code = code
        self.payloadSize = payloadSize
        self.extended = extended
        length = isThere ? 11 : 0
        if isThere, let extended { length += 6 + extended.text.utf8CodeUnitCount }
    }

    init(code: ResponseCode, payloadSize: UInt16) {
        isThere = code.rawValue > 15
        isDNSSECOK = false
        self.code = code
        self.payloadSize = payloadSize
        length = isThere ? 11 : 0
    }

    /// Leaves the reason out: records come first.
    mutating func drop() {
        extended = nil
        length = isThere ? 11 : 0
    }

    /// The code's part in the header; one that only EDNS can say is a failure to a client without.
    var headerCode: UInt16 {
        isThere || code.rawValue <= 15 ? code.rawValue & 0xf : ResponseCode.serverFailure.rawValue
    }

    func append(to buffer: inout Buffer) {
        write(to: buffer.writable(length), at: 0)
        buffer.wrote(length)
    }

    func write(to room: UnsafeMutableRawBufferPointer, at start: Int) {
        guard isThere else { return }
        precondition(room.count - start >= length, "no room for the OPT record")
        room[start] = 0
        room.store(RecordType.opt.rawValue, at: start + 1)
        room.store(payloadSize, at: start + 3)
        room.store(UInt32(code.rawValue >> 4) << 24 | (isDNSSECOK ? 0x8000 : 0), at: start + 5)
        room.store(UInt16(truncatingIfNeeded: length - 11), at: start + 9)
        guard let extended, let target = room.baseAddress else { return }
        let count = extended.text.utf8CodeUnitCount
        room.store(15 as UInt16, at: start + 11)
        room.store(UInt16(truncatingIfNeeded: 2 + count), at: start + 13)
        room.store(extended.code, at: start + 15)
        memcpy(target + start + 17, extended.text.utf8Start, count)
    }
}

extension Query {
    /// The flags that a response has from its query.
    fileprivate var mirroredFlags: UInt16 {
        (isRecursionDesired ? Header.recursionDesired : 0) | (isCheckingDisabled ? Header.checkingDisabled : 0)
    }
}

extension StoredAnswer {
    /// Those of the header, the code among them as far as it has room there.
    fileprivate var flags: UInt16 {
        bytes.withUnsafeBytes { $0.uint16(at: 2) ?? Header.response }
    }
}

extension Buffer {
    fileprivate mutating func append(header id: UInt16, flags: UInt16, questions: UInt16, additionals: UInt16) {
        append(bigEndian: id)
        append(bigEndian: flags)
        append(bigEndian: questions)
        append(bigEndian32: 0)
        append(bigEndian: additionals)
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores an integer in network order.
    @inline(always) fileprivate func store<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ value: Integer, at offset: Int
    ) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: Integer.self)
    }
}
