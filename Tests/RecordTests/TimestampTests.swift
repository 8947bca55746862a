import Bytes
import Testing

@testable import Record

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000_999, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999_999, "2024-02-29T23:59:59.999Z"),
        (1_795_255_200_123_000, "2026-11-21T10:00:00.123Z"),
        (4_107_542_399_000_000, "2100-02-28T23:59:59.000Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        (-1, "1970-01-01T00:00:00.000Z"),
        (Int64.max, "9999-12-31T23:59:59.999Z"),
    ])
    func text(_ microseconds: Int64, _ expected: String) {
        var time = TimeText()
        var line = Buffer()
        for _ in 0..<2 {
            var out = line.cursor(TimeText.count)
            time.put(microseconds: microseconds, into: &out)
            line.wrote(out.count)
        }
        #expect(line.text == expected + expected)
    }

    /// The calendar, there and back, over 800 years of days.
    @Test func everyDay() {
        var previous = (year: 1969, month: 12, day: 31)
        for day in 0..<292_194 {
            let date = Timestamp.date(ofDay: day)
            if Timestamp.day(year: date.year, month: date.month, day: date.day) != day || date <= previous {
                Issue.record("day \(day)")
            }
            previous = date
        }
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-21T10:00:00.123Z", 1_795_255_200_123_000),
            ("2026-11-21t12:00:00.123456789+02:00", 1_795_255_200_123_456),
            ("2026-11-21T05:30:00.1-04:30", 1_795_255_200_100_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000_000),
            ("2023-02-29T00:00:00Z", nil),
            ("2026-11-31T00:00:00Z", nil),
            ("2026-13-01T00:00:00Z", nil),
            ("2026-00-01T00:00:00Z", nil),
            ("2026-11-00T00:00:00Z", nil),
            ("2026-11-21T24:00:00Z", nil),
            ("2026-11-21T10:60:00Z", nil),
            ("2026-11-21T10:00:00", nil),
            ("2026-11-21T10:00:00.Z", nil),
            ("2026-11-21T10:00:00.1234567890Z", nil),
            ("2026-11-21T10:00:00Zx", nil),
            ("2026-11-21T10:00:00+0200", nil),
            ("2026-11-21 10:00:00Z", nil),
            ("1969-12-31T23:59:59Z", nil),
            ("+026-11-21T10:00:00Z", nil),
        ] as [(String, Int64?)])
    func reading(_ text: String, _ expected: Int64?) {
        #expect(withBytes(text) { Timestamp.microseconds($0) } == expected)
    }

    @Test(
        arguments: [
            ("90s", 910_000_000), ("15m", 100_000_000), ("24h", 0), ("0d", 1_000_000_000),
            ("1970-01-01T00:00:01Z", 1_000_000),
            ("24", nil), ("h", nil), ("-1h", nil), ("+1h", nil), ("1w", nil), ("", nil), ("99999999999999999999h", nil),
            ("999999999999999999h", nil), ("1.5h", nil),
        ] as [(String, Int64?)])
    func moments(_ text: String, _ expected: Int64?) {
        #expect(EgressReport.moment(text, now: 1_000_000_000) == expected)
    }
}
