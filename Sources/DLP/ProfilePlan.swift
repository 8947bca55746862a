import Bytes

extension Profile {
    /// The readers and rules of a profile as they are gathered, sensor by sensor.
    struct Plan {
        private let enforcing: Bool
        private let anywhere: Bool
        private(set) var readers: [Reader] = []
        private(set) var rules: [Rule] = []
        private(set) var documents: [DocumentWatch.Plan] = []
        private(set) var slots = 0
        /// Rules of detectors that any match is a finding of: a detector in two sensors reads once.
        private var known: [Known: Int] = [:]

        private struct Known: Hashable {
            var detector: ObjectIdentifier
            var least: Confidence
            var both: Bool
        }

        init(enforcing: Bool, anywhere: Bool) {
            (self.enforcing, self.anywhere) = (enforcing, anywhere)
        }

        mutating func add(_ sensor: Database.Sensor, _ action: Action) {
            var shared: Int?
            if sensor.threshold.counts {
                shared = slots
                slots += 1
            }
            for rule in sensor.rules where !isRead(rule, of: sensor, action) { add(rule, of: sensor, action, shared) }
        }

        /// Whether another sensor has the same detector already; the stricter action is that of both.
        private mutating func isRead(_ rule: Database.Rule, of sensor: Database.Sensor, _ action: Action) -> Bool {
            guard let detector = rule.detector, !sensor.threshold.counts else { return false }
            let key = Known(
                detector: ObjectIdentifier(detector), least: sensor.confidence, both: sensor.direction == .both)
            guard let index = known[key] else {
                known[key] = rules.count
                return false
            }
            guard action > rules[index].action else { return true }
            rules[index].action = action
            for at in readers.indices where readers[at].rule == index {
                readers[at].holds = enforcing && action > .alert
            }
            return true
        }

        private mutating func add(
            _ rule: Database.Rule, of sensor: Database.Sensor, _ action: Action, _ shared: Int?
        ) {
            let isDetector = rule.detector != nil
            let isOfOne = rule.documents != nil || rule.patterns.count == 1
            let single = isDetector ? shared == nil : isOfOne && !rule.threshold.counts
            var compiled = Rule(
                sensor: sensor.name, name: rule.name, version: rule.version, action: action, wanted: 0, unwanted: 0,
                slot: isDetector ? shared : nil, threshold: isDetector ? sensor.threshold : rule.threshold,
                rowsWithin: rule.rowsWithin, isPlanted: sensor.name == Honeytoken.sensor)
            if !single, !isDetector {
                compiled.slot = slots
                slots += 1
            }
            if let source = rule.documents {
                documents.append(
                    DocumentWatch.Plan(
                        rule: rules.count, index: source.index, similarity: source.similarity,
                        both: sensor.direction == .both, holds: enforcing && action > .alert))
            }
            for (index, pattern) in rule.patterns.enumerated() {
                // Those of a detector are alternatives: each is the same evidence.
                let bit: UInt64 = isDetector ? 1 : 1 << UInt64(index)
                if pattern.negated { compiled.unwanted |= bit } else { compiled.wanted |= bit }
                readers.append(
                    Reader(
                        expression: pattern.expression, contexts: anywhere ? .body : pattern.contexts,
                        both: sensor.direction == .both, negated: pattern.negated, validator: pattern.validator,
                        detector: rule.detector, column: pattern.column, least: sensor.confidence, rule: rules.count,
                        bit: bit, holds: enforcing && action > .alert && !pattern.negated))
            }
            rules.append(compiled)
        }
    }
}
