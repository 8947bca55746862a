import Bytes

/// The sensors of a configuration, compiled once, immutable and shared between threads.
public final class Database: Sendable {
    struct Pattern: Sendable {
        var expression: Expression
        var contexts: Contexts
        var negated: Bool
        var validator: Validator?
        /// Matches are values of it.
        var column: ExactColumn?
    }

    struct Rule: Sendable {
        var name: String
        /// What it finds, in one line.
        var about: String
        var version: String
        var patterns: [Pattern]
        var threshold: Threshold = .none
        /// Whose patterns these are: then each is a match of the rule.
        var detector: Detector?
        /// The patterns are the columns of rows, whose values lie within so many bytes.
        var rowsWithin: Int?
        /// Instead of patterns, with the share of one that is a finding.
        var documents: (index: DocumentIndex, similarity: Double)?
    }

    struct Sensor: Sendable {
        var name: String
        var direction: SensorSpec.Direction
        var rules: [Rule]
        /// Of the rules of detectors.
        var confidence: Confidence
        var threshold: Threshold
    }

    let sensors: [Sensor]
    /// All that could be used, detectors by their names aside.
    let readyNames: [String]
    let limits: Limits
    private let plans = StartPlans()
    let fingerprintKey: [UInt8]
    let evidence: EvidenceSpec
    /// Expressions that are costly, and those whose matches have no bound or one above `match_bytes`.
    public let warnings: [CompileError]

    /// Patterns of a rule are bits of a word.
    static let patternsPerRuleMax = 64

    private init(
        _ sensors: [Sensor], _ readyNames: [String], _ limits: Limits, _ fingerprintKey: [UInt8],
        _ evidence: EvidenceSpec, _ warnings: [CompileError]
    ) {
        self.sensors = sensors
        self.readyNames = readyNames
        self.limits = limits
        self.fingerprintKey = fingerprintKey
        self.evidence = evidence
        self.warnings = warnings
    }

    /// Where these could begin. An automaton tells the end of a match only where `match_bytes` bounds no match that short.
    func plan(_ expressions: [Expression]) -> StartPlan {
        plans.plan(expressions, certain: limits.matchBytes > Automaton.bytesMax + 1)
    }

    /// Those that are compiled.
    public var sensorNames: [String] { sensors.map(\.name) }

    /// Tells the key of the fingerprints from others, and nothing of it.
    public var keyID: String {
        Array("weir fingerprints".utf8).withUnsafeBytes {
            String(Masking.fingerprint($0, key: fingerprintKey).prefix(16))
        }
    }

    /// Compiles the given sensors, all of them, and of the ready ones those that are used: by their names or by the name of a
    /// detector, which is a sensor of its own where no other has the name.
    ///
    /// - Parameters:
    ///   - own: detectors beside the shipped ones or in their place.
    ///   - honeytokens: what the sensor of that name looks for; there is none without them.
    ///   - used: nil: every ready sensor.
    public static func compile(
        _ specs: [SensorSpec], detectors own: [DetectorSpec] = [], honeytokens: [Honeytoken] = [],
        used: Set<String>? = nil, limits: Limits, fingerprintKey: [UInt8], evidence: EvidenceSpec = EvidenceSpec()
    ) -> Result<Database, CompileErrors> {
        let library = Library(with: own)
        var compiler = SensorCompiler(library: library, own: own, limits: limits)
        let names = used.map { used in
            library.sensorNames.filter(used.contains)
                + used.subtracting(library.sensorNames + [Honeytoken.sensor]).subtracting(specs.map(\.name)).sorted()
        }
        var sensors = (names ?? library.sensorNames).compactMap { name in
            library.detectors(name) == nil ? nil : compiler.sensor(SensorSpec(name: name, detectors: [name]))
        }
        for spec in specs {
            compiler.refuseName(spec)
            sensors.append(compiler.sensor(spec))
        }
        if !honeytokens.isEmpty { sensors.append(compiler.sensor(Honeytoken.sensor(honeytokens))) }
        compiler.compileUnused()
        if !compiler.errors.isEmpty { return .failure(CompileErrors(errors: compiler.errors)) }
        return .success(
            Database(
                sensors, library.sensorNames + specs.map(\.name), limits, fingerprintKey, evidence, compiler.warnings))
    }
}
