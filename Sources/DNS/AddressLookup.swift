import Bytes

/// The gateway's own lookup of one name: its A and its AAAA question, each of which others may be asking too.
struct AddressLookup {
    let name: DomainName
    private var v4: Finding?
    private var v6: Finding?
    /// When it is over though a half is missing; its question goes on for others.
    var ends = Ticks.never

    static let types: [RecordType] = [.a, .aaaa]

    init(_ name: DomainName) { self.name = name }

    mutating func settle(_ type: RecordType, _ finding: Finding) {
        if type == .a { v4 = finding } else { v6 = finding }
    }

    /// The question that is not answered yet, where the other has brought addresses.
    var lacking: RecordType? {
        switch (v4, v6) {
        case (.addresses, nil): .aaaa
        case (nil, .addresses): .a
        default: nil
        }
    }

    var missing: [RecordType] { (v4 == nil ? [.a] : []) + (v6 == nil ? [.aaaa] : []) }

    var answer: Answer? {
        guard let v4, let v6 else { return nil }
        return Answer(v4, v6)
    }
}

extension Finding {
    /// What a kept answer says of addresses, `age` seconds after it came.
    init(_ answer: StoredAnswer, age: UInt32 = 0) {
        let left = answer.lifetimeSeconds > age ? answer.lifetimeSeconds - age : 0
        if answer.responseCode == .noSuchName {
            self = .noSuchName(ttl: left)
        } else if answer.addresses.isEmpty {
            self = .noData(ttl: left)
        } else {
            self = .addresses(answer.addresses, ttl: left)
        }
    }
}
