/// The form of a label that is not ASCII in a name (RFC 3492), one way only: a list of names may be written in letters,
/// and questions never are.
enum Punycode {
    private static let base = 36
    private static let thresholdMin = 1
    private static let thresholdMax = 26

    /// `xn--` and the label, or the label itself if it is ASCII. Nil where it would be longer than a label can be.
    static func encode(_ label: Substring) -> [UInt8]? {
        if label.utf8.allSatisfy({ $0 < 0x80 }) { return Array(label.utf8) }
        let points = label.unicodeScalars.map(\.value)
        guard points.count <= 63 else { return nil }
        var output = Array("xn--".utf8)
        let basic = points.filter { $0 < 0x80 }.map { UInt8($0) }
        output += basic
        if !basic.isEmpty { output.append(UInt8(ascii: "-")) }

        // The state machine of section 6.3. At most 63 code points below 0x110000 cannot overflow it.
        var (point, delta, bias) = (0x80, 0, 72)
        var handled = basic.count
        while handled < points.count {
            let next = points.lazy.map(Int.init).filter { $0 >= point }.min() ?? point
            delta += (next - point) * (handled + 1)
            point = next
            for other in points.lazy.map(Int.init) {
                if other < point { delta += 1 }
                guard other == point else { continue }
                append(delta, bias, to: &output)
                bias = adapt(delta, handled + 1, isFirst: handled == basic.count)
                delta = 0
                handled += 1
            }
            delta += 1
            point += 1
        }
        return output.count <= 63 ? output : nil
    }

    /// A generalized variable-length integer (section 3.3).
    private static func append(_ delta: Int, _ bias: Int, to output: inout [UInt8]) {
        var rest = delta
        var k = base
        while true {
            let threshold = min(max(k - bias, thresholdMin), thresholdMax)
            if rest < threshold { break }
            output.append(digit(threshold + (rest - threshold) % (base - threshold)))
            rest = (rest - threshold) / (base - threshold)
            k += base
        }
        output.append(digit(rest))
    }

    private static func digit(_ value: Int) -> UInt8 {
        value < 26 ? UInt8(ascii: "a") + UInt8(value) : UInt8(ascii: "0") + UInt8(value - 26)
    }

    private static func adapt(_ delta: Int, _ count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / 700 : delta / 2
        delta += delta / count
        var k = 0
        while delta > (base - thresholdMin) * thresholdMax / 2 {
            delta /= base - thresholdMin
            k += base
        }
        return k + (base - thresholdMin + 1) * delta / (delta + 38)
    }
}
