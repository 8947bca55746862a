import Bytes

/// The text of the state file: what was learned, one rule a line, fields apart by tabs.
///
///     weir learned rules 1
///     myapp.default	canarytokens.com	80	HTTP
///     end	1	cbf29ce484222325
///
/// The last line has the number of rules and a checksum of all before it, so that a file cut short is told from a
/// whole one wherever the cut falls. Reading takes every line that is good and reports the rest.
enum LearnedState {
    /// What was read, and what was wrong with the rest.
    struct Reading {
        var rules: [LearnedRule] = []
        var damage = Damage()
    }

    /// Complaints, of which only the first are spelt out: a file of garbage has many.
    struct Damage {
        private(set) var count = 0
        private(set) var messages: [String] = []
        static let messagesMax = 20

        mutating func note(_ message: String) {
            count += 1
            if messages.count < Damage.messagesMax { messages.append(message) }
        }
    }

    private static let title = "weir learned rules "
    private static let version = "1"
    private static let trailer = "end"

    // MARK: - Writing

    static func encode(_ rules: [LearnedRule], into buffer: inout Buffer) {
        buffer.append(text: title + version + "\n")
        for rule in rules {
            buffer.append(text: "\(rule.service)\t\(rule.host)\t\(rule.port)\t\(rule.application.label)\n")
        }
        let sum = checksum(buffer.readable)
        buffer.append(text: "\(trailer)\t\(rules.count)\t\(String(sum, radix: 16))\n")
    }

    /// FNV-1a: it tells damage from none, not malice.
    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    // MARK: - Reading

    static func decode(_ bytes: UnsafeRawBufferPointer) -> Reading {
        var reading = Reading()
        var lines = Lines(bytes: bytes)
        guard let first = lines.next(), let header = text(first.bytes), header.hasPrefix(title) else {
            reading.damage.note("line 1: this is not a file of learned rules")
            return reading
        }
        guard header == title + version else {
            reading.damage.note("line 1: version `\(header.dropFirst(title.count))` is not known, only \(version) is")
            return reading
        }
        var written = 0
        while let line = lines.next() {
            if !line.isWhole {
                reading.damage.note("line \(line.number): the file ends within this line")
                return reading
            }
            let fields = text(line.bytes)?.split(separator: "\t", omittingEmptySubsequences: false) ?? []
            if fields.first.map({ $0 == trailer }) == true, fields.count == 3 {
                let sum = checksum(UnsafeRawBufferPointer(rebasing: bytes[..<line.start]))
                if fields[1] != String(written) || fields[2] != String(sum, radix: 16) {
                    reading.damage.note("line \(line.number): the rules above are not the \(fields[1]) that were saved")
                }
                if lines.next() != nil { reading.damage.note("line \(line.number): more follows after the end") }
                return reading
            }
            written += 1
            if let rule = rule(fields) {
                reading.rules.append(rule)
            } else {
                reading.damage.note("line \(line.number): this is not a learned rule")
            }
        }
        reading.damage.note("the file ends before its last line")
        return reading
    }

    private static func rule(_ fields: [Substring]) -> LearnedRule? {
        guard fields.count == 4, Service.isName(String(fields[0])), let host = Host(String(fields[1])),
            let port = UInt16(fields[2]), let application = applications[String(fields[3])]
        else { return nil }
        return LearnedRule(service: String(fields[0]), host: host, port: port, application: application)
    }

    private static let applications = Dictionary(
        uniqueKeysWithValues: Application.allCases.map { ("\($0.label)", $0) })

    private static func text(_ bytes: UnsafeRawBufferPointer) -> String? {
        String(validating: bytes, as: UTF8.self)
    }

    /// The lines of a file, with whether each has its line feed.
    private struct Lines {
        struct Line {
            let number: Int
            let start: Int
            let bytes: UnsafeRawBufferPointer
            let isWhole: Bool
        }

        let bytes: UnsafeRawBufferPointer
        private var at = 0
        private var number = 0

        init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        mutating func next() -> Line? {
            guard at < bytes.count else { return nil }
            let start = at
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            at = end.map { $0 + 1 } ?? bytes.count
            number += 1
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<(end ?? bytes.count)])
            return Line(number: number, start: start, bytes: line, isWhole: end != nil)
        }
    }
}
