import Bytes
import Testing

@testable import DNS

struct LabelDecoderTests {
    /// A French social security number, such as sensors look for.
    static let secret = "185057800608491"

    enum Style: CaseIterable {
        case bare, counterLabel, counterBehindToken, counterWithin, countsWithin, nonce, twoLabels
    }

    private func encode(_ text: String, _ coding: TextCoding) -> String {
        let alphabet: String =
            switch coding {
            case .plain: ""
            case .hexadecimal: "0123456789abcdef"
            case .base32: "abcdefghijklmnopqrstuvwxyz234567"
            case .base32Hex: "0123456789abcdefghijklmnopqrstuv"
            case .base64: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            }
        if coding == .plain { return text }
        let letters = Array(alphabet)
        var (held, bits, output) = (0, 0, "")
        for byte in text.utf8 {
            (held, bits) = (held << 8 | Int(byte), bits + 8)
            while bits >= coding.bits {
                bits -= coding.bits
                output.append(letters[held >> bits & (1 << coding.bits - 1)])
            }
            held &= 1 << bits - 1
        }
        if bits > 0 { output.append(letters[held << (coding.bits - bits) & (1 << coding.bits - 1)]) }
        return output
    }

    private func names(_ pieces: [String], _ style: Style) -> [String] {
        pieces.enumerated().map { n, piece in
            switch style {
            case .bare: "\(piece).evil.com"
            case .counterLabel: "\(n).\(piece).evil.com"
            case .counterBehindToken: "\(piece).\(n).t0ken.evil.com"
            case .counterWithin: "s\(n)-\(piece).evil.com"
            case .countsWithin: "0\(n + 1)\(piece).evil.com"
            case .nonce: "\(["xkq", "zr7", "qqw", "ab1", "k0z", "9jj"][n % 6]).\(piece).evil.com"
            case .twoLabels:
                "\(piece.prefix(piece.count / 2)).\(piece.dropFirst(piece.count / 2)).n\(n).x.evil.com"
                    .replacing("..", with: ".").trimmingPrefix(".").description
            }
        }
    }

    /// Whether the secret is found in what is new with one of the queries.
    private func finds(_ names: [String], decoder: inout LabelDecoder, secret: String = secret) -> Bool {
        var found = false
        for name in names {
            let wire = Wire.name(name)
            wire.withUnsafeBytes { bytes in
                guard let cut = suffixList.cut(bytes) else { return }
                decoder.take(address("10.0.0.7"), cut, of: bytes, now: Ticks(milliseconds: 5000)) { view in
                    guard !found else { return }
                    let text = String(decoding: view.bytes, as: UTF8.self)
                    if text.contains(secret) {
                        let end = view.bytes.count
                        found = view.fresh < end
                    }
                }
            }
        }
        return found
    }

    private func pieces(_ text: String, _ cuts: [Int]) -> [String] {
        let letters = Array(text)
        return zip([0] + cuts, cuts + [letters.count]).map { String(letters[$0..<$1]) }
    }

    private func check(_ text: String, _ cuts: [Int], _ style: Style, _ coding: TextCoding) {
        let pieces = pieces(text, cuts)
        // Without a counter the same piece twice is a repeat, and never leaves a cache.
        if style == .bare, Set(pieces).count < pieces.count { return }
        var decoder = LabelDecoder(pairs: 8)
        #expect(finds(names(pieces, style), decoder: &decoder), "\(coding) \(style) \(pieces)")
    }

    @Test(arguments: TextCoding.allCases, Style.allCases) func cutInTwo(_ coding: TextCoding, _ style: Style) {
        let text = encode(LabelDecoderTests.secret, coding)
        for cut in 1..<text.count { check(text, [cut], style, coding) }
    }

    @Test(arguments: TextCoding.allCases, Style.allCases) func cutInThree(_ coding: TextCoding, _ style: Style) {
        let text = encode(LabelDecoderTests.secret, coding)
        for first in 1..<text.count - 1 {
            for second in stride(from: first + 1, to: text.count, by: style == .bare ? 2 : 5) {
                check(text, [first, second], style, coding)
            }
        }
    }

