/// The fields at the head of a part, and what they say of it.
struct PartFields {
    /// Longer heads are read to their end, and what is behind this much says nothing: names are near the front.
    static let bytesMax = 4096

    private var bytes: [UInt8] = []
    /// Of the line: bytes so far, how many of them fit a delimiter, and whether the last was a carriage return.
    private var (lineBytes, matched, isReturn) = (0, 0, false)
    /// A delimiter came where the next field could have been: there is no content.
    private(set) var isCut = false

    /// Reads to the empty line behind the fields, or through a delimiter (without the line feed that it begins with); false
    /// where there is more to come.
    mutating func read(_ input: inout UnsafeRawBufferPointer, until delimiter: [UInt8]) -> Bool {
        while let byte = input.take(min(1, input.count)).first {
            if bytes.count < Self.bytesMax { bytes.append(byte) }
            if byte == 0x0a {
                if lineBytes == (isReturn ? 1 : 0) { return true }
                (lineBytes, matched, isReturn) = (0, 0, false)
                continue
            }
            if matched == lineBytes, byte == delimiter[1 + matched] {
                matched += 1
                isCut = matched == delimiter.count - 1
                if isCut { return true }
            }
            lineBytes += 1
            isReturn = byte == 0x0d
        }
        return false
    }

    var entry: ContainerEntry {
        var (name, file, type): (ArraySlice<UInt8>?, ArraySlice<UInt8>?, ArraySlice<UInt8>?)
        var entry = ContainerEntry(label: "multipart")
        for line in unfolded() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let (field, value) = (line[..<colon].trimmed, line[(colon + 1)...])
            if field.spells("content-disposition") {
                name = FieldParameters.value(of: "name", in: value).map { $0[...] }
                file = FieldParameters.fileName(in: value).map { $0[...] }
            } else if field.spells("content-type") {
                entry.boundary = FieldParameters.boundary(value) ?? []
                type = FieldParameters.value(of: "name", in: value).map { $0[...] }
            } else if field.spells("content-transfer-encoding") {
                entry.transfer = TransferEncoding(value.trimmed)
            }
        }
        let shown = [name, file ?? type].compactMap { $0 }.filter { !$0.isEmpty }
        entry.label = ContainerName.label("multipart", shown.joined(separator: [UInt8(ascii: "=")]))
        return entry
    }

    /// Lines, those that begin with a blank joined to the one before (RFC 5322 section 2.2.3).
    private func unfolded() -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for line in bytes.split(separator: 0x0a, omittingEmptySubsequences: true) {
            let text = line.last == 0x0d ? line.dropLast() : line
            if text.first == 0x20 || text.first == 0x09, let last = lines.popLast() {
                lines.append(last + text)
            } else {
                lines.append(Array(text))
            }
        }
        return lines
    }
}

extension TransferEncoding {
    init(_ name: ArraySlice<UInt8>) {
        if name.isEmpty || ["7bit", "8bit", "binary"].contains(where: { name.spells($0) }) {
            self = .identity
        } else if name.spells("base64") {
            self = .base64
        } else if name.spells("quoted-printable") {
            self = .quotedPrintable
        } else {
            self = .unknown
        }
    }
}

/// What a field of a head says about a multipart body.
public enum Multipart {
    /// The boundary in the value of a Content-Type; nil where that is another type, or has none.
    public static func boundary(_ contentType: UnsafeRawBufferPointer) -> [UInt8]? {
        FieldParameters.boundary(Array(contentType)[...])
    }
}

/// Parameters of a field's value, `; name=token` or `; name="quoted"` (RFC 2045 section 5.1).
enum FieldParameters {
    /// The boundary of a content type, if it is one of multipart.
    static func boundary(_ value: ArraySlice<UInt8>) -> [UInt8]? {
        let kind = value.trimmed.prefix("multipart/".utf8.count)
        guard kind.spells("multipart/") else { return nil }
        return self.value(of: "boundary", in: value).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// With the extended notation (RFC 5987) before the plain one, as receivers prefer it.
    static func fileName(in value: ArraySlice<UInt8>) -> [UInt8]? {
        if let extended = self.value(of: "filename*", in: value) {
            // charset'language'text
            let text = extended.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false).dropFirst(2)
            return percentDecoded(Array(text.joined(separator: [UInt8(ascii: "'")])))
        }
        return self.value(of: "filename", in: value)
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8] {
        var view: [UInt8] = []
        return text.withUnsafeBytes { Percent.decode($0, into: &view) } ? view : text
    }

    static func value(of name: String, in value: ArraySlice<UInt8>) -> [UInt8]? {
        var rest = value
        while let (parameter, text) = next(&rest) {
            if parameter.spells(name) { return text }
        }
        return nil
    }

    /// What follows the next semicolon.
    private static func next(_ rest: inout ArraySlice<UInt8>) -> (ArraySlice<UInt8>, [UInt8])? {
        rest = rest.drop { $0 != UInt8(ascii: ";") }.dropFirst()
        if rest.isEmpty { return nil }
        let name = rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
        rest = rest[name.endIndex...]
        guard rest.first == UInt8(ascii: "=") else { return (name.trimmed, []) }
        rest = rest.dropFirst().drop { $0 == 0x20 || $0 == 0x09 }
        guard rest.first == UInt8(ascii: "\"") else {
            let text = rest.prefix { $0 != UInt8(ascii: ";") }
            rest = rest[text.endIndex...]
            return (name.trimmed, Array(text.trimmed))
        }
        return (name.trimmed, quoted(&rest))
    }

    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        rest = rest.dropFirst()
        while let byte = rest.popFirst(), byte != UInt8(ascii: "\"") {
            // Paths of Windows come with their backslashes as they are: only a quote or a backslash is escaped.
            let isEscape = byte == UInt8(ascii: "\\") && (rest.first == UInt8(ascii: "\"") || rest.first == byte)
            text.append(isEscape ? rest.popFirst() ?? byte : byte)
        }
        return text
    }
}

extension ArraySlice<UInt8> {
    /// Without blanks around it.
    fileprivate var trimmed: ArraySlice<UInt8> {
        let front = drop { $0 == 0x20 || $0 == 0x09 }
        return front[..<(front.lastIndex { $0 != 0x20 && $0 != 0x09 }.map { $0 + 1 } ?? front.startIndex)]
    }

    /// Without regard to the case of letters; `name` is in lower case.
    fileprivate func spells(_ name: String) -> Bool {
        elementsEqual(name.utf8) { (0x41...0x5a).contains($0) ? $0 | 0x20 == $1 : $0 == $1 }
    }
}
