import Bytes
import DLP
import Policy
import TLS

/// A configuration as decoded values: every file it names read, every value checked and everything left out filled in.
public struct Settings: Sendable {
    public var listeners: [ListenerSettings] = []
    public var admin: AdminSettings
    /// What is captured for the gateway; nil where nobody asks it to write packet rules.
    public var capture: CaptureSettings?
    public var log = LogSettings()
    /// Event loops; 0: one per core.
    public var workers = 0
    public var dns = DNSSettings()
    public var tls: TLSSettings
    public var limits = Limits()
    public var defaults = DefaultSettings()
    public var services: [ServiceSettings] = []
    public var identities: [IdentitySpec] = []
    public var sensors: [SensorSpec] = []
    /// Beside the shipped ones, or in their place.
    public var detectors: [DetectorSettings] = []
    public var evidence = EvidenceSettings()
    public var honeytokens: [HoneytokenSettings] = []
    /// Destinations under one name, beside the built-in lists or in their place.
    public var lists: [ListSpec] = []
    public var state: StateSettings
    public var records: RecordSettings
    /// SO_MARK of the gateway's own upstream connections, by which packet rules leave them alone.
    public var mark: UInt32 = Settings.markDefault
    /// Every file that was read, the main one first.
    public var files: [String]
    /// Patterns of `include`, made absolute or relative as the main file is.
    public var includes: [String] = []
    /// What was in the files, to tell whether they changed.
    var digests: [String: Int] = [:]
    /// Where things stand, so that what is found wrong later is told at its place.
    public var places: SettingsPlaces

    /// "weir" in ASCII: no other program is likely to have chosen it.
    public static let markDefault: UInt32 = 0x7765_6972
}

/// A planted value, by the file it is in.
public struct HoneytokenSettings: Sendable {
    public var name: String
    public var valueFile: String
    public var place: Place
    public var filePlace: Place
}

/// Where the parts of a `Settings` stand, in the order of its lists.
public struct SettingsPlaces: Sendable {
    public var workers: Place
    /// Of the default.
    public var hold: Place
    /// Where `listeners` stands, for what concerns none of them.
    public var doors: Place
    public var listeners: [Place] = []
    public var identities: [IdentityPlaces] = []
    public var sensors: [SensorPlaces] = []
    public var detectors: [DetectorPlaces] = []
    public var dns = DNSPlaces()

    public struct DNSPlaces: Sendable {
        public var zones: [Place] = []
        public var hosts: [Place] = []
        public var publicSuffixes = Place(file: "", line: 1, column: 1)
        public var trustedZones = Place(file: "", line: 1, column: 1)
        public var tables = Tables()

        /// Of `limits.dns_memory` and `limits.dns_tunnel_pairs`.
        public struct Tables: Sendable {
            public var memory = Place(file: "", line: 1, column: 1)
            public var tunnelPairs = Place(file: "", line: 1, column: 1)
        }
    }

    public struct IdentityPlaces: Sendable {
        public var service: Place
        public var addresses: [Place]
    }

    public struct SensorPlaces: Sendable {
        public var name: Place
        public var rules: [RulePlaces]
    }

    public struct DetectorPlaces: Sendable {
        public var name: Place
        /// Of the expressions.
        public var patterns: [Place]
        /// Of the examples.
        public var positive: [Place]
        public var negative: [Place]
    }

    public struct RulePlaces: Sendable {
        public var name: Place
        /// Of the expressions.
        public var patterns: [Place]
        /// Of what names an index, where the rule has one.
        public var index: Place?
    }
}

/// One door that clients come in by.
public struct ListenerSettings: Sendable, Equatable {
    public enum Intercept: String, Sendable, CaseIterable { case tproxy, redirect, explicit }
    public enum Transport: String, Sendable, CaseIterable { case tcp, dns }
    /// Whose address upstream connections come from.
    public enum Source: String, Sendable, CaseIterable { case gateway, client }

    public var name: String
    public var address: Endpoint
    public var intercept: Intercept
    public var `protocol`: Transport
    public var source: Source
}

public struct AdminSettings: Sendable, Equatable {
    /// Read-only, over TCP; nil: only the socket.
    public var address: Endpoint?
    /// Path of the control socket.
    public var socket: String
    public var place: Place
}

/// What the packet rules send to the gateway.
public struct CaptureSettings: Sendable, Equatable {
    public enum Source: Sendable, Hashable {
        case interface(String)
        case prefix(Prefix)
    }

    public enum Ports: Sendable, Hashable {
        case all
        case list([ClosedRange<UInt16>])
    }

    /// What may pass beside the gateway, unread.
    public enum Passage: Sendable, Hashable {
        case tcp(ClosedRange<UInt16>)
        case udp(ClosedRange<UInt16>)
        case icmp
    }

    /// What happens to captured traffic while the gateway is not running.
    public enum Fail: String, Sendable, CaseIterable { case closed, open }

