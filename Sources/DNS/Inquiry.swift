import Bytes

/// What is asked of servers: a name, its type and class, and whatever else changes the answer. Equal ones are asked once.
/// A class: it stands in several tables at a time.
public final class Inquiry: Hashable, Sendable {
    /// As on the wire, uncompressed, in lower case, root label included: 1...255 bytes.
    public let name: ContiguousArray<UInt8>
    public let type: RecordType
    public let recordClass: UInt16
    public let isDNSSECOK: Bool
    public let checkingDisabled: Bool
    /// The server that the client meant (`original`); such questions are shared with nobody. Else the zones decide.
    public let server: Endpoint?
    /// The name as a host's, or that it cannot be one; nil if nobody has looked yet.
    let host: DomainName??
    private let hash: Int

    public init(
        name: ContiguousArray<UInt8>, type: RecordType, recordClass: UInt16 = Question.internet,
        isDNSSECOK: Bool = false, checkingDisabled: Bool = false, server: Endpoint? = nil, host: DomainName?? = nil
    ) {
        self.name = name
        self.host = host
        self.type = type
        self.recordClass = recordClass
        self.isDNSSECOK = isDNSSECOK
        self.checkingDisabled = checkingDisabled
        self.server = server
        // Hashed once, with the key of this process: clients choose names.
        var hasher = Hasher()
        name.withUnsafeBytes { hasher.combine(bytes: $0) }
        hasher.combine(UInt32(type.rawValue) << 16 | UInt32(recordClass))
        hash = hasher.finalize()
    }

    /// For the gateway's own needs.
    public convenience init(_ name: DomainName, _ type: RecordType) {
        self.init(name: name.wire, type: type, host: name)
    }

    /// Of a key that borrows its name.
    public convenience init(_ key: QuestionKey, host: DomainName?? = nil) {
        // Length bytes are below any letter, so that folding all bytes folds the letters only.
        let name = ContiguousArray<UInt8>(unsafeUninitializedCapacity: key.name.count) { room, count in
            for byte in key.name {
                room[count] = lower(byte)
                count += 1
            }
        }
        self.init(
            name: name, type: key.type, recordClass: key.recordClass, isDNSSECOK: key.isDNSSECOK,
            checkingDisabled: key.isCheckingDisabled, server: key.server, host: host)
    }

    /// Lends the question as a key.
    func withKey<Result>(_ body: (QuestionKey) -> Result) -> Result {
        name.withUnsafeBytes { name in
            body(
                QuestionKey(
                    name: name, type: type, recordClass: recordClass, isDNSSECOK: isDNSSECOK,
                    isCheckingDisabled: checkingDisabled, server: server))
        }
    }

    public static func == (a: Inquiry, b: Inquiry) -> Bool {
        a.hash == b.hash && a.name == b.name && a.type == b.type && a.recordClass == b.recordClass
            && a.isDNSSECOK == b.isDNSSECOK && a.checkingDisabled == b.checkingDisabled && a.server == b.server
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(hash) }
}

extension DomainName {
    /// As on the wire: each label behind its length, and the root.
    var wire: ContiguousArray<UInt8> {
        ContiguousArray<UInt8>(unsafeUninitializedCapacity: bytes.count + 2) { room, count in
            write(into: UnsafeMutableRawBufferPointer(room))
            count = bytes.count + 2
        }
    }

    /// The same, into room of just that size.
    func write(into room: UnsafeMutableRawBufferPointer) {
        precondition(room.count >= bytes.count + 2, "no room for a name")
        var label = 0
        for index in bytes.indices {
            room[index + 1] = bytes[index]
            guard bytes[index] == UInt8(ascii: ".") else { continue }
            room[label] = UInt8(truncatingIfNeeded: index - label)
            label = index + 1
        }
        room[label] = UInt8(truncatingIfNeeded: bytes.count - label)
        room[bytes.count + 1] = 0
    }
}

/// Who waits for the answer to a question; opaque to the forwarder.
public enum Asker: Hashable, Sendable {
    /// A client's query, by the number that its server knows it by.
    case client(UInt64)
    /// One half, A or AAAA, of the gateway's own lookup.
    case lookup(UInt64, RecordType)
}

/// Why a question has no answer.
public struct Failure: Error, Equatable, Sendable {
    public enum Kind: Sendable {
        case noServers
        /// A bound was hit: the question was not asked.
        case tooMany
        /// No server answered in time.
        case silent
        /// No server could be reached.
        case unreachable
        /// What servers answered was of no use.
        case unusable
        /// Who asked would wait no longer; the question goes on.
        case late
    }

    public let kind: Kind
    /// For people.
    public let reason: String

    init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    static let noServers = Failure(.noServers, "no resolver is configured")
    static let tooMany = Failure(.tooMany, "too many lookups under way")
    static let silent = Failure(.silent, "no answer from any server in time")
    static let late = Failure(.late, "no answer in time")

    /// What goes with SERVFAIL (RFC 8914 sections 4.23 and 4.24).
    public var extendedError: ExtendedError {
        switch kind {
        case .noServers: ExtendedError(code: 0, text: "no resolver is configured")
        case .tooMany: ExtendedError(code: 0, text: "too many questions under way")
        case .silent, .late: ExtendedError(code: 22, text: "no resolver answered in time")
        case .unreachable: ExtendedError(code: 23, text: "no resolver can be reached")
        case .unusable: ExtendedError(code: 22, text: "no resolver gave a usable answer")
        }
    }
}

/// What a question came to.
public enum Outcome: Sendable {
    /// With the server that gave it.
    case answer(StoredAnswer, from: Endpoint)
    case failed(Failure)
}

/// A question that is over, and who waited for it. A class: it goes through several queues.
public final class Finished: Sendable {
    public let inquiry: Inquiry
    public let outcome: Outcome
    /// Empty where nobody waited: a refresh.
    public let askers: ContiguousArray<Asker>

    init(_ inquiry: Inquiry, _ outcome: Outcome, askers: ContiguousArray<Asker>) {
        self.inquiry = inquiry
        self.outcome = outcome
        self.askers = askers
    }
}
