import Bytes
import Config
import DNS
import Policy
import Record

/// What was found out for a question that is asked again and again, and holds for the next client of the service: what the
/// rules say, what the answer is to the service, and how the record reads. Four fifths of the work on a kept answer is to
/// find that out.
///
/// It holds for one configuration and one answer of the store, which is known by its identity, and only where a rule covers
/// the question and nothing spoke against it or the answer: written rules do not change within a configuration, and learned
/// ones are never forgotten. What each question changes (rates, sums of tunnels, the memory of names, counts) stays with it.
struct NameStandings {
    /// A client that asks a resolver at a listener.
    final class Asker {
        fileprivate let client: IPAddress
        fileprivate let asked: Endpoint
        fileprivate let listener: ListenerContext
        fileprivate let service: Int
        let serviceNumber: Int
        /// Who remembers what is answered.
        let keeper: IPAddress
        let frame: AskerFrame

        fileprivate init(_ exchange: NameExchange, _ frame: AskerFrame) {
            client = exchange.client.address
            asked = exchange.asked
            listener = exchange.listener
            service = exchange.identity.service
            serviceNumber = exchange.serviceNumber
            keeper = exchange.keeper
            self.frame = frame
        }
    }

    /// A kept answer, given to a service that asks a resolver.
    final class Answer {
        fileprivate let kept: StoredAnswer
        fileprivate let service: Int
        fileprivate let asked: Endpoint
        let cut: NameCut
        /// Fit for the service.
        let given: StoredAnswer
        let frame: AnswerFrame

        fileprivate init(
            _ exchange: NameExchange, _ kept: StoredAnswer, _ cut: NameCut, given: StoredAnswer, _ frame: AnswerFrame
        ) {
            self.kept = kept
            service = exchange.identity.service
            asked = exchange.asked
            self.cut = cut
            self.given = given
            self.frame = frame
        }
    }

    typealias Found = (asker: Asker, answer: Answer)

    private struct Place {
        var tag: UInt64 = 0
        var answer: Answer?
    }

    private static let askersMost = 1024
    /// Four of them, which are a line of the cache, stand where a hash leads to. With the bound of an answer a few MiB, some
    /// of them of answers that have left the store.
    private static let answersMost = 8192
    private static let ways = 4
    private static let answerBytesMost = 512
    /// Where there are more than places, one in so many takes another's: to find out costs more than it saves then.
    private static let turnover: UInt64 = 16

    private var generation: UInt64 = 0
    private var askers = ContiguousArray<Asker?>(repeating: nil, count: askersMost)
    private var answers = ContiguousArray<Place>(repeating: Place(), count: answersMost)
    private var refused: UInt64 = 0

    /// What stands for a hit of the store.
    func find(
        _ hit: AnswerStore.Hit, for client: IPAddress, to asked: Endpoint, at listener: ListenerContext,
        _ snapshot: Snapshot
    ) -> Found? {
        guard hit.isHot, !hit.isStale, let asker = asker(client, asked, listener, snapshot) else { return nil }
        let tag = NameStandings.tag(of: hit.answer, asker.service)
        for at in NameStandings.places(tag) where answers[at].tag == tag {
            guard let answer = answers[at].answer, answer.kept === hit.answer, answer.service == asker.service,
                answer.asked == asked
            else { continue }
            return (asker, answer)
        }
        return nil
    }

    private func asker(
        _ client: IPAddress, _ asked: Endpoint, _ listener: ListenerContext, _ snapshot: Snapshot
    ) -> Asker? {
        guard generation == snapshot.generation, let asker = askers[NameStandings.place(of: client)],
            asker.client == client, asker.asked == asked, asker.listener === listener
        else { return nil }
        return asker
    }

    /// What the records of whoever asks have in common.
    func frame(of exchange: NameExchange) -> AskerFrame? {
        asker(exchange.client.address, exchange.asked, exchange.listener, exchange.snapshot)?.frame
    }

    /// Keeps it.
    mutating func keep(_ exchange: NameExchange, _ frame: AskerFrame) {
        begin(exchange.snapshot)
        askers[NameStandings.place(of: exchange.client.address)] = Asker(exchange, frame)
    }

    private mutating func begin(_ snapshot: Snapshot) {
        guard generation != snapshot.generation else { return }
        self = NameStandings()
        generation = snapshot.generation
    }

    /// Whether all that is to be said of this exchange will be so the next time, and there is a place for it. Types that can
    /// carry data in their answers are judged by each of them.
    mutating func wants(_ exchange: NameExchange, _ answer: StoredAnswer) -> Bool {
        let snapshot = exchange.snapshot
        let dns = snapshot.settings.dns
        guard exchange.isPlain, !exchange.decision.mayLearn, !dns.original, dns.aggregate == .zero,
            !snapshot.profiles[exchange.identity.service].reads.contains(.name),
            [.a, .aaaa, .https].contains(exchange.query.type), answer.bytes.count <= NameStandings.answerBytesMost
        else { return false }
        begin(snapshot)
        let tag = NameStandings.tag(of: answer, exchange.identity.service)
        if NameStandings.places(tag).contains(where: { answers[$0].answer == nil || answers[$0].tag == tag }) {
            return true
        }
        refused &+= 1
        return refused % NameStandings.turnover == 0
    }

    /// Keeps what was wanted.
    mutating func keep(
        _ exchange: NameExchange, _ kept: StoredAnswer, _ cut: NameCut, given: StoredAnswer, _ frames: NameFrames
    ) {
        let tag = NameStandings.tag(of: kept, exchange.identity.service)
        let places = NameStandings.places(tag)
        let place =
            places.first { answers[$0].tag == tag } ?? places.first { answers[$0].answer == nil }
            ?? places.lowerBound + Int(refused / NameStandings.turnover) % NameStandings.ways
        answers[place] = Place(tag: tag, answer: Answer(exchange, kept, cut, given: given, frames.answer))
    }

    private static func place(of client: IPAddress) -> Int {
        Int(truncatingIfNeeded: mixed(client.high ^ client.low) >> 32) & (askersMost - 1)
    }

    /// Of an object that lives: while it stands here no other has its address.
    private static func tag(of answer: StoredAnswer, _ service: Int) -> UInt64 {
        mixed(UInt64(UInt(bitPattern: ObjectIdentifier(answer))) ^ UInt64(service) << 48)
    }

    private static func places(_ tag: UInt64) -> Range<Int> {
        let first = Int(truncatingIfNeeded: tag >> 32) & (answersMost - ways)
        return first..<first + ways
    }

    private static func mixed(_ word: UInt64) -> UInt64 { word &* 0x9e37_79b9_7f4a_7c15 }
}
