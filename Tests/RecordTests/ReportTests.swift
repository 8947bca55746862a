import Bytes
import Glibc
import Testing

@testable import Record

@Suite struct ReportTests {
    private func session(
        _ number: Int, _ service: String, _ pod: String?, _ mode: Mode, _ destination: String?,
        _ application: Application, _ action: Action, fqdn: String? = nil, dialed: String? = nil,
        kind: SessionRecord.Kind = .session,
        at seconds: Int64 = 0, duration: Int64 = 0
    ) -> String {
        var record = SessionRecord.sample(number)
        record.kind = kind
        record.startMicroseconds += seconds * 1_000_000
        record.durationMicroseconds = duration * 1_000_000
        (record.service, record.pod, record.mode) = (service, pod, mode)
        record.destination = destination.map(endpoint)
        record.dialed = dialed.map(endpoint)
        record.fqdn = fqdn.flatMap { DomainName($0) }
        (record.application, record.action) = (application, action)
        return String(record.line().dropLast())
    }

    private func report(_ lines: [String], since: Int64 = 0, _ bounds: EgressReport.Bounds = .init()) -> EgressReport {
        var report = EgressReport(since: since, bounds: bounds)
        for line in lines { withBytes(line) { report.add(line: $0) } }
        return report
    }

    private func text(_ report: EgressReport, _ format: ReportFormat) -> String {
        var text = Buffer()
        report.write(format: format, into: &text)
        return text.text
    }

    private var story: [String] {
        [
            session(1, "coredns.kube-system", "coredns-1", .discover, "192.168.49.1:53", .dns, .allow),
            session(2, "coredns.kube-system", "coredns-1", .discover, "192.168.49.1:53", .dns, .allow),
            session(3, "dh157.default", "dh157", .monitor, "10.96.0.10:53", .dns, .alert),
            session(4, "dh157.default", "dh157", .monitor, "10.96.0.10:53", .dns, .alert),
            session(5, "dh157.default", "dh157", .monitor, "10.96.0.10:53", .dns, .allow),
            session(6, "dh157.default", "dh157", .monitor, "10.96.0.10:53", .dns, .alert),
            session(7, "dh157.default", "dh157", .monitor, "52.18.63.80:80", .http, .alert, fqdn: "canarytokens.com"),
        ]
    }

    /// The table as a security team knows it.
    @Test func table() {
        let expected = """
            | Service             | Pods | Policy Mode | External Host (IP) | External Host (FQDN) | Sessions | Applications | Action |
            |---------------------|------|-------------|--------------------|----------------------|----------|--------------|--------|
            | coredns.kube-system | 1    | Discover    | 192.168.49.1       |                      | 2        | DNS          | Allow  |
            | dh157.default       | 1    | Monitor     | 10.96.0.10         |                      | 4        | DNS          | Alert  |
            | dh157.default       | 1    | Monitor     | 52.18.63.80        | canarytokens.com     | 1        | HTTP         | Alert  |

            """
        #expect(text(report(story), .table) == expected)
        #expect(text(report([]), .table).split(separator: "\n").count == 2)
    }

    @Test func json() {
        let expected = """
            [
              {"service":"coredns.kube-system","pods":1,"mode":"discover","address":"192.168.49.1","sessions":2,"applications":["DNS"],"action":"allow"},
              {"service":"dh157.default","pods":1,"mode":"monitor","address":"10.96.0.10","sessions":4,"applications":["DNS"],"action":"alert"},
              {"service":"dh157.default","pods":1,"mode":"monitor","address":"52.18.63.80","fqdn":"canarytokens.com","sessions":1,"applications":["HTTP"],"action":"alert"}
            ]

            """
        #expect(text(report(story), .json) == expected)
        #expect(isJSON(text(report(story), .json)))
        #expect(isJSON(text(report([]), .json)))
    }

    @Test func csv() {
        let lines = [
            session(1, "=cmd|' /C calc'!A0", nil, .discover, "[2001:db8::1]:443", .tls, .allow),
            session(2, "=cmd|' /C calc'!A0", nil, .protect, "[2001:db8::1]:443", .http2, .deny),
            session(3, "a \"b\", c", "p", .discover, nil, .tcp, .allow),
            session(4, "-1+1", "p", .discover, nil, .tcp, .allow),
        ]
        let expected = [
            "Service,Pods,Policy Mode,External Host (IP),External Host (FQDN),Sessions,Applications,Action",
            "'-1+1,1,Discover,,,1,TCP,Allow",
            "'=cmd|' /C calc'!A0,0,Protect,2001:db8::1,,2,\"HTTP2, TLS\",Deny",
            "\"a \"\"b\"\", c\",1,Discover,,,1,TCP,Allow", "",
        ]
        #expect(text(report(lines), .csv) == expected.joined(separator: "\r\n"))
    }

    @Test func cellsCannotBreakTheTable() {
        let line = replacing(session(1, "evil", nil, .discover, nil, .tcp, .allow), "evil", #"e|v\u001b[31mil"#)
        #expect(text(report([line]), .table).contains("| e?v?[31mil |"))
    }

    @Test func whatARowAddsUp() {
        let lines = [
            session(1, "a", "p1", .protect, "1.1.1.1:80", .http, .redact, fqdn: "x.example", at: 10),
            session(2, "a", "p2", .discover, "1.1.1.1:443", .tls, .allow, fqdn: "x.example", at: 5),
            session(3, "a", "p1", .discover, "9.9.9.9:443", .grpc, .alert, fqdn: "x.example", dialed: "1.1.1.1:443"),
            session(4, "a", "p1", .discover, "1.1.1.1:80", .http, .deny, fqdn: "y.example"),
        ]
        let rows = report(lines).rows()
        #expect(rows.count == 2)
        #expect(
            rows.first
                == EgressReport.Row(
                    service: "a", pods: 2, mode: .protect, address: IPAddress("1.1.1.1"), fqdn: "x.example",
                    sessions: 3, applications: [.http, .grpc, .tls], action: .redact))
        #expect(rows.last?.fqdn == "y.example")
    }