    @Test(arguments: TextCoding.allCases, [4, 5, 6]) func cutInMore(_ coding: TextCoding, _ count: Int) {
        let text = encode(LabelDecoderTests.secret, coding)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            let cuts = Array((1..<text.count).shuffled(using: &generator).prefix(count - 1)).sorted()
            for style in Style.allCases { check(text, cuts, style, coding) }
        }
    }

    /// Each piece encoded on its own, as tools do that encode what fits into one query.
    @Test(arguments: TextCoding.allCases) func encodedPieceByPiece(_ coding: TextCoding) {
        let secret = LabelDecoderTests.secret
        for first in 1..<secret.count - 1 {
            for second in first + 1..<secret.count {
                let pieces = pieces(secret, [first, second]).map { encode($0, coding) }
                for style in [Style.bare, .counterLabel, .counterBehindToken] {
                    if style == .bare, Set(pieces).count < pieces.count { continue }
                    var decoder = LabelDecoder(pairs: 8)
                    #expect(finds(names(pieces, style), decoder: &decoder), "\(coding) \(style) \(pieces)")
                }
            }
        }
    }

    /// What was asked before, what is repeated, and what others ask in between is no hindrance.
    @Test(arguments: TextCoding.allCases) func amidOtherNames(_ coding: TextCoding) {
        let text = encode("name=Jean;ssn=\(LabelDecoderTests.secret);", coding)
        for size in [3, 7, 10, 16] {
            let pieces = stride(from: 0, to: text.count, by: size).map { at in
                String(text.dropFirst(at).prefix(size))
            }
            var asked = ["www.evil.com", "mail.evil.com", "h3llo.t0ken.evil.com"]
            for name in names(pieces, .counterBehindToken) {
                // The other family of addresses, a retry in other letters, the search list, and another domain.
                asked += [name, name, "www.example.com", "\(name).corp.example.com", "t0ken.evil.com"]
                if coding != .base64 { asked.append(name.uppercased()) }
            }
            var decoder = LabelDecoder(pairs: 64)
            #expect(finds(asked, decoder: &decoder), "\(coding) \(size)")
        }
    }

    @Test func upperCaseAndPadding() {
        for coding in [TextCoding.hexadecimal, .base32, .base32Hex] {
            let text = encode(LabelDecoderTests.secret, coding).uppercased()
            var decoder = LabelDecoder(pairs: 8)
            #expect(finds(names(pieces(text, [9, 14]), .counterLabel), decoder: &decoder))
        }
        var decoder = LabelDecoder(pairs: 8)
        #expect(finds(["MTg1MDU3ODAw.a.evil.com", "NjA4NDkx==.b.evil.com"], decoder: &decoder))
    }

    @Test func otherClientsAndDomainsAreKeptApart() {
        let text = encode(LabelDecoderTests.secret, .hexadecimal)
        let halves = pieces(text, [15])
        var decoder = LabelDecoder(pairs: 8)
        #expect(!finds(["\(halves[0]).evil.com", "\(halves[1]).other.com"], decoder: &decoder))
        #expect(!finds(["\(halves[0]).a.github.io", "\(halves[1]).b.github.io"], decoder: &decoder))
    }

    /// The place where a query begins is told, so that nothing is found twice.
    @Test func whatIsFreshIsTold() {
        var decoder = LabelDecoder(pairs: 8)
        var fresh: [String] = []
        for name in ["hello.evil.com", "hello.evil.com", "HELLO.evil.com", "world.evil.com", "evil.com", "github.io"] {
            Wire.name(name).withUnsafeBytes { bytes in
                guard let cut = suffixList.cut(bytes) else { return }
                decoder.take(address("10.0.0.7"), cut, of: bytes, now: Ticks(milliseconds: 0)) { view in
                    let text = String(decoding: view.bytes, as: UTF8.self)
                    fresh.append("\(view.coding) \(text) \(view.fresh)")
                }
            }
        }
        #expect(fresh == ["plain hello 0", "plain helloworld 5"])
    }

    /// Long names and many of them stay within the room there is; the newest are kept.
    @Test func theRoomIsBounded() {
        var decoder = LabelDecoder(pairs: 8)
        let filler = String(repeating: "z", count: 60)
        let long = (0..<40).map { "\($0).\(filler).\(filler).\(filler).evil.com" }
        #expect(!finds(long, decoder: &decoder))
        #expect(finds(names(pieces(LabelDecoderTests.secret, [5, 9]), .counterBehindToken), decoder: &decoder))
        let many = (0..<300).map { "\($0 % 10)\($0).evil.com" }
        #expect(!finds(many, decoder: &decoder))
    }

    /// Ordinary domains, which have one or two names, make room before one that sends pieces.
    @Test func manyDomains() {
        var decoder = LabelDecoder(pairs: 64)
        let sent = names(pieces(LabelDecoderTests.secret, [3, 6, 9, 12]), .counterBehindToken)
        #expect(!finds(Array(sent.dropLast()), decoder: &decoder))
        _ = finds((0..<2000).map { "www.site\($0).com" }, decoder: &decoder)
        #expect(finds([sent[4]], decoder: &decoder))
    }

    /// Nothing that a name may hold harms: any bytes, one label or a hundred.
    @Test func anyNames() {
        let watched = Watched(pairs: 64)
        var decoder = LabelDecoder(pairs: 8)
        var generator = SystemRandomNumberGenerator()
        for n in 0..<3000 {
            let longest = [1, 2, 8, 63][n % 4]
            var wire: [UInt8] = []
            while wire.count < 180, Int.random(in: 0..<12, using: &generator) > 0 || wire.isEmpty {
                let count = Int.random(in: 1...longest, using: &generator)
                wire.append(UInt8(count))
                for _ in 0..<count {
                    wire.append(
                        n % 3 == 0 ? .random(in: 0...255, using: &generator) : .random(in: 45...50, using: &generator))
                }
            }
            wire += [4] + Array("evil".utf8) + [3] + Array("com".utf8) + [0]
            wire.withUnsafeBytes { bytes in
                guard let cut = suffixList.cut(bytes) else { return }
                let now = Ticks(milliseconds: Int64(n))
                _ = watched.watch.note(
                    watched.client, cut, of: bytes, type: RecordType(rawValue: UInt16(n)), now: now, watched.bounds)
                decoder.take(watched.client, cut, of: bytes, now: now) { view in
                    #expect((0...view.bytes.count).contains(view.fresh))
                }
            }
        }
    }
}
