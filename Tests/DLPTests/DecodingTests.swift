import Bytes
import Testing

@testable import DLP

@Suite struct DecodingTests {
    static let text = Array(
        #"{"n": "x", "nir": "295109912611193", "id": 12345678, "pan": 4111111111111111, "tail": true}"#.utf8)

    struct Case: CustomTestStringConvertible, Sendable {
        var name: String
        var body: [UInt8]
        var codings: [ContentCoding]
        var sensors: [String]
        var uninspectable: Uninspectable?
        var testDescription: String { name }
    }

    static let both = ["ssn-fr", "credit-card"]
    static let cases = [
        Case(name: "gzip", body: Pack.gzip(text), codings: [.gzip], sensors: both),
        Case(name: "zlib", body: Pack.zlib(text), codings: [.deflate], sensors: both),
        Case(name: "bare deflate", body: Pack.bare(text), codings: [.deflate], sensors: both),
        Case(
            name: "flushed", body: Pack.deflate(text, bits: 31, flushes: [3, 30, 31, 80]), codings: [.gzip],
            sensors: both),
        Case(
            name: "members", body: Pack.gzip(Array(text[..<25])) + Pack.gzip([]) + Pack.gzip(Array(text[25...])),
            codings: [.gzip], sensors: both),
        Case(name: "twice", body: Pack.gzip(Pack.zlib(text)), codings: [.deflate, .gzip], sensors: both),
        Case(
            name: "garbage after", body: Pack.gzip(Array(text[..<60])) + text[60...], codings: [.gzip],
            sensors: both, uninspectable: .undecodable),
        Case(
            name: "zeros after", body: Pack.gzip(text) + [0, 0], codings: [.gzip], sensors: both,
            uninspectable: .undecodable),
        Case(name: "wrong label", body: text, codings: [.gzip], sensors: both, uninspectable: .undecodable),
        Case(name: "wrong label deflate", body: text, codings: [.deflate], sensors: both, uninspectable: .undecodable),
        Case(
            name: "labelled twice", body: Pack.gzip(text), codings: [.gzip, .gzip], sensors: both,
            uninspectable: .undecodable),
        Case(name: "br", body: Pack.br(text), codings: [.br], sensors: both),
        Case(name: "zstd", body: Pack.zstd(text), codings: [.zstd], sensors: both),
        Case(name: "br in gzip", body: Pack.gzip(Pack.br(text)), codings: [.br, .gzip], sensors: both),
        Case(name: "zstd in br", body: Pack.br(Pack.zstd(text)), codings: [.zstd, .br], sensors: both),
        Case(
            name: "frames",
            body: Pack.zstd(Array(text[..<25])) + [0x51, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7]
                + Pack.zstd(Array(text[25...])), codings: [.zstd], sensors: both),
        Case(name: "zstd that says gzip", body: Pack.zstd(text), codings: [.gzip], sensors: both),
        Case(name: "gzip that says br", body: Pack.gzip(text), codings: [.br], sensors: both),
        Case(name: "gzip without a label", body: Pack.gzip(text), codings: [], sensors: both),
        Case(name: "zstd without a label", body: Pack.zstd(text), codings: [], sensors: both),
        Case(name: "zstd under gzip alone", body: Pack.gzip(Pack.zstd(text)), codings: [.gzip], sensors: both),
        Case(name: "wrong label br", body: text, codings: [.br], sensors: both, uninspectable: .undecodable),
        Case(name: "wrong label zstd", body: text, codings: [.zstd], sensors: both, uninspectable: .undecodable),
        Case(
            name: "begins like gzip", body: [0x1f, 0x8b, 8] + text, codings: [], sensors: both,
            uninspectable: .undecodable),
        Case(name: "begins like zstd", body: [0x28, 0xb5] + text, codings: [], sensors: both),
        Case(
            name: "zstd cut off", body: Pack.zstd(text + text).dropLast(1), codings: [.zstd], sensors: [],
            uninspectable: .truncated),
        Case(
            name: "deeper than labelled", body: (0..<5).reduce(text) { body, _ in Pack.gzip(body) }, codings: [.gzip],
            sensors: [], uninspectable: .decompressionBomb),
        Case(name: "unknown", body: text, codings: [.unsupported], sensors: both, uninspectable: .unknownCoding),
        Case(
            name: "unknown inside", body: Pack.gzip(text), codings: [.unsupported, .gzip], sensors: both,
            uninspectable: .unknownCoding),
        Case(
            name: "truncated", body: Pack.gzip(text).dropLast(9), codings: [.gzip], sensors: both,
            uninspectable: .truncated),
        Case(name: "empty", body: [], codings: [.gzip], sensors: []),
        Case(
            name: "too deep", body: text, codings: [.gzip, .gzip, .gzip, .gzip, .gzip], sensors: both,
            uninspectable: .decompressionBomb),
    ]

    @Test(arguments: cases) func theSameInEveryCut(_ c: Case) throws {
        let profile = try Make.builtIn()
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(c.body, codings: c.codings)
        let findings = inspection.findings
        #expect(findings.map(\.sensor) == c.sensors)
        for cut in 0...c.body.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, c.body, cuts: [cut], codings: c.codings)
            inspection.finish()
            #expect(inspection.findings == findings, "cut at \(cut)")
            #expect(inspection.uninspectable == c.uninspectable, "cut at \(cut)")
            #expect(c.sensors.isEmpty || sent.count < c.body.count)
        }
        inspection.reset(profile)
        inspection.read(c.body, cuts: Array(0...c.body.count), codings: c.codings)
        #expect(inspection.findings == findings)
    }

    /// Nor does the first of two reads, whose few bytes wait until it is clear what they are.
    @Test func theFirstBytesAreHeldCoded() throws {
        let inspection = Inspection(scratch: Scratch())
        let profile = try Make.builtIn()
        let coded = Pack.br(Array("one \"4111111111111111\" two".utf8))
        for cut in 0...coded.count {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, coded, cuts: [cut], codings: [.br])
            #expect(sent.count <= 8, "the number begins in the ninth byte")
        }
    }

    /// What was released, decoded as far as it goes, gives away no byte of the match.
    @Test func aHeldTailIsHeldCoded() throws {
        let profile = try Make.builtIn()
        let inspection = Inspection(scratch: Scratch())
        var dice = Dice(5)
        for round in 0..<120 {
            let noise = (0..<dice.below(6000)).map { _ in UInt8(dice.below(256)) | 0x80 }
            let body = noise + Array("pan 4111111111111111;".utf8) + noise
            let flushes = dice.cuts(body.count, most: 4)
            let (coded, codings): ([UInt8], [ContentCoding]) =
                switch round % 6 {
                case 0: (Pack.deflate(body, bits: 31, flushes: flushes), [.gzip])
                case 1: (Pack.deflate(body, bits: 15, flushes: flushes), [.deflate])
                case 2: (Pack.br(body), [.br])
                case 3: (Pack.zstd(body), [.zstd])
                case 4: (Pack.br(Pack.zstd(body)), [.zstd, .br])
                default: (Pack.zstd(Pack.deflate(body, bits: 31, flushes: flushes)), [.gzip, .zstd])
                }
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, coded, cuts: dice.cuts(coded.count, most: 20), codings: codings)
            #expect(inspection.verdict == .deny)
            var seen = [UInt8](repeating: 0, count: body.count + 1)
            let decoder = Decoder(codings, limits: Limits())
            var count = 0
            sent.withUnsafeBytes { sent in
                decoder.push(sent, rawEnd: UInt64(sent.count))
                while case .bytes(let more) = seen.withUnsafeMutableBytes({
                    decoder.pull(into: UnsafeMutableRawBufferPointer(rebasing: $0[count...]))
                }) { count += more }
            }
            #expect(count <= noise.count + 4)
            // A block of zstd is held whole, whatever it holds.
            if codings.contains(.zstd) { continue }
            #expect(count + 2 * Stage.sliceBytes + 64 > noise.count || noise.count < 2 * Stage.sliceBytes)
        }
    }

    /// What zstd does not compress stands in its blocks as it is: no byte of it leaves before the block has been read.
    @Test func aBlockThatHoldsAMatchDoesNotLeaveInPart() throws {
        let inspection = Inspection(scratch: Scratch())
        let profile = try Make.builtIn()
        var dice = Dice(6)
        let noise = (0..<20_000).map { _ in UInt8(dice.below(256)) }
        let number = Array("4111111111111111".utf8)
        let coded = Pack.zstd(noise + Array(" ".utf8) + number + Array("; ".utf8) + noise)
        let at = try #require((0...coded.count - 16).first { Array(coded[$0..<$0 + 16]) == number })
        for (coded, codings) in [(coded, [ContentCoding.zstd]), (coded, []), (Pack.br(coded), [.zstd, .br])] {
            for step in [1, 100, 511, 512, 5000] {
                inspection.reset(profile)
                let cuts = Array(stride(from: step, to: coded.count, by: step))
                #expect(StreamTests.forward(inspection, coded, cuts: cuts, codings: codings).count <= at)
                #expect(inspection.verdict == .deny)
            }
        }
    }

    @Test func aBlockThatIsNoneIsReadWhole() throws {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try Make.builtIn())
        // A frame whose only block is said to be compressed and is text (RFC 8878 section 3.1.1).
        let length = 100_000
        let block = [UInt8(truncatingIfNeeded: length << 3 | 5), UInt8(length >> 5 & 0xff), UInt8(length >> 13)]
        let text = Array("x".utf8) + Self.text + [UInt8](repeating: UInt8(ascii: "x"), count: length)
        inspection.read([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38] + block + text, codings: [.zstd])
        #expect(inspection.findings.map(\.sensor) == Self.both)
        #expect(inspection.uninspectable == .undecodable)
    }

    @Test func bombsAreCutOff() throws {
        var limits = Limits()
        limits.decodedBytes = 3_000_000
        let profile = try Make.profile(["needle"], limits: limits)
        let inspection = Inspection(scratch: Scratch())
        func outcome(_ count: Int, layers: Int = 1) -> Uninspectable? {
            var body = Pack.gzip([UInt8](repeating: 0, count: count))
            for _ in 1..<layers { body = Pack.gzip(body) }
            inspection.reset(profile)
            inspection.read(body, codings: Array(repeating: .gzip, count: layers))
            return inspection.uninspectable
        }
        // Below the floor a ratio of a thousand is no bomb, above it is.
        #expect(outcome(Decoder.ratioFloor) == nil)
        #expect(outcome(Decoder.ratioFloor + 1) == .decompressionBomb)
        #expect(outcome(20_000_000, layers: 2) == .decompressionBomb)
        #expect(inspection.inspectedBytes <= 3_000_000)
        limits.decodedRatio = 100_000
        let wide = try Make.profile(["needle"], limits: limits)
        for (count, expected) in [(3_000_000, nil), (3_000_001, Uninspectable.decompressionBomb)] {
            inspection.reset(wide)
            inspection.read(Pack.gzip([UInt8](repeating: 0, count: count)), codings: [.gzip])
            #expect(inspection.uninspectable == expected)
        }
    }

    @Test(arguments: [
        ("gzip", [ContentCoding.gzip]), (" X-GZIP\t", [.gzip]), ("identity", []), ("", []), ("BR", [.br]),
        ("deflate, gzip", [.deflate, .gzip]), ("gzip ,, identity,zstd", [.gzip, .zstd]),
        ("gzipp", [.unsupported]),
    ])
    func codingsAreParsed(_ value: String, _ expected: [ContentCoding]) {
        #expect(Array(value.utf8).withUnsafeBytes { ContentCoding.parse($0) } == expected)
    }
}
