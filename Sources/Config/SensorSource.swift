import Bytes
import DLP

/// What the sensors are compiled from, and where each part of them was written.
struct SensorSource {
    private let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    func compile(fingerprintKey: [UInt8], evidence: EvidenceSpec = EvidenceSpec()) -> Result<Database, ConfigErrors> {
        let tokens = settings.plantedTokens
        let compiled = Database.compile(
            settings.sensors, detectors: settings.detectors.map(\.spec), honeytokens: (try? tokens.get()) ?? [],
            used: Set(settings.services.flatMap { $0.sensors.map(\.name) }), limits: settings.limits,
            fingerprintKey: fingerprintKey, evidence: evidence
        ).mapError { ConfigErrors($0.errors.map(told)) }
        if case .failure(let unread) = tokens { return .failure(ConfigErrors(unread.errors + compiled.errors)) }
        return compiled
    }

    /// Sensors that services attach and nobody defined.
    var unknown: [ConfigError] {
        let library = Library(with: settings.detectors.map(\.spec))
        let planted = settings.honeytokens.isEmpty ? [] : [Honeytoken.sensor]
        let names = library.sensorNames + settings.sensors.map(\.name) + planted
        let known = Set(names + library.detectors.map(\.name))
        return settings.services.flatMap(\.sensors).filter { !known.contains($0.name) }.map { sensor in
            let hint = nearest(sensor.name, among: names + known).map { "did you mean \($0)?" }
            return ConfigError(
                sensor.place,
                "sensors: no sensor is called \(shown(sensor.name)), \(hint ?? "expected one of \(names.joined(separator: ", "))")"
            )
        }
    }

    /// An error of the compiler at the place of the expression, rule or sensor it speaks of.
    func told(_ error: CompileError) -> ConfigError {
        let offset = error.offset.map { " at byte \($0)" } ?? ""
        if let name = error.detector {
            guard let detector = settings.detectors.firstIndex(where: { $0.spec.name == name }) else {
                return ConfigError(settings.top, "detector \(name): \(error.message)\(offset)")
            }
            let places = settings.places.detectors[detector]
            let place = error.pattern.flatMap { places.patterns.indices.contains($0) ? places.patterns[$0] : nil }
            return ConfigError(place ?? places.name, "patterns: \(error.message)\(offset)")
        }
        guard let sensor = settings.sensors.firstIndex(where: { $0.name == error.sensor }) else {
            return ConfigError(settings.top, "sensor \(error.sensor): \(error.message)\(offset)")
        }
        let places = settings.places.sensors[sensor]
        guard let rule = settings.sensors[sensor].rules.firstIndex(where: { $0.name == error.rule }) else {
            return ConfigError(places.name, "sensor \(error.sensor) \(error.message)\(offset)")
        }
        if let index = places.rules[rule].index { return ConfigError(index, "\(error.message)\(offset)") }
        guard let pattern = error.pattern, places.rules[rule].patterns.indices.contains(pattern) else {
            return ConfigError(places.rules[rule].name, "rule \(error.rule ?? "") \(error.message)\(offset)")
        }
        return ConfigError(places.rules[rule].patterns[pattern], "regex: \(error.message)\(offset)")
    }
}

extension HoneytokenSettings {
    /// Reads the value; what is wrong is said without it.
    func load(into tokens: inout [Honeytoken]) -> ConfigError? {
        do {
            // A line break may stand behind it.
            let content = try Files.read(valueFile, most: Honeytoken.bytes.upperBound + 2)
            if let token = Honeytoken(name: name, content: content) {
                tokens.append(token)
                return nil
            }
            let (least, most) = (Honeytoken.bytes.lowerBound, Honeytoken.bytes.upperBound)
            return ConfigError(filePlace, "value_file: expected a value of \(least) to \(most) bytes")
        } catch {
            return ConfigError(filePlace, "value_file: expected a readable file, found \(error.reason)")
        }
    }
}

extension Settings {
    /// The values that are planted, as far as they can be read.
    public var plantedTokens: Result<[Honeytoken], ConfigErrors> {
        var tokens: [Honeytoken] = []
        let unread = honeytokens.compactMap { $0.load(into: &tokens) }
        return unread.isEmpty ? .success(tokens) : .failure(ConfigErrors(unread))
    }
}
