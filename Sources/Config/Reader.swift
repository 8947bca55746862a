import Yams

/// What is wrong in one file, gathered while its reading goes on, and the bounds of that reading.
final class Diagnosis {
    /// Aliases make a small file a large tree; past this many visits reading stops.
    static let nodesMax = 1_000_000
    static let errorsMax = 1000

    let file: String
    private let renamed: [String: String]
    private var nodesLeft = nodesMax
    private(set) var errors: [ConfigError] = []

    init(file: String, renamed: [String: String] = [:]) {
        self.file = file
        self.renamed = renamed
    }

    func add(_ place: Place, _ message: String) {
        if errors.count < Diagnosis.errorsMax { errors.append(ConfigError(place, message)) }
    }

    /// Whether a collection of so many nodes may be read.
    func visit(_ count: Int, _ place: Place) -> Bool {
        guard nodesLeft >= 0 else { return false }
        nodesLeft -= count + 1
        if nodesLeft < 0 { add(place, "expected at most \(Diagnosis.nodesMax) values, aliases followed") }
        return nodesLeft >= 0
    }

    /// What a key is called in the file, and whether it repeats.
    func name(_ key: String) -> String { renamed[key] ?? key }

    func place(_ mark: Mark?) -> Place {
        Place(file: file, line: max(mark?.line ?? 1, 1), column: max(mark?.column ?? 1, 1))
    }
}

/// One node being read, under the key by which messages call it.
struct Value {
    /// As the tests call it, which do not know the library.
    typealias Tree = Node

    let node: Node
    let key: String
    let diagnosis: Diagnosis

    var place: Place { diagnosis.place(node.mark) }

    /// What a plain scalar says by the core schema of YAML 1.2; quoted scalars are text.
    enum Scalar: Equatable {
        case text(String), integer(Int), number(String), bool(Bool), null
        /// `!secret x`: what it means only its writer knows.
        case tagged(String)
    }

    var scalar: Scalar? {
        guard let scalar = node.scalar else { return nil }
        if let tag { return .tagged(tag) }
        return scalar.style == .plain && scalar.tag.description.isEmpty
            ? Value.plain(scalar.string) : .text(scalar.string)
    }

    /// A tag that says more than the shape of the node does.
    private var tag: String? {
        let (tag, standard) =
            switch node {
            case .scalar(let scalar): (scalar.tag.description, "str")
            case .sequence(let sequence): (sequence.tag.description, "seq")
            case .mapping(let mapping): (mapping.tag.description, "map")
            case .alias(let alias): (alias.tag.description, "")
            }
        return ["", "!", "tag:yaml.org,2002:\(standard)"].contains(tag) ? nil : tag
    }

    /// The items of a list; nil, and an error, where there is none.
    func items(_ expected: String) -> [Value]? {
        guard let sequence = node.sequence, tag == nil else { return fail(expected) }
        guard diagnosis.visit(sequence.count, place) else { return nil }
        return sequence.map { Value(node: $0, key: key, diagnosis: diagnosis) }
    }

    /// The entries of a mapping, in order and without repetition.
    func entries(_ expected: String) -> [Entry]? {
        guard let mapping = node.mapping, tag == nil else { return fail(expected) }
        guard diagnosis.visit(mapping.count, place) else { return nil }
        var seen: [String: Place] = [:]
        var entries: [Entry] = []
        for (key, value) in mapping {
            let at = diagnosis.place(key.mark)
            guard let name = key.scalar.map({ diagnosis.name($0.string) }) else {
                diagnosis.add(at, "expected plain text as a key, found a collection")
                continue
            }
            if let first = seen[name] {
                diagnosis.add(at, "\(shown(name)): duplicate key, first used at line \(first.line)")
                continue
            }
            seen[name] = at
            entries.append(Entry(place: at, value: Value(node: value, key: name, diagnosis: diagnosis)))
        }
        return entries
    }

    struct Entry {
        let place: Place
        let value: Value
    }

    /// Notes that something else stands here than was expected.
    func fail<T>(_ expected: String) -> T? {
        diagnosis.add(place, "\(shown(key)): expected \(expected), found \(found)")
        return nil
    }

    /// What stands here, as messages say it.
    var found: String {
        switch scalar {
        case .text(let text): "\"\(shown(text))\""
        case .integer(let number): "\(number)"
        case .number(let text): shown(text)
        case .bool(let flag): "\(flag)"
        case .null: "nothing"
        case .tagged(let tag): "the tag \(shown(tag))"
        case nil where tag != nil: "the tag \(shown(tag ?? ""))"
        case nil: node.sequence.map { $0.isEmpty ? "an empty list" : "a list" } ?? "a mapping"
        }
    }

    private static func plain(_ text: String) -> Scalar {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        default: break
        }
        if let number = integer(text) { return .integer(number) }
        return isNumber(text) ? .number(text) : .text(text)
    }

    private static func integer(_ text: String) -> Int? {
        if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16) }
        if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8) }
        return Int(text)
    }

    /// A number that is no `Int`: a fraction, an exponent, or too many digits.
    private static func isNumber(_ text: String) -> Bool {
        guard text.utf8.contains(where: { (0x30...0x39).contains($0) }) else { return false }
        return text.utf8.allSatisfy { "0123456789+-.eE".utf8.contains($0) } && Double(text) != nil
    }
}

/// Text from a file as it may stand in a message: one line, without control characters, not long.
func shown(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(60) {
        let isControl = scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
        out.append(isControl || scalar == "\u{2028}" || scalar == "\u{2029}" ? "\u{fffd}" : scalar)
    }
    if text.unicodeScalars.count > 60 { out.append("…") }
    return String(out)
}
