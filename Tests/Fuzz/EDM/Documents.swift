import Bytes
import DLP
import Glibc

/// Files of fingerprints: one that is built of any text finds that text again in any cut, and one that was changed is refused
/// or looked up in without harm.
private let keyPath = "\(directory)/key"

/// `input`: what says of changes, then the documents, with a zero between them.
func fuzzDocuments(_ input: Input) {
    let documents = input.text.split(separator: 0).map(Array.init)
    defer { unlink(keyPath) }
    guard write(secret, to: keyPath), buildIndex(of: documents), let bytes = content(path) else { return }
    guard let profile = open(path) else { preconditionFailure("refused as built") }
    for document in documents {
        let whole = found(profile, document, piece: document.count)
        precondition(whole == found(profile, document, piece: input.piece), "a cut changes the findings")
    }
    if documents.count == 1 {
        precondition(found(profile, documents[0], piece: documents[0].count) == ["0"], "what was taken is not there")
    }
    guard let harmed = input.change(bytes), write(harmed, to: changed), let profile = open(changed) else { return }
    for document in documents { _ = found(profile, document, piece: document.count) }
}

private func open(_ index: String) -> Profile? {
    let spec = DocumentsSpec(index: index, key: keyPath, similarity: 1)
    let sensor = SensorSpec(name: "papers", rules: [SensorRuleSpec(name: "r", documents: spec)])
    let compiled = Database.compile([sensor], used: [], limits: Limits(), fingerprintKey: secret)
    guard let database = try? compiled.get() else { return nil }
    return Profile(database, [Attachment(sensor: "papers", action: .deny)], enforcing: true, hold: 0)
}

/// Names of the documents that are found.
private func found(_ profile: Profile, _ text: [UInt8], piece: Int) -> [String] {
    let inspection = Inspection(scratch: Scratch())
    inspection.reset(profile)
    inspection.open(.request, as: .body, codings: [], decodes: false)
    text.withUnsafeBytes { bytes in
        for from in stride(from: 0, to: bytes.count, by: max(piece, 1)) {
            let end = min(bytes.count, from + max(piece, 1))
            inspection.feed(.request, UnsafeRawBufferPointer(rebasing: bytes[from..<end]), end: end == bytes.count)
        }
    }
    return inspection.findings.map(\.match)
}

private func buildIndex(of documents: [[UInt8]]) -> Bool {
    guard let key, let builder = try? DocumentIndexBuilder(key: key, path: path) else { return false }
    for (at, document) in documents.enumerated() {
        builder.begin("\(at)")
        guard (try? document.withUnsafeBytes { try builder.feed($0) }) != nil else { return false }
        builder.end()
    }
    return (try? builder.finish()) != nil
}
