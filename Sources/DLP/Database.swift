import Bytes

/// All sensors of a configuration, compiled once, immutable and shared between threads.
public final class Database: Sendable {
    struct Pattern: Sendable {
        var expression: Expression
        var contexts: Contexts
        var negated: Bool
        var validator: Validator?
    }

    struct Rule: Sendable {
        var name: String
        var patterns: [Pattern]
    }

    struct Sensor: Sendable {
        var name: String
        var direction: SensorSpec.Direction
        var rules: [Rule]
    }

    let sensors: [Sensor]
    let limits: Limits
    let fingerprintKey: [UInt8]
    /// Expressions whose matches have no bound, or one above `match_bytes`.
    public let warnings: [CompileError]

    /// Patterns of a rule are bits of a word.
    static let patternsPerRuleMax = 64

    private init(_ sensors: [Sensor], _ limits: Limits, _ fingerprintKey: [UInt8], _ warnings: [CompileError]) {
        self.sensors = sensors
        self.limits = limits
        self.fingerprintKey = fingerprintKey
        self.warnings = warnings
    }

    public var sensorNames: [String] { sensors.map(\.name) }

    /// Built-in sensors are always there beside the given ones.
    public static func compile(
        _ specs: [SensorSpec], limits: Limits, fingerprintKey: [UInt8]
    ) -> Result<Database, CompileErrors> {
        var compiler = Compiler(limits: limits)
        let sensors = (builtIn + specs).map { compiler.sensor($0) }
        if !compiler.errors.isEmpty { return .failure(CompileErrors(errors: compiler.errors)) }
        return .success(Database(sensors, limits, fingerprintKey, compiler.warnings))
    }

    /// Goes on after an error, so that all are told at once.
    private struct Compiler {
        let limits: Limits
        var errors: [CompileError] = []
        var warnings: [CompileError] = []
        private var names: Set<String> = []

        init(limits: Limits) { self.limits = limits }

        mutating func sensor(_ spec: SensorSpec) -> Sensor {
            if !names.insert(spec.name).inserted {
                let builtIn = Database.builtIn.contains { $0.name == spec.name }
                let owner = builtIn ? "a built-in sensor" : "another sensor"
                fail(CompileError(sensor: spec.name, message: "is the name of \(owner), expected a name of its own"))
            }
            return Sensor(
                name: spec.name, direction: spec.direction, rules: spec.rules.map { rule($0, of: spec.name) })
        }

        private mutating func rule(_ spec: SensorRuleSpec, of sensor: String) -> Rule {
            if !spec.patterns.contains(where: { !$0.negated }) {
                fail(
                    CompileError(
                        sensor: sensor, rule: spec.name,
                        message: "has nothing to find, expected at least one pattern that is not negated"))
            }
            if spec.patterns.count > Database.patternsPerRuleMax {
                fail(
                    CompileError(
                        sensor: sensor, rule: spec.name,
                        message: "has \(spec.patterns.count) patterns, expected at most \(Database.patternsPerRuleMax)")
                )
            }
            var patterns: [Pattern] = []
            for (index, pattern) in spec.patterns.enumerated() {
                let place = CompileError(sensor: sensor, rule: spec.name, pattern: index, message: "")
                if let compiled = self.pattern(pattern, place) { patterns.append(compiled) }
            }
            return Rule(name: spec.name, patterns: patterns)
        }

        private mutating func pattern(_ spec: PatternSpec, _ place: CompileError) -> Pattern? {
            var error = place
            var validator: Validator?
            if let name = spec.validator {
                validator = Validator.named(name)
                if validator == nil {
                    error.message =
                        "no validator is called '\(name)', expected one of \(Validator.names.joined(separator: ", "))"
                    fail(error)
                }
            }
            do {
                let expression = try Expression(spec.regex, limits: limits)
                warn(expression, place)
                return Pattern(
                    expression: expression, contexts: spec.contexts, negated: spec.negated, validator: validator)
            } catch {
                var refused = place
                (refused.offset, refused.message) = (error.offset, error.message)
                fail(refused)
                return nil
            }
        }

        private mutating func warn(_ expression: Expression, _ place: CompileError) {
            let length = expression.lengthMax
            if let length, length <= limits.matchBytes { return }
            var warning = place
            let found = length.map { "matches can be \($0) bytes long" } ?? "matches have no bound"
            warning.message =
                found + ", expected at most limits.match_bytes (\(limits.matchBytes)); longer ones are pattern_overrun"
            warnings.append(warning)
        }

        private mutating func fail(_ error: CompileError) { errors.append(error) }
    }
}
