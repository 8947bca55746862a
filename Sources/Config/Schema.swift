/// The JSON Schema (2020-12) of a configuration file, made by the functions that read it.
public enum Schema {
    /// The schema as text, the content of `conf/weir.schema.json`.
    public static func json() -> String { document.text() + "\n" }

    static var document: JSON {
        let main = Fields.describe { Main.read($0) }.schema
        guard case .object(let members) = main else { return main }
        let head = JSON.object([
            "$schema": .string("https://json-schema.org/draft/2020-12/schema"),
            "title": .string("Weir configuration"),
        ])
        guard case .object(let opening) = head else { return main }
        return .object(opening + members)
    }
}
