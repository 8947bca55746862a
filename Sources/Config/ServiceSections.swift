import Bytes
import DLP
import Policy

/// The sections that any file may hold: who is who, what they may do, and what is looked for.
struct Parts {
    var services: [ServiceSettings]
    var identities: [(spec: IdentitySpec, places: SettingsPlaces.IdentityPlaces)]
    var sensors: [(spec: SensorSpec, places: SettingsPlaces.SensorPlaces)]
    var lists: [(spec: ListSpec, place: Place)]
    var detectors: [(detector: DetectorSettings, places: SettingsPlaces.DetectorPlaces)]
    var honeytokens: [HoneytokenSettings]

    static func read(_ fields: Fields, _ defaults: DefaultSettings) -> Parts {
        Parts(
            services: fields.optional(
                "services", .list(.section { ServiceSettings.read($0, defaults) }), default: [],
                "How services are treated; unknown is every client that no identity matches."),
            identities: fields.section("identity", "Which addresses are which pod of which service.") { identity in
                identity.optional("pods", .list(.section(IdentitySpec.read)), default: [], "Static identities.")
            },
            sensors: fields.optional(
                "sensors", .list(.section(SensorSpec.read)), default: [],
                "Sensors beside the built-in ones, under names of their own."),
            lists: fields.optional(
                "lists", .list(.section(ListSpec.read)), default: [],
                "Destinations that rules name as list:NAME, beside the built-in encrypted-dns or in its place."),
            detectors: fields.optional(
                "detectors", .list(.section(DetectorSettings.read)), default: [],
                "Detectors beside the shipped ones, or in the place of one with the same name."),
            honeytokens: fields.optional(
                "honeytokens", .list(.section(HoneytokenSettings.read)), default: [],
                "Planted values: whoever sends one has broken in, so every service is read for them."))
    }
}

extension HoneytokenSettings {
    static func read(_ fields: Fields) -> HoneytokenSettings {
        HoneytokenSettings(
            name: fields.required("name", .name, "How records call it: the rule of a finding."),
            valueFile: fields.required(
                "value_file", .path, "A file with the value, 8 to 1024 bytes; it is read with the configuration."),
            place: fields.place(of: "name"), filePlace: fields.place(of: "value_file"))
    }
}

extension ServiceSettings {
    static func read(_ fields: Fields, _ defaults: DefaultSettings) -> ServiceSettings {
        let name = fields.required("name", .name, "name.namespace, or unknown.")
        let rules = fields.optional(
            "rules", .list(.section(RuleSpec.read)), default: [],
            "To whom the service may talk; the first match wins.")
        let sensors = fields.optional(
            "sensors", .table(.action([.alert, .redact, .deny])), default: [],
            "Sensors that read what the service sends, each with its action.")
        return ServiceSettings(
            name: name,
            mode: fields.optional("mode", .mode, "Learn, alert or enforce; defaults.mode if absent.") ?? defaults.mode,
            uninspectable: fields.optional(
                "uninspectable", .action([.allow, .alert, .deny]),
                "What follows when something cannot be inspected; defaults.uninspectable if absent.")
                ?? defaults.uninspectable,
            hold: fields.optional("hold", .hold, "Bytes of a body held for a verdict; defaults.hold if absent.")
                ?? defaults.hold,
            inspect: fields.optional("inspect", .inspect, "Whether TLS is decrypted; tls.inspect if absent."),
            sensors: sensors.map { Sensor(name: $0.name, action: $0.item, place: $0.place) },
            rules: rules.map(\.spec), place: fields.place(of: "name"), rulePlaces: rules.map(\.places))
    }
}

extension RuleSpec {
    static func read(_ fields: Fields) -> (spec: RuleSpec, places: ServiceSettings.RulePlaces) {
        let spec = RuleSpec(
            to: fields.required("to", .destination, "any, a name, *.suffix, an address, a range or list:NAME."),
            ports: fields.optional("ports", .list(.ports), default: [], "Ports and ranges; empty: every port."),
            applications: fields.optional(
                "applications", .list(.application), default: [], "What may be spoken; empty: everything."),
            action: fields.required("action", .action([.allow, .deny]), "What follows."))
        return (spec, .init(rule: fields.place, to: fields.place(of: "to")))
    }
}

extension ListSpec {
    static func read(_ fields: Fields) -> (spec: ListSpec, place: Place) {
        let spec = ListSpec(
            name: fields.required("name", .name, "How rules call it."),
            entries: fields.required(
                "entries", .list(.listEntry), "Names, *.suffixes, addresses and ranges that are on it."))
        return (spec, fields.place(of: "name"))
    }
}

