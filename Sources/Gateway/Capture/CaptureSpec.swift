import Bytes

/// What `weir nft` has to send to the gateway: the listeners, and whose traffic it is.
public struct CaptureSpec: Sendable, Equatable {
    /// What passes by the gateway unread: a way out that the operator opened by hand.
    public enum Allowed: Sendable, Equatable {
        case tcp(ClosedRange<UInt16>)
        case udp(ClosedRange<UInt16>)
        /// ICMP and ICMPv6.
        case icmp
    }

    public enum TCPPorts: Sendable, Equatable {
        case all
        case list([ClosedRange<UInt16>])
    }

    /// What becomes of captured TCP and DNS while the gateway is not running.
    public enum Fail: Sendable, Equatable { case closed, open }

    /// Port of the `tproxy` listener, where it listens on IPv4 and on IPv6.
    public var tproxyV4: UInt16?
    public var tproxyV6: UInt16?
    /// Port of the `redirect` listener; used for a family that has no `tproxy` listener.
    public var redirect: UInt16?
    /// Port of the transparent DNS listener, UDP and TCP.
    public var dnsV4: UInt16?
    public var dnsV6: UInt16?
    /// Traffic that comes in through one of these (`cali*` is every interface so named) …
    public var interfaces: [String]
    /// … or from one of these is captured.
    public var prefixes: [Prefix]
    public var tcp: TCPPorts
    /// UDP ports that the DNS listener answers, over TCP also.
    public var udp: [ClosedRange<UInt16>]
    /// Destinations that are not captured.
    public var exclude: [Prefix]
    public var allow: [Allowed]
    public var fail: Fail
    /// SO_MARK of the gateway's own upstream sockets: never captured.
    public var mark: UInt32
    /// Upstream connections leave from the client's address, so their answers must find the way back.
    public var sourceClient: Bool

    public init(
        tproxyV4: UInt16? = nil, tproxyV6: UInt16? = nil, redirect: UInt16? = nil, dnsV4: UInt16? = nil,
        dnsV6: UInt16? = nil, interfaces: [String] = [], prefixes: [Prefix] = [], tcp: TCPPorts = .all,
        udp: [ClosedRange<UInt16>] = [], exclude: [Prefix] = [], allow: [Allowed] = [], fail: Fail = .closed,
        mark: UInt32 = 0x7765_6972, sourceClient: Bool = false
    ) {
        self.tproxyV4 = tproxyV4
        self.tproxyV6 = tproxyV6
        self.redirect = redirect
        self.dnsV4 = dnsV4
        self.dnsV6 = dnsV6
        self.interfaces = interfaces
        self.prefixes = prefixes
        self.tcp = tcp
        self.udp = udp
        self.exclude = exclude
        self.allow = allow
        self.fail = fail
        self.mark = mark
        self.sourceClient = sourceClient
    }

    /// Parses an entry of `allow`: `icmp`, `udp/123`, `tcp/8000-8010`.
    public static func allowed(_ text: some StringProtocol) -> Allowed? {
        if text == "icmp" { return .icmp }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let ports = portRange(parts[1]) else { return nil }
        switch parts[0] {
        case "tcp": return .tcp(ports)
        case "udp": return .udp(ports)
        default: return nil
        }
    }

    /// Whether the kernel would take this as the name of an interface and nft as the name it is: at most 15 bytes
    /// (IFNAMSIZ less its NUL), none of them a slash, a space or a quote; `*` only at the end, where nft reads it as a prefix.
    public static func isInterfaceName(_ name: String) -> Bool {
        guard (1...15).contains(name.utf8.count), name != ".", name != "..", name != "*" else { return false }
        let bytes = name.hasSuffix("*") ? name.utf8.dropLast() : name.utf8[...]
        return bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f && !#"/"\*:"#.utf8.contains($0) }
    }

    private static func portRange(_ text: some StringProtocol) -> ClosedRange<UInt16>? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count <= 2, let from = ends.first.flatMap({ port($0) }), let to = ends.last.flatMap({ port($0) }),
            from <= to
        else { return nil }
        return from...to
    }

    private static func port(_ text: some StringProtocol) -> UInt16? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
            return nil
        }
        return port
    }
}
