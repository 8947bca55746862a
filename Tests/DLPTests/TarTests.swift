import Bytes
import Testing

@testable import DLP

@Suite struct TarTests {
    /// One entry with its header, as it is in the file.
    static func entry(
        _ name: String, _ content: [UInt8] = [], type: Character = "0", prefix: String = "", size: [UInt8]? = nil,
        magic: String = "ustar\u{0}00", map: Bool = false
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Sequence<UInt8>, _ at: Int) {
            for (index, byte) in bytes.enumerated() { block[at + index] = byte }
        }
        func octal(_ value: Int, _ count: Int) -> [UInt8] {
            let digits = String(value, radix: 8)
            return Array((String(repeating: "0", count: count - digits.utf8.count) + digits).utf8)
        }
        put(name.utf8.prefix(100), 0)
        put("0000644".utf8, 100)
        put(size ?? octal(content.count, 11), 124)
        put("        ".utf8, 148)
        block[156] = type.asciiValue ?? 0
        put(magic.utf8, 257)
        put(prefix.utf8, 345)
        if map { block[482] = 1 }
        put(octal(block.reduce(0) { $0 + Int($1) }, 6) + [0, 0x20], 148)
        let padding = (512 - content.count % 512) % 512
        return block + content + [UInt8](repeating: 0, count: padding)
    }

    static func record(_ key: String, _ value: String) -> String {
        var length = key.utf8.count + value.utf8.count + 3
        while "\(length)".utf8.count + key.utf8.count + value.utf8.count + 3 != length { length += 1 }
        return "\(length) \(key)=\(value)\n"
    }

    static let text = Array("nir 295109912611193.".utf8)
    static let shown = "nir 295109912611193."
    static let long = "d/" + String(repeating: "x", count: 118) + ".txt"
    static let zeros = [UInt8](repeating: 0, count: 1024)

    static let cases = [
        ContainerCase(
            name: "ustar", body: entry("a", text) + entry("d/", type: "5") + entry("b", text, prefix: "p/q") + zeros,
            labels: ["tar:a", "tar:p/q/b"], texts: [shown, shown]),
        ContainerCase(
            name: "old", body: entry("a", text, type: "\u{0}", magic: "") + zeros, labels: ["tar:a"], texts: [shown]),
        ContainerCase(
            name: "long name of GNU",
            body: entry("././@LongLink", Array(long.utf8) + [0], type: "L") + entry("d/xx", text) + entry("b") + zeros,
            labels: ["tar:" + long, "tar:b"], texts: [shown, ""]),
        ContainerCase(
            name: "pax",
            body: entry(
                "p", Array((record("mtime", "1.5") + record("path", "é/\(long)") + record("size", "20")).utf8),
                type: "x")
                + entry("short", text, size: Array("00000000000".utf8)) + entry("b", text) + zeros,
            labels: ["tar:" + String("é/\(long)".prefix(127)), "tar:b"], texts: [shown, shown]),
        ContainerCase(
            name: "size in base 256", body: entry("a", text, size: [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20]) + zeros,
            labels: ["tar:a"], texts: [shown]),
        ContainerCase(
            name: "sparse",
            body: Array(entry("s", text, type: "S", map: true).prefix(512)) + [UInt8](repeating: 1, count: 504) + [0]
                + [UInt8](repeating: 0, count: 7) + entry("s", text).suffix(512) + entry("b", text) + zeros,
            labels: ["tar:s", "tar:b"], texts: [shown, shown]),
        ContainerCase(
            name: "something between", body: entry("a", text) + text + zeros.prefix(492) + entry("b", text) + zeros,
            labels: ["tar:a", "tar:b"], texts: [shown, shown], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "one behind the other", body: entry("a", text) + zeros + entry("b", text) + zeros,
            labels: ["tar:a", "tar:b"], texts: [shown, shown]),
        ContainerCase(
            name: "cut off", body: Array(entry("a", text).prefix(520)), labels: ["tar:a"], texts: ["nir 2951"],
            outcomes: ["truncated 1"]),
        ContainerCase(
            name: "longer than any file",
            body: entry("a", text, size: [0xff] + [UInt8](repeating: 0xff, count: 11)) + entry("b", text),
            labels: ["tar:b"],
            texts: [shown], outcomes: ["undecodable 0"]),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: ContainerCase) { c.check { TarReader($0) } }

    @Test(arguments: cases) func nothingBreaksIt(_ c: ContainerCase) {
        c.mutate(rounds: 60, seed: 2) { TarReader($0) }
    }

    @Test func entriesAreBounded() {
        let files = (0..<3).flatMap { Self.entry("\($0)") }
        #expect(Taken(TarReader(ContainerBudget(Limits(), entriesMax: 3)), files).outcomes == [])
        #expect(Taken(TarReader(ContainerBudget(Limits(), entriesMax: 2)), files).outcomes == ["decompressionBomb 2"])
    }
}

@Suite struct GzipTests {
    static let text = TarTests.text
    static let bare = Pack.bare(text)
    static let tail = Pack.gzip(text).suffix(8)
    static func member(_ flags: UInt8, _ fields: [UInt8]) -> [UInt8] {
        [0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3] + fields + bare + tail
    }

    static let cases = [
        ContainerCase(name: "bare", body: Pack.gzip(text), labels: ["gzip"], texts: [TarTests.shown]),
        ContainerCase(
            name: "all fields",
            body: member(0x1e, [3, 0, 9, 0, 9] + Array("dump.sql\u{0}comment\u{0}".utf8) + [1, 2]),
            labels: ["gzip:dump.sql"],
            texts: [TarTests.shown]),
        ContainerCase(
            name: "members, and zeros behind",
            body: member(8, Array("a\u{0}".utf8)) + member(8, Array("b\u{0}".utf8)) + [0, 0, 0],
            labels: ["gzip:a"], texts: [TarTests.shown + TarTests.shown]),
        ContainerCase(
            name: "garbage behind", body: Pack.gzip(text) + [0, 7], labels: ["gzip"], texts: [TarTests.shown],
            outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "cut off", body: Array(member(0, []).dropLast(9)), labels: ["gzip"], texts: [TarTests.shown],
            outcomes: ["truncated 1"]),
        ContainerCase(
            name: "broken", body: [0x1f, 0x8b, 8, 0x20, 0, 0, 0, 0, 0, 0, 0], labels: [], texts: [],
            outcomes: ["undecodable 0"]),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: ContainerCase) { c.check { GzipReader($0) } }

    @Test(arguments: cases) func nothingBreaksIt(_ c: ContainerCase) {
        c.mutate(rounds: 60, seed: 3) { GzipReader($0) }
    }
}