extension IdentitySpec {
    static func read(_ fields: Fields) -> (spec: IdentitySpec, places: SettingsPlaces.IdentityPlaces) {
        let addresses = fields.required(
            "addresses", .list(Kind.prefix.placed, atLeast: 1), "Its addresses and ranges; the longest prefix wins.")
        let spec = IdentitySpec(
            service: fields.required("service", .name, "The service that has these addresses."),
            pod: fields.optional("pod", .name, "The pod, where they are of one."),
            addresses: addresses.map(\.value))
        return (spec, .init(service: fields.place(of: "service"), addresses: addresses.map(\.place)))
    }
}

extension SensorSpec {
    static func read(_ fields: Fields) -> (spec: SensorSpec, places: SettingsPlaces.SensorPlaces) {
        let name = fields.required("name", .name, "How services and records call it.")
        let direction = fields.optional(
            "direction", .words([("request", Direction.request), ("both", .both)]), default: .request,
            "Whether responses are read too.")
        let rules = fields.optional(
            "rules", .list(.section(SensorRuleSpec.read)), default: [], "Any of these is a finding.")
        let detectors = fields.optional(
            "detectors", .list(.name), default: [], "Detectors and ready sensors, any of which is a finding.")
        let spec = SensorSpec(
            name: name, direction: direction, rules: rules.map(\.spec), detectors: detectors,
            confidence: fields.optional(
                "confidence", .confidence, default: .medium, "Of the detectors: what is less sure is no match."),
            allow: fields.optional(
                "allow", .list(.text), default: [],
                "Values that its detectors never count; * at an end stands for anything."),
            threshold: .read(fields, "of its detectors together"))
        return (spec, .init(name: fields.place(of: "name"), rules: rules.map(\.places)))
    }
}

extension SensorRuleSpec {
    static func read(_ fields: Fields) -> (spec: SensorRuleSpec, places: SettingsPlaces.RulePlaces) {
        let name = fields.required("name", .name, "How records call it.")
        let patterns = fields.optional(
            "patterns", .list(.section(PatternSpec.read), atLeast: 1), "All of these must hold in one exchange.")
        let exact = fields.optional(
            "exact", .section(ExactSpec.read), "Values of your own records, in the place of patterns.")
        let documents = fields.optional(
            "documents", .section(DocumentsSpec.read), "Documents of your own, in the place of patterns.")
        let kinds = [patterns != nil, exact != nil, documents != nil].count { $0 }
        if kinds != 1 {
            fields.fail("name", "expected one of patterns, exact, documents beside it, found \(kinds)")
        }
        let own = exact.map { _ in fields.place(of: "exact") } ?? documents.map { _ in fields.place(of: "documents") }
        return (
            SensorRuleSpec(
                name: name, patterns: (patterns ?? []).map(\.spec),
                threshold: .read(
                    fields, "of the first pattern that is not negated, or of the rows of exact or the documents"),
                exact: exact, documents: documents),
            .init(
                name: fields.place(of: "name"), patterns: (patterns ?? []).map(\.place),
                index: own)
        )
    }
}

extension DocumentsSpec {
    static func read(_ fields: Fields) -> DocumentsSpec {
        DocumentsSpec(
            index: fields.required("index", .path, "What weir fingerprint build wrote."),
            key: fields.required("key", .path, "The key that it was built with."),
            similarity: fields.optional(
                "similarity", .share, default: similarityDefault,
                "Share of a document, above 0 and at most 1, that is a finding; 0.3 if absent."))
    }
}

extension ExactSpec {
    static func read(_ fields: Fields) -> ExactSpec {
        ExactSpec(
            index: fields.required("index", .path, "What weir edm build wrote."),
            key: fields.required("key", .path, "The key that it was built with."),
            columns: fields.required(
                "columns", .list(.text, atLeast: 1),
                "Columns of it: of several, the values of one row must lie close together."),
            within: fields.optional(
                "within", .integer(1...withinMax), default: 300, "Bytes in which the values of one row must lie."),
            contexts: Contexts(
                fields.optional(
                    "context", .list(.context, atLeast: 1), default: [.url, .header, .body, .packet],
                    "Where it reads, as in patterns.")))
    }
}

extension PatternSpec {
    static func read(_ fields: Fields) -> (spec: PatternSpec, place: Place) {
        let contexts = fields.optional(
            "context", .list(.context, atLeast: 1), default: [.url, .header, .body],
            "Where it reads; packet: all bytes of a stream that is not HTTP; name: the labels of names asked for.")
        let spec = PatternSpec(
            regex: fields.required("regex", .text, "A regular expression (PCRE2)."),
            contexts: Contexts(contexts),
            negated: fields.optional("negated", .bool, default: false, "Whether it must not match."),
            validator: fields.optional(
                "validator", .words(Validator.names.map { ($0, $0) }), "A check of what matched beyond its shape."))
        return (spec, fields.place(of: "regex"))
    }
}

extension Kind where T == Contexts {
    static var context: Kind {
        words([("url", .url), ("header", .header), ("body", .body), ("packet", .packet), ("name", .name)])
    }
}
