extension Schema {
    /// The reference for people, in Markdown: every key with what it takes, its default and its meaning. The content of
    /// `conf/REFERENCE.md`.
    public static func reference() -> String {
        let head = """
            # Every key of the configuration

            Made by the functions that read the configuration, as is [weir.schema.json](weir.schema.json). `[]` is each
            item of a list, `<name>` a name of yours. A key in bold must be there.

            | Key | Takes | Default | Meaning |
            |---|---|---|---|

            """
        return head + rows(document, "").map { "\($0)\n" }.joined()
    }

    private static func rows(_ schema: JSON, _ path: String) -> [String] {
        guard case .object(let properties) = schema["properties"] else {
            if let items = schema["items"] { return rows(items, "\(path)[]") }
            if let values = schema["additionalProperties"], values != .bool(false) {
                return [row(values, "`\(path).<name>`")]
            }
            return []
        }
        var required: [JSON] = []
        if case .array(let keys) = schema["required"] { required = keys }
        return properties.flatMap { property in
            let name = path.isEmpty ? property.key : "\(path).\(property.key)"
            let isRequired = required.contains(.string(property.key))
            return [row(property.value, isRequired ? "**`\(name)`**" : "`\(name)`")] + rows(property.value, name)
        }
    }

    private static func row(_ schema: JSON, _ name: String) -> String {
        let fallback = schema["default"].map { "`\(plain($0))`" } ?? ""
        var about = ""
        if case .string(let text) = schema["description"] { about = text }
        return "| \(name) | \(takes(schema)) | \(fallback) | \(about) |"
    }

    private static func takes(_ schema: JSON) -> String {
        if case .array(let words) = schema["enum"] { return words.map { "`\(plain($0))`" }.joined(separator: ", ") }
        if case .array(let choices) = schema["oneOf"] { return choices.map(takes).joined(separator: " or ") }
        if let word = schema["const"] { return "`\(plain(word))`" }
        if let items = schema["items"] { return items["properties"] == nil ? "list of \(takes(items))" : "list" }
        switch (schema["pattern"], schema["minimum"], schema["maximum"]) {
        case (.string(Units.sizePattern), _, _): return "size"
        case (.string(Units.timePattern), _, _): return "time"
        case (_, .integer(let least), .integer(let most)): return "\(least)-\(most)"
        default: break
        }
        switch schema["type"] {
        case .string("object"): return "mapping"
        case .string("boolean"): return "`true`, `false`"
        case .string("number"): return "number"
        default: return "text"
        }
    }

    private static func plain(_ value: JSON) -> String {
        if case .string(let text) = value { return text }
        return value.text()
    }
}
