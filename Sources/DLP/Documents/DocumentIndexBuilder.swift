/// Makes an index of documents: `begin` each, `feed` its bytes and `end` it, then `finish`.
public final class DocumentIndexBuilder {
    private let key: IndexKey
    private let winnowKey: Winnow.Key
    private let path: String
    private var documents: [DocumentIndex.Document] = []
    private var table: TableBuilder
    private var winnow: Winnow
    private var name = ""
    private var seen: Set<UInt64> = []
    public private(set) var printCount = 0
    /// Documents that are too short to be known again.
    public private(set) var leftOut = 0
    public var documentCount: Int { documents.count }
    /// Those of which every part is in many others.
    public private(set) var commonCount = 0

    public static let nameBytesMax = 512

    /// `path`: of the index, beside which there must be room for twelve bytes a fingerprint while it is built.
    public init(key: IndexKey, path: String) throws(IndexFault) {
        (self.key, self.path) = (key, path)
        winnowKey = Winnow.Key(key)
        winnow = Winnow(winnowKey)
        table = TableBuilder(try Spill(directory: Spill.directory(of: path)))
    }

    // MARK: Documents

    /// Findings call it by this name, of a longer one by its end.
    public func begin(_ name: String) {
        self.name = String(decoding: Array(name.utf8.suffix(Self.nameBytesMax)), as: UTF8.self)
        winnow = Winnow(winnowKey)
        seen.removeAll(keepingCapacity: true)
    }

    public func feed(_ bytes: UnsafeRawBufferPointer) throws(IndexFault) {
        for byte in bytes {
            guard let print = winnow.take(byte), seen.insert(print).inserted else { continue }
            guard printCount < Int(KeyedTable.anyNumber) else {
                throw IndexFault("expected fewer than 2^32 - 1 fingerprints")
            }
            try table.add(print, UInt32(printCount))
            printCount += 1
        }
    }

    public func end() {
        if seen.isEmpty { return leftOut += 1 }
        documents.append(.init(name: name, first: printCount - seen.count, count: seen.count, kept: seen.count))
    }

    // MARK: Writing

    /// Writes the index, whole or not at all.
    public func finish() throws(IndexFault) {
        guard !documents.isEmpty else {
            throw IndexFault("expected a document of at least \(Winnow.bytesMin) letters and digits, found none")
        }
        let none = KeyedTable.Place(offset: 0, count: 0, bucketBits: 0, filterWords: 0, isNumbered: true)
        let headerBytes = header(none, fileBytes: 0).count
        guard headerBytes <= IndexHeader.bytesMax else {
            throw IndexFault("expected names of documents of at most \(IndexHeader.bytesMax) bytes together")
        }
        let file = try IndexFile(path, headerBytes: headerBytes)
        var documents = documents
        let place = try table.write(
            to: file, isNumbered: true, numbersMax: DocumentIndex.documentsPerPrintMax, keepsShared: false,
            dropped: { number in
                if let at = documents.holder(of: Int(number)) { documents[at].kept -= 1 }
            })
        self.documents = documents
        commonCount = documents.count { $0.kept == 0 }
        try file.finish(header: header(place, fileBytes: file.count))
    }

    /// As long whatever the place.
    private func header(_ place: KeyedTable.Place, fileBytes: Int) -> [UInt8] {
        var fields = FieldWriter()
        fields.put(UInt32(documents.count))
        for document in documents {
            fields.put(text: document.name)
            fields.put(UInt32(document.count))
            fields.put(UInt32(document.kept))
        }
        place.write(to: &fields)
        return IndexHeader.make(.documents, fields.bytes, fileBytes: fileBytes, key)
    }
}
