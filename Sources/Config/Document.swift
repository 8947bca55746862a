import Yams

/// One YAML file as a tree of nodes with marks, bounded in every direction.
///
/// Yams stops at the first repeated key, at the place of its first use. So that every error of a file is told at once,
/// the key it names is given a letter from the private use area and the text is parsed again: marks stay as they are,
/// and the reader, which knows what the key was, tells of the repetition where it stands.
struct Document {
    /// 4 MiB: ten thousand services with three rules each, and their addresses; more go into files of their own.
    static let bytesMax = 4 << 20
    /// Repeated keys told of in one file.
    static let repeatsMax = 32

    /// Nil for a file without a document.
    var root: Node?
    /// What keys that were renamed are called in the file.
    var renamed: [String: String] = [:]

    static func parse(_ text: String, file: String) throws(ConfigError) -> Document {
        // A mark of byte order, as some editors write it, is no part of the text.
        let text = text.unicodeScalars.first == "\u{feff}" ? String(text.unicodeScalars.dropFirst()) : text
        if mayHoldAliases(text) {
            // Yams hashes keys to find repetitions, and an alias in a key could make that walk as large as 9^10 nodes.
            let disarmed = try compose(withoutAliases(text), file)
            if let root = disarmed.root, let mark = collectionKey(root) {
                throw ConfigError(place(file, mark), "expected plain text as a key, found a collection or an alias")
            }
        }
        return try compose(text, file)
    }

    private static func compose(_ text: String, _ file: String) throws(ConfigError) -> Document {
        var document = Document()
        var text = text
        while true {
            do {
                // The basic resolver: no expression is run over scalars, what they are is decided by the reader.
                let root = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
                document.root = root?.scalar?.string.isEmpty == true ? nil : root
                return document
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                let letter = UnicodeScalar(0xe000 + UInt32(document.renamed.count)) ?? "\u{e000}"
                guard let key = keys.first, document.renamed.count < repeatsMax,
                    let (patched, name) = rename(key, at: context.mark, to: letter, in: text)
                else { throw ConfigError(place(file, context.mark), "duplicate key") }
                document.renamed[name] = key
                text = patched
            } catch let error as YamlError {
                throw explain(error, text, file)
            } catch {
                throw ConfigError(Place(file: file, line: 1, column: 1), "not YAML: \(error)")
            }
        }
    }

    /// The text in which the first letter of the key at `mark` is `letter`, and what the key is called now.
    private static func rename(
        _ key: String, at mark: Mark, to letter: UnicodeScalar, in text: String
    ) -> (String, String)? {
        var scalars = text.unicodeScalars
        guard var at = index(of: mark, in: text), at < scalars.endIndex else { return nil }
        if scalars[at] == "\"" || scalars[at] == "'" { at = scalars.index(after: at) }
        guard at < scalars.endIndex, let first = key.unicodeScalars.first, scalars[at] == first else { return nil }
        scalars.replaceSubrange(at...at, with: [letter])
        return (String(scalars), String(letter) + String(key.unicodeScalars.dropFirst()))
    }

    private static func index(of mark: Mark, in text: String) -> String.Index? {
        var lines = text.unicodeScalars.startIndex
        for _ in 1..<max(mark.line, 1) {
            guard let end = text.unicodeScalars[lines...].firstIndex(of: "\n") else { return nil }
            lines = text.unicodeScalars.index(after: end)
        }
        let end = text.unicodeScalars.endIndex
        return text.unicodeScalars.index(lines, offsetBy: mark.column - 1, limitedBy: end)
    }

    private static func explain(_ error: YamlError, _ text: String, _ file: String) -> ConfigError {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let before = context.map { "\($0.text), " } ?? ""
            return ConfigError(place(file, mark), "not YAML: \(before)\(problem)")
        case .reader(let problem, let offset, _, _):
            var at = Place(file: file, line: 1, column: 1)
            for character in text.prefix(offset ?? 0) {
                at = character == "\n" ? Place(file: file, line: at.line + 1, column: 1) : at
                if character != "\n" { at.column += character.unicodeScalars.count }
            }
            return ConfigError(at, "not YAML: \(problem)")
        default:
            return ConfigError(Place(file: file, line: 1, column: 1), "not YAML: \(error)")
        }
    }

    private static func place(_ file: String, _ mark: Mark) -> Place {
        Place(file: file, line: max(mark.line, 1), column: max(mark.column, 1))
    }
}

// MARK: - Aliases

extension Document {
    private static func mayHoldAliases(_ text: String) -> Bool {
        text.utf8.contains(UInt8(ascii: "&")) && text.utf8.contains(UInt8(ascii: "*"))
    }

    /// Stands for the `*` of an alias where the tree is only asked for its shape.
    private static let disarmed: UnicodeScalar = "\u{e0ff}"

    /// The text with each `*name` made a scalar of the same width; quoted text may change too.
    private static func withoutAliases(_ text: String) -> String {
        var out = String.UnicodeScalarView()
        var before: UnicodeScalar = " "
        var scalars = text.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            let isAlias = scalar == "*" && !isAnchorLetter(before) && scalars.first.map(isAnchorLetter) == true
            out.append(isAlias ? disarmed : scalar)
            before = scalar
        }
        return String(out)
    }

    private static func isAnchorLetter(_ scalar: UnicodeScalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }

    /// Where the first key stands that is a list or a mapping, or an alias and so could be one.
    private static func collectionKey(_ node: Node) -> Mark? {
        switch node {
        case .mapping(let mapping):
            for (key, value) in mapping {
                guard let scalar = key.scalar, scalar.string.unicodeScalars.first != disarmed else {
                    return key.mark ?? mapping.mark
                }
                if let mark = collectionKey(value) { return mark }
            }
            return nil
        case .sequence(let sequence):
            for item in sequence {
                if let mark = collectionKey(item) { return mark }
            }
            return nil
        case .scalar, .alias: return nil
        }
    }
}
