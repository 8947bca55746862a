import Bytes

/// What a DNS transaction asked and what it was answered: the `dns` object of its record.
///
/// Pointers need to be valid only during the call that takes the record.
public struct NameFacts {
    public enum Cached: Sendable { case no, yes, stale }

    /// A number of the protocol with the word for it, if there is one.
    public struct Code: Sendable {
        public var label: StaticString?
        public var number: UInt16

        @inlinable public init(_ label: StaticString?, _ number: UInt16) {
            self.label = label
            self.number = number
        }
    }

    /// In presentation form; absent where the question could not be read.
    public var name: UnsafeRawBufferPointer?
    /// Ranges of the name that a finding overlaps.
    public var masked: [Range<Int>]
    public var type: Code?
    /// Absent where nothing was answered.
    public var responseCode: Code?
    /// Addresses that were given.
    public var answers: [IPAddress]
    /// Who was asked, if anybody was.
    public var resolver: Endpoint?
    /// Absent where the answer is the gateway's own.
    public var cached: Cached?
    /// Equal questions that this record stands for.
    public var count: Int

    @inlinable public init(
        name: UnsafeRawBufferPointer? = nil, masked: [Range<Int>] = [], type: Code? = nil, responseCode: Code? = nil,
        answers: [IPAddress] = [], resolver: Endpoint? = nil, cached: Cached? = nil, count: Int = 1
    ) {
        self.name = name
        self.masked = masked
        self.type = type
        self.responseCode = responseCode
        self.answers = answers
        self.resolver = resolver
        self.cached = cached
        self.count = count
    }

    /// Addresses written out: more are seldom one name's, and help nobody.
    static let answersMax = 16

    /// No `dns` object of these facts is longer.
    var bound: Int { 256 + LineCursor.bound(quoted: name?.count ?? 0) + 48 * min(answers.count, NameFacts.answersMax) }
}

/// The `dns` object of a line, and before it how many questions the line stands for.
extension LineEncoder {
    mutating func put(_ names: NameFacts, into out: inout LineCursor) {
        if names.count > 1 {
            out.put(",\"count\":")
            out.put(decimal: UInt64(clamping: names.count))
        }
        out.put(",\"dns\":{")
        var first = true
        func key(_ key: StaticString, _ out: inout LineCursor) {
            if !first { out.put(",") }
            first = false
            out.put(quoted: key)
            out.put(":")
        }
        if let name = names.name {
            key("name", &out)
            put(name, masked: names.masked, into: &out)
        }
        if let type = names.type {
            key("type", &out)
            LineEncoder.put(type, else: "TYPE", into: &out)
        }
        if let code = names.responseCode {
            key("rcode", &out)
            LineEncoder.put(code, else: "RCODE", into: &out)
        }
        if names.responseCode != nil {
            key("answers", &out)
            out.put("[")
            for (index, address) in names.answers.prefix(NameFacts.answersMax).enumerated() {
                out.put(index == 0 ? "\"" : ",\"")
                scratch.removeAll()
                scratch.append(address)
                out.put(scratch.readable)
                out.put("\"")
            }
            out.put("]")
        }
        if let resolver = names.resolver {
            key("resolver", &out)
            put(resolver, into: &out)
        }
        if let cached = names.cached {
            key("cached", &out)
            switch cached {
            case .no: out.put("false")
            case .yes: out.put("true")
            case .stale: out.put("\"stale\"")
            }
        }
        out.put("}")
    }

    private static func put(_ code: NameFacts.Code, else prefix: StaticString, into out: inout LineCursor) {
        if let label = code.label { return out.put(quoted: label) }
        out.put("\"")
        out.put(prefix)
        out.put(decimal: UInt64(code.number))
        out.put("\"")
    }
}
