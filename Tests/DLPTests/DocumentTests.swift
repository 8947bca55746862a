import Bytes
import Glibc
import Testing

@testable import DLP

/// An index of documents in a directory that goes with the value.
final class DocumentFixture {
    let directory: String
    var index: String { "\(directory)/papers.fpr" }
    var key: String { "\(directory)/fpr.key" }

    static let contract = prose(seed: 1, words: 1200)
    static let plan = prose(seed: 2, words: 600)
    static let stranger = prose(seed: 3, words: 4000)

    init(_ documents: [(String, String)] = [("contract", contract), ("plan", plan)]) throws {
        var template = Array("/tmp/weir-fpr-XXXXXX".utf8CString)
        directory = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
        try write(Array("a key of sixteen bytes".utf8), to: key)
        _ = try build(documents)
    }

    deinit {
        for name in ["papers.fpr", "fpr.key", "other.key", "broken.fpr"] { unlink("\(directory)/\(name)") }
        rmdir(directory)
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        let file = try #require(fopen(path, "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
    }

    func build(_ documents: [(String, String)], piece: Int = .max) throws -> DocumentIndexBuilder {
        let builder = try DocumentIndexBuilder(key: try .read(key), path: index)
        for (name, text) in documents {
            builder.begin(name)
            let bytes = Array(text.utf8)
            for from in stride(from: 0, to: bytes.count, by: min(piece, max(bytes.count, 1))) {
                let end = min(bytes.count, from + min(piece, bytes.count))
                try bytes[from..<end].withUnsafeBytes { try builder.feed($0) }
            }
            builder.end()
        }
        try builder.finish()
        return builder
    }

    func profile(
        _ similarity: Double = 0.3, threshold: Threshold = .none, hold: Int = 64, beside: [String] = []
    ) throws -> Profile {
        let documents = DocumentsSpec(index: index, key: key, similarity: similarity)
        let papers = SensorSpec(
            name: "papers", rules: [SensorRuleSpec(name: "r", threshold: threshold, documents: documents)])
        let sensors = [papers] + beside.enumerated().map { Make.sensor("s\($0)", $1) }
        let attached = sensors.map { Attachment(sensor: $0.name, action: .deny) }
        return Profile(try Make.database(sensors), attached, enforcing: true, hold: hold)
    }

    func found(_ text: String, _ similarity: Double = 0.3) throws -> [String] {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try profile(similarity))
        inspection.read(Array(text.utf8))
        return inspection.findings.map(\.match)
    }

    /// Words in sentences, the same for a seed.
    static func prose(seed: UInt64, words: Int) -> String {
        var state = seed &* 0x9e37_79b9_7f4a_7c15
        func next(_ below: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % below)
        }
        var text = ""
        for word in 0..<words {
            for _ in 0..<2 + next(8) { text.unicodeScalars.append(UnicodeScalar(UInt8(0x61 + next(26)))) }
            text += word % 12 == 11 ? ".\n" : " "
        }
        return text
    }
}

@Suite struct DocumentTests {
    private static let contract = DocumentFixture.contract

    private static func part(_ from: Double, _ to: Double) -> String {
        let bytes = Array(contract.utf8)
        let range = Int(from * Double(bytes.count))..<Int(to * Double(bytes.count))
        return String(decoding: bytes[range], as: UTF8.self)
    }

    @Test(arguments: [
        (contract, ["contract"]), ("Dear all,\n" + contract + "\nRegards", ["contract"]),
        (DocumentFixture.plan, ["plan"]), (DocumentFixture.stranger, []), ("", []), ("short", []),
        (part(0.2, 0.6), ["contract"]), (part(0.6, 1), ["contract"]), (part(0.4, 0.6), []),
        (part(0, 0.2) + DocumentFixture.stranger + part(0.8, 1), ["contract"]),
        (part(0, 0.2) + DocumentFixture.plan, ["plan"]), (contract + DocumentFixture.plan, ["contract", "plan"]),
        (contract + contract, ["contract"]), (part(0, 0.2) + part(0, 0.2) + part(0, 0.2), []),
    ])
    func documentsAreFoundWholeAndInPart(_ text: String, _ names: [String]) throws {
        #expect(try DocumentFixture().found(text) == names)
    }

