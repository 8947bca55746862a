import Bytes
import Testing

@testable import Gateway
@testable import Loop
@testable import Policy
@testable import Record

/// What one exchange of a connection found out, and when it holds for the next.
@Suite(.serialized) struct StandingTests {
    private static let dial = Endpoint(IPAddress(v4: 0xc000_0201), 80)
    private static let name = DomainName("a.example")

    private static func configuration(_ door: Endpoint, _ rules: String) -> String {
        """
        listeners: [{name: explicit, address: "\(door)", intercept: explicit}]
        services: [{name: unknown, mode: protect, rules: \(rules)}]
        """
    }

    private func bench() throws -> Bench {
        try Bench { StandingTests.configuration($0, "[{to: a.example, ports: [80], action: allow}]") }
    }

    /// An exchange whose name has been looked up, and that has been judged.
    private func judged(_ bench: Bench, port: UInt16 = 80, until: Milliseconds? = .seconds(60)) -> Exchange {
        let exchange = bench.worker.exchange(for: Identity(service: 0, pod: nil))
        exchange.application = .http
        (exchange.name, exchange.namedBy) = (StandingTests.name, .host)
        (exchange.port, exchange.dial) = (port, Endpoint(StandingTests.dial.address, port))
        exchange.nameUntil = until.map { bench.worker.loop.now + $0 }
        exchange.decide()
        return exchange
    }

    /// The next of the same connection, of which host and port are known.
    private func next(_ bench: Bench, port: UInt16 = 80) -> Exchange {
        let exchange = bench.worker.exchange(for: Identity(service: 0, pod: nil))
        (exchange.application, exchange.port) = (.http, port)
        return exchange
    }

    /// Whether what `first` found out is given to `second`.
    private func isGiven(
        _ bench: Bench, _ first: Exchange, _ second: Exchange, after time: Milliseconds = .zero,
        turning: Bool = false
    ) throws -> Bool {
        var standing = Standing()
        standing.turn(to: try #require(StandingTests.name))
        standing.keep(first)
        if turning { standing.turn(to: try #require(DomainName("b.example"))) }
        return standing.give(second, now: bench.worker.loop.now + time)
    }

    @Test func holdsForTheNext() throws {
        let bench = try bench()
        let (first, second) = (judged(bench), next(bench))
        #expect(try isGiven(bench, first, second, after: .seconds(59)))
        #expect(first.stands && second.stands)
        #expect(second.name == StandingTests.name && second.namedBy == .host && second.dial == StandingTests.dial)
        #expect(second.action == .allow && second.decision.rule?.text == first.decision.rule?.text)
        #expect(second.decision.rule != nil)
    }

    @Test func endsWithTheAnswer() throws {
        let bench = try bench()
        #expect(try !isGiven(bench, judged(bench), next(bench), after: .seconds(60)))
        #expect(try !isGiven(bench, judged(bench, until: nil), next(bench)))
    }

    @Test func isForOnePort() throws {
        let bench = try bench()
        #expect(try !isGiven(bench, judged(bench), next(bench, port: 81)))
    }

    @Test func isForOneName() throws {
        let bench = try bench()
        #expect(try !isGiven(bench, judged(bench), next(bench), turning: true))
    }

    @Test func isOfOneConfiguration() throws {
        let bench = try bench()
        let (first, old) = (judged(bench), next(bench))
        try bench.reload(StandingTests.configuration(bench.door, "[]"))
        let fresh = next(bench)
        #expect(try !isGiven(bench, first, fresh))
        #expect(fresh.dial == nil && !fresh.stands)
        // What began under the old one goes on under it.
        #expect(try isGiven(bench, first, old))
    }

    /// What no rule covers is judged each time, and so is what a threat was seen in or what was named otherwise.
    @Test func isKeptOnlyOfWhatARuleCovers() throws {
        let bench = try bench()
        let uncovered = judged(bench, port: 81)
        #expect(uncovered.decision.rule == nil)
        let threat = judged(bench)
        threat.note(.hostIPMismatch)
        let connected = judged(bench)
        connected.namedBy = .connect
        let lost = judged(bench)
        lost.dial = nil
        let other = judged(bench)
        other.name = DomainName("b.example")
        for exchange in [uncovered, threat, connected, lost, other] {
            #expect(try !isGiven(bench, exchange, next(bench, port: exchange.port)))
            #expect(!exchange.stands)
        }
    }

    /// An exchange that is judged anew, as after a finding or a reload, no longer stands.
    @Test func judgementEndsIt() throws {
        let bench = try bench()
        let (first, second) = (judged(bench), next(bench))
        #expect(try isGiven(bench, first, second))
        second.decide()
        #expect(!second.stands)
    }

    /// What another exchange found out has lines of its own.
    @Test func theFrameIsOfTheLast() throws {
        let bench = try bench()
        var standing = Standing()
        standing.turn(to: try #require(StandingTests.name))
        standing.keep(judged(bench))
        let session = SessionRecord(
            id: RecordID(high: 0, low: 0), startMicroseconds: 0, service: "unknown", mode: .protect,
            client: StandingTests.dial, application: .http, action: .allow, would: .allow, listener: "explicit")
        #expect(bench.worker.recorder.reserve())
        bench.worker.recorder.append(session, keeping: &standing.frame)
        let isFilled = !standing.frame.isEmpty
        _ = standing.give(next(bench), now: bench.worker.loop.now)
        let isStillFilled = !standing.frame.isEmpty
        standing.keep(judged(bench, until: .seconds(5)))
        let isEmpty = standing.frame.isEmpty
        #expect(isFilled && isStillFilled && isEmpty)
    }
}
