import Bytes

/// What the report needs of one line of `sessions.jsonl`.
struct SessionLine {
    var kind = SessionRecord.Kind.session
    var id: RecordID
    var start: Int64
    var duration: Int64 = 0
    var service: String
    var pod: String?
    var mode: Mode
    var destination: Endpoint?
    var dialed: Endpoint?
    var fqdn: String?
    var application: Application
    var action: Action
    /// Sessions that the line stands for.
    var count = 1

    /// The moment at which the session ended, or for an open one was written of.
    var end: Int64 { start + min(duration, Timestamp.latest) }
    /// Where the bytes went.
    var address: IPAddress? { (dialed ?? destination)?.address }

    /// Reads a line; nil when it is not one of ours, whole and well-formed.
    init?(_ bytes: UnsafeRawBufferPointer) {
        do throws(JSONError) {
            guard let line = try SessionLine.read(bytes) else { return nil }
            self = line
        } catch {
            return nil
        }
    }

    private init(_ fields: Fields) throws(JSONError) {
        guard let id = fields.id, let start = fields.start, let service = fields.service, let mode = fields.mode,
            let application = fields.application, let action = fields.action
        else { throw JSONError(offset: 0) }
        kind = fields.kind
        self.id = id
        self.start = start
        duration = fields.duration
        self.service = service
        pod = fields.pod
        self.mode = mode
        destination = fields.destination
        dialed = fields.dialed
        fqdn = fields.fqdn
        self.application = application
        self.action = action
        count = Int(clamping: min(max(fields.count, 1), 1 << 32))
    }

    /// The same before it is known to be complete.
    private struct Fields {
        var kind = SessionRecord.Kind.session
        var id: RecordID?
        var start: Int64?
        var duration: Int64 = 0
        var service: String?
        var pod: String?
        var mode: Mode?
        var destination: Endpoint?
        var dialed: Endpoint?
        var fqdn: String?
        var application: Application?
        var action: Action?
        var count: Int64 = 1
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> SessionLine? {
        var reader = JSONReader(bytes)
        var fields = Fields()
        try reader.beginObject()
        while let key = try reader.nextKey() {
            if key.equals("kind") {
                guard let kind = kind(try reader.text()) else { return nil }
                fields.kind = kind
            } else if key.equals("id") {
                fields.id = try reader.text().flatMap { RecordID($0.bytes) }
            } else if key.equals("time") {
                fields.start = try reader.text().flatMap { Timestamp.microseconds($0.bytes) }
            } else if key.equals("duration_us") {
                fields.duration = try reader.number()
            } else if key.equals("service") {
                fields.service = try reader.text().map(JSONReader.decode)
            } else if key.equals("pod") {
                fields.pod = try reader.text().map(JSONReader.decode)
            } else if key.equals("mode") {
                fields.mode = try reader.text().flatMap { text in Mode.allCases.first { text.equals($0.label) } }
            } else if key.equals("destination") {
                fields.destination = try reader.text().flatMap { Endpoint(JSONReader.decode($0)) }
            } else if key.equals("dialed") {
                fields.dialed = try reader.text().flatMap { Endpoint(JSONReader.decode($0)) }
            } else if key.equals("fqdn") {
                fields.fqdn = try reader.text().map(JSONReader.decode)
            } else if key.equals("application") {
                fields.application = try reader.text().flatMap { text in
                    Application.allCases.first { text.equals($0.label) }
                }
            } else if key.equals("action") {
                fields.action = try reader.text().flatMap { text in Action.allCases.first { text.equals($0.label) } }
            } else if key.equals("count") {
                fields.count = try reader.number()
            } else {
                try reader.skip()
            }
        }
        try reader.end()
        return try SessionLine(fields)
    }

    private static func kind(_ text: JSONReader.Text?) -> SessionRecord.Kind? {
        guard let text else { return nil }
        return text.equals("session") ? .session : text.equals("open") ? .open : nil
    }
}
