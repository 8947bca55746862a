import Bytes
import Testing

@testable import DLP

/// Filters of PDF streams, mostly as Ghostscript 10 packed `PDFTests.show`, with blanks up to the end of a row.
@Suite struct PDFFilterTests {
    static func base64(_ text: String) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var (bytes, bits, count): ([UInt8], UInt32, UInt32) = ([], 0, 0)
        for digit in text.utf8.compactMap({ alphabet.firstIndex(of: $0) }) {
            (bits, count) = (bits << 6 | UInt32(digit), count + 6)
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> count))
        }
        return bytes
    }

    static func file(_ dictionary: String, _ packed: String) -> [UInt8] {
        PDFTests.file(PDFTests.stream(dictionary, base64(packed)))
    }

    static let shown = "pan 41111111\n"

    /// Filter, predictor, colours, bits of a sample, columns.
    static let predicted: [(String, Int, Int, Int, Int, packed: String)] = [
        (
            "Flate", 15, 1, 8, 12,
            "eJxjdBI6wy/++r0g4zsTIUYF8d/vxH8yfDAR2MPBWPCRd5PIXwaGH99NxBgVODgZIMxtqowh28QYYAAA55MTYw=="
        ),
        (
            "Flate", 14, 3, 8, 4,
            "eJwBQQC+/wRCVCDt8hHx6wEAIzQE3uMSAAD+EO8jNMzCBFAqPLDTwwER1bwjQgSwx8MRCQD47ytKzNsENOLvzBYAAADMtgAAZWsaaA=="
        ),
        ("LZW", 13, 1, 16, 5, "gADIRUf4FGwafoZEQIAYzHjmdr/dgOBD8fADFQxczbI49DbYcoRAYHf4BegIFS/cYHAoDDIZiwWErmfgsZ8B"),
        (
            "Flate", 2, 3, 8, 4,
            "eJxzClF4+0nw42tGBmUTBXMjBoZ/Ai9VTBiuFCTmbbh8WPDvj/fKjgoahoKcDCAWw8cQLoUzYgwQAADDQBSU"
        ),
        (
            "Flate", 2, 1, 16, 6,
            "eJxzCrl7W43pFoPgeyU3BXPBl6wCPz6ouJw+UpD4d/8xwb8M399reyloCHIygFmnb4dwnRFjgAIAAQYWXQ=="
        ),
        ("LZW", 2, 3, 4, 8, "gBCKALdpEJrNF4/DoyMIgGo/XoVHrNFpSN7qcxwNRoDRSHz+FwWDzCMogEw/XwukMjMrqUZUArgR0qmk0gI="),
        (
            "Flate", 12, 1, 8, 3,
            "eJwBRAC7/wJCVCAC7fIRAvHrAQIAIzQCAOPMAgAA/gIQ6SQCNADUAgxBRgKw08MCEf34Au8jQQIA1McCEQkAAvjvIwJBAPEC6urb6VIXoQ=="
        ),
        (
            "Flate", 11, 1, 8, 7,
            "eJxjdBI6wy/++j2jIeM7E6Fd4oxG78R/MnwwYUzZw+HxkXcTo8lfBoYf300Ys7ZxcDIwMDBqfjcR26bKz8glxgACAMRaEs0="
        ),
    ]

    static let plain = [
        ContainerCase(
            name: "LZW",
            body: file(
                "/Filter/LZWDecode",
                "gBCKggF5GGIgGIyEBUMwgG8KG4wGELMggFBwMJuEA0GMdFMLNUWjsekAgIpUBUCgkGhEKhkOiESikWjEajkkKkhFEjGMfnMmlEqgsHhMLhsPh0yKkVi8Zjcjn06nlRoAKgI="
            ), labels: ["pdf"], texts: [shown + shown + shown]),
        ContainerCase(
            name: "runs",
            body: file(
                "/Filter [/RL]",
                "HEJUIC9GMSAxMiBUZiA3MiA3MDAgVGQgKHBhbiA0/jEFKSBUaiAo/TEHKSBUaiBFVAq7IIA="), labels: ["pdf"],
            texts: [shown]),
        ContainerCase(
            name: "a filter in another object",
            body: PDFTests.file(
                Array("7 0 obj /RunLengthDecode endobj 8 0 obj [ /AHx /Fl ] endobj\n".utf8),
                PDFTests.stream("/Filter 8 0 R", PDFTests.hexadecimal(Pack.zlib(Array(PDFTests.show.utf8)))),
                PDFTests.stream("/Filter[/A85 7 0 R]", PDFTests.ascii85([1, 0x28, 0x62, 254, 0x61, 0, 0x29, 128])),
                // Not read yet.
                PDFTests.stream("/Filter 9 0 R", Pack.zlib(Array(PDFTests.show.utf8)))), labels: ["pdf"],
            texts: [shown + "baaa\n" + shown]),
        ContainerCase(
            name: "a filter in another object that comes too late",
            body: PDFTests.file(PDFTests.stream("/Filter 9 0 R", [1, 0x28, 0x62])), labels: [], texts: [],
            outcomes: ["undecodable 0"]),
        ContainerCase(
            name: "parameters in another object",
            body: PDFTests.file(
                PDFTests.stream("/Filter/FlateDecode/DecodeParms 9 0 R", Pack.zlib(Array(PDFTests.show.utf8))),
                PDFTests.stream(
                    "/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 9 0 R>>",
                    Pack.zlib(Array(PDFTests.show.utf8)))), labels: [], texts: [], outcomes: ["undecodable 0"]),
        ContainerCase(
            name: "parameters of one of the filters",
            body: PDFTests.file(
                PDFTests.stream(
                    "/Filter[/ASCIIHexDecode/FlateDecode]/DecodeParms[null<</Columns 12/Predictor 15>>]/Length 9",
                    PDFTests.hexadecimal(base64(predicted[0].packed)))), labels: ["pdf"], texts: [shown]),
        ContainerCase(
            name: "rows that are none",
            body: PDFTests.file(
                PDFTests.stream(
                    "/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4>>",
                    Pack.zlib([0, 0x28, 0x61, 0x29, 32, 5])),
                PDFTests.stream(
                    "/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 99999999/Colors 9>>", Pack.zlib([0, 0x28]))),
            labels: ["pdf"], texts: ["a"], outcomes: ["undecodable 1"]),
        ContainerCase(
            name: "codes that are none", body: PDFTests.file(PDFTests.stream("/Filter/LZW", [0x80, 0x7f, 0xff])),
            labels: [], texts: [], outcomes: ["undecodable 0"]),
    ]

    static let cases =
        plain
        + predicted.map { filter, predictor, colors, bits, columns, packed in
            ContainerCase(
                name: "\(filter) \(predictor) \(colors) \(bits)",
                body: file(
                    "/Filter/\(filter)Decode/DecodeParms<</Predictor \(predictor)/Colors \(colors)/BitsPerComponent \(bits)/Columns \(columns)>>",
                    packed), labels: ["pdf"], texts: [shown])
        }

    @Test(arguments: cases) func theSameInEveryCut(_ c: ContainerCase) { c.check { PDFReader($0) } }

    @Test(arguments: cases) func nothingBreaksIt(_ c: ContainerCase) {
        c.mutate(rounds: 60, seed: 5) { PDFReader($0) }
    }

    /// Codes of every width, and a table that is cleared when it is full.
    @Test(arguments: [true, false]) func codesOfEveryWidth(_ isEarly: Bool) {
        var dice = Dice(41)
        let text = (0..<30_000).map { _ in dice.pick(Array("abcdefgh 0123456789".utf8)) }
        let content = Array("BT (".utf8) + text + Array(") Tj ET".utf8)
        let dictionary = "/Filter/LZWDecode/DecodeParms<</EarlyChange \(isEarly ? 1 : 0)>>"
        let body = PDFTests.file(PDFTests.stream(dictionary, Self.lzw(content, isEarly: isEarly)))
        for cuts in [[], Array(stride(from: 0, to: body.count, by: 7)), dice.cuts(body.count, most: 20)] {
            let taken = Taken(PDFReader(ContainerBudget(Limits())), body, cuts: cuts)
            #expect(taken.texts == [String(decoding: text, as: UTF8.self) + "\n"] && taken.outcomes.isEmpty)
        }
    }

    static func lzw(_ content: [UInt8], isEarly: Bool) -> [UInt8] {
        var (bytes, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
        var (table, next, width): ([[UInt8]: Int], Int, Int) = ([:], 258, 9)
        func put(_ code: Int) {
            (bits, count) = (bits << UInt32(width) | UInt32(code), count + width)
            while count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        put(256)
        var word: [UInt8] = []
        func code() -> Int { word.count == 1 ? Int(word[0]) : table[word] ?? 0 }
        for byte in content {
            if word.isEmpty || table[word + [byte]] != nil {
                word.append(byte)
                continue
            }
            put(code())
            table[word + [byte]] = next
            // The decoder makes each entry one code later.
            if next + (isEarly ? 1 : 0) >= 1 << width, width < 12 { width += 1 }
            next += 1
            if next == 4095 {
                put(256)
                (table, next, width) = ([:], 258, 9)
            }
            word = [byte]
        }
        put(code())
        put(257)
        width = 7
        put(0)
        return bytes
    }

    @Test func bombsAreCutOff() {
        var limits = Limits()
        limits.decodedBytes = 20_000
        for (count, outcomes) in [(20_000, []), (20_001, ["decompressionBomb 1"])] as [(Int, [String])] {
            let text = Array("BT (".utf8) + [UInt8](repeating: 0x61, count: count - 4)
            let runs: [UInt8] = stride(from: 0, to: count, by: 128).flatMap { from -> [UInt8] in
                [UInt8(257 - min(count - from, 128)), 0x61]
            }
            for (filter, packed) in [("/LZW", Self.lzw(text, isEarly: true)), ("/RL", runs)] {
                let body = PDFTests.file(PDFTests.stream("/Filter\(filter)/Type/EmbeddedFile", packed))
                let budget = ContainerBudget(limits)
                let taken = Taken(PDFReader(budget), body, budget: budget)
                #expect(taken.outcomes == outcomes && taken.labels == ["pdf:file"], "\(filter)")
            }
        }
    }
}
