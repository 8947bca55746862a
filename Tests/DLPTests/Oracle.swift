import CPCRE2

/// One-shot PCRE2 over a whole value: what the streaming engine must find.
struct Oracle {
    struct Span: Equatable, CustomStringConvertible {
        var pattern: Int
        var start: Int
        var end: Int
        var description: String { "\(pattern):\(start)..<\(end)" }
    }

    static func matches(_ regexes: [String], _ body: [UInt8]) -> [Span] {
        var found: [Span] = []
        for (index, regex) in regexes.enumerated() {
            found += matches(regex, body).map { Span(pattern: index, start: $0.0, end: $0.1) }
        }
        return found.sorted { ($0.start, $0.pattern) < ($1.start, $1.pattern) }
    }

    /// `accepts`: a match that is refused is none, and the search goes on at the byte after its first.
    static func matches(
        _ regex: String, _ body: [UInt8], accepts: (ArraySlice<UInt8>) -> Bool = { _ in true }
    ) -> [(Int, Int)] {
        var (error, offset): (Int32, Int) = (0, 0)
        let source = Array(regex.utf8)
        let options = UInt32(PCRE2_NEVER_UTF) | PCRE2_NO_DOTSTAR_ANCHOR
        guard let code = pcre2_compile_8(source, source.count, options, &error, &offset, nil),
            let data = pcre2_match_data_create_8(1, nil)
        else { return [] }
        defer {
            pcre2_code_free_8(code)
            pcre2_match_data_free_8(data)
        }
        var found: [(Int, Int)] = []
        var from = 0
        while from <= body.count,
            pcre2_match_8(code, body, body.count, from, PCRE2_NOTEMPTY, data, nil) >= 0,
            let vector = pcre2_get_ovector_pointer_8(data)
        {
            let (start, end) = (vector[0], vector[1])
            let accepted = accepts(body[start..<end])
            if accepted { found.append((start, end)) }
            from = accepted ? end : start + 1
        }
        return found
    }
}

/// SplitMix64: the same numbers from the same seed everywhere.
struct Dice: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
    mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
    mutating func pick<T>(_ all: [T]) -> T { all[below(all.count)] }
    mutating func cuts(_ count: Int, most: Int) -> [Int] {
        (0..<below(most + 1)).map { _ in below(count + 1) }.sorted()
    }
}
