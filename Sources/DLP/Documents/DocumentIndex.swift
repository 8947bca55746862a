/// Fingerprints of the user's own documents, as `weir fingerprint build` made them. Immutable, memory-mapped and shared.
public final class DocumentIndex: Sendable {
    struct Document: Sendable, Equatable {
        var name: String
        /// Number of its first fingerprint, and how many it has.
        var first: Int
        var count: Int
        /// Of these, how many are in the table: the rest are of too many documents.
        var kept: Int
    }

    /// A fingerprint that more documents have is of a form letter and says nothing of one of them.
    static let documentsPerPrintMax = 64

    let documents: [Document]
    let key: Winnow.Key
    private let table: KeyedTable
    /// Keeps the memory of the table.
    private let file: MappedFile

    public init(_ path: String, key: IndexKey) throws(IndexFault) {
        file = try MappedFile(path)
        self.key = Winnow.Key(key)
        var fields = try IndexHeader.open(file.bytes, .documents, key)
        var documents: [Document] = []
        var first = 0
        for _ in 0..<(try fields.u32()) {
            let (name, count, kept) = (try fields.text(), Int(try fields.u32()), Int(try fields.u32()))
            guard kept <= count else { throw IndexFault("is damaged: its documents are not what was written") }
            documents.append(Document(name: name, first: first, count: count, kept: kept))
            first += count
        }
        self.documents = documents
        table = try KeyedTable(file.bytes, try KeyedTable.Place.read(from: &fields))
        guard table.place.isNumbered else { throw IndexFault("is damaged: its tables are not what was written") }
    }

    /// Tells each document that has the fingerprint, and which of its fingerprints that is.
    func find(_ print: UInt64, _ each: (_ document: Int, _ at: Int) -> Void) {
        for entry in table.find(print) {
            let number = Int(table.number(entry))
            if let at = documents.holder(of: number) { each(at, number - documents[at].first) }
        }
    }
}

extension [DocumentIndex.Document] {
    /// The document that a fingerprint is of.
    func holder(of number: Int) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle].first + self[middle].count <= number { low = middle + 1 } else { high = middle }
        }
        return low < count && self[low].first <= number ? low : nil
    }
}
