import Bytes

/// Times in fixed buckets, from 50 µs to 10 s: wide enough for a connect across the world, fine enough for what the
/// gateway itself adds. Kept in whole microseconds, so that merging is exact.
public struct Histogram: Sendable, Equatable {
    /// Upper bounds in microseconds with their text in seconds; beyond the last is `+Inf`.
    static let bounds: [(microseconds: UInt64, label: StaticString)] = [
        (50, "0.00005"), (100, "0.0001"), (250, "0.00025"), (500, "0.0005"), (1000, "0.001"), (2500, "0.0025"),
        (5000, "0.005"), (10_000, "0.01"), (25_000, "0.025"), (50_000, "0.05"), (100_000, "0.1"), (250_000, "0.25"),
        (500_000, "0.5"), (1_000_000, "1"), (2_500_000, "2.5"), (5_000_000, "5"), (10_000_000, "10"),
    ]

    /// Observations of each bucket alone; the text adds them up.
    private(set) var counts = [UInt64](repeating: 0, count: Histogram.bounds.count + 1)
    private(set) var sumMicroseconds: UInt64 = 0

    public init() {}

    public mutating func observe(microseconds: Int64) {
        let value = UInt64(clamping: microseconds)
        let bucket = Histogram.bounds.firstIndex { value <= $0.microseconds } ?? Histogram.bounds.count
        counts[bucket] &+= 1
        sumMicroseconds &+= value
    }

    public mutating func merge(_ other: Histogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sumMicroseconds &+= other.sumMicroseconds
    }
}
