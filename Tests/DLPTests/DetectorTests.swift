import Bytes
import Testing

@testable import DLP

/// Confidence, words, thresholds and home domains, as sensors use them.
@Suite struct DetectorTests {
    static let staff = DetectorSpec(
        name: "staff", sensors: ["people"], edges: .number, patterns: ["S[0-9]{4}"], confidence: .low,
        context: WordsSpec(words: ["staff no"], within: 20), homeDomains: ["example.com"], allow: ["S0000", "S99*"])

    static func inspection(_ sensor: SensorSpec, _ action: Action = .alert) throws -> Inspection {
        let database = try Database.compile(
            [sensor], detectors: [staff], used: [], limits: Limits(), fingerprintKey: Make.key
        ).get()
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(
            Profile(database, [Attachment(sensor: sensor.name, action: action)], enforcing: true, hold: 64))
        return inspection
    }

    @Test(arguments: [
        ("staff no: S1234", 1), ("staffNo=S1234", 1), ("STAFF_NO S1234", 1), ("S1234", 0), ("flagstaff no S1234", 0),
        ("staff nobody S1234", 0), ("staff no                     S1234", 0), ("staff no: S0000", 0),
        ("staff no: S9912", 0), ("staff no: S12345", 0),
    ])
    func wordsBeforeAMatchMakeItSurer(_ text: String, _ count: Int) throws {
        let inspection = try Self.inspection(SensorSpec(name: "x", detectors: ["people"]))
        inspection.read(Array(text.utf8))
        #expect(inspection.findings.map(\.confidence) == Array(repeating: .high, count: count))
    }

    @Test func aSensorSaysHowSureAMatchMustBe() throws {
        let inspection = try Self.inspection(
            SensorSpec(name: "x", detectors: ["staff"], confidence: .low, allow: ["S1111"]))
        inspection.read(Array("S1234 S1111 staff no S1235".utf8))
        #expect(inspection.findings.map(\.confidence) == [.low, .high])
        #expect(inspection.findings.map(\.rule) == ["staff", "staff"])
    }

    @Test func matchesAndDifferentValuesAreCounted() throws {
        for (text, count) in [
            ("S1 S1234 S1235", 0), ("S1234 S1234 S1234", 0), ("S1234 S1235 S1234", 1), ("S1234 S1235 S1236 S1237", 1),
        ] {
            let body = Array(text.utf8)
            for cut in 0...body.count {
                let inspection = try Self.inspection(
                    SensorSpec(
                        name: "x", detectors: ["staff"], confidence: .low, threshold: Threshold(atLeast: 3, distinct: 2)
                    ),
                    .deny)
                #expect(inspection.needsWholeBody)
                inspection.read(body, cuts: [cut])
                #expect(inspection.findings.map(\.offset) == (count == 0 ? [] : [0]))
                #expect(inspection.verdict == (count == 0 ? .allow : .deny))
            }
        }
    }

    @Test func whatIsSentHomeIsNotTold() throws {
        for (name, count) in [("api.example.com", 0), ("example.com", 0), ("example.org", 1), ("badexample.com", 1)] {
            let inspection = try Self.inspection(SensorSpec(name: "x", detectors: ["staff"], confidence: .low))
            inspection.head(for: DomainName(name))
            inspection.read(Array("S1234".utf8))
            #expect(inspection.findings.count == count, "\(name)")
        }
    }
}
