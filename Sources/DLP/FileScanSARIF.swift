extension FileScan {
    /// A rule that a scan reads with.
    public struct Rule: Sendable {
        public var sensor: String
        public var name: String
        /// What it finds, in one line.
        public var about: String
        /// Of what it is made of.
        public var version: String

        /// As results name it.
        public var id: String { "\(sensor)/\(name)" }
    }
}

/// Results in SARIF 2.1.0 (OASIS): a head with all rules, one result after the other, and an end.
public struct SARIF: Sendable {
    private let version: String
    private let rules: [FileScan.Rule]
    private let places: [String: Int]
    private let fingerprints: Bool

    /// - Parameters:
    ///   - version: of the program.
    ///   - fingerprints: they are told, because those of another scan are made with the same key.
    public init(version: String, rules: [FileScan.Rule], fingerprints: Bool) {
        (self.version, self.rules, self.fingerprints) = (version, rules, fingerprints)
        places = Dictionary(rules.enumerated().map { ($1.id, $0) }) { first, _ in first }
    }

    public var head: String {
        let told = rules.map { rule in
            let about = jsonString(rule.about.isEmpty ? "Rule \(rule.name) of sensor \(rule.sensor)" : rule.about)
            return
                #"{"id":\#(jsonString(rule.id)),"name":\#(jsonString(rule.name)),"shortDescription":{"text":\#(about)},"#
                + #""fullDescription":{"text":\#(about)},"defaultConfiguration":{"level":"warning"},"#
                + #""properties":{"tags":["security"],"version":"\#(rule.version)"}}"#
        }
        return #"{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"#
            + #""tool":{"driver":{"name":"weir","version":\#(jsonString(version)),"rules":[\#n"#
            + told.joined(separator: ",\n") + "\n]}}," + #""columnKind":"unicodeCodePoints","results":["#
    }

    /// One result, for which a comma stands between two.
    public func result(_ hit: FileScan.Hit) -> String {
        let finding = hit.finding
        let id = "\(finding.sensor)/\(finding.rule)"
        let index = places[id].map { #","ruleIndex":\#($0)"# } ?? ""
        let level =
            switch finding.confidence {
            case .high: "error"
            case .medium: "warning"
            case .low: "note"
            }
        var result = #"{"ruleId":\#(jsonString(id))\#(index),"level":"\#(level)","message":{"text":"#
        result += jsonString("\(id): \(finding.match)")
        result += #"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":\#(jsonString(Self.uri(hit.path)))},"#
        result += #""region":\#(Self.region(hit))}}],"#
        if fingerprints { result += #""partialFingerprints":{"weirMatch/v1":"\#(finding.fingerprint)"},"# }
        result += #""properties":{"confidence":"\#(finding.confidence.label)","offset":\#(finding.offset),"#
        result += #""rawOffset":\#(finding.rawOffset),"decoded":["#
        return result + finding.decoded.map(jsonString).joined(separator: ",") + "]}}"
    }

    /// - Parameter failures: what could not be read, and why.
    public func end(failures: [String], exitCode: Int) -> String {
        let told = failures.map { #"{"level":"error","message":{"text":\#(jsonString($0))}}"# }
        return "\n" + #"],"invocations":[{"executionSuccessful":\#(failures.isEmpty),"exitCode":\#(exitCode),"#
            + #""toolExecutionNotifications":[\#(told.joined(separator: ","))]}]}]}"# + "\n"
    }

    /// Of a match that was decoded there is no more than where it begins.
    private static func region(_ hit: FileScan.Hit) -> String {
        var region = ""
        if let place = hit.place { region += #""startLine":\#(place.line),"startColumn":\#(place.column),"# }
        if let end = hit.end { region += #""endLine":\#(end.line),"endColumn":\#(end.column),"# }
        region += #""byteOffset":\#(hit.finding.rawOffset)"#
        if hit.finding.decoded.isEmpty { region += #","byteLength":\#(hit.finding.length)"# }
        return "{\(region)}"
    }

    /// RFC 3986: relative as the path is, without a `./` before it.
    private static func uri(_ path: ScanPath) -> String {
        var bytes = path.bytes[...]
        while bytes.starts(with: "./".utf8) { bytes = bytes.dropFirst(2) }
        var uri = bytes.first == UInt8(ascii: "/") ? "file://" : ""
        for byte in bytes {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x2f, 0x5f, 0x7e:
                uri.unicodeScalars.append(UnicodeScalar(byte))
            default: uri += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return uri
    }
}
