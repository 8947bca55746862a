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

/// What one service reads with: the patterns of its sensors, by where they read. Immutable and shared between threads
/// (the lists' pointers are to memory that is written in `init` only).
public final class Profile: @unchecked Sendable {
    /// A pattern of an attached sensor.
    struct Reader: Sendable {
        var expression: Expression
        var contexts: Contexts
        var both: Bool
        var negated: Bool
        var validator: Validator?
        var detector: Detector?
        var column: ExactColumn?
        var least: Confidence
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
        var version: String
        var action: Action
        /// All the patterns that must be found.
        var wanted: UInt64
        /// Of the patterns that must not.
        var unwanted: UInt64
        /// Index into the evidence of an exchange, or none: one positive pattern is a finding at once.
        var slot: Int?
        var threshold: Threshold
        /// The patterns are the columns of rows, the first of which stands for the row.
        var rowsWithin: Int?
        /// What it finds is a planted value, of which nothing is told.
        var isPlanted: Bool
    }

    let database: Database
    let readers: [Reader]
    let rules: [Rule]
    /// Of the rules those that look for documents, in bodies and in streams.
    let documents: [DocumentWatch.Plan]
    let slots: Int
    /// Held for the lists.
    private let plans: [StartPlan]
    let requestLists: ReadLists
    let responseLists: ReadLists
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

    /// Sensors the database does not know are none; the configuration has refused them before.
    public convenience init(_ database: Database, _ attachments: [Attachment], enforcing: Bool, hold: Int) {
        self.init(database, attachments, enforcing: enforcing, hold: hold, anywhere: false)
    }

    /// `anywhere`: every pattern reads bodies, for files, which have no other contexts.
    init(_ database: Database, _ attachments: [Attachment], enforcing: Bool, hold: Int, anywhere: Bool) {
        self.database = database
        self.enforcing = enforcing
        self.hold = hold
        var plan = Plan(enforcing: enforcing, anywhere: anywhere)
        for sensor in database.sensors {
            let actions = attachments.lazy.filter { $0.sensor == sensor.name }.map(\.action)
            guard let action = actions.max(), action > .allow else { continue }
            plan.add(sensor, action)
        }
        let (readers, rules, documents) = (plan.readers, plan.rules, plan.documents)
        self.readers = readers
        self.rules = rules
        self.documents = documents
        slots = plan.slots
        var plans: [StartPlan] = []
        let both = documents.indices.filter { documents[$0].both }
        requestLists = .allocate(readers, Array(documents.indices), &plans, database) { _ in true }
        responseLists = .allocate(readers, both, &plans, database, where: \.both)
        self.plans = plans
        let streamed: Contexts = [.body, .packet]
        reads = readers.reduce(into: documents.isEmpty ? [] : streamed) { $0.formUnion($1.contexts) }
        readsResponses = readers.lazy.filter(\.both).reduce(into: both.isEmpty ? [] : streamed) {
            $0.formUnion($1.contexts)
        }
        let holding = readers.filter { $0.holds && !$0.contexts.isDisjoint(with: streamed) }
        let holdsDocuments = documents.contains(where: \.holds)
        holds = holdsDocuments || !holding.isEmpty
        needsWholeBody = holdsDocuments || holding.contains { rules[$0.rule].slot != nil }
        decidesAtHold = enforcing && rules.contains { $0.action > .alert && $0.unwanted != 0 }
    }

    deinit {
        requestLists.free()
        responseLists.free()
    }
}
