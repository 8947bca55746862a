/// What is known of all the values of a column, by which they are looked for: their lengths, and what stands at which place
/// of a number.
struct ColumnShape: Equatable, Sendable {
    /// Of numbers: bit n is set where one of n digits or letters is there.
    var lengths: UInt64 = 0
    /// For each place of a number, what stands there in one: bits 0 to 9 digits, 10 to 35 letters.
    var places = [UInt64](repeating: 0, count: ColumnType.codeMax)
    /// Of names: most words in one, and the least and most bytes.
    var wordsMax = 0
    var bytesMin = Int.max
    var bytesMax = 0

    /// Whether the value is one that can be looked for; takes it up where it is.
    mutating func take(_ value: UnsafeRawBufferPointer, _ type: ColumnType) -> Bool {
        switch type {
        case .digits, .alnum:
            guard (ColumnType.codeMin...ColumnType.codeMax).contains(value.count) else { return false }
            lengths |= 1 << UInt64(value.count)
            for (at, byte) in value.enumerated() {
                places[at] |= 1 << UInt64(Alike.isDigit(byte) ? byte - 0x30 : byte - 0x41 + 10)
            }
        case .name:
            let words = value.count { $0 == 0x20 } + 1
            guard value.count >= ColumnType.nameMin, words <= ColumnType.wordsMax else { return false }
            wordsMax = max(wordsMax, words)
        case .email: guard value.count >= 6, value.contains(UInt8(ascii: "@")) else { return false }
        case .date: break
        }
        (bytesMin, bytesMax) = (min(bytesMin, value.count), max(bytesMax, value.count))
        return true
    }

    private static let digits: UInt64 = 0x3ff
    private static let letters: UInt64 = 0x3ff_ffff << 10
    /// Of fewer values it would tell something of each to say what stands at a place.
    private static let crowd = 10_000

    /// No more is said than whether digits or letters stand at a place, unless there are very many values.
    mutating func blur(_ count: Int) {
        guard count < Self.crowd else { return }
        for at in places.indices {
            for kind in [Self.digits, Self.letters] where places[at] & kind != 0 { places[at] |= kind }
        }
    }

    func has(_ length: Int) -> Bool { length < 64 && lengths >> UInt64(length) & 1 == 1 }

    /// An expression that matches at every place where a value could begin, as far as one could go: a shorter one in it is
    /// found by its end.
    func expression(_ type: ColumnType) -> String {
        switch type {
        case .digits: return "(?<![0-9])" + numbers + "(?![0-9])"
        case .alnum: return "(?<![0-9A-Za-z])" + numbers + "(?![0-9A-Za-z])"
        case .email:
            return #"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z0-9-]{2,63}"#
                + "(?![A-Za-z0-9-])"
        case .name:
            let word = #"[A-Za-z\x80-\xff][A-Za-z'\x80-\xff]{0,40}"#
            let more = wordsMax > 1 ? #"(?:[ .-]{1,2}\#(word)){0,\#(wordsMax - 1)}"# : ""
            return #"(?<![A-Za-z\x80-\xff])\#(word)\#(more)(?![A-Za-z\x80-\xff])"#
        case .date:
            let (two, four, between) = ("[0-9]{1,2}", "[0-9]{4}", "[ ./-]")
            return
                "(?<![0-9])(?:[0-9]{8}|\(four)\(between)\(two)\(between)\(two)|\(two)\(between)\(two)\(between)\(four))"
                + "(?![0-9])"
        }
    }

    /// One class for each place, separators between: up to two, as in `(0)6 12`.
    private var numbers: String {
        let first = lengths.trailingZeroBitCount
        let last = 63 - lengths.leadingZeroBitCount
        guard lengths != 0 else { return "(?!)" }
        let between = "[ ()./-]{0,2}"
        var text = set(at: 0)
        var at = 1
        while at < first {
            // Places alike are one repetition.
            var same = 1
            while at + same < first, set(at: at + same) == set(at: at) { same += 1 }
            text += same == 1 ? between + set(at: at) : "(?:\(between)\(set(at: at))){\(same)}"
            at += same
        }
        for place in first..<last { text += "(?:\(between)\(set(at: place))" }
        return text + String(repeating: ")?", count: last - first)
    }

    /// The class of what stands at a place, letters in either case.
    private func set(at place: Int) -> String {
        var text = "["
        for value in 0..<36 where places[place] >> UInt64(value) & 1 == 1 {
            if value < 10 {
                text += "\(value)"
            } else {
                text.unicodeScalars.append(UnicodeScalar(UInt8(0x41 + value - 10)))
                text.unicodeScalars.append(UnicodeScalar(UInt8(0x61 + value - 10)))
            }
        }
        return text + "]"
    }

    // MARK: In a file

    func write(to fields: inout FieldWriter) {
        fields.put(lengths)
        for place in places { fields.put(place) }
        fields.put(UInt8(clamping: wordsMax))
        fields.put(UInt16(clamping: bytesMin))
        fields.put(UInt16(clamping: bytesMax))
    }

    static func read(from fields: inout FieldReader) throws(IndexFault) -> ColumnShape {
        var shape = ColumnShape()
        shape.lengths = try fields.u64()
        for at in shape.places.indices { shape.places[at] = try fields.u64() }
        shape.wordsMax = Int(try fields.u8())
        shape.bytesMin = Int(try fields.u16())
        shape.bytesMax = Int(try fields.u16())
        guard shape.lengths >> UInt64(ColumnType.codeMax + 1) == 0, shape.wordsMax <= ColumnType.wordsMax else {
            throw IndexFault("is damaged: its columns are not what was written")
        }
        return shape
    }
}
