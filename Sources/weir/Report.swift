import ArgumentParser
import Bytes
import Config
import OS
import Record

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Print the egress exposure report: who talked to which host outside, how often, and what became of it.")

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "table, json or csv.")
    var format = ReportFormat.table

    @Option(help: "Only sessions since a time (2026-11-21T10:00:00Z) or an age (90s, 15m, 24h, 7d).")
    var since: String?

    @Option(help: "The directory of the records, in place of the one in the configuration.")
    var records: String?

    func run() throws {
        let directory = try records ?? Offline.read(options.config).records.directory
        var start: Int64 = 0
        if let since {
            guard let moment = EgressReport.moment(since, now: Clock.wallMicroseconds()) else {
                throw ValidationError("--since: expected 2026-11-21T10:00:00Z or 24h, found \(since)")
            }
            start = moment
        }
        let report = try EgressReport.read(directory: directory, since: start)
        var text = Buffer(capacity: 16 * 1024)
        report.write(format: format, into: &text)
        output(text.readable)
        for note in report.notes { complain(note) }
    }
}

extension ReportFormat: ExpressibleByArgument {}
