/// A JSON value whose objects keep the order in which they were written, so that what is generated reads as it was
/// declared and compares byte by byte.
enum JSON: Equatable {
    struct Member: Equatable {
        let key: String
        let value: JSON
    }

    case string(String)
    case integer(Int)
    case bool(Bool)
    case array([JSON])
    case object([Member])

    static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
        .object(members.map { Member(key: $0.key, value: $0.value) })
    }

    /// This object with members added at its end.
    func adding(_ more: KeyValuePairs<String, JSON>) -> JSON {
        guard case .object(let members) = self else { return self }
        return .object(members + more.map { Member(key: $0.key, value: $0.value) })
    }

    subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// Indented by two; what holds only plain values stands on one line.
    func text(indent: String = "") -> String {
        switch self {
        case .string(let text): return JSON.quoted(text)
        case .integer(let number): return String(number)
        case .bool(let flag): return flag ? "true" : "false"
        case .array(let items):
            if items.allSatisfy(\.isPlain) { return "[" + items.map { $0.text() }.joined(separator: ", ") + "]" }
            return JSON.block("[", items.map { $0.text(indent: indent + "  ") }, "]", indent)
        case .object(let members):
            if members.isEmpty { return "{}" }
            return JSON.block(
                "{", members.map { "\(JSON.quoted($0.key)): \($0.value.text(indent: indent + "  "))" }, "}", indent)
        }
    }

    private var isPlain: Bool {
        switch self {
        case .string, .integer, .bool: true
        case .array, .object: false
        }
    }

    private static func block(_ open: String, _ lines: [String], _ close: String, _ indent: String) -> String {
        open + "\n" + lines.map { "\(indent)  \($0)" }.joined(separator: ",\n") + "\n\(indent)\(close)"
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\0"..."\u{1f}":
                let hex = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