    @Test func theLayoutDoesNotMatter() throws {
        let fixture = try DocumentFixture()
        let words = Self.contract.split { $0 == " " || $0 == "\n" || $0 == "." }
        #expect(try fixture.found(words.joined(separator: "\r\n\t")) == ["contract"])
        #expect(try fixture.found(words.joined(separator: "_").uppercased()) == ["contract"])
        // One word in fifteen is another.
        let changed = words.enumerated().map { $0 % 15 == 7 ? "other" : $1 }
        #expect(try fixture.found(changed.joined(separator: " "), 0.1) == ["contract"])
        // Every other word is.
        let others = words.enumerated().map { $0 % 2 == 0 ? "other" : $1 }
        #expect(try fixture.found(others.joined(separator: " "), 0.01).isEmpty)
    }

    @Test func theShareThatIsAFindingIsAsConfigured() throws {
        let fixture = try DocumentFixture()
        for share in [0.1, 0.3, 0.5, 0.8, 1] {
            #expect(try fixture.found(Self.contract, share) == ["contract"])
            if share < 1 { #expect(try fixture.found(Self.part(0, share + 0.1), share) == ["contract"]) }
            #expect(try fixture.found(Self.part(0, share - 0.1), share).isEmpty)
        }
    }

    /// Any text of 95 letters that two have is known.
    @Test func whatIsSharedIsFoundWhereverItStands() throws {
        let text = String(DocumentFixture.plan.filter { $0 != " " && $0 != "." && $0 != "\n" }.prefix(Winnow.bytesMin))
        let fixture = try DocumentFixture([("short", text)])
        for before in 0..<130 {
            let lead = String(DocumentFixture.stranger.filter { $0 != " " && $0 != "." && $0 != "\n" }.prefix(before))
            #expect(try fixture.found(lead + text + lead, 0.01) == ["short"], "behind \(before)")
        }
        #expect(throws: IndexFault.self) { try fixture.build([("shorter", String(text.dropLast()))]) }
    }

    @Test func everyCutGivesTheSameFindings() throws {
        let fixture = try DocumentFixture()
        let body = Array(("To whom\n" + Self.part(0.1, 0.7) + DocumentFixture.plan + " 4711-4712 end").utf8)
        for beside in [[], ["471[0-9]-471[0-9]", "To wh.{1,9}"]] {
            let profile = try fixture.profile(beside: beside)
            let inspection = Inspection(scratch: Scratch())
            inspection.reset(profile)
            inspection.read(body)
            let expected = inspection.findings
            #expect(expected.count == 2 + beside.count)
            for cut in stride(from: 0, through: body.count, by: 37) {
                inspection.reset(profile)
                inspection.read(body, cuts: [cut, cut + 1, cut + 5000])
                #expect(inspection.findings == expected, "cut at \(cut)")
            }
            inspection.reset(profile)
            inspection.read(body, cuts: Array(0...body.count))
            #expect(inspection.findings == expected)
            let packed = Pack.gzip(body)
            inspection.reset(profile)
            inspection.read(packed, codings: [.gzip])
            let decoded = inspection.findings
            #expect(decoded.map(\.match) == expected.map(\.match) && decoded.map(\.offset) == expected.map(\.offset))
            for cut in stride(from: 0, through: packed.count, by: 11) {
                inspection.reset(profile)
                inspection.read(packed, cuts: [cut], codings: [.gzip])
                #expect(inspection.findings == decoded, "gzip cut at \(cut)")
            }
        }
    }

    /// What came before may have left; the byte that makes it enough stays, with all that follows.
    @Test func nothingLeavesFromWhereADocumentIsKnown() throws {
        let profile = try DocumentFixture().profile()
        let inspection = Inspection(scratch: Scratch())
        let body = Array((DocumentFixture.stranger.prefix(2000) + Self.contract + " end").utf8)
        inspection.reset(profile)
        inspection.read(body)
        let known = try #require(inspection.findings.first?.offset)
        // Three tenths of it and not much more.
        #expect(known < 2000 + UInt64(Double(Self.contract.utf8.count) * 0.4))
        for cut in stride(from: 0, through: body.count, by: 23) {
            inspection.reset(profile)
            let sent = StreamTests.forward(inspection, body, cuts: [cut, min(cut + 300, body.count)])
            #expect(inspection.verdict == .deny && sent.count <= known && body.starts(with: sent), "cut at \(cut)")
        }
        #expect(profile.needsWholeBody && profile.holds)
    }

    @Test func aDocumentInSeveralMessagesIsFound() throws {
        let bytes = Array(Self.contract.utf8)
        let messages = stride(from: 0, to: bytes.count, by: 700).map { from in
            MessageTests.Message(String(decoding: bytes[from..<min(bytes.count, from + 700)], as: UTF8.self))
        }
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(try DocumentFixture().profile())
        let sent = MessageTests.forward(inspection, messages)
        #expect(sent < MessageTests.wireBytes(messages) / 2)
        #expect(inspection.findings.map(\.match) == ["contract"] && inspection.verdict == .deny)
    }

    @Test func aDocumentInAContainerIsFoundOnce() throws {
        let inspection = Inspection(scratch: Scratch())
        let profile = try DocumentFixture().profile()
        let fields = "content-disposition: form-data; name=\"f\"; filename=\"a.txt\""
        let form = "--b\r\n\(fields)\r\n\r\n\(Self.contract)\r\n--b--\r\n"
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: [], boundary: Array("b".utf8))
        inspection.feed(.request, Array(form.utf8)[...], end: true)
        #expect(inspection.findings.map(\.match) == ["contract"])
        let expected = inspection.findings
        #expect(expected.first?.decoded.isEmpty == false)
        let body = Array(form.utf8)
        for cut in stride(from: 0, through: body.count, by: 61) {
            inspection.reset(profile)
            inspection.open(.request, as: .body, codings: [], boundary: Array("b".utf8))
            inspection.feed(.request, body[..<cut], end: false)
            inspection.feed(.request, body[cut...], end: true)
            #expect(inspection.findings == expected, "cut at \(cut)")
        }
    }

