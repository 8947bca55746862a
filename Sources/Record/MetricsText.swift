import Bytes

/// The state of the gateway as a whole, beside what the loops count.
public struct Gauges: Sendable {
    public var version: String
    public var configGeneration: UInt64
    public var reloadsSucceeded: UInt64
    public var reloadsFailed: UInt64
    public var recordsQueued: Int
    public var recordsBlocked: Bool
    public var recordsDropped: UInt64

    public init(
        version: String, configGeneration: UInt64 = 0, reloadsSucceeded: UInt64 = 0, reloadsFailed: UInt64 = 0,
        recordsQueued: Int = 0, recordsBlocked: Bool = false, recordsDropped: UInt64 = 0
    ) {
        self.version = version
        self.configGeneration = configGeneration
        self.reloadsSucceeded = reloadsSucceeded
        self.reloadsFailed = reloadsFailed
        self.recordsQueued = recordsQueued
        self.recordsBlocked = recordsBlocked
        self.recordsDropped = recordsDropped
    }

    /// Takes what the writer of records says of itself.
    public mutating func read(_ writer: RecordWriter) {
        recordsQueued = writer.queued
        recordsBlocked = writer.isBlocked
        recordsDropped = writer.dropped
    }
}

/// Writes the metrics in the Prometheus text format 0.0.4: each family once, with its HELP and TYPE.
public enum MetricsText {
    public static let contentType: StaticString = "text/plain; version=0.0.4; charset=utf-8"

    /// `services` and `sensors` are the names of the indices that the counters use; an index without a name is left out.
    public static func write(
        counters: Counters, services: [String], sensors: [String], gauges: Gauges, into text: inout Buffer
    ) {
        writeSessions(counters, services, &text)
        writeFindings(counters, services, sensors, &text)
        writeInspection(counters, &text)

        text.family("weir_connections", "gauge", "Connections open now, by side of the gateway.")
        for side in Counters.Side.allCases {
            text.series("weir_connections", [("side", side.label.description)])
            text.value(counters.connections(side))
        }
        writeNames(counters, &text)
        writeGauges(gauges, &text)
        text.histogram(
            "weir_upstream_connect_seconds", "Time to connect to the outside, name lookup left out.",
            counters.connectTime)
        text.histogram(
            "weir_added_latency_seconds",
            "Time from the head of a request to its going on, holding and dialling included.", counters.addedLatency)
    }

    private static func writeSessions(_ counters: Counters, _ services: [String], _ text: inout Buffer) {
        text.family("weir_sessions_total", "counter", "Sessions ended, by service, application and action.")
        for (service, name) in services.prefix(counters.services).enumerated() {
            for application in Application.allCases {
                for action in Action.allCases {
                    let count = counters.sessions(service: service, application: application, action: action)
                    if count == 0 { continue }
                    text.series(
                        "weir_sessions_total",
                        [
                            ("service", name), ("application", application.label.description),
                            ("action", action.label.description),
                        ])
                    text.value(count)
                }
            }
        }
        text.family("weir_bytes_total", "counter", "Bytes of sessions, by service and direction.")
        for (service, name) in services.prefix(counters.services).enumerated() {
            for direction in Counters.Direction.allCases {
                text.series("weir_bytes_total", [("service", name), ("direction", direction.label.description)])
                text.value(counters.bytes(service: service, direction))
            }
        }
    }

    private static func writeFindings(
        _ counters: Counters, _ services: [String], _ sensors: [String], _ text: inout Buffer
    ) {
        text.family("weir_findings_total", "counter", "Findings, by service, sensor and action.")
        let sorted = counters.findings.sorted {
            ($0.key.service, $0.key.sensor, $0.key.action) < ($1.key.service, $1.key.sensor, $1.key.action)
        }
        for (key, count) in sorted where services.indices ~= key.service && sensors.indices ~= key.sensor {
            text.series(
                "weir_findings_total",
                [
                    ("service", services[key.service]), ("sensor", sensors[key.sensor]),
                    ("action", key.action.label.description),
                ])
            text.value(count)
        }
    }

