import Bytes
import COpenSSL
import DLP
import Glibc

/// The readers of files that come from outside: CSV gives the same records in any cut, an index that is built of them has
/// their values, and one that was changed is refused or looked up in without harm.
///
/// Input: a count of changes, whether the header is signed anew, whether documents follow, a piece size, the changes (an offset
/// of two bytes and a byte each), then the CSV or the documents.
let directory = "/dev/shm/weir-fuzz-\(getpid())"
let path = "\(directory)/built.edm"
let changed = "\(directory)/changed.edm"
private let isReady: Bool = {
    atexit {
        unlink(path)
        unlink(changed)
        rmdir(directory)
    }
    return mkdir(directory, 0o700) == 0
}()
let secret = Array("a key for the fuzz target".utf8)
let key = try? IndexKey(secret)
private let columns = ["alnum", "digits", "name", "email", "date-dmy"].enumerated().compactMap { index, type in
    ColumnForm.named(type).map { ExactIndexBuilder.Column(name: "\(index + 1)", form: $0) }
}

@c(LLVMFuzzerTestOneInput)
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard count > 2, let start, isReady else { return 0 }
    let input = Input(UnsafeBufferPointer(start: start, count: count))
    if input.isOfDocuments { fuzzDocuments(input) } else { fuzzRecords(input) }
    return 0
}

struct Input {
    let text: UnsafeBufferPointer<UInt8>
    let isOfDocuments: Bool
    let piece: Int
    private let changes: UnsafeBufferPointer<UInt8>
    private let isSigned: Bool

    init(_ input: UnsafeBufferPointer<UInt8>) {
        let end = 2 + 3 * min(Int(input[0] & 15), (input.count - 2) / 3)
        (isSigned, isOfDocuments) = (input[0] & 0x80 != 0, input[0] & 0x40 != 0)
        piece = Int(input[1]) % 32 + 1
        changes = UnsafeBufferPointer(rebasing: input[2..<end])
        text = UnsafeBufferPointer(rebasing: input[end...])
    }

    /// A file as it is after the changes, or nil where there are none.
    func change(_ file: [UInt8]) -> [UInt8]? {
        var bytes = file
        for place in stride(from: 0, to: changes.count, by: 3) {
            bytes[(Int(changes[place]) | Int(changes[place + 1]) << 8) % bytes.count] = changes[place + 2]
        }
        if isSigned { sign(&bytes) }
        return changes.isEmpty ? nil : bytes
    }
}

private func fuzzRecords(_ input: Input) {
    let text = UnsafeRawBufferPointer(input.text)
    let whole = records(text, piece: text.count)
    precondition(whole == records(text, piece: input.piece), "a cut changes the records")
    guard let entries = build(text), let key, let bytes = content(path) else { return }
    guard let index = try? ExactIndex(path, key: key) else { preconditionFailure("refused as built") }
    for (at, column) in columns.enumerated() {
        let found = whole.count { $0.indices.contains(at) && holds(index, $0[at], column.name) }
        precondition(found >= entries[at], "what was taken is not there")
    }
    guard let harmed = input.change(bytes), write(harmed, to: changed) else { return }
    guard let index = try? ExactIndex(changed, key: key) else { return }
    for record in whole {
        for field in record { for name in index.columnNames { _ = holds(index, field, name) } }
    }
}

private func holds(_ index: ExactIndex, _ field: [UInt8], _ name: String) -> Bool {
    field.withUnsafeBytes { index.holds($0, in: name) }
}

/// The fields of all records that are read, and where that broke.
private func records(_ text: UnsafeRawBufferPointer, piece: Int) -> [[[UInt8]]] {
    var reader = CSVReader()
    var told: [[[UInt8]]] = []
    func take() { told.append((0..<reader.fieldCount).map { Array(reader.field($0)) }) }
    do {
        for from in stride(from: 0, to: text.count, by: max(piece, 1)) {
            var at = 0
            let bytes = UnsafeRawBufferPointer(rebasing: text[from..<min(text.count, from + max(piece, 1))])
            while try reader.step(bytes, &at) == .record { take() }
        }
        if try reader.finish() == .record { take() }
    } catch {
        told.append([Array("\(error)".utf8)])
    }
    return told
}

/// Values of each column, or nil where nothing was built.
private func build(_ text: UnsafeRawBufferPointer) -> [Int]? {
    var options = ExactIndexBuilder.Options()
    options.hasHeader = false
    guard let key, let builder = try? ExactIndexBuilder(columns, key: key, path: path, options: options),
        (try? builder.feed(text)) != nil, let reports = try? builder.finish()
    else { return nil }
    return reports.map(\.entries)
}

/// Who has the key can make any header: what it says must not be believed even so.
private func sign(_ bytes: inout [UInt8]) {
    let count = bytes[12..<16].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard count >= 56, count <= bytes.count else { return }
    for at in 40..<56 { bytes[at] = 0 }
    let tag = hmac(hmac(hmac(Array("weir index key".utf8), secret), Array("tag".utf8)), Array(bytes[..<count]))
    bytes.replaceSubrange(40..<56, with: tag[..<16])
}

private func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &digest, nil)
    return digest
}

// MARK: Files

func content(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    return Array(bytes.prefix(fread(&bytes, 1, bytes.count, file)))
}

func write(_ bytes: [UInt8], to path: String) -> Bool {
    guard let file = fopen(path, "w") else { return false }
    defer { fclose(file) }
    return fwrite(bytes, 1, bytes.count, file) == bytes.count
}
