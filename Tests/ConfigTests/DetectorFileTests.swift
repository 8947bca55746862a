import Bytes
import DLP
import Testing

@testable import Config

/// The shipped detectors as conf/detectors has them, each with what it must find and what it must not.
@Suite struct DetectorFileTests {
    static let detectors: [DetectorSettings] = {
        let names = ["cards", "pii-us", "pii-fr", "pii-eu", "pii-world", "contact", "secrets", "keys"]
        return names.flatMap { name in
            (try? Settings.load(root + "/conf/detectors/\(name).yaml").get())?.detectors ?? []
        }
    }()

    static let root = #filePath.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" }

    static let database = try? DetectorExamples.compile(detectors.map(\.spec), limits: Limits()).get()

    @Test func theBinaryHasWhatTheFilesSay() {
        let shipped = Library().detectors
        #expect(Self.detectors.count >= 150)
        #expect(Self.detectors.map(\.spec.name) == shipped.map(\.name), "run Tests/Detectors/embed.py")
        for (file, shipped) in zip(Self.detectors, shipped) {
            #expect(file.spec == shipped, "run Tests/Detectors/embed.py")
        }
    }

    @Test func readySensorsAreMadeOfThem() {
        let names = Library().sensorNames
        for name in [
            "credit-card", "ssn-us", "ssn-fr", "cards", "pii-us", "pii-fr", "pii-eu", "pii-world", "contact", "secrets",
            "keys",
        ] { #expect(names.contains(name)) }
    }

    @Test func everyOneIsBoundedAndHasVectors() throws {
        let database = try #require(Self.database)
        #expect(database.warnings == [])
        for detector in Self.detectors {
            #expect(!detector.spec.description.isEmpty && !detector.spec.sensors.isEmpty, "\(detector.spec.name)")
            #expect(!detector.positive.isEmpty && !detector.negative.isEmpty, "\(detector.spec.name)")
        }
    }

    @Test(arguments: detectors.indices)
    func vectorsHoldInEveryCut(_ index: Int) throws {
        let detector = Self.detectors[index]
        let profile = DetectorExamples.profile(of: detector.spec.name, in: try #require(Self.database))
        let inspection = Inspection(scratch: DLP.Scratch())
        for (texts, isFound) in [(detector.positive, true), (detector.negative, false)] {
            for text in texts {
                let body = Array(text.utf8)
                let whole = Self.read(inspection, profile, body, cut: body.count)
                #expect(whole.isEmpty != isFound, "\(detector.spec.name): \(text)")
                for cut in 0..<body.count {
                    let cutUp = Self.read(inspection, profile, body, cut: cut)
                    #expect(cutUp == whole, "\(detector.spec.name): \(text) cut at \(cut)")
                }
            }
        }
    }

    private static func read(_ inspection: Inspection, _ profile: Profile, _ body: [UInt8], cut: Int) -> [Finding] {
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: [])
        body[..<cut].withUnsafeBytes { inspection.feed(.request, $0, end: false) }
        body[cut...].withUnsafeBytes { inspection.feed(.request, $0, end: true) }
        inspection.finish()
        return inspection.findings
    }
}
