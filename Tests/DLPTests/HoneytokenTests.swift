import Bytes
import Testing

@testable import DLP

@Suite struct HoneytokenTests {
    static let value = "Bait-7f3a.91c2$d4\\E"

    static func profile(_ values: [String] = [value], enforcing: Bool = true) throws -> Profile {
        let tokens = try values.enumerated().map {
            try #require(Honeytoken(name: "bait-\($0)", content: Array("\($1)\r\n".utf8)))
        }
        let database = try Database.compile(
            [], honeytokens: tokens, used: [], limits: Limits(), fingerprintKey: Make.key
        ).get()
        return Profile(
            database, [Attachment(sensor: Honeytoken.sensor, action: .deny)], enforcing: enforcing, hold: 65536)
    }

    @Test func aPlantedValueIsFoundInEveryContextAndNothingOfItIsTold() throws {
        let inspection = Inspection(scratch: Scratch())
        for context in [Contexts.url, .header, .name] {
            inspection.reset(try Self.profile())
            #expect(!inspection.sawHoneytoken)
            inspection.scan("x=\(Self.value.lowercased())&", as: context)
            #expect(inspection.sawHoneytoken && inspection.verdict == .deny)
            #expect(inspection.findings.map(\.match) == [String(repeating: "*", count: Self.value.utf8.count)])
            #expect(inspection.findings.map(\.rule) == ["bait-0"])
        }
        inspection.reset(try Self.profile())
        inspection.scan("Bait-7f3aX91c2$d4\\E, Bait-7f3a.91c2", as: .header)
        #expect(!inspection.sawHoneytoken)
    }

    @Test func noByteOfItLeavesInAnyCut() throws {
        let profile = try Self.profile()
        let inspection = Inspection(scratch: Scratch())
        let body = Array("before \(Self.value) after".utf8)
        for cut in 0...body.count {
            inspection.reset(profile)
            #expect(StreamTests.forward(inspection, body, cuts: [cut]) == Array(body.prefix(7)))
            #expect(inspection.sawHoneytoken)
        }
    }

    @Test func manyFindingsBeforeItDoNotHideIt() throws {
        let profile = try Self.profile(["aaaaaaaa", "a longer value"], enforcing: false)
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        inspection.read(Array((String(repeating: "aaaaaaaa", count: 300) + "a longer value").utf8))
        #expect(inspection.findingsCount == 301 && inspection.sawHoneytoken)
    }

    @Test func aValueHasBounds() {
        for (count, isGood) in [(7, false), (8, true), (1024, true), (1025, false)] {
            let content = [UInt8](repeating: 0x61, count: count) + [0x0a]
            #expect((Honeytoken(name: "x", content: content) != nil) == isGood)
        }
    }

    @Test func nobodyElseHasTheName() {
        let sensor = Make.sensor(Honeytoken.sensor, "x")
        #expect(throws: CompileErrors.self) { try Make.database([sensor]) }
    }
}