    @Test func documentsAreCounted() throws {
        let profile = try DocumentFixture().profile(threshold: Threshold(atLeast: 2))
        let inspection = Inspection(scratch: Scratch())
        for (text, verdict) in [(Self.contract, Action.allow), (Self.contract + DocumentFixture.plan, .deny)] {
            inspection.reset(profile)
            inspection.read(Array(text.utf8))
            #expect(inspection.verdict == verdict)
        }
    }

    /// What is in very many documents is of none of them, and a whole one is found all the same.
    @Test func whatManyDocumentsHaveDoesNotCount() throws {
        let form = DocumentFixture.prose(seed: 9, words: 2000)
        let many = (0...DocumentIndex.documentsPerPrintMax).map {
            ("d\($0)", form + DocumentFixture.prose(seed: 100 + UInt64($0), words: 300))
        }
        let fixture = try DocumentFixture(many)
        #expect(try fixture.found(form).isEmpty)
        #expect(try fixture.found(many[7].1, 0.9) == ["d7"])
    }

    // MARK: The file

    @Test func theBuildDoesNotDependOnTheCut() throws {
        let fixture = try DocumentFixture()
        let whole = try SmallFile.read(fixture.index, most: 1 << 20)
        let documents = [("contract", Self.contract), ("plan", DocumentFixture.plan)]
        for piece in [1, 7, 100] {
            #expect(try fixture.build(documents, piece: piece).documentCount == 2)
            #expect(try SmallFile.read(fixture.index, most: 1 << 20) == whole)
        }
    }

    @Test func whatIsWrongWithAFileIsSaid() throws {
        let fixture = try DocumentFixture()
        let whole = try SmallFile.read(fixture.index, most: 1 << 20)
        let key = try IndexKey.read(fixture.key)
        let broken = "\(fixture.directory)/broken.fpr"
        func fault(_ bytes: [UInt8], _ key: IndexKey) throws -> String? {
            try fixture.write(bytes, to: broken)
            do throws(IndexFault) {
                _ = try DocumentIndex(broken, key: key)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(try fault(whole, key) == nil)
        #expect(try fault(whole, try IndexKey(Array("another key of bytes".utf8))) == "was built with another key")
        #expect(try fault(Array("weir.edm".utf8) + whole[8...], key)?.contains("weir fingerprint build") == true)
        for count in [0, 7, 8, 40, 55, 60, whole.count / 2, whole.count - 1] {
            #expect(try fault(Array(whole.prefix(count)), key) != nil, "cut at \(count)")
        }
        // No change of the header goes unseen.
        for at in 8..<100 {
            var changed = whole
            changed[at] ^= 1
            #expect(try fault(changed, key) != nil, "changed at \(at)")
        }
        let missing = DocumentsSpec(index: "/nonexistent/x.fpr", key: fixture.key)
        let sensor = SensorSpec(name: "papers", rules: [SensorRuleSpec(name: "r", documents: missing)])
        #expect(throws: CompileErrors.self) { try Make.database([sensor]) }
    }
}
