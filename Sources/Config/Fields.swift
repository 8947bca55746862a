/// The keys of one mapping, asked for one after the other by the function that reads it.
///
/// The same function is the decoder and the schema: run over a mapping it reads, run over nothing it notes what it is
/// asked for. So a key cannot be read and not documented, and what nobody asks for is unknown.
final class Fields {
    struct Known {
        let key: String
        let schema: JSON
        let isRequired: Bool
    }

    /// Where the mapping stands.
    let place: Place
    private let name: String
    private let diagnosis: Diagnosis?
    private let entries: [Value.Entry]
    private var asked: [String] = []
    private var known: [Known] = []

    /// For reading; `name` is how messages call the mapping.
    private init(_ value: Value, _ entries: [Value.Entry]) {
        place = value.place
        name = value.key
        diagnosis = value.diagnosis
        self.entries = entries
    }

    private init(emptyAt place: Place, _ name: String, _ diagnosis: Diagnosis?) {
        self.place = place
        self.name = name
        self.diagnosis = diagnosis
        entries = []
    }

    /// For describing: every key is absent and nothing is an error.
    private init() {
        place = Place(file: "", line: 1, column: 1)
        name = ""
        diagnosis = nil
        entries = []
    }

    // MARK: Keys

    func required<T>(_ key: String, _ kind: Kind<T>, _ about: String) -> T {
        ask(key, kind, about, isRequired: true) ?? kind.blank()
    }

    func optional<T>(_ key: String, _ kind: Kind<T>, _ about: String) -> T? {
        ask(key, kind, about, isRequired: false)
    }

    func optional<T>(_ key: String, _ kind: Kind<T>, default fallback: T, _ about: String) -> T {
        ask(key, kind, about, isRequired: false, fallback: kind.show?(fallback)) ?? fallback
    }

    /// A mapping that is read as if it were empty where it is absent, so that its defaults stand in one place.
    func section<T>(_ key: String, _ about: String, _ body: @escaping (Fields) -> T) -> T {
        if let value = ask(key, .section(body), about, isRequired: false) { return value }
        return body(diagnosis == nil ? Fields() : Fields(emptyAt: place(of: key), key, diagnosis))
    }

    /// A path, relative to the file it is in.
    func path(_ key: String, _ about: String) -> String? {
        optional(key, .text, about).map { Files.resolve($0, beside: place.file) }
    }

    func path(_ key: String, default fallback: String, _ about: String) -> String {
        Files.resolve(optional(key, .text, default: fallback, about), beside: place.file)
    }

    /// Where the value of a key stands, or the mapping if it is absent.
    func place(of key: String) -> Place { entry(key)?.value.place ?? place }

    /// Notes an error about the value of a key that only its neighbours show.
    func fail(_ key: String, _ message: String) {
        diagnosis?.add(place(of: key), "\(key): \(message)")
    }

    private func entry(_ key: String) -> Value.Entry? { entries.first { $0.value.key == key } }

    private func ask<T>(
        _ key: String, _ kind: Kind<T>, _ about: String, isRequired: Bool, fallback: JSON? = nil
    ) -> T? {
        guard let diagnosis else {
            var schema = kind.schema().adding(["description": .string(about)])
            if let fallback { schema = schema.adding(["default": fallback]) }
            known.append(Known(key: key, schema: schema, isRequired: isRequired))
            return nil
        }
        asked.append(key)
        guard let entry = entry(key) else {
            if isRequired { diagnosis.add(place, "\(shown(name)): expected the key \(key), found none") }
            return nil
        }
        return kind.read(entry.value)
    }

    // MARK: Whole mappings

    /// Reads a mapping with `body`; what it does not ask for is an error. Nil where there is no mapping.
    static func read<T>(_ value: Value, _ body: (Fields) -> T) -> T? {
        guard let entries = value.entries("a mapping") else { return nil }
        let fields = Fields(value, entries)
        let result = body(fields)
        fields.refuseUnknown()
        return result
    }

    /// What `body` gives for an empty mapping, and the schema of what it asks for.
    static func describe<T>(_ body: (Fields) -> T) -> (blank: T, schema: JSON) {
        let fields = Fields()
        let blank = body(fields)
        var schema = JSON.object([
            "type": .string("object"),
            "additionalProperties": .bool(false),
            "properties": .object(fields.known.map { JSON.Member(key: $0.key, value: $0.schema) }),
        ])
        let required = fields.known.filter(\.isRequired).map { JSON.string($0.key) }
        if !required.isEmpty { schema = schema.adding(["required": .array(required)]) }
        return (blank, schema)
    }

    private func refuseUnknown() {
        for entry in entries where !asked.contains(entry.value.key) {
            let near = nearest(entry.value.key, among: asked).map { ", did you mean \($0)?" }
            let hint = near ?? ", expected \(asked.joined(separator: ", "))"
            diagnosis?.add(entry.place, "\(shown(entry.value.key)): unknown key\(hint)")
        }
    }
}

/// The word that `text` was probably meant to be.
func nearest(_ text: String, among words: [String]) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    let allowed = max(1, text.utf8.count / 3)
    let lower = Array(text.lowercased().utf8)
    let ranked = words.map { (word: $0, distance: distance(lower, Array($0.lowercased().utf8))) }
    let best = ranked.min { $0.distance < $1.distance }
    return best.flatMap { $0.distance <= allowed ? $0.word : nil }
}

/// Letters to insert, delete, replace or swap to make one word the other.
private func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var rows = [Array(0...b.count)]
    for i in 1..<(a.count + 1) {
        var row = [i]
        for j in 1..<(b.count + 1) {
            let cost = a[i - 1] == b[j - 1] ? 0 : 1
            var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + cost)
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
            row.append(best)
        }
        rows.append(row)
    }
    return rows[a.count][b.count]
}
