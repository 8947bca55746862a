extension FileScan.Hit {
    /// One object, without the newline.
    public var json: String {
        var line = #"{"path":"# + quoted(path)
        line += #","offset":\#(finding.offset),"raw_offset":\#(finding.rawOffset),"length":\#(finding.length)"#
        line +=
            #","sensor":\#(quoted(finding.sensor)),"rule":\#(quoted(finding.rule))"#
            + #","confidence":"\#(finding.confidence.label)","match":\#(quoted(finding.match))"#
        line += #","decoded":[\#(finding.decoded.map(quoted).joined(separator: ","))]"#
        return line + #","fingerprint":\#(quoted(finding.fingerprint))}"#
    }

    /// As `grep` would say it.
    public var text: String {
        let through = finding.decoded.isEmpty ? "" : " (\(finding.decoded.joined(separator: ", ")))"
        return "\(path):\(finding.offset): \(finding.sensor)/\(finding.rule): \(finding.match)\(through)"
    }
}

extension FileScan.Stats {
    /// The last line of `--stats`.
    public var json: String {
        let outcomes = uninspectable.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { #""\#($0.key.rawValue)":\#($0.value)"# }.joined(separator: ",")
        let rate = (megabytesPerSecond * 10).rounded() / 10
        let time = (seconds * 1e6).rounded() / 1e6
        return #"{"files":\#(files),"bytes":\#(bytes),"inspected_bytes":\#(inspectedBytes),"seconds":\#(time)"#
            + #","mb_per_s":\#(rate),"findings":\#(findings),"overruns":\#(overruns),"uninspectable":{\#(outcomes)}}"#
    }
}

/// A JSON string (RFC 8259 section 7).
private func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": out += "\\\""
        case "\\": out += "\\\\"
        case "\n": out += "\\n"
        case "\r": out += "\\r"
        case "\t": out += "\\t"
        case "\u{0}"..<" ":
            let hex = String(scalar.value, radix: 16)
            out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out + "\""
}
