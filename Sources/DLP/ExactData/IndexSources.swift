/// The index files of a configuration as they are opened: each once, whatever names it.
struct IndexSources {
    private struct Name: Hashable {
        var index: String
        var key: String
    }

    private var exact: [Name: ExactIndex] = [:]
    private var documents: [Name: DocumentIndex] = [:]

    /// What is wrong is told with the path of the file.
    mutating func exact(_ index: String, key: String) throws(IndexFault) -> ExactIndex {
        let name = Name(index: index, key: key)
        if let known = exact[name] { return known }
        let secret = try Self.key(key)
        do { exact[name] = try ExactIndex(index, key: secret) } catch { throw error.of("index: \(index)") }
        return try self.exact(index, key: key)
    }

    mutating func documents(_ index: String, key: String) throws(IndexFault) -> DocumentIndex {
        let name = Name(index: index, key: key)
        if let known = documents[name] { return known }
        let secret = try Self.key(key)
        do { documents[name] = try DocumentIndex(index, key: secret) } catch { throw error.of("index: \(index)") }
        return try documents(index, key: key)
    }

    private static func key(_ path: String) throws(IndexFault) -> IndexKey {
        do { return try IndexKey.read(path) } catch { throw error.of("key: \(path)") }
    }
}

extension IndexFault {
    fileprivate func of(_ what: String) -> IndexFault { IndexFault("\(what): \(message)") }
}
