/// Looks in one value for the documents of one rule: how many of the fingerprints of each have been seen.
struct DocumentWatch {
    /// What of a rule it needs; the profile has it.
    struct Plan: Sendable {
        /// Index into the rules of the profile.
        var rule: Int
        var index: DocumentIndex
        /// Share of a document's fingerprints that makes a finding.
        var similarity: Double
        var both: Bool
        var holds: Bool
    }

    enum Event: Equatable {
        /// So many bytes of what was fed make it so much of the document of this name.
        case document(String, at: Int)
        case overrun
    }

    /// Bits for the fingerprints of all documents of which something was seen, and the least of one, because each costs more
    /// than its bits: a body of pieces of everything takes no more than a few megabytes.
    private static let bitsMax = 8 << 20
    private static let bitsMin = 512

    let rule: Int
    private let index: DocumentIndex
    private let similarity: Double
    private var winnow: Winnow
    private var seen: [Int: (bits: [UInt64], count: Int)] = [:]
    private var bits = 0
    private var isFull = false

    init(_ plan: Plan) {
        (rule, index, similarity) = (plan.rule, plan.index, plan.similarity)
        winnow = Winnow(plan.index.key)
    }

    /// The next bytes of the value.
    mutating func feed(_ bytes: UnsafeRawBufferPointer) -> [Event] {
        var events: [Event] = []
        for at in 0..<bytes.count {
            guard let print = winnow.take(bytes[at]) else { continue }
            index.find(print) { document, number in
                if let event = note(document, number, at + 1) { events.append(event) }
            }
        }
        return events
    }

    private mutating func note(_ document: Int, _ number: Int, _ at: Int) -> Event? {
        let known = index.documents[document]
        var found = seen[document] ?? ([], 0)
        if found.bits.isEmpty {
            guard bits + max(known.count, Self.bitsMin) <= Self.bitsMax else {
                defer { isFull = true }
                return isFull ? nil : .overrun
            }
            bits += max(known.count, Self.bitsMin)
            found.bits = [UInt64](repeating: 0, count: known.count / 64 + 1)
        }
        let (word, bit) = (number / 64, UInt64(1) << UInt64(number % 64))
        guard found.bits[word] & bit == 0 else { return nil }
        // Taken out, so that the bits are changed where they are.
        seen[document] = nil
        found.bits[word] |= bit
        found.count += 1
        seen[document] = found
        let needed = max(Int((similarity * Double(known.kept)).rounded(.up)), 1)
        return found.count == needed ? .document(known.name, at: at) : nil
    }
}
