import Bytes
import Synchronization
import Testing

@testable import Policy

/// How often a client may ask.
@Suite struct ClientRatesTests {
    private static let start = Ticks(milliseconds: 77_000)

    private func taken(_ rates: ClientRates, _ client: IPAddress, _ count: Int, at now: Ticks, rate: Int) -> Int {
        (0..<count).count { _ in rates.take(client, now: now, rate: rate) }
    }

    @Test(arguments: [1, 10, 1000, 30_000]) func aBurstAndThenTheRate(_ rate: Int) {
        let rates = ClientRates()
        let client = IPAddress(v4: 0x0a00_0001)
        #expect(taken(rates, client, 2 * rate, at: ClientRatesTests.start, rate: rate) == rate)
        #expect(taken(rates, client, rate, at: ClientRatesTests.start, rate: rate) == 0)
        // Half a second brings half of them; an idle minute no more than one second's worth.
        let half = taken(rates, client, rate, at: ClientRatesTests.start + Milliseconds(500), rate: rate)
        #expect(half == rate / 2)
        let minute = taken(rates, client, 3 * rate, at: ClientRatesTests.start + .seconds(60), rate: rate)
        #expect(minute == rate)
    }

    /// Over ten seconds of asking too much a client gets its rate and one burst.
    @Test func whoAsksTooMuchGetsTheRate() {
        let rates = ClientRates()
        let client = IPAddress(high: 0xfd00 << 48, low: 1)
        let count = (0..<10_000).reduce(0) { sum, millisecond in
            let now = ClientRatesTests.start + Milliseconds(Int64(millisecond))
            return sum + taken(rates, client, 5, at: now, rate: 1000)
        }
        #expect((10_990...11_010).contains(count))
    }

    /// A hundred clients flood; each of ten thousand others may ask all the same.
    @Test func othersAreUnharmed() {
        let rates = ClientRates()
        for flooder in 0..<100 {
            #expect(taken(rates, IPAddress(v4: UInt32(flooder)), 300, at: ClientRatesTests.start, rate: 100) == 100)
        }
        let denied = (0..<10_000).count { other in
            !rates.take(IPAddress(v4: 0x0a00_0000 + UInt32(other)), now: ClientRatesTests.start, rate: 100)
        }
        // Both buckets of a client would have to be those of a flood.
        #expect(denied <= 1)
    }

    /// A loop whose clock is a little behind another's neither gets more nor is refused for it.
    @Test func clocksMayDiffer() {
        let rates = ClientRates()
        let client = IPAddress(v4: 1)
        let behind = ClientRatesTests.start + Milliseconds(-20)
        #expect(rates.take(client, now: ClientRatesTests.start, rate: 10))
        #expect(rates.take(client, now: behind, rate: 10))
        #expect(taken(rates, client, 20, at: ClientRatesTests.start, rate: 10) == 8)
    }

    @Test func manyThreads() throws {
        let rates = ClientRates()
        let sum = Atomic(0)
        try withThreads(4) { _ in
            for _ in 0..<5000 where rates.take(IPAddress(v4: 1), now: ClientRatesTests.start, rate: 8000) {
                sum.add(1, ordering: .relaxed)
            }
        }
        // Two threads may each take the last token of one bucket.
        #expect((8000...8004).contains(sum.load(ordering: .relaxed)))
    }
}
