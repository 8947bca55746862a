import Bytes
import Testing

@testable import DNS

struct NameWatchTests {
    /// What was recorded, and within how many queries it has to be seen.
    static let recorded: [(String, within: Int)] = [
        ("iodine-null", 12), ("iodine-private", 12), ("iodine-txt", 13), ("iodine-srv", 15), ("iodine-mx", 15),
        ("iodine-cname", 15), ("iodine-a", 15), ("iodine-txt-lower", 11), ("iodine-txt-7bit", 15),
        ("iodine-txt-noplus", 18), ("iodine-cname-lower", 8),
        // Asks for short names, so that it takes more of them.
        ("iodine-a-short", 58),
        // Sends nothing for three seconds; then it is seen with the third name that holds data.
        ("dns2tcp-txt", 17), ("dns2tcp-key", 17),
    ]

    @Test(arguments: recorded) func recordedTunnelIsSeen(_ name: String, within: Int) throws {
        let watched = Watched()
        let found = tunnel(name).map { watched.ask($0) }
        let first = try #require(found.firstIndex { $0 != nil })
        #expect(first < within)
        // It is told once, and every query after it is part of it.
        #expect(found.compactMap { $0 }.filter(\.isNew).count == 1 && found[first]?.isNew == true)
        #expect(found[first...].allSatisfy { $0 != nil })
        let evidence = try #require(found[first]).evidence
        #expect(evidence.score >= Limits().dnsTunnelScore && evidence.bitsPerByte > 5.3)
        #expect(evidence.unique == evidence.queries && evidence.unique <= first + 1)
        #expect(evidence.labelBytes > 400)
    }

    /// Nothing of an hour is a tunnel, and little comes near.
    @Test func ordinaryNamesAreNot() {
        let watched = Watched(pairs: 65_536)
        let ordinary = OrdinaryNames.shared.asked
        #expect(Set(ordinary.map(\.name)).count > 50_000)
        let found = ordinary.filter { watched.ask($0) != nil }
        #expect(found.isEmpty, "\(found.prefix(3))")
    }

    /// The hour in a minute: what goes over the bound are the thousands of identifiers alone that no client of one
    /// maker's telemetry has in a minute.
    @Test func ordinaryNamesInAMinute() {
        let watched = Watched(pairs: 65_536)
        var seen: Set<String> = []
        for var asked in OrdinaryNames.shared.asked {
            asked.milliseconds /= 60
            if watched.ask(asked) != nil {
                seen.insert(asked.name.split(separator: ".").suffix(2).joined(separator: "."))
            }
        }
        #expect(seen.isSubset(of: ["example-vendor.com", "googlesyndication.com", "office.com"]), "\(seen)")
    }

    private static func random(_ count: Int, _ n: Int, _ alphabet: String = "abcdefghijklmnopqrstuvwxyz234567")
        -> String
    {
        var state = UInt64(n) &* 0x9e37_79b9_7f4a_7c15 | 1
        let letters = Array(alphabet)
        return String(
            (0..<count).map { _ in
                state ^= state << 13
                state ^= state >> 7
                state ^= state << 17
                return letters[Int(state % UInt64(letters.count))]
            })
    }

    /// `count` bytes of labels.
    private static func labels(_ count: Int, _ n: Int, _ alphabet: String) -> String {
        stride(from: 0, to: count, by: 60).map { random(min(60, count - $0), n &* 31 &+ $0, alphabet) }
            .joined(separator: ".")
    }

    private static let hex = "0123456789abcdef"
    private static let base32 = "abcdefghijklmnopqrstuvwxyz234567"

    /// Queries at a rate for ten minutes: the first that is part of a tunnel.
    private func first(_ bytes: Int, every milliseconds: Int64, alphabet: String, type: UInt16 = 1) -> Int? {
        let watched = Watched()
        for n in 0..<Int(600_000 / milliseconds) {
            let name = "\(NameWatchTests.labels(bytes, n, alphabet)).evil.test"
            let asked = Asked(milliseconds: Int64(n) * milliseconds, type: type, name: name)
            if watched.ask(asked) != nil { return n + 1 }
        }
        return nil
    }

    /// Data in one direction only: labels full of it, as dnscat has them in hexadecimal or a canary token in base 32.
    @Test func oneWayIsSeen() throws {
        #expect(try #require(first(220, every: 100, alphabet: NameWatchTests.hex)) <= 4)
        #expect(try #require(first(220, every: 100, alphabet: NameWatchTests.hex, type: 16)) <= 2)
        #expect(try #require(first(120, every: 100, alphabet: NameWatchTests.base32)) <= 20)
        #expect(try #require(first(60, every: 100, alphabet: NameWatchTests.base32)) <= 160)
    }

    /// The rate at which points run out is what passes: 13 a second.
    @Test func slowLeaks() {
        #expect(first(200, every: 20_000, alphabet: NameWatchTests.base32) != nil)
        #expect(first(32, every: 500, alphabet: NameWatchTests.base32) != nil)
        #expect(first(8, every: 25, alphabet: NameWatchTests.base32) != nil)
        // Known to pass: 0.8, 15 and 60 bytes of data a second.
        #expect(first(200, every: 160_000, alphabet: NameWatchTests.base32) == nil)
        #expect(first(32, every: 1300, alphabet: NameWatchTests.base32) == nil)
        #expect(first(8, every: 80, alphabet: NameWatchTests.base32) == nil)
    }

