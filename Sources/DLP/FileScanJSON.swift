import Bytes

extension FileScan.Hit {
    /// One object, without the newline.
    public var json: String {
        var line = #"{"path":"# + jsonString(path.text)
        // A name that is no UTF-8 cannot be told in JSON.
        if !path.isText { line += #","path_hex":""# + path.bytes.map { hexadecimal($0) }.joined() + #"""# }
        line += #","offset":\#(finding.offset),"raw_offset":\#(finding.rawOffset),"length":\#(finding.length)"#
        if let place { line += #","line":\#(place.line),"column":\#(place.column)"# }
        line +=
            #","sensor":\#(jsonString(finding.sensor)),"rule":\#(jsonString(finding.rule))"#
            + #","confidence":"\#(finding.confidence.label)","match":\#(jsonString(finding.match))"#
        if !finding.excerpt.isEmpty { line += #","excerpt":\#(jsonString(finding.excerpt))"# }
        line += #","decoded":[\#(finding.decoded.map(jsonString).joined(separator: ","))]"#
        line += #","version":"\#(finding.version)","fingerprint":\#(jsonString(finding.fingerprint))"#
        if let sealed = finding.sealed { line += #","sealed":\#(jsonString(sealed))"# }
        return line + "}"
    }

    /// As `grep` would say it.
    public func text(colors: Bool) -> String {
        func paint(_ text: String, _ color: Int) -> String { colors ? "\u{1b}[\(color)m\(text)\u{1b}[0m" : text }
        let place = place.map { ":" + paint("\($0.line)", 32) + ":\($0.column)" } ?? ""
        let through = finding.decoded.isEmpty ? "" : ", \(finding.decoded.joined(separator: ", "))"
        return paint(path.shown, 35) + place + ": " + paint("\(finding.sensor)/\(finding.rule)", 36) + ": "
            + paint(finding.match, 31) + " (offset \(finding.offset)\(through))"
    }
}

private func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

/// A JSON string (RFC 8259 section 7).
public func jsonString(_ text: String) -> String {
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
