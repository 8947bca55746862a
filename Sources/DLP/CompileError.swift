/// One thing wrong with a sensor, said with its place, so that the configuration can point at the line.
public struct CompileError: Error, Equatable, Sendable {
    public var sensor: String
    public var rule: String?
    /// The id of the detector whose patterns these are.
    public var detector: String?
    /// Index of the pattern in the rule.
    public var pattern: Int?
    /// Byte of the expression.
    public var offset: Int?
    /// What is wrong and what was expected.
    public var message: String

    public init(
        sensor: String, rule: String? = nil, detector: String? = nil, pattern: Int? = nil, offset: Int? = nil,
        message: String
    ) {
        self.sensor = sensor
        self.rule = rule
        self.detector = detector
        self.pattern = pattern
        self.offset = offset
        self.message = message
    }
}

/// All that is wrong with the sensors of a configuration, not only the first.
public struct CompileErrors: Error, Equatable, Sendable {
    public var errors: [CompileError]
}
