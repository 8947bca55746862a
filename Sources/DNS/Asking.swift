import Bytes

/// How a question is put to a server.
struct Way {
    var overStream = false
    var edns = true
    /// Letters of the name in random case, which an answer must repeat.
    var mixed = true

    var patience: Milliseconds { overStream ? ForwarderCore.streamPatience : ForwarderCore.retransmission }
}

/// One try of a question: a query to one server on one line.
struct Attempt {
    let server: Int
    let line: Int
    let id: UInt16
    let way: Way
    let began: Ticks
    /// As sent on a stream: behind the two bytes of its length.
    let query: ContiguousArray<UInt8>
    /// Its silence was counted against the server.
    var isOverdue = false
}

/// One question under way. Every try stays open until the question is settled, so that a slow server's answer counts
/// though the next server was already asked. A class, held by one table: it is changed in many places and copied in none.
final class Asking {
    let inquiry: Inquiry
    /// Those of its zone, in order of preference.
    var servers: [Int]
    var askers: ContiguousArray<Asker> = []
    /// Until when each asker waits; empty where all wait for the end.
    var patience: ContiguousArray<Ticks> = []
    /// Whose share of the questions under way it takes.
    var client: IPAddress?
    /// When it is over, whatever is missing.
    let ends: Ticks
    /// When the next server is asked if nothing came.
    var retryAt = Ticks.never
    var attempts: [Attempt] = []
    var attemptsMade = 0
    /// Places in `servers` that were asked in this round.
    var asked: UInt64 = 0
    var rounds = 0
    var failure: Failure?
    /// Sees whether a server is well again; nobody waits for it.
    let isProbe: Bool

    init(_ inquiry: Inquiry, servers: [Int], ends: Ticks, isProbe: Bool) {
        self.inquiry = inquiry
        self.servers = servers
        self.ends = ends
        self.isProbe = isProbe
    }

    var deadline: Ticks { patience.reduce(min(ends, retryAt)) { min($0, $1) } }

    func join(_ asker: Asker, until: Ticks) {
        if until < .never || !patience.isEmpty {
            while patience.count < askers.count { patience.append(.never) }
            patience.append(until)
        }
        askers.append(asker)
    }

    // MARK: Rounds

    var hasAskedAll: Bool { asked.nonzeroBitCount == servers.count }

    func hasAsked(_ place: Int) -> Bool { asked >> UInt64(place) & 1 == 1 }

    func beginRound() {
        asked = 0
        rounds += 1
    }

    /// Begins anew with other servers, in the time that is left.
    func restart(_ servers: [Int]) {
        self.servers = servers
        attempts = []
        (attemptsMade, asked, rounds, failure) = (0, 0, 0, nil)
    }
}
