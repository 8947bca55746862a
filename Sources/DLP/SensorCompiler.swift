import Bytes

/// Compiles sensors one by one. Goes on after an error, so that all are told at once.
struct SensorCompiler {
    private let library: Library
    private let own: [DetectorSpec]
    private let limits: Limits
    private(set) var errors: [CompileError] = []
    private(set) var warnings: [CompileError] = []
    private var names: Set<String> = []
    /// Of detectors, which several sensors may have, by their names.
    private var patterns: [String: [Database.Pattern]] = [:]
    private var detectors: [String: Detector] = [:]
    private var sources = IndexSources()

    init(library: Library, own: [DetectorSpec], limits: Limits) {
        (self.library, self.own, self.limits) = (library, own, limits)
    }

    /// A name that another sensor has.
    mutating func refuseName(_ spec: SensorSpec) {
        if library.sensorNames.contains(spec.name) || spec.name == Honeytoken.sensor {
            fail(
                CompileError(sensor: spec.name, message: "is the name of a built-in sensor, expected a name of its own")
            )
        } else if !names.insert(spec.name).inserted {
            fail(CompileError(sensor: spec.name, message: "is the name of another sensor, expected a name of its own"))
        }
    }

    mutating func sensor(_ spec: SensorSpec) -> Database.Sensor {
        var rules = spec.rules.map { rule($0, of: spec.name) }
        if spec.rules.isEmpty, spec.detectors.isEmpty {
            fail(CompileError(sensor: spec.name, message: "has nothing to find, expected rules or detectors"))
        }
        var seen: Set<String> = []
        for name in spec.detectors {
            guard let members = library.detectors(name) else {
                let known = library.sensorNames.joined(separator: ", ")
                fail(
                    CompileError(
                        sensor: spec.name,
                        message:
                            "has no detector called '\(name)', expected one or a ready sensor of \(known)"))
                continue
            }
            for member in members where seen.insert(member.name).inserted {
                rules.append(rule(member, of: spec))
            }
        }
        return Database.Sensor(
            name: spec.name, direction: spec.direction, rules: rules, confidence: spec.confidence,
            threshold: spec.threshold)
    }

    /// The user's own detectors are told of whether or not a service has them.
    mutating func compileUnused() {
        for detector in own where patterns[detector.name] == nil { _ = compiled(detector) }
    }

    // MARK: Detectors

    private mutating func rule(_ detector: DetectorSpec, of sensor: SensorSpec) -> Database.Rule {
        let patterns = compiled(detector)
        let acceptance: Detector
        if let known = detectors[detector.name], sensor.allow.isEmpty {
            acceptance = known
        } else {
            acceptance = Detector(detector, allowing: sensor.allow)
            if sensor.allow.isEmpty { detectors[detector.name] = acceptance }
        }
        return Database.Rule(
            name: detector.name, about: detector.description, version: RuleVersion.of(detector), patterns: patterns,
            detector: acceptance)
    }

    private mutating func compiled(_ detector: DetectorSpec) -> [Database.Pattern] {
        if let known = patterns[detector.name] { return known }
        var compiled: [Database.Pattern] = []
        for (index, regex) in detector.patterns.enumerated() {
            let place = CompileError(
                sensor: detector.sensors.first ?? "", detector: detector.name, pattern: index, message: "")
            let spec = PatternSpec(
                regex: detector.edges.before + regex + detector.edges.after,
                contexts: [.url, .header, .body, .packet, .name], validator: detector.validator)
            if let pattern = pattern(spec, place, shift: detector.edges.before.utf8.count) { compiled.append(pattern) }
        }
        patterns[detector.name] = compiled
        return compiled
    }

    // MARK: Values of the user's own

    private mutating func rule(_ spec: SensorRuleSpec, _ exact: ExactSpec, _ place: CompileError) -> Database.Rule {
        var compiled = Database.Rule(
            name: spec.name, about: "", version: RuleVersion.of(spec), patterns: [], threshold: spec.threshold)
        do throws(IndexFault) {
            if !spec.patterns.isEmpty { throw IndexFault("expected either patterns or exact, found both") }
            let index = try sources.exact(exact.index, key: exact.key)
            for name in exact.columns {
                guard let column = index.column(name) else {
                    let known = index.columnNames.joined(separator: ", ")
                    throw IndexFault("columns: \(exact.index) has no column called \(name), expected one of \(known)")
                }
                if exact.columns.count(where: { $0 == name }) > 1 {
                    throw IndexFault("columns: expected each once, found \(name) again")
                }
                let spec = PatternSpec(regex: column.shape.expression(column.type), contexts: exact.contexts)
                guard var pattern = pattern(spec, place, shift: 0, costly: Self.costlyNames) else { continue }
                pattern.column = column
                compiled.patterns.append(pattern)
            }
            if exact.columns.count > 1 { compiled.rowsWithin = exact.within }
        } catch {
            var refused = place
            refused.message = "exact: \(error.message)"
            fail(refused)
        }
        return compiled
    }

    private mutating func rule(
        _ spec: SensorRuleSpec, _ documents: DocumentsSpec, _ place: CompileError
    ) -> Database.Rule {
        var compiled = Database.Rule(
            name: spec.name, about: "", version: RuleVersion.of(spec), patterns: [], threshold: spec.threshold)
        do throws(IndexFault) {
            if !spec.patterns.isEmpty || spec.exact != nil {
                throw IndexFault("expected nothing but documents, found patterns or exact as well")
            }
            compiled.documents = (try sources.documents(documents.index, key: documents.key), documents.similarity)
        } catch {
            var refused = place
            refused.message = "documents: \(error.message)"
            fail(refused)
        }
        return compiled
    }

    // MARK: Rules

    private mutating func rule(_ spec: SensorRuleSpec, of sensor: String) -> Database.Rule {
        if let documents = spec.documents {
            return rule(spec, documents, CompileError(sensor: sensor, rule: spec.name, message: ""))
        }
        if let exact = spec.exact {
            return rule(spec, exact, CompileError(sensor: sensor, rule: spec.name, message: ""))
        }
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
                    message: "has \(spec.patterns.count) patterns, expected at most \(Database.patternsPerRuleMax)"))
        }
        var patterns: [Database.Pattern] = []
        for (index, pattern) in spec.patterns.enumerated() {
            let place = CompileError(sensor: sensor, rule: spec.name, pattern: index, message: "")
            if let compiled = self.pattern(pattern, place, shift: 0) { patterns.append(compiled) }
        }
        return Database.Rule(
            name: spec.name, about: "",
            version: sensor == Honeytoken.sensor ? RuleVersion.untold : RuleVersion.of(spec), patterns: patterns,
            threshold: spec.threshold)
    }

    private static let costly =
        "costly, nearly every byte could begin a match; expected something rarer within its first bytes"
    private static let costlyNames =
        "costly, a name could begin at every letter; a column of another type is read faster"

    /// `shift`: bytes put before what the user wrote.
    private mutating func pattern(
        _ spec: PatternSpec, _ place: CompileError, shift: Int, costly: String = costly
    ) -> Database.Pattern? {
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
            warn(expression, place, costly: costly)
            return Database.Pattern(
                expression: expression, contexts: spec.contexts, negated: spec.negated, validator: validator)
        } catch {
            var refused = place
            (refused.offset, refused.message) = (error.offset.map { max($0 - shift, 0) }, error.message)
            fail(refused)
            return nil
        }
    }

    private mutating func warn(_ expression: Expression, _ place: CompileError, costly: String) {
        if Buckets.isCostly(expression) {
            var warning = place
            warning.message = costly
            warnings.append(warning)
        }
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