    public var from: [Source]
    public var tcp: Ports
    public var udp: [ClosedRange<UInt16>]
    public var exclude: [Prefix]
    public var allow: [Passage]
    public var fail: Fail
    public var place: Place
}

public struct LogSettings: Sendable, Equatable {
    public enum Level: String, Sendable, CaseIterable, Comparable {
        case debug, info, warning, error

        public static func < (a: Level, b: Level) -> Bool { a.rank < b.rank }
        private var rank: Int { Level.allCases.firstIndex(of: self) ?? 0 }
    }

    public enum Format: String, Sendable, CaseIterable { case text, json }

    public var level = Level.info
    public var format = Format.text
}

public struct DNSSettings: Sendable, Equatable {
    public enum BlockAnswer: Sendable, Hashable {
        case nxdomain, refused
        case address(IPAddress)
    }

    public struct Resolver: Sendable, Hashable {
        public var endpoint: Endpoint
        /// The name that its certificate must have (RFC 7858); nil: it is asked in the clear.
        public var tlsName: DomainName?
    }

    public struct Zone: Sendable, Hashable {
        /// The name itself and every name below it.
        public var suffix: DomainName
        /// At least one.
        public var resolvers: [Resolver]
    }

    public struct HostEntry: Sendable, Hashable {
        public var name: DomainName
        /// At least one, of either family.
        public var addresses: [IPAddress]
    }

    /// Empty: those of /etc/resolv.conf.
    public var resolvers: [Resolver] = []
    /// Keep the resolver that the client chose; then `resolvers` is empty.
    public var original = false
    /// Suffixes with resolvers of their own, each once; the longest wins, whatever `original` says.
    public var zones: [Zone] = []
    /// Names answered without asking anybody, each once.
    public var hosts: [HostEntry] = []
    /// Suffixes whose names may have private addresses.
    public var internalSuffixes: [DomainName] = []
    public var blockAnswer = BlockAnswer.nxdomain
    /// Short, so that a name which is allowed after all is soon there.
    public var blockTTL = Milliseconds.seconds(10)
    /// RFC 8767 section 4 suggests one to three days.
    public var serveStale = Milliseconds.minutes(24 * 60)
    /// Zero: every question has its own record.
    public var aggregate = Milliseconds.zero
    /// Path of a Public Suffix List; nil: the one that comes with the gateway.
    public var publicSuffixes: String?
    /// Zones whose names are not scored as a tunnel; nil: the built-in ones.
    public var trustedZones: [DomainName]?
}

public struct TLSSettings: Sendable, Equatable {
    public enum Inspect: Sendable, Hashable { case never, always, auto }
    public enum Trust: Sendable, Hashable {
        case system
        /// Path of a PEM bundle.
        case bundle(String)
    }

    public var inspect = Inspect.auto
    public var certificate: String
    public var key: String
    /// Names and suffixes never decrypted.
    public var passthrough: [Destination] = []
    public var trust = Trust.system
    /// Exceptions from it, by name.
    public var pins: [Pin] = []
    /// Paths of PEM files with lists of revoked certificates.
    public var revocation: [String] = []
    public var revocationPlace = Place(file: "", line: 1, column: 1)
    public var trustPlace = Place(file: "", line: 1, column: 1)
    public var authorityPlace = Place(file: "", line: 1, column: 1)
}

/// What a service has that does not say otherwise.
public struct DefaultSettings: Sendable, Equatable {
    public var mode = Mode.discover
    public var uninspectable = Action.alert
    /// Bytes of a body that are held for a verdict.
    public var hold = 64 * 1024
}

public struct ServiceSettings: Sendable {
    public struct Sensor: Sendable {
        public var name: String
        /// `alert`, `redact` or `deny`.
        public var action: Action
        public var place: Place
    }

    public var name: String
    public var mode: Mode
    public var uninspectable: Action
    public var hold: Int
    /// Nil: as `tls.inspect` says.
    public var inspect: TLSSettings.Inspect?
    public var sensors: [Sensor]
    public var rules: [RuleSpec]
    public var place: Place
    public var rulePlaces: [RulePlaces]

    public struct RulePlaces: Sendable {
        public var rule: Place
        /// Of its destination.
        public var to: Place
    }

    public var spec: ServiceSpec { ServiceSpec(name: name, mode: mode, uninspectable: uninspectable, rules: rules) }
}

public struct StateSettings: Sendable, Equatable {
    public var directory: String
    public var place: Place
}

public struct RecordSettings: Sendable, Equatable {
    /// What new work does while the writer is behind.
    public enum Overload: String, Sendable, CaseIterable { case wait, drop }

    public var directory: String
    /// Size at which a file is closed and a new one begun.
    public var rotate = 256 << 20
    /// Closed files kept.
    public var keep = 8
    /// All that a sudden death may lose.
    public var flush = Milliseconds(100)
    /// Bytes of records that may wait for the writer.
    public var queue = 256 << 20
    public var onOverload = Overload.wait
    public var place: Place
}