    @Test func openSessionsCountOnce() {
        let open = session(1, "a", "p", .discover, "1.1.1.1:22", .ssh, .allow, kind: .open)
        let end = session(1, "a", "p", .discover, "1.1.1.1:22", .ssh, .deny)
        #expect(report([open]).rows().map(\.sessions) == [1])
        #expect(report([open, open]).rows().map(\.sessions) == [1])
        #expect(report([open, end]).rows().map(\.sessions) == [1])
        #expect(report([open, end]).rows().map(\.action) == [.deny])
    }

    @Test func since() {
        let lines = [
            session(1, "old", nil, .discover, nil, .tcp, .allow),
            session(2, "long", nil, .discover, nil, .tcp, .allow, duration: 100),
            session(3, "new", nil, .discover, nil, .tcp, .allow, at: 50),
            session(4, "open", nil, .discover, nil, .tcp, .allow, kind: .open),
        ]
        #expect(report(lines, since: someTime + 50_000_000).rows().map(\.service) == ["long", "new"])
        #expect(report(lines, since: someTime + 50_000_001).rows().map(\.service) == ["long"])
    }

    @Test func boundsAreSaid() {
        let lines = (0..<6).map { number in
            session(number, "s\(number / 2)", "p\(number)", .discover, nil, .tcp, .allow)
        }
        let open = (0..<3).map { session($0, "o", nil, .discover, nil, .tcp, .allow, kind: .open) }
        let full = report(lines + ["junk", ""], EgressReport.Bounds(rows: 2, pods: 3, open: 1))
        #expect(full.rows().map(\.sessions) == [2, 2])
        #expect(full.rows().map(\.pods) == [2, 1])
        #expect(full.badLines == 2)
        #expect(
            full.notes == [
                "2 lines were not session records and were skipped",
                "2 sessions are left out: the report holds 2 rows",
                "pods are counted low: the report knows 3 of them",
            ])
        #expect(report(open, EgressReport.Bounds(rows: 2, pods: 3, open: 1)).notes.count == 1)
        #expect(report(lines).notes == [])
    }

    // MARK: Files

    @Test func filesAreReadOldestFirst() throws {
        let directory = TemporaryDirectory()
        func line(_ number: Int, _ mode: Mode) -> String {
            session(number, "a", nil, mode, nil, .tcp, .allow) + "\n"
        }
        directory.write("sessions.jsonl.10", line(1, .discover))
        directory.write("sessions.jsonl.2", "torn" + line(2, .monitor) + line(3, .monitor))
        directory.write("sessions.jsonl", line(4, .protect) + line(5, .protect).dropLast(30))
        directory.write("sessions.jsonl.old", line(6, .protect))
        directory.write("events.jsonl", line(7, .protect))
        let report = try EgressReport.read(directory: directory.path)
        #expect(report.rows().map(\.sessions) == [3])
        #expect(report.rows().map(\.mode) == [.protect])
        #expect(report.badLines == 1)
    }

    @Test func longLinesAreSkippedAndTheRestRead() throws {
        let directory = TemporaryDirectory()
        let good = session(1, "a", nil, .discover, nil, .tcp, .allow)
        let long = String(repeating: "x", count: 3_000_000)
        let many = (0..<2000).map { session($0, "a", nil, .discover, nil, .tcp, .allow) }.joined(separator: "\n")
        directory.write("sessions.jsonl", "\(good)\n\(long)\n\(many)\n\(good)")
        let report = try EgressReport.read(directory: directory.path)
        #expect(report.badLines == 1)
        #expect(report.rows().map(\.sessions) == [2002])
    }

    @Test func aMissingDirectoryIsAnError() throws {
        let error = #expect(throws: RecordError.self) { try EgressReport.read(directory: "/nonexistent/records") }
        #expect(error?.errno == ENOENT)
        let empty = TemporaryDirectory()
        #expect(try EgressReport.read(directory: empty.path).rows() == [])
    }

    /// The report runs beside a gateway that writes and rotates: it never fails, and what it counts is there.
    @Test func readingWhileWriting() throws {
        let directory = TemporaryDirectory()
        var settings = RecordWriter.Settings(directory: directory.path)
        settings.rotateBytes = 20_000
        settings.keep = 100
        let writer = try RecordWriter.open(settings)
        onThreads(2) { index in
            if index == 0 {
                let recorder = Recorder(writer: writer)
                for number in 0..<2000 {
                    while !recorder.reserve() { usleep(100) }
                    recorder.append(SessionRecord.sample(number))
                    recorder.flush()
                }
            } else {
                var last = 0
                for _ in 0..<20 {
                    guard let report = try? EgressReport.read(directory: directory.path) else {
                        Issue.record("unreadable")
                        return
                    }
                    let count = report.rows().first?.sessions ?? 0
                    #expect(report.badLines == 0)
                    #expect(count >= last)
                    last = count
                }
            }
        }
        #expect(writer.drain(timeout: .seconds(10)))
        #expect(try EgressReport.read(directory: directory.path).rows().map(\.sessions) == [2000])
    }
}
