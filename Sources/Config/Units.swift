import Bytes

/// Sizes and times as they are written: a whole number and its unit.
enum Units {
    static let sizePattern = "^[0-9]+(B|KiB|MiB|GiB|TiB)$"
    static let timePattern = "^[0-9]+(ms|s|m|h|d)$"

    private static let sizes = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)]
    private static let times = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)]

    static func size(_ text: String) -> Int? { parse(text, sizes) }
    static func size(_ bytes: Int) -> String { print(bytes, sizes) }

    static func time(_ text: String) -> Milliseconds? { parse(text, times).map { Milliseconds(Int64($0)) } }
    static func time(_ time: Milliseconds) -> String { print(Int(time.count), times) }

    private static func parse(_ text: String, _ units: [(String, Int)]) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let unit = units.first(where: { $0.0 == text[digits.endIndex...] }), let count = Int(digits) else {
            return nil
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit.1)
        return overflow ? nil : product
    }

    /// In the largest unit that leaves no fraction.
    private static func print(_ count: Int, _ units: [(String, Int)]) -> String {
        let unit = units.last { count != 0 && count.isMultiple(of: $0.1) } ?? units[0]
        return "\(count / unit.1)\(unit.0)"
    }
}

/// A size as it is written in a configuration, `64KiB`, in bytes; nil for what is none.
public func byteCount(_ text: String) -> Int? { Units.size(text) }
