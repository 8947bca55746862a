/// Every bound of the gateway, with its default. The names are those of `limits` in the configuration, in camel case.
public struct Limits: Sendable, Equatable {
    /// A request or response head, from its first byte to the empty line. 64 KiB: the largest of the common servers.
    public var headBytes = 64 * 1024
    /// Fields in one head; more is the threat `header_flood`.
    public var headFields = 256
    /// From the first byte of a request to the end of its head.
    public var headTimeout = Milliseconds.seconds(10)
    /// Bytes per second a body must keep, after `bodyGrace`; a slower sender is cut as `slow_request`.
    public var bodyMinRate = 1024
    public var bodyGrace = Milliseconds.seconds(10)
    /// Between the exchanges of a kept connection.
    public var idleTimeout = Milliseconds.seconds(60)
    /// From the end of a request to the head of its response.
    public var responseTimeout = Milliseconds.seconds(300)
    /// A peer that takes none of the bytes waiting for it.
    public var writeTimeout = Milliseconds.seconds(60)
    /// A tunnel on which nothing moves in either direction.
    public var tunnelIdleTimeout = Milliseconds.seconds(3600)
    /// An upgraded or streaming exchange (WebSocket, SSE, gRPC) on which nothing moves.
    public var streamIdleTimeout = Milliseconds.seconds(3600)
    /// Silence after which a protocol in which the server speaks first is assumed.
    public var detectTimeout = Milliseconds(300)
    /// First bytes read to find the application; a ClientHello must end within them.
    public var detectBytes = 16 * 1024
    /// A match with all its look-around.
    public var matchBytes = 4 * 1024
    /// Backtracking steps PCRE2 may take for one attempt.
    public var matchSteps = 100_000
    /// Held bytes per worker; at the bound new holds wait unread.
    public var holdTotal = 256 * 1024 * 1024
    /// Release of a held tail of a tunnel after this silence.
    public var holdTimeout = Milliseconds(200)
    public var learnedPerService = 1000
    /// Of a refused body, read and thrown away so that the client can read the answer.
    public var lingerBytes = 1024 * 1024
    public var lingerTimeout = Milliseconds.seconds(5)
    public var drainTimeout = Milliseconds.seconds(30)
    public var connectTimeout = Milliseconds.seconds(5)
    public var resolveTimeout = Milliseconds.seconds(5)
    public var connectionsPerClient = 4096
    /// Client connections per worker.
    public var connections = 100_000
    /// Idle upstream connections kept per worker and destination.
    public var idleUpstreams = 64
    /// Decompression: output over input, once a body has given `decodedFloor` of output.
    public var decodedRatio = 200
    public var decodedBytes = 256 * 1024 * 1024
    /// Codings on top of each other.
    public var decodeDepth = 4
    /// Encodings within text (base64 and others) that are undone within each other; 0: none is looked for.
    public var viewDepth = 4
    /// Questions per second of one client, and as many again at once; more is the threat `dns_flood`. A busy pod with
    /// `ndots:5` asks some hundreds.
    public var dnsQueriesPerClient = 1000
    /// Bytes of answers kept per worker.
    public var dnsCache = 64 * 1024 * 1024
    /// Names remembered of what clients were told, each for one client and one address: a thousand pods with a hundred
    /// each fill less than half of it, so that no live one is displaced.
    public var dnsMemory = 262_144
    /// Questions per worker that wait for a resolver.
    public var dnsInflight = 4096
    /// Points that the names of one client below one registered domain may reach; from there on it is `dns_tunnel`. Real
    /// tunnels have them after 3 to 5 names of full length, and the names of an hour of 10 000 hosts came to 3 400 at most.
    public var dnsTunnelScore = 8_000
    /// In which as many points run out again.
    public var dnsTunnelWindow = Milliseconds.minutes(10)
    /// Answers of types that carry data, of one registered domain to one client in the same time.
    public var dnsTunnelAnswers = 1024 * 1024
    /// Pairs of a client and a registered domain watched at a time; about 136 bytes each.
    public var dnsTunnelPairs = 65_536

    public init() {}
}
