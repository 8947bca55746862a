import Bytes

/// A sensor put on a service, and what a finding of it does there.
public struct Attachment: Sendable, Hashable {
    public var sensor: String
    /// `alert`, `redact` or `deny`.
    public var action: Action

    public init(sensor: String, action: Action) {
        self.sensor = sensor
        self.action = action
    }
}

/// What one service reads with: the patterns of its sensors, by where they read. Immutable and shared between threads.
public final class Profile: Sendable {
    /// A pattern of an attached sensor.
    struct Reader: Sendable {
        var expression: Expression
        var contexts: Contexts
        var both: Bool
        var negated: Bool
        var validator: Validator?
        /// Index into `rules`.
        var rule: Int
        /// Of this pattern in its rule.
        var bit: UInt64
        /// A tail that could become a match is kept back.
        var holds: Bool
    }

    /// A rule of an attached sensor.
    struct Rule: Sendable {
        var sensor: String
        var name: String
        var action: Action
        /// All the patterns that must be found.
        var wanted: UInt64
        /// Of the patterns that must not.
        var unwanted: UInt64
        /// Index into the evidence of an exchange, or none: one positive pattern is a finding at once.
        var slot: Int?
    }

    let database: Database
    let readers: [Reader]
    let rules: [Rule]
    let slots: Int
    let requestLists: Lists
    let responseLists: Lists
    public let enforcing: Bool
    public let hold: Int
    /// Contexts that any attached sensor reads in requests.
    public let reads: Contexts
    /// Those of sensors that read responses too.
    public let readsResponses: Contexts
    /// `deny` or `redact` is in force on a body or packet context.
    public let holds: Bool
    /// A rule in force needs more evidence than one match.
    let needsWholeBody: Bool
    /// Such a rule has a negation, which is decided at `hold`.
    let decidesAtHold: Bool

    /// Readers by context.
    struct Lists: Sendable {
        var url: ReadList
        var header: ReadList
        var body: ReadList
        var packet: ReadList

        init(_ readers: [Reader], where reads: (Reader) -> Bool) {
            func list(_ context: Contexts) -> ReadList {
                ReadList(
                    readers, readers.indices.filter { readers[$0].contexts.contains(context) && reads(readers[$0]) })
            }
            (url, header, body, packet) = (list(.url), list(.header), list(.body), list(.packet))
        }

        subscript(_ context: Contexts) -> ReadList {
            switch context {
            case .url: url
            case .header: header
            case .packet: packet
            default: body
            }
        }
    }

    /// Sensors the database does not know are none; the configuration has refused them before.
    public convenience init(_ database: Database, _ attachments: [Attachment], enforcing: Bool, hold: Int) {
        self.init(database, attachments, enforcing: enforcing, hold: hold, anywhere: false)
    }

    /// `anywhere`: every pattern reads bodies, for files, which have no other contexts.
    init(_ database: Database, _ attachments: [Attachment], enforcing: Bool, hold: Int, anywhere: Bool) {
        self.database = database
        self.enforcing = enforcing
        self.hold = hold
        var readers: [Reader] = []
        var rules: [Rule] = []
        var slots = 0
        for sensor in database.sensors {
            let actions = attachments.lazy.filter { $0.sensor == sensor.name }.map(\.action)
            guard let action = actions.max(), action > .allow else { continue }
            for rule in sensor.rules {
                let single = rule.patterns.count == 1
                var compiled = Rule(
                    sensor: sensor.name, name: rule.name, action: action, wanted: 0, unwanted: 0,
                    slot: single ? nil : slots)
                if !single { slots += 1 }
                for (index, pattern) in rule.patterns.enumerated() {
                    let bit: UInt64 = 1 << UInt64(index)
                    if pattern.negated { compiled.unwanted |= bit } else { compiled.wanted |= bit }
                    readers.append(
                        Reader(
                            expression: pattern.expression, contexts: anywhere ? .body : pattern.contexts,
                            both: sensor.direction == .both, negated: pattern.negated, validator: pattern.validator,
                            rule: rules.count, bit: bit, holds: enforcing && action > .alert && !pattern.negated))
                }
                rules.append(compiled)
            }
        }
        self.readers = readers
        self.rules = rules
        self.slots = slots
        requestLists = Lists(readers) { _ in true }
        responseLists = Lists(readers, where: \.both)
        reads = readers.reduce(into: []) { $0.formUnion($1.contexts) }
        readsResponses = readers.lazy.filter(\.both).reduce(into: []) { $0.formUnion($1.contexts) }
        let streamed: Contexts = [.body, .packet]
        holds = readers.contains { $0.holds && !$0.contexts.isDisjoint(with: streamed) }
        needsWholeBody = readers.contains {
            $0.holds && rules[$0.rule].slot != nil && !$0.contexts.isDisjoint(with: streamed)
        }
        decidesAtHold = enforcing && rules.contains { $0.action > .alert && $0.unwanted != 0 }
    }
}

/// The patterns that read one kind of value, and what is known of all of them together.
struct ReadList: Sendable {
    /// Indices into the readers of the profile.
    let readers: [Int]
    /// No value shorter than this holds a match.
    let lengthMin: Int
    /// Bytes kept before the first start that is still open.
    let lookBehind: Int
    let filter: Prefilter

    static let none = ReadList([], [])

    init(_ all: [Profile.Reader], _ readers: [Int]) {
        self.readers = readers
        lengthMin = readers.map { max(all[$0].expression.lengthMin, 1) }.min() ?? Int.max
        lookBehind = readers.map { all[$0].expression.lookBehind }.max() ?? 1
        filter = Prefilter(readers.map { all[$0].expression })
    }
}
