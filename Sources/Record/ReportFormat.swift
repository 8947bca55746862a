import Bytes

/// How a report is written.
public enum ReportFormat: String, Sendable, CaseIterable {
    case table, json, csv
}

extension EgressReport {
    public func write(format: ReportFormat, into text: inout Buffer) {
        switch format {
        case .table: writeTable(&text)
        case .json: writeJSON(&text)
        case .csv: writeCSV(&text)
        }
    }

    private static let header = [
        "Service", "Pods", "Policy Mode", "External Host (IP)", "External Host (FQDN)", "Sessions", "Applications",
        "Action",
    ]

    // MARK: Table

    /// An aligned table in the pipes of Markdown: readable on a terminal and in a document.
    private func writeTable(_ text: inout Buffer) {
        let lines = [EgressReport.header] + rows().map { $0.cells.map(EgressReport.printable) }
        let widths = EgressReport.header.indices.map { column in
            lines.reduce(3) { max($0, $1[column].unicodeScalars.count) }
        }
        for (index, cells) in lines.enumerated() {
            for (cell, width) in zip(cells, widths) {
                text.append("| ")
                text.append(text: cell)
                text.append(repeating: UInt8(ascii: " "), count: width - cell.unicodeScalars.count + 1)
            }
            text.append("|\n")
            if index == 0 {
                for width in widths {
                    text.append("|")
                    text.append(repeating: UInt8(ascii: "-"), count: width + 2)
                }
                text.append("|\n")
            }
        }
    }

    /// Without pipes, which would end the cell, and without control characters, which would reach the terminal.
    private static func printable(_ cell: String) -> String {
        String(
            String.UnicodeScalarView(
                cell.unicodeScalars.map { scalar in
                    scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value) || scalar == "|" ? "?" : scalar
                }))
    }

    // MARK: JSON

    /// One array of objects, in the words of the records.
    private func writeJSON(_ text: inout Buffer) {
        text.append("[")
        for (index, row) in rows().enumerated() {
            text.append(index == 0 ? "\n  " : ",\n  ")
            text.append("{\"service\":")
            text.append(quoted: row.service)
            text.append(",\"pods\":")
            text.append(decimal: UInt64(row.pods))
            text.append(",\"mode\":")
            text.append(quoted: row.mode.label)
            if let address = row.address {
                text.append(",\"address\":\"")
                text.append(address)
                text.append("\"")
            }
            if let fqdn = row.fqdn {
                text.append(",\"fqdn\":")
                text.append(quoted: fqdn)
            }
            text.append(",\"sessions\":")
            text.append(decimal: UInt64(row.sessions))
            text.append(",\"applications\":[")
            for (index, application) in row.applications.enumerated() {
                if index > 0 { text.append(",") }
                text.append(quoted: application.label)
            }
            text.append("],\"action\":")
            text.append(quoted: row.action.label)
            text.append("}")
        }
        text.append("\n]\n")
    }

    // MARK: CSV

    /// RFC 4180, with its CRLF.
    private func writeCSV(_ text: inout Buffer) {
        for cells in [EgressReport.header] + rows().map(\.cells) {
            for (index, cell) in cells.enumerated() {
                if index > 0 { text.append(",") }
                text.append(field: cell)
            }
            text.append("\r\n")
        }
    }
}

extension EgressReport.Row {
    /// The cells of the table.
    fileprivate var cells: [String] {
        [
            service, String(pods), capitalised(mode.label), address?.description ?? "", fqdn ?? "", String(sessions),
            applications.map(\.label.description).joined(separator: ", "), capitalised(action.label),
        ]
    }

    private func capitalised(_ word: StaticString) -> String {
        let word = word.description
        return word.prefix(1).uppercased() + word.dropFirst()
    }
}

extension Buffer {
    fileprivate mutating func append(repeating byte: UInt8, count: Int) {
        for _ in 0..<max(count, 0) { append(byte) }
    }

    /// A field of a CSV file. What a spreadsheet would take for a formula is disarmed by an apostrophe: the names come
    /// from outside.
    fileprivate mutating func append(field: String) {
        let isFormula = field.utf8.first.map { "=+-@\t\r".utf8.contains($0) } ?? false
        let text = isFormula ? "'" + field : field
        guard text.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else {
            append(text: text)
            return
        }
        append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { append(byte) }
            append(byte)
        }
        append(UInt8(ascii: "\""))
    }
}
