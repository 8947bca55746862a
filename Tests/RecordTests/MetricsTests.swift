import Bytes
import Testing

@testable import Record

@Suite struct MetricsTests {
    private func sample() -> Counters {
        var counters = Counters(services: 2)
        counters.addSession(service: 0, application: .http, action: .allow)
        counters.addSession(service: 1, application: .cassandra, action: .deny)
        counters.addSession(service: 1, application: .cassandra, action: .deny)
        counters.addBytes(service: 1, out: 512, in: 90)
        counters.addFinding(service: 1, sensor: 0, action: .redact)
        counters.addInspected(bytes: 1000, nanoseconds: 1_500_001_000)
        counters.addUninspectable(reason: "decode_depth")
        counters.opened(.client)
        counters.opened(.client)
        counters.closed(.client)
        counters.closed(.upstream)
        counters.addUpstreamConnect(microseconds: 50)
        counters.addUpstreamConnect(microseconds: 51)
        counters.addUpstreamConnect(microseconds: 20_000_000)
        counters.addLatency(microseconds: -5)
        counters.addQuery(action: .allow, responseCode: 0)
        counters.addQuery(action: .allow, responseCode: 0)
        counters.addQuery(action: .deny, responseCode: 5)
        // Another operation's code, one beyond the header's four bits, and no answer.
        counters.addQuery(action: .allow, responseCode: 6)
        counters.addQuery(action: .allow, responseCode: 23)
        counters.addQuery(action: .deny, responseCode: nil)
        counters.cachedAnswers = 9
        return counters
    }

    private func text(_ counters: Counters, _ services: [String] = ["a.b", "we\"ird\\\n"], _ gauges: Gauges? = nil)
        -> String
    {
        var text = Buffer()
        MetricsText.write(
            counters: counters, services: services, sensors: ["ssn-fr"],
            gauges: gauges ?? Gauges(version: "1.0", configGeneration: 7, reloadsFailed: 2, recordsBlocked: true),
            into: &text)
        return text.text
    }

    @Test(arguments: [
        #"weir_sessions_total{service="a.b",application="HTTP",action="allow"} 1"#,
        #"weir_sessions_total{service="we\"ird\\\n",application="Cassandra",action="deny"} 2"#,
        #"weir_bytes_total{service="we\"ird\\\n",direction="out"} 512"#,
        #"weir_bytes_total{service="we\"ird\\\n",direction="in"} 90"#,
        #"weir_bytes_total{service="a.b",direction="in"} 0"#,
        #"weir_findings_total{service="we\"ird\\\n",sensor="ssn-fr",action="redact"} 1"#,
        "weir_inspected_bytes_total 1000", "weir_inspection_seconds_total 1.500001",
        #"weir_uninspectable_total{reason="decode_depth"} 1"#, #"weir_connections{side="client"} 1"#,
        #"weir_connections{side="upstream"} -1"#, #"weir_reloads_total{result="success"} 0"#,
        #"weir_reloads_total{result="failure"} 2"#, "weir_config_generation 7", "weir_records_queued 0",
        "weir_records_blocked 1", "weir_records_dropped_total 0", #"weir_build_info{version="1.0"} 1"#,
        #"weir_upstream_connect_seconds_bucket{le="0.00005"} 1"#,
        #"weir_upstream_connect_seconds_bucket{le="0.0001"} 2"#,
        #"weir_upstream_connect_seconds_bucket{le="10"} 2"#, #"weir_upstream_connect_seconds_bucket{le="+Inf"} 3"#,
        "weir_upstream_connect_seconds_sum 20.000101", "weir_upstream_connect_seconds_count 3",
        #"weir_added_latency_seconds_bucket{le="0.00005"} 1"#,
        #"weir_dns_queries_total{action="allow",rcode="NOERROR"} 2"#,
        #"weir_dns_queries_total{action="deny",rcode="REFUSED"} 1"#,
        #"weir_dns_queries_total{action="allow",rcode="other"} 2"#,
        #"weir_dns_queries_total{action="deny",rcode="none"} 1"#, "weir_dns_cache_entries 9",
    ])
    func line(_ line: String) {
        #expect(text(sample()).split(separator: "\n").contains(Substring(line)))
    }

