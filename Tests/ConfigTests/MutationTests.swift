import Testing

@testable import Config

/// Whatever a file holds, reading it ends, and ends in settings or in errors with places inside the text.
@Suite struct MutationTests {
    /// A small generator of its own, so that a failure names the seed that made it.
    struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            // splitmix64
            state &+= 0x9e37_79b9_7f4a_7c15
            var z = state
            z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
            z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
            return z ^ (z >> 31)
        }
    }

    static let tokens = [
        "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\"", "'", "&a ", "*a", "? ", "!!str ", "!x ", "|\n", ">",
        "#",
        "\t", "---\n", "%YAML 1.2\n", "\0", "\u{feff}", "\u{2028}", "é", "workers: 1\n", "<<: *a", "0x", "1e400", "~",
    ]

    @Test(arguments: 0..<40) func anythingIsAnswered(_ seed: UInt64) {
        var random = Random(state: seed)
        for _ in 0..<25 {
            var text = Array(SettingsTests.full)
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let at = Int.random(in: 0..<text.count, using: &random)
                let end = min(text.count, at + Int.random(in: 0...8, using: &random))
                text.replaceSubrange(at..<end, with: Array(MutationTests.tokens.randomElement(using: &random) ?? ""))
            }
            let lines = String(text).split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).count
            guard case .failure(let failure) = Settings.parse(String(text), file: "weir.yaml") else { continue }
            #expect(!failure.errors.isEmpty)
            for error in failure.errors {
                #expect((1...lines + 1).contains(error.line) && error.column >= 1, "seed \(seed): \(error)")
                #expect(!error.message.contains("\n"), "seed \(seed): \(error)")
            }
        }
    }
}
