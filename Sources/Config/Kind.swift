import Bytes

/// One kind of value: how it is read, how a schema describes it, how a default is shown.
struct Kind<T> {
    let schema: () -> JSON
    /// Stands in for a value that could not be read; the error that was noted keeps it from use.
    let blank: () -> T
    var show: ((T) -> JSON)?
    let read: (Value) -> T?

    /// Text that `parse` understands; `pattern` is what a schema can say of it.
    static func parsed(
        _ expected: String, pattern: String, blank: @escaping @autoclosure () -> T, show: ((T) -> String)? = nil,
        _ parse: @escaping (String) -> T?
    ) -> Kind {
        Kind(
            schema: { .object(["type": .string("string"), "pattern": .string(pattern)]) }, blank: blank,
            show: show.map { show in { .string(show($0)) } }
        ) { value in
            guard case .text(let text) = value.scalar, let parsed = parse(text) else { return value.fail(expected) }
            return parsed
        }
    }

    /// One of a few words.
    static func words(_ words: [(String, T)]) -> Kind where T: Equatable {
        let names = words.map(\.0)
        let expected =
            names.count == 1 ? names[0] : "\(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")"
        return Kind(
            schema: { .object(["enum": .array(names.map(JSON.string))]) }, blank: { words[0].1 },
            show: { shown in .string(words.first { $0.1 == shown }?.0 ?? "") }
        ) { value in
            guard case .text(let text) = value.scalar else { return value.fail(expected) }
            if let word = words.first(where: { $0.0 == text }) { return word.1 }
            return value.fail(expected + (nearest(text, among: names).map { " (did you mean \($0)?)" } ?? ""))
        }
    }

    static func words(_ all: [T]) -> Kind where T: RawRepresentable<String> & Equatable {
        words(all.map { ($0.rawValue, $0) })
    }

    /// A mapping whose keys `body` asks for.
    static func section(_ body: @escaping (Fields) -> T) -> Kind {
        Kind(
            schema: { Fields.describe(body).schema }, blank: { Fields.describe(body).blank },
            read: { Fields.read($0, body) })
    }

    /// The same value with its place.
    var placed: Kind<Placed<T>> {
        Kind<Placed<T>>(
            schema: schema, blank: { Placed(value: blank(), place: Place(file: "", line: 1, column: 1)) }
        ) { value in
            read(value).map { Placed(value: $0, place: value.place) }
        }
    }
}

/// A value and where it stands.
struct Placed<T> {
    var value: T
    var place: Place
}

extension Kind {
    /// A list; what is wrong in one item does not keep the others from being read.
    static func list<Item>(_ item: Kind<Item>, atLeast least: Int = 0) -> Kind where T == [Item] {
        Kind(
            schema: {
                let schema = JSON.object(["type": .string("array"), "items": item.schema()])
                return least > 0 ? schema.adding(["minItems": .integer(least)]) : schema
            },
            blank: { [] }, show: item.show.map { show in { .array($0.map(show)) } }
        ) { value in
            guard let items = value.items("a list") else { return nil }
            if items.count < least { return value.fail("a list of at least \(least)") }
            return items.compactMap(item.read)
        }
    }

    /// A mapping from names of the user's choice.
    static func table<Item>(_ item: Kind<Item>) -> Kind where T == [(name: String, item: Item, place: Place)] {
        Kind(
            schema: { .object(["type": .string("object"), "additionalProperties": item.schema()]) }, blank: { [] }
        ) { value in
            value.entries("a mapping")?.compactMap { entry in
                item.read(entry.value).map { (entry.value.key, $0, entry.place) }
            }
        }
    }
}

// MARK: - Plain kinds

extension Kind where T == String {
    static var text: Kind {
        Kind(
            schema: { .object(["type": .string("string"), "minLength": .integer(1)]) }, blank: { "" },
            show: { .string($0) }
        ) { value in
            guard case .text(let text) = value.scalar, !text.isEmpty else { return value.fail("text") }
            return text
        }
    }

    /// Of a file, relative to the one that it stands in.
    static var path: Kind {
        Kind(schema: text.schema, blank: text.blank, show: text.show) { value in
            text.read(value).map { Files.resolve($0, beside: value.place.file) }
        }
    }

    /// What services, pods, sensors, rules and listeners are called: it goes into records and metric labels.
    static var name: Kind {
        let letters = "letters, digits, '.', '-' and '_', at most 253, the first a letter or digit"
        return parsed("a name of \(letters)", pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$", blank: "") { text in
            isName(text) ? text : nil
        }
    }

    static func isName(_ text: String) -> Bool {
        guard (1...253).contains(text.utf8.count), let first = text.utf8.first else { return false }
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte & 0xdf)
        }
        return isAlphanumeric(first) && text.utf8.allSatisfy { isAlphanumeric($0) || ".-_".utf8.contains($0) }
    }
}

extension Kind where T == Bool {
    static var bool: Kind {
        Kind(schema: { .object(["type": .string("boolean")]) }, blank: { false }, show: { .bool($0) }) { value in
            guard case .bool(let flag) = value.scalar else { return value.fail("true or false") }
            return flag
        }
    }
}

extension Kind where T == Int {
    static func integer(_ range: ClosedRange<Int>) -> Kind {
        Kind(
            schema: {
                .object([
                    "type": .string("integer"), "minimum": .integer(range.lowerBound),
                    "maximum": .integer(range.upperBound),
                ])
            },
            blank: { range.lowerBound }, show: { .integer($0) }
        ) { value in
            guard case .integer(let number) = value.scalar, range.contains(number) else {
                return value.fail("\(range.lowerBound)-\(range.upperBound)")
            }
            return number
        }
    }

    /// `64KiB`; a number without a unit is bytes.
    static func size(_ range: ClosedRange<Int>) -> Kind {
        let expected = "a size of \(Units.size(range.lowerBound)) to \(Units.size(range.upperBound)), such as 64KiB"
        return Kind(
            schema: {
                .object([
                    "type": .array([.string("string"), .string("integer")]), "pattern": .string(Units.sizePattern),
                ])
            },
            blank: { range.lowerBound }, show: { .string(Units.size($0)) }
        ) { value in
            let size: Int? =
                switch value.scalar {
                case .integer(let bytes): bytes
                case .text(let text): Units.size(text)
                default: nil
                }
            guard let size, range.contains(size) else { return value.fail(expected) }
            return size
        }
    }
}

extension Kind where T == Double {
    /// Above 0 and at most 1.
    static var share: Kind {
        Kind(
            schema: { .object(["type": .string("number"), "exclusiveMinimum": .integer(0), "maximum": .integer(1)]) },
            blank: { 1 }
        ) { value in
            let share: Double? =
                switch value.scalar {
                case .integer(let number): Double(number)
                case .number(let text): Double(text)
                default: nil
                }
            guard let share, share > 0, share <= 1 else { return value.fail("a share above 0 and at most 1") }
            return share
        }
    }
}

extension Kind where T == Milliseconds {
    /// `200ms`, `30s`, `5m`, `1h`; a number without a unit would be anybody's guess.
    static func time(_ range: ClosedRange<Milliseconds>) -> Kind {
        let expected =
            "a time of \(Units.time(range.lowerBound)) to \(Units.time(range.upperBound)), such as 200ms or 30s"
        return parsed(expected, pattern: Units.timePattern, blank: range.lowerBound, show: { Units.time($0) }) { text in
            Units.time(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }
}
