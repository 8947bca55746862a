import Bytes

/// Every bound of the gateway as the configuration knows it: one table from which the decoder, the schema and the
/// reference are made.
struct LimitField {
    enum Measure {
        case count(WritableKeyPath<Limits, Int>, ClosedRange<Int>)
        case size(WritableKeyPath<Limits, Int>, ClosedRange<Int>)
        case time(WritableKeyPath<Limits, Milliseconds>, ClosedRange<Milliseconds>)
    }

    let key: String
    let measure: Measure
    let about: String

    init(_ key: String, _ measure: Measure, _ about: String) {
        self.key = key
        self.measure = measure
        self.about = about
    }

    static var all: [LimitField] { heads + waits + inspection + tables + names }

    private static func kib(_ range: ClosedRange<Int>) -> ClosedRange<Int> {
        range.lowerBound << 10...range.upperBound << 10
    }

    private static func ms(_ range: ClosedRange<Int64>) -> ClosedRange<Milliseconds> {
        Milliseconds(range.lowerBound)...Milliseconds(range.upperBound)
    }

    private static let day: Int64 = 86_400_000
    private static let gib = 1 << 30

    private static var heads: [LimitField] {
        [
            .init("head_bytes", .size(\.headBytes, kib(1...1024)), "A request or response head."),
            .init("head_fields", .count(\.headFields, 8...10_000), "Fields in one head; more is header_flood."),
            .init(
                "head_timeout", .time(\.headTimeout, ms(100...day)),
                "From the first byte of a request to the end of its head."),
            .init(
                "body_min_rate", .size(\.bodyMinRate, 0...gib),
                "Bytes per second that a body must keep after body_grace; a slower sender is cut."),
            .init("body_grace", .time(\.bodyGrace, ms(0...day)), "Before body_min_rate is asked for."),
        ]
    }

    private static var waits: [LimitField] {
        [
            .init("idle_timeout", .time(\.idleTimeout, ms(100...day)), "Between the exchanges of a kept connection."),
            .init(
                "response_timeout", .time(\.responseTimeout, ms(100...day)),
                "From the end of a request to the head of its response."),
            .init(
                "write_timeout", .time(\.writeTimeout, ms(100...day)),
                "A peer that takes none of the bytes waiting for it."),
            .init(
                "tunnel_idle_timeout", .time(\.tunnelIdleTimeout, ms(100...30 * day)),
                "A tunnel on which nothing moves."),
            .init(
                "stream_idle_timeout", .time(\.streamIdleTimeout, ms(100...30 * day)),
                "An upgraded or streaming exchange (WebSocket, SSE, gRPC) on which nothing moves."),
            .init(
                "detect_timeout", .time(\.detectTimeout, ms(10...60_000)),
                "Silence after which a protocol in which the server speaks first is assumed."),
            .init(
                "detect_bytes", .size(\.detectBytes, kib(1...256)),
                "First bytes read to find the application; a ClientHello must end within them."),
            .init(
                "linger_bytes", .size(\.lingerBytes, 0...gib),
                "Of a refused body, read and thrown away so that the client can read the answer."),
            .init("linger_timeout", .time(\.lingerTimeout, ms(0...600_000)), "The same, in time."),
            .init("drain_timeout", .time(\.drainTimeout, ms(0...day)), "For what is under way when the gateway stops."),
            .init("connect_timeout", .time(\.connectTimeout, ms(10...600_000)), "To connect to the outside host."),
            .init("resolve_timeout", .time(\.resolveTimeout, ms(10...600_000)), "To resolve a name."),
        ]
    }

    private static var inspection: [LimitField] {
        [
            .init("match_bytes", .size(\.matchBytes, 64...(64 << 10)), "A match with all its look-around."),
            .init(
                "match_steps", .count(\.matchSteps, 1000...100_000_000),
                "Backtracking steps that PCRE2 may take for one attempt."),
            .init(
                "hold_total", .size(\.holdTotal, kib(1024...64 << 20)),
                "Held bytes per worker; at the bound new holds wait unread."),
            .init(
                "hold_timeout", .time(\.holdTimeout, ms(1...600_000)),
                "Release of a held tail of a tunnel after this silence."),
            .init(
                "decoded_ratio", .count(\.decodedRatio, 2...100_000),
                "Decompression: output over input; more is decompression_bomb."),
            .init(
                "decoded_bytes", .size(\.decodedBytes, kib(1...64 << 20)),
                "Decompressed bytes of one body that are read."),
            .init("decode_depth", .count(\.decodeDepth, 1...16), "Codings on top of each other."),
            .init(
                "view_depth", .count(\.viewDepth, 0...8),
                "Encodings within text that are undone within each other: base64, hex, UTF-16, percent, JSON, entities, "
                    + "quoted-printable. 0: none is looked for."),
        ]
    }

    private static var tables: [LimitField] {
        [
            .init("learned_per_service", .count(\.learnedPerService, 0...100_000), "Rules learned for one service."),
            .init(
                "connections_per_client", .count(\.connectionsPerClient, 1...1_000_000),
                "Connections of one client address."),
            .init("connections", .count(\.connections, 1...10_000_000), "Client connections per worker."),
            .init(
                "idle_upstreams", .count(\.idleUpstreams, 0...10_000),
                "Idle upstream connections kept per worker and destination."),
        ]
    }

    private static var names: [LimitField] {
        [
            .init(
                "dns_queries_per_client", .count(\.dnsQueriesPerClient, 1...1_000_000),
                "Questions per second of one client, and as many again at once; more is dns_flood."),
            .init("dns_cache", .size(\.dnsCache, kib(64...64 << 20)), "Answers kept per worker."),
            .init(
                "dns_memory", .count(\.dnsMemory, 1024...16_777_216),
                "Names remembered of what clients were told, each for one client and one address; 312 bytes each."),
            .init(
                "dns_inflight", .count(\.dnsInflight, 1...60_000),
                "Questions per worker that wait for a resolver; equal ones count once."),
            .init(
                "dns_tunnel_score", .count(\.dnsTunnelScore, 100...100_000),
                "Points of one client's new names below one registered domain; more is dns_tunnel or dns_exfiltration."),
            .init(
                "dns_tunnel_window", .time(\.dnsTunnelWindow, ms(10_000...day)),
                "In which as many points run out; a tunnel is told once in it."),
            .init(
                "dns_tunnel_answers", .size(\.dnsTunnelAnswers, kib(4...65_536)),
                "Answers of types such as TXT in the same time; more is dns_tunnel."),
            .init(
                "dns_tunnel_pairs", .count(\.dnsTunnelPairs, 64...10_000_000),
                "Pairs of a client and a registered domain that are watched."),
        ]
    }
}

extension Limits {
    static func read(_ fields: Fields) -> Limits {
        var limits = Limits()
        for field in LimitField.all {
            switch field.measure {
            case .count(let path, let range):
                limits[keyPath: path] = fields.optional(
                    field.key, .integer(range), default: limits[keyPath: path], field.about)
            case .size(let path, let range):
                limits[keyPath: path] = fields.optional(
                    field.key, .size(range), default: limits[keyPath: path], field.about)
            case .time(let path, let range):
                limits[keyPath: path] = fields.optional(
                    field.key, .time(range), default: limits[keyPath: path], field.about)
            }
        }
        return limits
    }
}
