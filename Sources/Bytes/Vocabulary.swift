// The words of the product as values. Every module speaks of them and none owns them.

/// How a service is treated: learn, alert, or enforce.
public enum Mode: UInt8, Sendable, CaseIterable {
    case discover, monitor, protect

    public var label: StaticString {
        switch self {
        case .discover: "discover"
        case .monitor: "monitor"
        case .protect: "protect"
        }
    }
}

/// What is done with a session, from the mildest to the strictest.
public enum Action: UInt8, Sendable, CaseIterable, Comparable {
    case allow, alert, redact, deny

    @inlinable public static func < (a: Action, b: Action) -> Bool { a.rawValue < b.rawValue }

    public var label: StaticString {
        switch self {
        case .allow: "allow"
        case .alert: "alert"
        case .redact: "redact"
        case .deny: "deny"
        }
    }
}

/// What decided an action; when several apply, the first in this order.
public enum Reason: UInt8, Sendable, CaseIterable, Comparable {
    case threat, rule, violation, finding

    @inlinable public static func < (a: Reason, b: Reason) -> Bool { a.rawValue < b.rawValue }

    public var label: StaticString {
        switch self {
        case .threat: "threat"
        case .rule: "rule"
        case .violation: "violation"
        case .finding: "finding"
        }
    }
}

/// What is spoken on a connection, found by looking at its bytes.
public enum Application: UInt8, Sendable, CaseIterable {
    case tcp, http, http2, grpc, webSocket, tls, dns, ssh, mysql, postgresql, redis, mongodb, kafka, smtp, ftp, imap,
        pop3, ldap, amqp, mqtt, cassandra

    /// As users write it in rules and read it in records.
    public var label: StaticString {
        switch self {
        case .tcp: "TCP"
        case .http: "HTTP"
        case .http2: "HTTP2"
        case .grpc: "gRPC"
        case .webSocket: "WebSocket"
        case .tls: "TLS"
        case .dns: "DNS"
        case .ssh: "SSH"
        case .mysql: "MySQL"
        case .postgresql: "PostgreSQL"
        case .redis: "Redis"
        case .mongodb: "MongoDB"
        case .kafka: "Kafka"
        case .smtp: "SMTP"
        case .ftp: "FTP"
        case .imap: "IMAP"
        case .pop3: "POP3"
        case .ldap: "LDAP"
        case .amqp: "AMQP"
        case .mqtt: "MQTT"
        case .cassandra: "Cassandra"
        }
    }
}

/// A protocol attack or abuse seen on the wire. The raw values are the stable ids of the records.
public enum Threat: String, Sendable, CaseIterable {
    case requestSmuggling = "request_smuggling"
    case malformedHTTP = "malformed_http"
    case headerFlood = "header_flood"
    case slowRequest = "slow_request"
    case hostIPMismatch = "host_ip_mismatch"
    case sniHostMismatch = "sni_host_mismatch"
    case noSNI = "no_sni"
    case inwardAddress = "inward_address"
    case rebinding = "rebinding"
    case gatewayLoop = "gateway_loop"
    case decompressionBomb = "decompression_bomb"
    case patternOverrun = "pattern_overrun"
    case connectionFlood = "connection_flood"
    case malformedTLS = "malformed_tls"
    /// A name that carries traffic: many different ones below one registered domain, as tunnels over DNS ask them.
    case dnsTunnel = "dns_tunnel"
    /// The same where only addresses are asked for: data goes out, and nothing comes back.
    case dnsExfiltration = "dns_exfiltration"
    case dnsMalformed = "dns_malformed"
    /// AXFR or IXFR: no client of the cluster takes over a zone.
    case dnsZoneTransfer = "dns_zone_transfer"
    /// The type NULL, which only tunnels ask for (RFC 1035 section 3.3.10).
    case dnsNull = "dns_null"
    /// The type ANY, whose large answers serve amplification (RFC 8482).
    case dnsAny = "dns_any"
    case dnsFlood = "dns_flood"
    /// A planted value was sent, which nobody has who has not broken in.
    case honeytoken
    /// The server that is meant is hidden in an encrypted ClientHello, behind the public name of its provider.
    case echPresent = "ech_present"
    /// No version newer than TLS 1.1, which RFC 8996 forbids.
    case tlsLegacy = "tls_legacy"
    /// The server's certificate is not to be trusted: expired, of another name, or vouched for by nobody.
    case untrustedUpstream = "untrusted_upstream"
    /// Streams opened to be reset (CVE-2023-44487).
    case http2RapidReset = "http2_rapid_reset"
    /// A head without end (CVE-2024-28182).
    case http2ContinuationFlood = "http2_continuation_flood"
    /// A head that is small on the wire alone (CVE-2016-1544).
    case http2HeaderBomb = "http2_header_bomb"
    /// Frames that cost more to answer than to send (CVE-2019-9511…9518).
    case http2ControlFlood = "http2_control_flood"
}
