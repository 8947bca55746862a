import Bytes
import Testing

@testable import DLP

@Suite struct PDFTests {
    static func stream(_ dictionary: String, _ content: [UInt8]) -> [UInt8] {
        Array("4 0 obj\n<</Length \(content.count) \(dictionary)>>\nstream\r\n".utf8) + content
            + Array("\nendstream\nendobj\n".utf8)
    }

    static func file(_ objects: [UInt8]..., trailer: String = "/Root 1 0 R") -> [UInt8] {
        Array("%PDF-1.7\n%\u{e2}( a comment\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n".utf8) + objects.joined()
            + Array("xref\n0 1\n0000000000 65535 f \ntrailer\n<<\(trailer)>>\nstartxref\n9\n%%EOF\n".utf8)
    }

    static let show = "BT /F1 12 Tf 72 700 Td (pan 4111) Tj (1111) Tj ET\n"

    static func ascii85(_ bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for from in stride(from: 0, to: bytes.count, by: 4) {
            let group = bytes[from..<min(from + 4, bytes.count)]
            var value = (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32($1 < group.count ? group[from + $1] : 0) }
            var digits: [UInt8] = []
            for _ in 0..<5 {
                digits.insert(UInt8(value % 85) + 0x21, at: 0)
                value /= 85
            }
            text += digits.prefix(group.count + 1)
        }
        return text + Array("~>".utf8)
    }

    static func hexadecimal(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ").utf8) + [0x3e]
    }

    static let table = """
        /CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> endcodespacerange
        2 beginbfchar <03> <0034> <04> <0020> endbfchar 2 beginbfrange <05> <06> <0031> <10> <11> [<0061> <0062>] endbfrange endcmap
        """

    static let cases = [
        ContainerCase(
            name: "plain", body: file(stream("", Array(show.utf8))), labels: ["pdf"], texts: ["pan 41111111\n"]),
        ContainerCase(
            name: "deflated", body: file(stream("/Filter/FlateDecode", Pack.zlib(Array(show.utf8)))), labels: ["pdf"],
            texts: ["pan 41111111\n"]),
        ContainerCase(
            name: "packed twice",
            body: file(
                stream("/Filter [/ASCII85Decode /FlateDecode]", ascii85(Pack.zlib(Array(show.utf8)))),
                stream("/Filter[/AHx/Fl]", hexadecimal(Pack.zlib(Array(show.utf8))))), labels: ["pdf"],
            texts: ["pan 41111111\npan 41111111\n"]),
        ContainerCase(
            name: "all ways to write a string",
            body: file(
                stream(
                    "",
                    Array(
                        "BT [(a\\)\\(b) -250 (c) 20 <64 6> ] TJ 0 -12 Td (l\\\ni\\156\\7e(x(y)z)) ' 1 2 (q) \" /T(no)<</A(b)>>BDC 5 0 Td (w)Tj ET"
                            .utf8))), labels: ["pdf"], texts: ["a)(b cd`\nlin\u{7}e(x(y)z)\nq\nnob w\n"]),
        ContainerCase(
            name: "strings of objects",
            body: file(
                Array("5 0 obj <</T (name) /V <FEFF003400e9> /W (\\376\\377\\0005) /X (\u{7f})>> endobj\n".utf8)),
            labels: ["pdf"], texts: ["name\n4é\n5\n\u{7f}\n"]),
        ContainerCase(
            name: "objects in a stream",
            body: file(
                stream("/Type/ObjStm/N 1/First 4/Filter/FlateDecode", Pack.zlib(Array("7 0 <</V (value)>>".utf8)))),
            labels: ["pdf"], texts: ["value\n"]),
        ContainerCase(
            name: "a file within",
            body: file(
                stream("", Array(show.utf8)),
                stream("/Type/EmbeddedFile/Filter/FlateDecode", Pack.zlib(Array("attached".utf8))),
                stream("/Type/EmbeddedFile", Array("endstr endstrendstrea as it is".utf8)), stream("", Array(show.utf8))
            ),
            labels: ["pdf", "pdf:file", "pdf:file", "pdf"],
            texts: ["pan 41111111\n", "attached", "endstr endstrendstrea as it is\n", "pan 41111111\n"]),
        ContainerCase(
            name: "codes of fonts",
            body: file(
                Array("6 0 obj<</Type/Font/Subtype/Type0/ToUnicode 8 0 R>>endobj\n".utf8),
                stream("", Array("BT <03050603> Tj 0 -3 Td <04> Tj <10111010> Tj <ff03> Tj ET".utf8)),
                stream("/Filter/FlateDecode", Pack.zlib(Array(table.utf8)))), labels: ["pdf"],
            texts: ["\u{3}\u{5}\u{6}\u{3}\n\u{4}\u{10}\u{11}\u{10}\u{10}\u{fffd}\u{3}\n4124\n abaa\n4\n"]),
        ContainerCase(
            name: "codes without a table", body: file(Array("6 0 obj<</Type/Font/Subtype/Type0>>endobj\n".utf8)),
            labels: [],
            texts: [], outcomes: ["undecodable 0"]),
        ContainerCase(
            name: "images",
            body: file(
                stream("/Subtype/Image/Filter/LZWDecode", [1, 2, 3]), stream("/Filter/DCTDecode", [0x28, 0xff])),
            labels: [], texts: []),
        ContainerCase(
            name: "an image in the line", body: file(stream("", Array("BI /W 1 ID ((( EIx\u{1} EI BT (x) Tj ET".utf8))),
            labels: ["pdf"], texts: ["x\n"]),
        ContainerCase(
            name: "encrypted",
            body: file(stream("/Filter/FlateDecode", [1, 2, 3]), trailer: "/Root 1 0 R/Encrypt 9 0 R"), labels: [],
            texts: [],
            outcomes: ["encrypted 0"]),
        ContainerCase(
            name: "unknown filter", body: file(stream("/Filter/Crypt", [1]), stream("", Array(show.utf8))),
            labels: ["pdf"],
            texts: ["pan 41111111\n"], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "broken", body: file(stream("/Filter/FlateDecode", Pack.zlib(Array(show.utf8)).dropLast(12))),
            labels: ["pdf"],
            texts: ["pan 4111"], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "cut off", body: Array(file(stream("", Array(show.utf8))).prefix(150)), labels: ["pdf"],
            texts: ["pan 41111111"],
            outcomes: ["truncated 1"]),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: ContainerCase) { c.check { PDFReader($0) } }

    @Test(arguments: cases) func nothingBreaksIt(_ c: ContainerCase) {
        c.mutate(rounds: 60, seed: 5) { PDFReader($0) }
    }

    @Test func bombsAreCutOff() {
        let text = Array("BT (".utf8) + [UInt8](repeating: 0x61, count: Decoder.ratioFloor) + Array(") Tj ET".utf8)
        let budget = ContainerBudget(Limits())
        let taken = Taken(
            PDFReader(budget), Self.file(Self.stream("/Filter/FlateDecode", Pack.zlib(text))), budget: budget)
        #expect(taken.outcomes == ["decompressionBomb 1"])
    }
}
