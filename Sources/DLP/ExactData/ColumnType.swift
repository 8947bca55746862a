/// What the values of a column are, which says how they are made alike and how they look in text.
public enum ColumnType: UInt8, Sendable, CaseIterable {
    /// Digits; all else separates them.
    case digits = 1
    /// Digits and letters in either case; all else separates them.
    case alnum
    case email
    /// Words, without case and accents.
    case name
    case date

    /// Bytes of a value that is made alike, at most.
    static let bytesMax = 254
    /// Digits or letters of a number that separators can be in.
    static let codeMax = 40
    /// Shorter ones stand everywhere.
    static let codeMin = 5
    static let nameMin = 2
    static let nameMax = 64
    static let wordsMax = 6
}

/// A column of a file: what its values are, and how they are written there.
public struct ColumnForm: Sendable, Equatable {
    public var type: ColumnType
    /// Of dates.
    var order: DateOrder

    enum DateOrder: Sendable { case yearFirst, dayFirst, monthFirst }

    /// As the command line names them.
    public static let names: [(String, ColumnForm)] = [
        ("digits", ColumnForm(type: .digits, order: .yearFirst)),
        ("alnum", ColumnForm(type: .alnum, order: .yearFirst)),
        ("email", ColumnForm(type: .email, order: .yearFirst)),
        ("name", ColumnForm(type: .name, order: .yearFirst)),
        ("date", ColumnForm(type: .date, order: .yearFirst)),
        ("date-dmy", ColumnForm(type: .date, order: .dayFirst)),
        ("date-mdy", ColumnForm(type: .date, order: .monthFirst)),
    ]

    public static func named(_ name: String) -> ColumnForm? { names.first { $0.0 == name }?.1 }
}

/// Room for a value that is made alike.
typealias ValueRoom = UnsafeMutableBufferPointer<UInt8>

/// Makes values alike: how it was written does not matter, so that the same value in a file and in a body is the same bytes.
enum Alike {
    /// Calls with room for any value, on the stack.
    static func withRoom<R>(_ body: (ValueRoom) -> R) -> R {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: ColumnType.bytesMax + 8, body)
    }

    /// The digits of it, or nil where there is a letter or they are too many.
    static func digits(_ bytes: UnsafeRawBufferPointer, _ room: ValueRoom) -> Int? {
        var count = 0
        for byte in bytes {
            if isDigit(byte) {
                guard count < ColumnType.codeMax else { return nil }
                room[count] = byte
                count += 1
            } else if isLetter(byte) {
                return nil
            }
        }
        return count
    }

    /// The digits and letters of it, in upper case; nil where they are too many.
    static func alnum(_ bytes: UnsafeRawBufferPointer, _ room: ValueRoom) -> Int? {
        var count = 0
        for byte in bytes where isDigit(byte) || isLetter(byte) {
            guard count < ColumnType.codeMax else { return nil }
            room[count] = isLetter(byte) ? byte & 0xdf : byte
            count += 1
        }
        return count
    }

    /// In lower case, without blanks around it.
    static func email(_ bytes: UnsafeRawBufferPointer, _ room: ValueRoom) -> Int? {
        let blanks: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        guard let first = bytes.firstIndex(where: { !blanks($0) }), let last = bytes.lastIndex(where: { !blanks($0) })
        else { return 0 }
        guard last - first < ColumnType.bytesMax else { return nil }
        for at in first...last {
            room[at - first] = bytes[at] &- 0x41 < 26 ? bytes[at] | 0x20 : bytes[at]
        }
        return last - first + 1
    }

    /// `yyyymmdd`; nil for what is no date.
    static func date(_ bytes: UnsafeRawBufferPointer, _ order: ColumnForm.DateOrder, _ room: ValueRoom) -> Int? {
        var numbers = [(0, 0), (0, 0), (0, 0)]
        var part = 0
        var digits = 0
        for byte in bytes {
            if isDigit(byte) {
                digits += 1
                guard digits <= 8 else { return nil }
                // Of eight digits together the parts are known by their places.
                numbers[part] = (numbers[part].0 * 10 + Int(byte - 0x30), numbers[part].1 + 1)
            } else if numbers[part].1 > 0 {
                part += 1
                // A time may follow.
                if part == 3 { break }
            } else if byte != 0x20 {
                return nil
            }
        }
        if part == 0, numbers[0].1 == 8 { return compact(numbers[0].0, order, room) }
        let (a, b, c) = (numbers[0], numbers[1], numbers[2])
        switch order {
        case .yearFirst: return a.1 == 4 ? date(a.0, b.0, c.0, room) : nil
        case .dayFirst: return c.1 == 4 ? date(c.0, b.0, a.0, room) : nil
        case .monthFirst: return c.1 == 4 ? date(c.0, a.0, b.0, room) : nil
        }
    }

    private static func compact(_ number: Int, _ order: ColumnForm.DateOrder, _ room: ValueRoom) -> Int? {
        let (high, middle, low) = (number / 1_000_000, number / 10_000 % 100, number % 10_000)
        switch order {
        case .yearFirst: return date(number / 10_000, number / 100 % 100, number % 100, room)
        case .dayFirst: return date(low, middle, high, room)
        case .monthFirst: return date(low, high, middle, room)
        }
    }

    private static func date(_ year: Int, _ month: Int, _ day: Int, _ room: ValueRoom) -> Int? {
        guard (1000...9999).contains(year), (1...12).contains(month), (1...31).contains(day) else { return nil }
        var rest = year * 10_000 + month * 100 + day
        for at in stride(from: 7, through: 0, by: -1) {
            room[at] = UInt8(0x30 + rest % 10)
            rest /= 10
        }
        return 8
    }

    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
    static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 }
}