    private static func writeInspection(_ counters: Counters, _ text: inout Buffer) {
        text.family("weir_inspected_bytes_total", "counter", "Bytes read by sensors, after decoding.")
        text.series("weir_inspected_bytes_total")
        text.value(counters.inspectedBytes)
        text.family("weir_inspection_seconds_total", "counter", "Time spent in sensors.")
        text.series("weir_inspection_seconds_total")
        text.value(seconds: counters.inspectionNanoseconds / 1000)
        text.family("weir_uninspectable_total", "counter", "What could not be inspected, by reason.")
        for (reason, count) in counters.uninspectable.sorted(by: { $0.key < $1.key }) {
            text.series("weir_uninspectable_total", [("reason", reason)])
            text.value(count)
        }
    }

    private static func writeNames(_ counters: Counters, _ text: inout Buffer) {
        text.family("weir_dns_queries_total", "counter", "DNS queries, by action and response code.")
        for action in Action.allCases {
            for (column, code) in Counters.codes.enumerated() {
                let count = counters.queries(action: action, column: column)
                if count == 0 { continue }
                text.series("weir_dns_queries_total", [("action", action.label.description), ("rcode", code)])
                text.value(count)
            }
        }
        text.family("weir_dns_cache_entries", "gauge", "Answers that are kept.")
        text.series("weir_dns_cache_entries")
        text.value(counters.cachedAnswers)
    }

    private static func writeGauges(_ gauges: Gauges, _ text: inout Buffer) {
        text.family("weir_reloads_total", "counter", "Attempts to reload the configuration, by result.")
        text.series("weir_reloads_total", [("result", "success")])
        text.value(gauges.reloadsSucceeded)
        text.series("weir_reloads_total", [("result", "failure")])
        text.value(gauges.reloadsFailed)
        text.family("weir_config_generation", "gauge", "Number of the configuration in force.")
        text.series("weir_config_generation")
        text.value(gauges.configGeneration)
        text.family("weir_records_queued", "gauge", "Records on their way to the disk.")
        text.series("weir_records_queued")
        text.value(gauges.recordsQueued)
        text.family("weir_records_blocked", "gauge", "1 while records are over their bound.")
        text.series("weir_records_blocked")
        text.value(gauges.recordsBlocked ? 1 : 0)
        text.family("weir_records_dropped_total", "counter", "Records dropped under on_overload: drop.")
        text.series("weir_records_dropped_total")
        text.value(gauges.recordsDropped)
        text.family("weir_build_info", "gauge", "Always 1; the version is in its label.")
        text.series("weir_build_info", [("version", gauges.version)])
        text.value(1)
    }
}

// MARK: - The format

extension Buffer {
    fileprivate mutating func family(_ name: StaticString, _ type: StaticString, _ help: StaticString) {
        append("# HELP ")
        append(name)
        append(UInt8(ascii: " "))
        append(help)
        append("\n# TYPE ")
        append(name)
        append(UInt8(ascii: " "))
        append(type)
        append(UInt8(ascii: "\n"))
    }

    fileprivate mutating func series(_ name: StaticString, _ labels: [(StaticString, String)] = []) {
        append(name)
        for (index, label) in labels.enumerated() {
            append(UInt8(ascii: index == 0 ? "{" : ","))
            append(label.0)
            append("=\"")
            append(labelValue: label.1)
            append(UInt8(ascii: "\""))
        }
        if !labels.isEmpty { append(UInt8(ascii: "}")) }
        append(UInt8(ascii: " "))
    }

    /// Backslash, quote and line feed are escaped; all else is as it is.
    private mutating func append(labelValue value: String) {
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\n"): append("\\n")
            default: append(byte)
            }
        }
    }

    fileprivate mutating func value(_ value: some BinaryInteger) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: UInt64(value.magnitude))
        append(UInt8(ascii: "\n"))
    }

    fileprivate mutating func value(seconds microseconds: UInt64) {
        append(decimal: microseconds / 1_000_000)
        append(UInt8(ascii: "."))
        var unit: UInt64 = 100_000
        while unit > 0 {
            append(decimal: microseconds / unit % 10)
            unit /= 10
        }
        append(UInt8(ascii: "\n"))
    }

    fileprivate mutating func histogram(_ name: StaticString, _ help: StaticString, _ histogram: Histogram) {
        family(name, "histogram", help)
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            append(name)
            append("_bucket{le=\"")
            append(index < Histogram.bounds.count ? Histogram.bounds[index].label : "+Inf")
            append("\"} ")
            value(total)
        }
        append(name)
        append("_sum ")
        value(seconds: histogram.sumMicroseconds)
        append(name)
        append("_count ")
        value(total)
    }
}
