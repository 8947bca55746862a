import Bytes

/// What one lookup learned: addresses, and how long they may be believed.
public struct Answer: Equatable, Sendable {
    public enum Outcome: Equatable, Sendable {
        case addresses
        /// The name does not exist.
        case noSuchName
        /// The name exists and has no address.
        case noData
        /// Nobody could say; the text is for people.
        case failed(String)
    }

    public var addresses: [IPAddress]
    public var ttlSeconds: UInt32
    public var outcome: Outcome

    public init(addresses: [IPAddress] = [], ttlSeconds: UInt32, outcome: Outcome) {
        self.addresses = addresses
        self.ttlSeconds = ttlSeconds
        self.outcome = outcome
    }
}

/// What one question of a lookup, A or AAAA, came to.
enum Finding: Equatable {
    case addresses([IPAddress], ttl: UInt32)
    case noSuchName(ttl: UInt32)
    case noData(ttl: UInt32)
    case failed(String)
}

extension Answer {
    /// The bounds of what is believed, whatever a server says: no answer is asked for again within the second, none
    /// outlives an hour, a denial five minutes.
    static let ttl: ClosedRange<UInt32> = 1...3600
    static let denialTTL: ClosedRange<UInt32> = 1...300
    /// Of a lookup of which one half failed.
    static let partialTTL: UInt32 = 5

    /// From the two halves of a lookup. A half with addresses counts whatever became of the other.
    init(_ v4: Finding, _ v6: Finding) {
        switch (v4, v6) {
        case (.addresses(let a, let aTTL), .addresses(let b, let bTTL)):
            self.init(addresses: a + b, ttlSeconds: Swift.min(aTTL, bTTL).clamped(to: Answer.ttl), outcome: .addresses)
        case (.addresses(let addresses, let ttl), .failed), (.failed, .addresses(let addresses, let ttl)):
            let ttl = Swift.min(ttl, Answer.partialTTL).clamped(to: Answer.ttl)
            self.init(addresses: addresses, ttlSeconds: ttl, outcome: .addresses)
        case (.addresses(let addresses, let ttl), _), (_, .addresses(let addresses, let ttl)):
            self.init(addresses: addresses, ttlSeconds: ttl.clamped(to: Answer.ttl), outcome: .addresses)
        case (.noSuchName(let ttl), _), (_, .noSuchName(let ttl)):
            // RFC 8020: a name that does not exist has no record of any type.
            self.init(ttlSeconds: ttl.clamped(to: Answer.denialTTL), outcome: .noSuchName)
        case (.failed(let reason), _), (_, .failed(let reason)):
            self.init(ttlSeconds: 1, outcome: .failed(reason))
        case (.noData(let a), .noData(let b)):
            self.init(ttlSeconds: Swift.min(a, b).clamped(to: Answer.denialTTL), outcome: .noData)
        }
    }
}

extension UInt32 {
    func clamped(to range: ClosedRange<UInt32>) -> UInt32 {
        Swift.min(Swift.max(self, range.lowerBound), range.upperBound)
    }
}
