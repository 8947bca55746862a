import Bytes
import Policy
import Record

/// What was found out for one exchange of a connection and holds for the next one of the same name: where the name leads,
/// what the rules say, and how the record begins and ends. Half of the work on a small request is to find that out.
///
/// It stands as long as the configuration is the same and the name's answer lives, and only where a rule covers the
/// exchange and nothing spoke against it.
struct Standing: ~Copyable {
    /// The name that the last exchange was for, so that the next of the same makes no new one.
    var name: DomainName?
    private var generation: UInt64?
    private var until = Ticks.never
    private var port: UInt16 = 0
    private var dial = Endpoint(.anyV4, 0)
    private var decision = Decision(mode: .discover, uninspectable: .alert, cover: .uncovered)
    var frame = LineFrame()

    /// Another name begins.
    mutating func turn(to name: DomainName) {
        self.name = name
        generation = nil
    }

    /// Keeps what was found out for an exchange that has just been judged.
    mutating func keep(_ exchange: Exchange) {
        guard exchange.namedBy == .host, exchange.name == name, exchange.decision.rule != nil,
            exchange.threats.isEmpty, let dial = exchange.dial, let until = exchange.nameUntil
        else { return }
        generation = exchange.snapshot.generation
        self.until = until
        port = exchange.port
        self.dial = dial
        decision = exchange.decision
        frame = LineFrame()
        exchange.stands = true
    }

    /// Gives an exchange whose host and port are known what holds for it too; false where that is to be found out.
    func give(_ exchange: Exchange, now: Ticks) -> Bool {
        guard generation == exchange.snapshot.generation, now < until, port == exchange.port else { return false }
        exchange.name = name
        exchange.namedBy = .host
        exchange.dial = dial
        exchange.follow(decision)
        return true
    }
}
