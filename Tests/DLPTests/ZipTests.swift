import Bytes
import Testing

@testable import DLP

@Suite struct ZipTests {
    typealias Entry = ZipBuilder.Entry

    static let text = Array("pan 4111111111111111, and more of it".utf8)
    static let shown = "pan 4111111111111111, and more of it"
    static let long = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
    static let plain = Entry(name: "a.txt", content: text)
    static let stored = Entry(name: "b.txt", content: text, method: 0)

    static let cases = [
        ContainerCase(
            name: "deflated and stored", body: ZipBuilder.make([plain, stored]), labels: ["zip:a.txt", "zip:b.txt"],
            texts: [shown, shown]),
        ContainerCase(name: "empty", body: ZipBuilder.make([]), labels: [], texts: []),
        ContainerCase(
            name: "empty files",
            body: ZipBuilder.make([Entry(name: "x", content: [], method: 0), Entry(name: "y", content: [])]),
            labels: ["zip:x", "zip:y"], texts: ["", ""]),
        ContainerCase(
            name: "descriptors",
            body: ZipBuilder.make([
                Entry(name: "a", content: text, described: true),
                Entry(name: "b", content: text, described: true, signed: false),
                Entry(name: "c", content: text, described: true, wide: true),
                Entry(name: "d", content: text, method: 0, described: true),
                Entry(
                    name: "e", content: Array("P PK\u{7}\u{8} PPK\u{3}\u{4}P".utf8), method: 0, described: true,
                    wide: true),
            ]),
            labels: ["zip:a", "zip:b", "zip:c", "zip:d", "zip:e"],
            texts: [shown, shown, shown, shown, "P PK\u{7}\u{8} PPK\u{3}\u{4}P"]),
        ContainerCase(
            name: "wide", body: ZipBuilder.make([Entry(name: "a", content: text, wide: true), stored]),
            labels: ["zip:a", "zip:b.txt"], texts: [shown, shown]),
        ContainerCase(
            name: "encrypted", body: ZipBuilder.make([Entry(name: "a", content: text, flags: 1), plain]),
            labels: ["zip:a", "zip:a.txt"], texts: ["", shown], outcomes: ["encrypted 1"]),
        ContainerCase(
            name: "encrypted and described",
            body: ZipBuilder.make([Entry(name: "a", content: text, flags: 1, described: true), plain]),
            labels: ["zip:a", "zip:a.txt"], texts: ["", shown], outcomes: ["encrypted 1"]),
        ContainerCase(
            name: "unknown method", body: ZipBuilder.make([Entry(name: "a", content: text, method: 14), plain]),
            labels: ["zip:a", "zip:a.txt"], texts: ["", shown], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "broken deflate",
            body: ZipBuilder.make([Entry(name: "a", content: text, packed: [0xff, 0xff, 1, 2, 3]), plain]),
            labels: ["zip:a", "zip:a.txt"], texts: ["", shown], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "shorter than it says",
            body: ZipBuilder.make([Entry(name: "a", content: text, packed: Pack.bare(text) + text), plain]),
            labels: ["zip:a", "zip:a.txt"], texts: [shown, shown]),
        ContainerCase(
            name: "bytes between", body: ZipBuilder.make([plain, stored], gap: Array("Pgap".utf8)),
            labels: ["zip:a.txt", "zip:b.txt"], texts: [shown, shown], outcomes: ["undecodable 1", "undecodable 2"]),
        ContainerCase(
            name: "cut off", body: Array(ZipBuilder.make([stored]).prefix(50)), labels: ["zip:b.txt"],
            texts: ["pan 41111111111"], outcomes: ["truncated 1"]),
        ContainerCase(
            name: "without a directory", body: ZipBuilder.make([stored], end: false), labels: ["zip:b.txt"],
            texts: [shown],
            outcomes: ["truncated 1"]),
        ContainerCase(
            name: "a longer content than a slice", body: ZipBuilder.make([Entry(name: "a", content: long), stored]),
            labels: ["zip:a", "zip:b.txt"], texts: [String(decoding: long, as: UTF8.self), shown]),
        ContainerCase(
            name: "names that are none",
            body: ZipBuilder.make([
                Entry(name: "é\u{202e}\u{1b}[2J/\n", content: []),
                Entry(name: String(repeating: "n", count: 500), content: []),
            ]),
            labels: ["zip:é??[2J/?", "zip:" + String(repeating: "n", count: 128)], texts: ["", ""]),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: ContainerCase) { c.check { ZipReader($0) } }

    @Test(arguments: cases) func nothingBreaksIt(_ c: ContainerCase) {
        c.mutate(rounds: 60, seed: 1) { ZipReader($0) }
    }

    /// The size in the header says less than there is: the one who goes by it does not see the second file.
    @Test func whatOnlyTheDirectoryKnowsIsTold() {
        let hidden = ZipBuilder.make([Entry(name: "h", content: Self.text)], end: false)
        let body = ZipBuilder.make([Entry(name: "a", content: Self.text, method: 0, stated: 4), Self.plain])
        let taken = Taken(ZipReader(ContainerBudget(Limits())), body)
        #expect(taken.texts == ["pan ", Self.shown] && taken.outcomes == ["undecodable 1"])
        var covered = ZipBuilder()
        covered.add(Entry(name: "a", content: Self.text, packed: Pack.bare(Self.text) + hidden))
        covered.add(Entry(name: "h", content: [], packed: []))
        let bytes = covered.ended()
        // The local header of the second is gone; that it is listed stays.
        let gone = bytes.indices.filter { bytes[$0...].starts(with: [0x50, 0x4b, 3, 4]) }[2]
        let less = Taken(ZipReader(ContainerBudget(Limits())), Array(bytes[..<gone] + bytes[(gone + 31)...]))
        #expect(less.texts == [Self.shown] && less.outcomes == ["undecodable 1"])
    }

    @Test func bombsAreCutOff() {
        let zeros = [UInt8](repeating: 0, count: Decoder.ratioFloor + 1)
        let budget = ContainerBudget(Limits())
        let one = Taken(
            ZipReader(budget), ZipBuilder.make([Entry(name: "z", content: zeros), Self.stored]), budget: budget)
        #expect(one.outcomes == ["decompressionBomb 1"] && one.entries[0].content.count == Decoder.ratioFloor)
        let most = ContainerBudget(Limits())
        let whole = Taken(
            ZipReader(most), ZipBuilder.make([Entry(name: "z", content: Array(zeros.dropLast()))]), budget: most)
        #expect(whole.outcomes == [] && whole.entries[0].content.count == Decoder.ratioFloor)
    }

    @Test func entriesAreBounded() {
        let files = ZipBuilder.make((0..<3).map { Entry(name: "\($0)", content: [], method: 0) })
        #expect(Taken(ZipReader(ContainerBudget(Limits(), entriesMax: 3)), files).outcomes == [])
        let taken = Taken(ZipReader(ContainerBudget(Limits(), entriesMax: 2)), files)
        #expect(taken.labels == ["zip:0", "zip:1"] && taken.outcomes == ["decompressionBomb 2"])
    }
}
