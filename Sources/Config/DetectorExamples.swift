import Bytes
import DLP

/// The detectors of a configuration put to their own examples, each detector alone: the text of an example is the body of a
/// request. Whether any service uses the detector does not matter.
public struct DetectorExamples {
    /// Examples that were scanned.
    public private(set) var count = 0
    /// Those that do not hold, at their places.
    public private(set) var failures: [ConfigError] = []

    private let inspection = Inspection(scratch: DLP.Scratch())

    /// Nil where the detectors do not compile.
    public init?(_ settings: Settings) {
        let specs = settings.detectors.map(\.spec)
        guard case .success(let database) = Self.compile(specs, limits: settings.limits) else { return nil }
        for (detector, places) in zip(settings.detectors, settings.places.detectors) {
            let name = detector.spec.name
            let profile = Self.profile(of: name, in: database)
            for (text, place) in zip(detector.positive, places.positive) where first(in: text, profile) == nil {
                failures.append(ConfigError(place, "examples.positive: \(name) finds nothing in it"))
            }
            for (text, place) in zip(detector.negative, places.negative) {
                guard let found = first(in: text, profile) else { continue }
                failures.append(
                    ConfigError(place, "examples.negative: \(name) finds \(found.length) bytes at byte \(found.offset)")
                )
            }
            count += detector.positive.count + detector.negative.count
        }
    }

    /// Each detector in a sensor of its own, which nothing else is part of. One whose matches never are as sure as a sensor
    /// asks for unless told otherwise is for sensors that ask for less.
    static func compile(_ detectors: [DetectorSpec], limits: Limits) -> Result<Database, CompileErrors> {
        let alone = detectors.map { detector in
            var alone = detector
            alone.sensors = ["only " + detector.name]
            return alone
        }
        let sensors = alone.map { detector in
            SensorSpec(
                name: sensor(detector.name), detectors: detector.sensors, confidence: min(detector.surest, .medium))
        }
        return Database.compile(sensors, detectors: alone, used: [], limits: limits, fingerprintKey: [0])
    }

    static func profile(of detector: String, in database: Database) -> Profile {
        Profile(
            database, [Attachment(sensor: sensor(detector), action: .deny)], enforcing: true,
            hold: 65536)
    }

    /// A blank keeps it apart from every name that a configuration can give.
    private static func sensor(_ detector: String) -> String { "examples of " + detector }

    private func first(in text: String, _ profile: Profile) -> Finding? {
        inspection.reset(profile)
        inspection.open(.request, as: .body, codings: [])
        var text = text
        text.withUTF8 { inspection.feed(.request, UnsafeRawBufferPointer($0), end: true) }
        inspection.finish()
        return inspection.findings.first
    }
}
