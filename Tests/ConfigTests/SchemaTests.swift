import Testing

@testable import Config

/// The schema that editors use says what the decoder does.
@Suite struct SchemaTests {
    @Test func theFileIsWhatTheDecoderSays() throws {
        #expect(try Files.text("\(repository)/conf/weir.schema.json") == Schema.json())
    }

    @Test func theReferenceIsWhatTheDecoderSays() throws {
        #expect(try Files.text("\(repository)/conf/REFERENCE.md") == Schema.reference())
    }

    /// Each limit stands in the schema with its default and its sentence.
    @Test func limitsAreDescribed() throws {
        let limits = try #require(Schema.document["properties"]?["limits"]?["properties"])
        for field in LimitField.all {
            #expect(limits[field.key]?["description"] == .string(field.about))
            #expect(limits[field.key]?["default"] != nil)
        }
    }

    /// Every object of the schema is closed, so that a key which the decoder would not know is an error there too.
    @Test func nothingIsOpen() {
        func check(_ schema: JSON, _ path: String) {
            if schema["type"] == .string("object") {
                #expect(schema["additionalProperties"] != nil, "\(path)")
            }
            switch schema {
            case .object(let members): for member in members { check(member.value, "\(path)/\(member.key)") }
            case .array(let items): for item in items { check(item, path) }
            case .string, .integer, .bool: break
            }
        }
        check(Schema.document, "")
    }

    /// The decoder and the schema agree on every case of the error tables but those that no schema can see.
    @Test(arguments: ErrorTests.values + ErrorTests.services + ErrorTests.keys)
    func theyAgree(_ test: ErrorTests.Case) throws {
        let beyond = [
            "70000\"", "1023", "99ms", "64KB: ", "TiB", "a..b", "10.0.0.1/8", "udp/0", "10.0.0.300", "9-1", "0x7f.1",
            "duplicate", "alone", "30d", "#9.9.9.9", "no list is called", "the tag", "hold_total",
            "intercept: explicit",
            "expected plain text", "pins: the name",
        ]
        guard !test.errors.isEmpty, !test.errors.contains(where: { error in beyond.contains { error.contains($0) } })
        else { return }
        let root = try #require(try Document.parse(test.text, file: "weir.yaml").root)
        #expect(!accepts(Schema.document, Value(node: root, key: "", diagnosis: Diagnosis(file: ""))))
    }

    @Test(arguments: ["weir.yaml", "cluster.yaml", "demo/1-discover.yaml", "demo/2-alert.yaml", "demo/3-protect.yaml"])
    func examplesAreValid(_ name: String) throws {
        let text = try Files.text("\(repository)/conf/\(name)")
        let root = try #require(try Document.parse(text, file: name).root)
        #expect(accepts(Schema.document, Value(node: root, key: "", diagnosis: Diagnosis(file: ""))))
    }

    @Test func theFullConfigurationIsValid() throws {
        let root = try #require(try Document.parse(SettingsTests.full, file: "weir.yaml").root)
        #expect(accepts(Schema.document, Value(node: root, key: "", diagnosis: Diagnosis(file: ""))))
    }

    @Test func jsonIsEscaped() {
        let value = JSON.object([
            "a\"b": .array([.string("\u{1}\n\\"), .integer(-1), .bool(true)]), "c": .array([.object([:])]),
        ])
        #expect(value.text() == "{\n  \"a\\\"b\": [\"\\u0001\\n\\\\\", -1, true],\n  \"c\": [\n    {}\n  ]\n}")
    }
}

/// Enough of JSON Schema (2020-12) to judge a document by the words that ours uses; any other word is a failure.
private func accepts(_ schema: JSON, _ value: Value) -> Bool {
    guard case .object(let members) = schema else { return false }
    return members.allSatisfy { member in
        switch member.key {
        case "$schema", "title", "description", "default": true
        case "type": types(member.value).contains { isOf(type: $0, value) }
        case "enum": items(member.value).contains { equals($0, value) }
        case "const": equals(member.value, value)
        case "oneOf": items(member.value).filter { accepts($0, value) }.count == 1
        case "minimum": integer(value).map { $0 >= integer(member.value) } ?? true
        case "maximum": integer(value).map { $0 <= integer(member.value) } ?? true
        case "minLength": text(value).map { $0.unicodeScalars.count >= integer(member.value) } ?? true
        case "pattern": text(value).map { matches(string(member.value), $0) } ?? true
        case "minItems": value.node.sequence.map { $0.count >= integer(member.value) } ?? true
        case "items": value.node.sequence?.allSatisfy { accepts(member.value, child($0)) } ?? true
        case "properties", "additionalProperties", "required": true
        default: false
        }
    } && acceptsKeys(schema, value)
}

private func acceptsKeys(_ schema: JSON, _ value: Value) -> Bool {
    guard let mapping = value.node.mapping else { return true }
    let keys = mapping.compactMap(\.key.string)
    let areThere = items(schema["required"] ?? .array([])).allSatisfy { keys.contains(string($0)) }
    return areThere
        && mapping.allSatisfy { key, node in
            if let property = schema["properties"]?[key.string ?? ""] { return accepts(property, child(node)) }
            switch schema["additionalProperties"] {
            case .bool(let isOpen): return isOpen
            case let other?: return accepts(other, child(node))
            case nil: return true
            }
        }
}

private func isOf(type: String, _ value: Value) -> Bool {
    switch type {
    case "object": value.node.mapping != nil
    case "array": value.node.sequence != nil
    case "string": text(value) != nil
    case "integer": integer(value) != nil
    case "boolean": if case .bool = value.scalar { true } else { false }
    default: false
    }
}

private func child(_ node: Value.Tree) -> Value { Value(node: node, key: "", diagnosis: Diagnosis(file: "")) }
private func types(_ json: JSON) -> [String] {
    if case .string(let one) = json { [one] } else { items(json).map(string) }
}
private func items(_ json: JSON) -> [JSON] { if case .array(let items) = json { items } else { [] } }
private func string(_ json: JSON) -> String { if case .string(let text) = json { text } else { "" } }
private func integer(_ json: JSON) -> Int { if case .integer(let number) = json { number } else { 0 } }
private func text(_ value: Value) -> String? { if case .text(let text) = value.scalar { text } else { nil } }
private func integer(_ value: Value) -> Int? { if case .integer(let number) = value.scalar { number } else { nil } }

private func equals(_ json: JSON, _ value: Value) -> Bool {
    switch (json, value.scalar) {
    case (.string(let a), .text(let b)): a == b
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    default: false
    }
}

private func matches(_ pattern: String, _ text: String) -> Bool {
    guard let regex = try? Regex(pattern) else { return false }
    return text.firstMatch(of: regex) != nil
}
