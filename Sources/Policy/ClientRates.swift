import Bytes
import Synchronization

/// How often each client may ask: a token bucket of one second's worth for each, in a fixed table that all loops share.
///
/// A bucket is one number, the time at which it will be full again (the generic cell rate algorithm), and there are two
/// rows of them without owners: a client has a bucket in each row and may ask while either has a token. So a client that
/// shares one bucket with a flood is unharmed; to share both with the same flood is one chance in a thousand million.
///
/// Unchecked Sendable: the pointer is constant, and all that it points to is atomic.
public final class ClientRates: @unchecked Sendable {
    private static let columns = 1 << 15

    /// Nanoseconds of the monotonic clock.
    private let buckets: UnsafeMutablePointer<Atomic<UInt64>>
    /// So that nobody can choose an address that shares its buckets with another's.
    private let seed = UInt64.random(in: .min ... .max)

    public init() {
        buckets = .allocate(capacity: 2 * ClientRates.columns)
        for index in 0..<2 * ClientRates.columns { (buckets + index).initialize(to: Atomic(0)) }
    }

    deinit {
        buckets.deinitialize(count: 2 * ClientRates.columns)
        buckets.deallocate()
    }

    /// Takes a token of the client, of which there are `rate` more every second and `rate` at once; false if there is none.
    public func take(_ client: IPAddress, now: Ticks, rate: Int) -> Bool {
        precondition(rate > 0, "a client may ask at all")
        let hash = Hashing.address(client, seed: seed)
        let first = Int(truncatingIfNeeded: hash) & (ClientRates.columns - 1)
        let second = Int(truncatingIfNeeded: hash >> 32) & (ClientRates.columns - 1)
        let time = UInt64(truncatingIfNeeded: now.milliseconds) &* 1_000_000
        let price = 1_000_000_000 / UInt64(rate)
        // From both, whatever the first says: the two of one client must run dry together.
        let inFirst = take(first, time, price)
        let inSecond = take(ClientRates.columns + second, time, price)
        return inFirst || inSecond
    }

    /// Bounds: the index is a masked one, in the first row or the second.
    @inline(__always)
    private func take(_ index: Int, _ now: UInt64, _ price: UInt64) -> Bool {
        var full = buckets[index].load(ordering: .relaxed)
        while true {
            let next = max(full, now) &+ price
            if next &- now > 1_000_000_000 { return false }
            let outcome = buckets[index].weakCompareExchange(expected: full, desired: next, ordering: .relaxed)
            if outcome.exchanged { return true }
            full = outcome.original
        }
    }
}
