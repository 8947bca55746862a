import Bytes
import Glibc

/// Writes times as RFC 3339 in UTC with milliseconds, keeping the text of the last second: a loop writes thousands of
/// records within one.
struct TimeText {
    private var second: Int64 = -1
    private var text = InlineArray<19, UInt8>(repeating: UInt8(ascii: "0"))

    static let count = 24

    /// Writes `2026-11-21T10:00:00.123Z`.
    mutating func put(microseconds: Int64, into line: inout LineCursor) {
        let clamped = min(max(microseconds, 0), Timestamp.latest)
        let (seconds, rest) = clamped.quotientAndRemainder(dividingBy: 1_000_000)
        if seconds != second {
            second = seconds
            text = Timestamp.text(ofSecond: seconds)
        }
        withUnsafeBytes(of: &text) { line.put($0) }
        let milliseconds = Int(rest / 1000)
        line.put(UInt8(ascii: "."))
        line.put(digit(milliseconds / 100))
        line.put(digit(milliseconds / 10))
        line.put(digit(milliseconds))
        line.put(UInt8(ascii: "Z"))
    }
}

/// The calendar of RFC 3339, without leap seconds, as POSIX counts.
enum Timestamp {
    /// The last microsecond of the year 9999.
    static let latest: Int64 = 253_402_300_799_999_999

    static func text(ofSecond second: Int64) -> InlineArray<19, UInt8> {
        let (days, clock) = Int(second).quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = date(ofDay: days)
        var text = InlineArray<19, UInt8>(repeating: UInt8(ascii: "-"))
        func put(_ value: Int, at index: Int) {
            text[index] = digit(value / 10)
            text[index + 1] = digit(value)
        }
        put(year / 100, at: 0)
        put(year % 100, at: 2)
        put(month, at: 5)
        put(day, at: 8)
        text[10] = UInt8(ascii: "T")
        put(clock / 3600, at: 11)
        text[13] = UInt8(ascii: ":")
        put(clock / 60 % 60, at: 14)
        text[16] = UInt8(ascii: ":")
        put(clock % 60, at: 17)
        return text
    }

    /// Days since 1970 to a date of the proleptic Gregorian calendar. Years begin in March, so that the leap day is last.
    static func date(ofDay days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day)
    }

    static func day(year: Int, month: Int, day: Int) -> Int {
        let shifted = month > 2 ? year : year - 1
        let yearOfEra = shifted % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return shifted / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Reads an RFC 3339 time, with `Z` or a numeric offset and up to nine digits of fraction, as unix microseconds.
    static func microseconds(_ text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 20, text[4] == UInt8(ascii: "-"), text[7] == UInt8(ascii: "-"),
            text[10] | 0x20 == UInt8(ascii: "t"), text[13] == UInt8(ascii: ":"), text[16] == UInt8(ascii: ":"),
            let century = pair(text, 0), let inCentury = pair(text, 2), let month = pair(text, 5),
            let dayOfMonth = pair(text, 8), let hour = pair(text, 11), let minute = pair(text, 14),
            let second = pair(text, 17), (1...12).contains(month), hour < 24, minute < 60, second < 61
        else { return nil }
        let year = century * 100 + inCentury
        let days = day(year: year, month: month, day: dayOfMonth)
        guard year >= 1970, dayOfMonth >= 1, date(ofDay: days) == (year, month, dayOfMonth) else { return nil }
        var at = 19
        var fraction = 0
        if text[at] == UInt8(ascii: ".") {
            var unit = 1_000_000
            at += 1
            let start = at
            while at < text.count, let value = decimalDigit(text[at]) {
                unit /= 10
                fraction += value * unit
                at += 1
            }
            guard (1...9).contains(at - start) else { return nil }
        }
        guard let offset = offsetSeconds(text, at: at) else { return nil }
        return Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset) * 1_000_000 + Int64(fraction)
    }

    private static func offsetSeconds(_ text: UnsafeRawBufferPointer, at: Int) -> Int? {
        guard at < text.count else { return nil }
        if text[at] | 0x20 == UInt8(ascii: "z") { return at + 1 == text.count ? 0 : nil }
        guard text.count == at + 6, text[at + 3] == UInt8(ascii: ":"), let hours = pair(text, at + 1),
            let minutes = pair(text, at + 4), hours < 24, minutes < 60
        else { return nil }
        let seconds = hours * 3600 + minutes * 60
        switch text[at] {
        case UInt8(ascii: "+"): return seconds
        case UInt8(ascii: "-"): return -seconds
        default: return nil
        }
    }

    private static func pair(_ text: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        guard let tens = decimalDigit(text[at]), let ones = decimalDigit(text[at + 1]) else { return nil }
        return tens * 10 + ones
    }

    /// Now, as unix microseconds.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}

/// The last decimal digit of a number that is not negative.
@inline(__always) func digit(_ value: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: value % 10) &+ UInt8(ascii: "0")
}

func decimalDigit(_ byte: UInt8) -> Int? {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int(byte &- UInt8(ascii: "0")) : nil
}
