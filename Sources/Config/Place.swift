/// Where something stands in a file; lines and columns count from one, columns in Unicode scalars.
public struct Place: Hashable, Sendable, Comparable {
    public var file: String
    public var line: Int
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public static func < (a: Place, b: Place) -> Bool {
        (a.file, a.line, a.column) < (b.file, b.line, b.column)
    }
}

extension Place: CustomStringConvertible {
    public var description: String { "\(file):\(line):\(column)" }
}

/// One thing wrong in a configuration: where, what was expected and what was found.
public struct ConfigError: Error, Equatable, Sendable {
    public var file: String
    public var line: Int
    public var column: Int
    public var message: String

    public init(_ place: Place, _ message: String) {
        (file, line, column) = (place.file, place.line, place.column)
        self.message = message
    }

    public var place: Place { Place(file: file, line: line, column: column) }
}

extension ConfigError: CustomStringConvertible {
    public var description: String { "\(place): \(message)" }
}

/// All that is wrong in a configuration, by place.
public struct ConfigErrors: Error, Sendable {
    public var errors: [ConfigError]

    public init(_ errors: [ConfigError]) {
        self.errors = errors.sorted { ($0.place, $0.message) < ($1.place, $1.message) }
    }
}

extension ConfigErrors: CustomStringConvertible {
    public var description: String { errors.map(\.description).joined(separator: "\n") }
}
