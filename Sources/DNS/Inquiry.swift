import Bytes

/// Names a socket that the caller opens for one try of one question and closes when told. Never used twice, so an
/// event of a closed one finds nothing.
public struct Slot: Hashable, Sendable {
    public let number: UInt64
}

/// One try of a question: a query sent to one server over a socket of its own.
struct Attempt {
    let slot: Slot
    let server: Int
    let overTCP: Bool
    /// As sent, without the length that precedes it on TCP.
    let query: ContiguousArray<UInt8>
    /// What came over TCP so far, the two bytes of its length included.
    var stream = ContiguousArray<UInt8>()
}

/// One question of a lookup. Every try stays open until the question is settled, so that a slow server's answer
/// counts though the next server was already asked.
struct Asking {
    let type: RecordType
    /// The server asked first; each next try takes the next one.
    let firstServer: Int
    var attempts: [Attempt] = []
    var serversAsked = 0
    var attemptsMade = 0
    /// When the next server is asked if nothing came.
    var retryAt = Ticks.never
    var finding: Finding?
    /// Why the last try failed.
    var failure: String?

    init(type: RecordType, firstServer: Int) {
        self.type = type
        self.firstServer = firstServer
    }
}

/// One name under way: its A and its AAAA question.
struct Inquiry {
    let name: DomainName
    /// When it is over, whatever is missing.
    var ends: Ticks
    var askings: [Asking]

    var deadline: Ticks {
        askings.reduce(ends) { $1.finding == nil ? min($0, $1.retryAt) : $0 }
    }

    /// Once one question has addresses, the other gets a short time only.
    mutating func hurry(by end: Ticks, retryAt: Ticks) {
        let hasAddresses = askings.contains {
            if case .addresses = $0.finding { true } else { false }
        }
        guard hasAddresses, end < ends else { return }
        ends = end
        for half in askings.indices { askings[half].retryAt = min(askings[half].retryAt, retryAt) }
    }
}
