import Bytes
import Testing

@testable import DLP

/// Containers of bodies, as the gateway reads them.
@Suite struct ContainersTests {
    static let card = "pan 4111111111111111 end"

    static func zip(_ name: String, _ content: [UInt8], method: Int = 8) -> [UInt8] {
        ZipBuilder.make([ZipBuilder.Entry(name: name, content: content, method: method)])
    }

    static func multipart(_ parts: (fields: String, content: [UInt8])...) -> [UInt8] {
        parts.flatMap { Array("--B\r\n\($0.fields)\r\n\r\n".utf8) + $0.content + Array("\r\n".utf8) }
            + Array("--B--\r\n".utf8)
    }

    static let part = "Content-Disposition: form-data; name=\"file\"; filename=\"r.docx\""
    static let noise = (0..<9000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) | 0x80 }

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var body: [UInt8]
        var codings: [ContentCoding] = []
        var boundary = ""
        var chains: [[String]]
        var uninspectable: Uninspectable?
        var testDescription: String { name }
    }

    static let text = Array(card.utf8)
    static let cases = [
        Case(name: "zip", body: zip("word/document.xml", text), chains: [["zip:word/document.xml"]]),
        Case(name: "stored", body: zip("a", noise + text, method: 0), chains: [["zip:a"]]),
        Case(
            name: "a document in a form",
            body: multipart(
                (part, zip("word/document.xml", noise + text)), ("Content-Disposition: form-data; name=n", text)),
            boundary: "B", chains: [["multipart:file=r.docx", "zip:word/document.xml"], ["multipart:n"]]),
        Case(name: "a secret name of a part", body: multipart(("X: " + card, [0x61])), boundary: "B", chains: [[]]),
        Case(
            name: "tar and gzip", body: Pack.gzip(TarTests.entry("d/a.txt", noise + text) + TarTests.zeros),
            chains: [["gzip", "tar:d/a.txt"]]),
        Case(
            name: "gzip as a coding around a tar around a zip",
            body: Pack.gzip(TarTests.entry("x.zip", zip("y", noise + text, method: 0)) + TarTests.zeros),
            codings: [.gzip],
            chains: [["gzip", "tar:x.zip", "zip:y"]]),
        Case(
            name: "base64 of a zip in a mail",
            body: multipart(
                (
                    "Content-Transfer-Encoding: base64\r\nContent-Type: application/zip; name=z.zip",
                    Array("UEsDBC0AAAAAAAAAAADM4fJ7BAAAAAQAAAABAAAAYXRleHRQSwUGAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n".utf8)
                ), ("Content-Transfer-Encoding: quoted-printable", Array("pan 411111=\r\n11=311111111 end".utf8))),
            boundary: "B", chains: [["multipart", "quoted-printable"]]),
        Case(
            name: "parts in parts",
            body: multipart(
                (
                    "Content-Type: multipart/mixed; boundary=C",
                    Array("--C\r\n\r\n".utf8) + text + Array("\r\n--C--".utf8)
                )),
            boundary: "B", chains: [["multipart", "multipart"]]),
        Case(
            name: "pdf",
            body: PDFTests.file(PDFTests.stream("/Filter/FlateDecode", Pack.zlib(Array("BT (\(card)) Tj ET".utf8)))),
            chains: [["pdf"]]),
        Case(
            name: "encrypted",
            body: ZipBuilder.make([
                ZipBuilder.Entry(name: "a", content: text, flags: 1), ZipBuilder.Entry(name: "b", content: text),
            ]), chains: [["zip:b"]], uninspectable: .encrypted),
        Case(name: "known to be closed", body: Array("Salted__".utf8) + noise, chains: [], uninspectable: .encrypted),
        Case(
            name: "closed in a form", body: multipart((part, [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] + noise)),
            boundary: "B", chains: [], uninspectable: .undecodable),
        Case(
            name: "too deep", body: (0..<5).reduce(text) { inner, _ in Pack.gzip(inner) }, chains: [],
            uninspectable: .decompressionBomb),
        Case(
            name: "deep", body: (0..<4).reduce(text) { inner, _ in Pack.gzip(inner) },
            chains: [["gzip", "gzip", "gzip", "gzip"]]),
        Case(name: "no container", body: text, chains: [[]]),
        Case(name: "not what it is said to be", body: text, boundary: "B", chains: [[]], uninspectable: .undecodable),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: Case) throws {
        let profile = try Make.builtIn()
        let inspection = Inspection(scratch: Scratch())
        func read(_ cuts: [Int]) -> [UInt8] {
            inspection.reset(profile)
            inspection.open(.request, as: .body, codings: c.codings, boundary: Array(c.boundary.utf8))
            var (from, sent) = (0, 0)
            for cut in cuts + [c.body.count] where cut >= from {
                inspection.feed(.request, c.body[from..<cut], end: cut == c.body.count)
                let now = Int(inspection.releasable(.request))
                #expect(now >= sent)
                (from, sent) = (cut, now)
            }
            inspection.finish()
            return Array(c.body[..<sent])
        }
        let whole = read([])
        let findings = inspection.findings
        #expect(findings.map(\.decoded) == c.chains)
        #expect(inspection.uninspectable == c.uninspectable)
        #expect(c.chains.isEmpty || whole.count < c.body.count)
        let cuts = c.body.count < 1000 ? Array(0..<c.body.count) : stride(from: 1, to: c.body.count, by: 97).map { $0 }
        for cut in cuts {
            let sent = read([cut])
            #expect(c.chains.isEmpty == (sent.count == c.body.count), "cut at \(cut)")
            #expect(inspection.findings == findings, "cut at \(cut)")
            #expect(inspection.uninspectable == c.uninspectable, "cut at \(cut)")
            if inspection.findings != findings || sent.count == c.body.count && !c.chains.isEmpty { return }
        }
        _ = read(Array(0..<c.body.count))
        #expect(inspection.findings == findings)
    }

    static let codingCases: [(codings: [ContentCoding], encode: @Sendable ([UInt8]) -> [UInt8])] = [
        ([.zstd], { Pack.zstd($0) }), ([], { Pack.zstd($0) }), ([.gzip], { Pack.gzip($0) }), ([.br], { Pack.br($0) }),
        ([.zstd, .br], { Pack.br(Pack.zstd($0)) }), ([.gzip, .zstd], { Pack.zstd(Pack.gzip($0)) }),
    ]

    /// A file in a container in a coded body: what was released, decoded and unpacked as far as it goes, gives away no byte
    /// of the match; nor do the released bytes themselves, where neither compresses.
    @Test(arguments: codingCases.indices) func aMatchInACodedContainerIsHeld(_ index: Int) throws {
        let (codings, encode) = Self.codingCases[index]
        let number = Array("4111111111111111".utf8)
        let profile = try Make.builtIn()
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(UInt64(index))
        // The larger takes more than one block of zstd.
        for size in [3000, 150_000] {
            let noise = (0..<size).map { _ in UInt8(dice.below(256)) }
            let secret = noise + Array("pan ".utf8) + number + Array("; ".utf8) + noise
            let containers: [(body: [UInt8], reader: (ContainerBudget) -> any ContainerReader)] = [
                (Self.zip("a", secret, method: 0), ZipReader.init), (Self.zip("a", secret), ZipReader.init),
                (TarTests.entry("a", secret) + TarTests.zeros, TarReader.init),
                (Pack.gzip(secret), GzipReader.init),
            ]
            for (container, reader) in containers {
                let coded = encode(container)
                let inPlain = coded.firstRange(of: number)?.lowerBound ?? coded.count
                let step = max(dice.below(coded.count / 4), 1)
                let cutsCases = [
                    [], Array(stride(from: 0, to: coded.count, by: size > 3000 ? 1021 : 7)),
                    Array(stride(from: step, to: coded.count, by: step)), dice.cuts(coded.count, most: 30),
                ]
                for cuts in cutsCases {
                    inspection.reset(profile)
                    let sent = StreamTests.forward(inspection, coded, cuts: cuts, codings: codings)
                    #expect(inspection.verdict == .deny)
                    #expect(sent.count <= inPlain)
                    let decoder = codings.isEmpty ? [.zstd] : codings
                    let taken = Taken(reader(ContainerBudget(Limits())), Self.decoded(sent, decoder))
                    #expect(taken.entries.allSatisfy { $0.content.count <= noise.count + 4 })
                }
            }
        }
    }

    /// All that comes out of the first bytes of a coded body.
    static func decoded(_ body: [UInt8], _ codings: [ContentCoding]) -> [UInt8] {
        let decoder = Decoder(codings, limits: Limits())
        return body.withUnsafeBytes { bytes in
            decoder.push(bytes, rawEnd: UInt64(bytes.count))
            var output: [UInt8] = []
            var room = [UInt8](repeating: 0, count: 65536)
            while case .bytes(let count) = room.withUnsafeMutableBytes({ decoder.pull(into: $0) }) {
                output += room[..<count]
            }
            return output
        }
    }

    /// Small files, one after the other, in small pieces.
    @Test(arguments: [1, 7, 17, 64]) func manyInPieces(_ count: Int) throws {
        let profile = try Make.builtIn()
        let files = [1, 3].map {
            ZipBuilder.Entry(name: "f\($0)", content: Array(repeating: Self.text, count: $0).flatMap { $0 }, method: 0)
        }
        let body = ZipBuilder.make(files)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(body)
        let findings = inspection.findings
        #expect(findings.map(\.decoded) == [["zip:f1"], ["zip:f3"], ["zip:f3"], ["zip:f3"]])
        inspection.reset(profile)
        inspection.read(body, cuts: Array(stride(from: 0, to: body.count, by: count)))
        #expect(inspection.findings == findings)
    }

    /// A part is a value of its own: it can be overwritten, and counts once.
    @Test func aPartIsReadOnce() throws {
        let profile = try Make.profile(["^4111\\d{12}$"], action: .redact)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        let body = Self.multipart(("A: b", Array("4111111111111111".utf8)), ("A: b", Array("x4111111111111111".utf8)))
        inspection.open(.request, as: .body, codings: [], boundary: Array("B".utf8))
        inspection.feed(.request, body[...], end: true)
        #expect(inspection.takeRedactions(.request) == [Redaction(offset: 13, length: 16, byte: 0x2a)])
        #expect(inspection.findingsCount == 1 && inspection.verdict == .redact)
    }
}
