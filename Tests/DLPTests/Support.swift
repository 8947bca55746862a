import Bytes

@testable import DLP

/// What the tests of this module share: short ways to a profile and to the findings of one body.
enum Make {
    /// Ready sensors that most tests read with.
    static let classic = ["credit-card", "ssn-us", "ssn-fr"]

    /// With encodings looked for, four of them within each other.
    static var viewing: Limits {
        var limits = Limits()
        limits.viewDepth = 4
        return limits
    }

    static let key: [UInt8] = Array("a key for tests".utf8)

    static func database(_ sensors: [SensorSpec] = [], limits: Limits = Limits()) throws -> Database {
        try Database.compile(sensors, used: Set(classic), limits: limits, fingerprintKey: key).get()
    }

    static func sensor(
        _ name: String, _ regex: String, validator: String? = nil, direction: SensorSpec.Direction = .request
    ) -> SensorSpec {
        let pattern = PatternSpec(regex: regex, contexts: [.url, .header, .body, .packet], validator: validator)
        return SensorSpec(
            name: name, direction: direction, rules: [SensorRuleSpec(name: "r", patterns: [pattern])])
    }

    /// A profile of these expressions, one sensor each.
    static func profile(
        _ regexes: [String], action: Action = .deny, enforcing: Bool = true, hold: Int = 65536,
        limits: Limits = Limits()
    ) throws -> Profile {
        let sensors = regexes.enumerated().map { sensor("s\($0)", $1) }
        return Profile(
            try database(sensors, limits: limits), sensors.map { Attachment(sensor: $0.name, action: action) },
            enforcing: enforcing, hold: hold)
    }

    static func builtIn(
        _ action: Action = .deny, enforcing: Bool = true, limits: Limits = Limits()
    ) throws -> Profile {
        Profile(
            try database(limits: limits), classic.map { Attachment(sensor: $0, action: action) }, enforcing: enforcing,
            hold: 65536)
    }
}

extension Inspection {
    func feed(_ side: Side, _ bytes: ArraySlice<UInt8>, end: Bool) {
        bytes.withUnsafeBytes { feed(side, $0, end: end) }
    }

    func scan(_ text: String, as context: Contexts) {
        Array(text.utf8).withUnsafeBytes { scan($0, as: context) }
    }

    /// Reads a whole body, cut at these places.
    func read(_ body: [UInt8], cuts: [Int] = [], codings: [ContentCoding] = []) {
        open(.request, as: .body, codings: codings)
        var from = 0
        for cut in cuts where cut >= from && cut <= body.count {
            feed(.request, body[from..<cut], end: false)
            from = cut
        }
        feed(.request, body[from...], end: true)
        finish()
    }

    /// What was found with a profile of `Make.profile`, as the oracle tells it, who sees nothing that is encoded in a text.
    var spans: [Oracle.Span] {
        findings.filter { $0.decoded.isEmpty }.map {
            Oracle.Span(
                pattern: Int($0.sensor.dropFirst()) ?? -1, start: Int($0.offset), end: Int($0.offset) + $0.length)
        }
    }
}