    @Test func answersCount() throws {
        let watched = Watched()
        var first: (Int, NameWatch.Tunnel)?
        for n in 0..<1500 where first == nil {
            let asked = Asked(milliseconds: Int64(n) * 10, type: 16, answerBytes: 1200, name: "c2.evil.test")
            if let found = watched.ask(asked) { first = (n, found) }
        }
        let (n, found) = try #require(first)
        #expect((880...900).contains(n) && found.isNew && found.evidence.answerBytes >= 1 << 20)
        #expect(found.evidence.score < 10 && found.evidence.unusual == n + 1)
        // Addresses are no such answers.
        let other = Watched()
        for n in 0..<1000 {
            #expect(other.ask(Asked(milliseconds: Int64(n), answerBytes: 1200, name: "www.example.test")) == nil)
        }
    }

    @Test func itIsToldOnceInAWindow() {
        let watched = Watched()
        var told: [Int64] = []
        func ask(_ range: Range<Int>, at: (Int) -> Int64) {
            for n in range {
                let asked = Asked(
                    milliseconds: at(n), name: "\(NameWatchTests.labels(220, n, NameWatchTests.hex)).evil.test")
                if watched.ask(asked)?.isNew == true { told.append(asked.milliseconds / 1000) }
            }
        }
        // Twenty minutes without a pause, ten of silence, in which the sum falls below half, and on.
        ask(0..<1200) { Int64($0) * 1000 }
        ask(1200..<1210) { Int64($0) * 1000 + 1_000_000 }
        #expect(told.count == 3 && told[0] < 5 && (600...605).contains(told[1]) && told[2] >= 2200)
    }

    @Test func othersAreNotTouched() {
        var watched = Watched()
        for n in 0..<10 {
            _ = watched.ask(
                Asked(milliseconds: 0, name: "\(NameWatchTests.labels(220, n, NameWatchTests.hex)).evil.github.io"))
        }
        #expect(watched.ask(Asked(milliseconds: 0, name: "www.evil.github.io")) != nil)
        #expect(watched.ask(Asked(milliseconds: 0, name: "evil.github.io")) != nil)
        for other in ["www.good.github.io", "good.github.io", "github.io", "www.example.com"] {
            #expect(watched.ask(Asked(milliseconds: 0, name: other)) == nil)
        }
        watched.client = address("10.0.0.8")
        #expect(watched.ask(Asked(milliseconds: 0, name: "www.evil.github.io")) == nil)
    }

    /// The same names again tell nothing, in whatever letters, and neither do the labels that names share.
    @Test func repeatsAreFree() {
        let watched = Watched()
        let long = NameWatchTests.labels(180, 1, NameWatchTests.base32)
        for n in 0..<1000 {
            let name = n % 2 == 0 ? "\(long).example.test" : "\(long.uppercased()).EXAMPLE.test"
            #expect(watched.ask(Asked(milliseconds: Int64(n), name: name)) == nil)
            #expect(watched.ask(Asked(milliseconds: Int64(n), name: "s\(n).\(long).example.test")) == nil)
        }
    }

    /// A flood of new pairs drives out neither a tunnel nor what has begun to be one.
    @Test func aFloodHidesNothing() {
        let watched = Watched(pairs: 1024)
        for n in 0..<8 {
            _ = watched.ask(
                Asked(milliseconds: Int64(n), name: "\(NameWatchTests.labels(160, n, NameWatchTests.hex)).evil.test"))
        }
        for n in 0..<20_000 {
            _ = watched.ask(Asked(milliseconds: 10 + Int64(n), name: "www.\(NameWatchTests.random(12, n)).test"))
        }
        var found = false
        for n in 10..<16 {
            let name = "\(NameWatchTests.labels(160, n, NameWatchTests.hex)).evil.test"
            found = watched.ask(Asked(milliseconds: 20_020, name: name)) != nil || found
        }
        #expect(found)
    }

    /// Four threads bring in the queries of one tunnel amid others': it is seen, and told once.
    @Test func threadsShareIt() async {
        let watched = Watched(pairs: 256)
        let told = await withTaskGroup(of: Int.self) { group in
            for thread in 0..<4 {
                group.addTask {
                    var told = 0
                    for n in 0..<400 {
                        let name = "\(NameWatchTests.labels(100, n * 4 + thread, NameWatchTests.hex)).evil.test"
                        if watched.ask(Asked(milliseconds: Int64(n), type: 16, answerBytes: 300, name: name))?.isNew
                            == true
                        {
                            told += 1
                        }
                        let other = "x\(n).\(NameWatchTests.random(9, n &* 7 &+ thread)).test"
                        if watched.ask(Asked(milliseconds: Int64(n), name: other)) != nil { told += 1000 }
                    }
                    return told
                }
            }
            return await group.reduce(0, +)
        }
        #expect(told == 1)
    }

    @Test func timeMayRunOver() {
        let watched = Watched()
        let wrap = Int64(Sum.times + 1) * 1000 - 1_000_000
        var told = 0
        for n in 0..<40 {
            let asked = Asked(
                milliseconds: wrap - 2000 + Int64(n) * 100,
                name: "\(NameWatchTests.labels(120, n, NameWatchTests.hex)).evil.test")
            if watched.ask(asked)?.isNew == true { told += 1 }
        }
        #expect(told == 1)
    }
}
