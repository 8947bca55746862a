/// Names out of containers, made fit for a record: they are written by whoever sent the container.
enum ContainerName {
    /// As many bytes of a name are kept; paths of documents and sources are shorter.
    static let bytesMax = 128

    /// `kind:name`, or the kind alone where there is no name.
    static func label(_ kind: StaticString, _ name: some Sequence<UInt8>) -> String {
        let shown = printable(name)
        return shown.isEmpty ? "\(kind)" : "\(kind):\(shown)"
    }

    /// Without what could move a cursor, turn the direction of text or break a line; what is not UTF-8 shows as such.
    static func printable(_ name: some Sequence<UInt8>) -> String {
        var shown = ""
        var bytes = 0
        for scalar in String(decoding: Array(name.prefix(bytesMax)), as: UTF8.self).unicodeScalars {
            bytes += UTF8.width(scalar)
            if bytes > bytesMax { break }
            shown.unicodeScalars.append(isPrintable(scalar) ? scalar : "?")
        }
        return shown
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }
}