    /// The text keeps the rules of the format: names, escapes, one HELP and TYPE a family before its samples, families
    /// together, buckets that only grow.
    @Test func theFormatIsKept() throws {
        var families: [String: String] = [:]
        var current = ""
        var seen: Set<String> = []
        var bucket = 0.0
        for line in text(sample()).split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if line.hasPrefix("#") {
                try #require(words.count == 4)
                if words[1] == "HELP" {
                    #expect(families[words[2]] == nil, "\(words[2]) twice")
                    current = words[2]
                } else {
                    #expect(words[1] == "TYPE" && words[2] == current)
                    #expect(["counter", "gauge", "histogram"].contains(words[3]))
                    families[current] = words[3]
                }
                continue
            }
            let sample = try #require(Sample(String(line)), "\(line)")
            #expect(seen.insert(sample.series).inserted, "\(sample.series) twice")
            let type = try #require(families[current])
            if type == "histogram" {
                #expect([current + "_bucket", current + "_sum", current + "_count"].contains(sample.name))
                if sample.name.hasSuffix("_bucket") {
                    #expect(sample.value >= (sample.series.contains("0.00005") ? 0 : bucket))
                    bucket = sample.value
                }
            } else {
                #expect(sample.name == current)
                #expect(sample.name.hasSuffix("_total") == (type == "counter"))
            }
        }
        #expect(
            Set(families.keys) == [
                "weir_sessions_total", "weir_bytes_total", "weir_findings_total", "weir_inspected_bytes_total",
                "weir_inspection_seconds_total", "weir_uninspectable_total", "weir_connections", "weir_reloads_total",
                "weir_config_generation", "weir_records_queued", "weir_records_blocked", "weir_records_dropped_total",
                "weir_upstream_connect_seconds", "weir_added_latency_seconds", "weir_build_info",
                "weir_dns_queries_total", "weir_dns_cache_entries",
            ])
    }

    /// A line of the format, read as its documentation has it.
    private struct Sample {
        var name = ""
        var series = ""
        var value = 0.0

        init?(_ line: String) {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
                return nil
            }
            self.value = value
            series = String(line[..<space])
            let isName = { (byte: UInt8) in
                (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5f
            }
            let bytes = Array(series.utf8)
            var at = bytes.firstIndex { !isName($0) } ?? bytes.count
            name = String(decoding: bytes[..<at], as: UTF8.self)
            if name.isEmpty { return nil }
            if at == bytes.count { return }
            guard bytes[at] == 0x7b else { return nil }
            repeat {
                at += 1
                let label = bytes[at...].prefix(while: isName)
                at += label.count
                guard !label.isEmpty, bytes[at...].starts(with: [0x3d, 0x22]) else { return nil }
                at += 2
                while at < bytes.count, bytes[at] != 0x22 {
                    if bytes[at] == 0x5c {
                        at += 1
                        guard at < bytes.count, [0x5c, 0x22, 0x6e].contains(bytes[at]) else { return nil }
                    }
                    at += 1
                }
                at += 1
            } while at < bytes.count && bytes[at] == 0x2c
            if at != bytes.count - 1 || bytes[at] != 0x7d { return nil }
        }
    }

    @Test func mergingAddsUp() {
        var all = Counters(services: 1)
        all.merge(sample())
        #expect(all == sample())
        all.merge(sample())
        #expect(all.sessions(service: 1, application: .cassandra, action: .deny) == 4)
        #expect(all.bytes(service: 1, .out) == 1024)
        #expect(all.connections(.client) == 2)
        #expect(text(all).contains("weir_upstream_connect_seconds_count 6\n"))
    }

    @Test func growingKeepsTheNumbers() {
        var counters = sample()
        counters.grow(services: 5)
        counters.grow(services: 1)
        #expect(counters.services == 5)
        #expect(counters.sessions(service: 0, application: .http, action: .allow) == 1)
        #expect(counters.sessions(service: 1, application: .cassandra, action: .deny) == 2)
        #expect(counters.bytes(service: 1, .in) == 90)
        counters.addSession(service: 4, application: .tcp, action: .alert)
        // Services without a name are left out, names without a service too.
        #expect(text(counters) == text(sample()))
        #expect(text(sample(), ["a", "b", "c", "d"]).contains(#"{service="b",direction"#))
        #expect(!text(sample(), ["a", "b", "c", "d"]).contains(#"service="c""#))
    }
}
