/// The name of a rule where it stays for good.
///
/// Unchecked Sendable: what is there is written before anybody is told the place.
struct RuleText: Hashable, @unchecked Sendable {
    private let place: UnsafePointer<String>

    init(at place: UnsafePointer<String>) { self.place = place }

    var text: String { place.pointee }

    static func == (a: RuleText, b: RuleText) -> Bool { a.place == b.place || a.text == b.text }

    func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// The names of the written rules, `myapp.default/2`, for as long as their policy lives.
///
/// Unchecked Sendable: written in `init` only.
final class RuleTexts: @unchecked Sendable {
    private let texts: UnsafeMutableBufferPointer<String>
    /// For each service the index of its first rule in `texts`.
    private let starts: ContiguousArray<Int>

    init(_ services: [(name: String, rules: Int)]) {
        var starts: ContiguousArray<Int> = []
        var names: [String] = []
        for service in services {
            starts.append(names.count)
            names += (0..<service.rules).map { "\(service.name)/\($0)" }
        }
        self.starts = starts
        texts = .allocate(capacity: names.count)
        _ = texts.initialize(fromContentsOf: names)
    }

    deinit {
        texts.deinitialize()
        texts.deallocate()
    }

    subscript(service: Int, rule: Int) -> RuleText {
        let index = starts[service] + rule
        precondition(index < texts.count, "a rule has a name")
        guard let base = texts.baseAddress else { preconditionFailure("a rule has a name") }
        return RuleText(at: base + index)
    }
}
