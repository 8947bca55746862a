import Bytes
import Policy
import TLS

// How the sections about the gateway itself are read; each function is also the schema of its section.

extension ListenerSettings {
    static func read(_ fields: Fields) -> ListenerSettings {
        let listener = ListenerSettings(
            name: fields.required("name", .name, "How records and metrics call it."),
            address: fields.required("address", .endpoint, "Where it listens."),
            intercept: fields.required(
                "intercept", .words(Intercept.allCases),
                "How clients come: by TPROXY, by REDIRECT, or knowingly, as to an HTTP proxy."),
            protocol: fields.optional(
                "protocol", .words(Transport.allCases), default: .tcp,
                "tcp: found per connection; dns: UDP and TCP."),
            source: fields.optional(
                "source", .words(Source.allCases), default: .gateway,
                "Whose address upstream connections come from."))
        if listener.source == .client, listener.intercept == .explicit {
            fields.fail("source", "expected gateway with intercept: explicit, found client")
        }
        return listener
    }
}

extension AdminSettings {
    static func read(_ fields: Fields, state: String) -> AdminSettings {
        AdminSettings(
            address: fields.optional(
                "address", .endpoint, "Health, metrics and status over TCP, read-only; absent: only the socket."),
            socket: fields.path("socket", "The control socket, mode 0600; admin.sock in the state directory if absent.")
                ?? "\(state)/admin.sock",
            place: fields.place)
    }
}

extension CaptureSettings {
    static func read(_ fields: Fields) -> CaptureSettings {
        let from = fields.required(
            "from", .list(.captureSource, atLeast: 1), "Interfaces and source ranges whose traffic is captured.")
        let ports = fields.section("ports", "Destination ports that are captured.") { ports in
            (
                tcp: ports.optional("tcp", .capturePorts, default: .all, "TCP ports."),
                udp: ports.optional("udp", .list(.ports), default: [], "UDP ports, for a dns listener.")
            )
        }
        return CaptureSettings(
            from: from, tcp: ports.tcp, udp: ports.udp,
            exclude: fields.optional("exclude", .list(.prefix), default: [], "Destinations that are left alone."),
            allow: fields.optional(
                "allow", .list(.passage), default: [],
                "What passes unread beside the gateway: udp/PORT, tcp/PORT or icmp. All else that is not captured is dropped."
            ),
            fail: fields.optional(
                "fail", .words(Fail.allCases), default: .closed,
                "While the gateway is not running, captured traffic is dropped (closed) or passes (open)."),
            place: fields.place)
    }
}

extension Kind where T == CaptureSettings.Source {
    /// A range, or an interface; `cali*` is every interface so named.
    static var captureSource: Kind {
        parsed(
            "an interface or a range such as 10.244.0.0/16",
            pattern: #"^([A-Za-z0-9_.@-]{1,15}|[A-Za-z0-9_.@-]{1,14}\*|[0-9A-Fa-f:.]+(/[0-9]{1,3})?)$"#,
            blank: .interface("")
        ) { text in
            if let prefix = Prefix(text) { return .prefix(prefix) }
            let stem = text.hasSuffix("*") ? text.utf8.dropLast() : text.utf8[...]
            // A letter, so that an address with a slip in it is not taken for an interface.
            let isInterface =
                text.utf8.count <= 15 && stem.allSatisfy(isInterfaceLetter) && stem.contains(where: isLetter)
            return isInterface ? .interface(text) : nil
        }
    }

    private static func isInterfaceLetter(_ byte: UInt8) -> Bool {
        isLetter(byte) || (0x30...0x39).contains(byte) || "_.@-".utf8.contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }
}

extension Kind where T == CaptureSettings.Ports {
    static var capturePorts: Kind {
        let list = Kind<[ClosedRange<UInt16>]>.list(.ports)
        return Kind(
            schema: { .object(["oneOf": .array([.object(["const": .string("all")]), list.schema()])]) },
            blank: { .all },
            show: { ports in
                switch ports {
                case .all: .string("all")
                case .list(let ranges): list.show?(ranges) ?? .array([])
                }
            }
        ) { value in
            if value.scalar == .text("all") { return .all }
            guard value.scalar == nil, value.node.sequence != nil else { return value.fail("all or a list of ports") }
            return list.read(value).map { .list($0) }
        }
    }
}

extension Kind where T == CaptureSettings.Passage {
    static var passage: Kind {
        parsed(
            "udp/PORT, tcp/PORT or icmp", pattern: "^(icmp|(udp|tcp)/[0-9]{1,5}(-[0-9]{1,5})?)$", blank: .icmp
        ) { text in
            if text == "icmp" { return .icmp }
            guard let range = portRange(text.dropFirst(4)) else { return nil }
            return text.hasPrefix("udp/") ? .udp(range) : text.hasPrefix("tcp/") ? .tcp(range) : nil
        }
    }
}

extension LogSettings {
    static func read(_ fields: Fields) -> LogSettings {
        LogSettings(
            level: fields.optional("level", .words(Level.allCases), default: .info, "The least of what is told."),
            format: fields.optional("format", .words(Format.allCases), default: .text, "How it is written on stderr."))
    }
}

extension TLSSettings {
    static func read(_ fields: Fields, state: String) -> TLSSettings {
        let authority = fields.section("authority", "Who signs the certificates that clients see.") { authority in
            (
                certificate: authority.path(
                    "certificate", "Made on first start; ca.pem in the state directory if absent."),
                key: authority.path("key", "Made with it, mode 0600; ca.key in the state directory if absent.")
            )
        }
        var settings = TLSSettings(
            inspect: fields.optional(
                "inspect", .inspect, default: .auto,
                "Whether TLS is decrypted; auto: where the client accepts the authority, outside Protect."),
            certificate: authority.certificate ?? "\(state)/ca.pem", key: authority.key ?? "\(state)/ca.key",
            passthrough: fields.optional(
                "passthrough", .list(.namePattern), default: [], "Names never decrypted, still judged by SNI."),
            trust: fields.optional(
                "trust", .trust, default: .system, "Who is trusted upstream: system or a PEM bundle."),
            pins: fields.optional(
                "pins", .pins, default: [],
                "Names upstream of which only the fingerprint is verified, and must be one of these."),
            revocation: fields.optional(
                "revocation", .list(.path), default: [], "PEM files of CRLs: what is on them is not trusted upstream."))
        settings.revocationPlace = fields.place(of: "revocation")
        settings.trustPlace = fields.place(of: "trust")
        settings.authorityPlace = fields.place(of: "authority")
        return settings
    }
}

extension Kind where T == TLSSettings.Inspect {
    static var inspect: Kind {
        Kind(
            schema: { .object(["enum": .array([.bool(false), .bool(true), .string("auto")])]) }, blank: { .auto },
            show: { $0 == .auto ? .string("auto") : .bool($0 == .always) }
        ) { value in
            switch value.scalar {
            case .bool(let flag): return flag ? .always : .never
            case .text("auto"): return .auto
            default: return value.fail("false, true or auto")
            }
        }
    }
}

extension Kind where T == TLSSettings.Trust {
    static var trust: Kind {
        Kind(schema: Kind<String>.text.schema, blank: { .system }, show: { _ in .string("system") }) { value in
            guard let text = Kind<String>.text.read(value) else { return nil }
            return text == "system" ? .system : .bundle(Files.resolve(text, beside: value.place.file))
        }
    }
}

extension Kind where T == [Pin] {
    private static var most: Int { 1024 }

    /// Each name once: two lists for one name would leave open which of them is meant.
    static var pins: Kind {
        let list = Kind<[Placed<Pin>]>.list(Kind<Pin>.section(Pin.read).placed)
        return Kind(schema: list.schema, blank: { [] }, show: { _ in .array([]) }) { value in
            guard let pins = list.read(value) else { return nil }
            guard pins.count <= most else { return value.fail("at most \(most) names") }
            var seen: [Pin.Pattern: Place] = [:]
            for pin in pins {
                if let first = seen.updateValue(pin.place, forKey: pin.value.pattern) {
                    value.diagnosis.add(pin.place, "pins: the name of line \(first.line) again")
                }
            }
            return pins.map(\.value)
        }
    }
}

extension Pin {
    static func read(_ fields: Fields) -> Pin {
        Pin(
            fields.required("name", .pinPattern, "A name, *.suffix or an address, as clients ask for it."),
            Set(
                fields.required(
                    "sha256", .list(.fingerprint, atLeast: 1),
                    "Of the certificates (DER) or of their public keys (SubjectPublicKeyInfo), in hexadecimal.")))
    }
}

extension Kind where T == Pin.Pattern {
    static var pinPattern: Kind {
        parsed(
            "a name, *.suffix or an address", pattern: #"^(\*\.)?[A-Za-z0-9_.:-]+$"#, blank: .below(placeholderDomain)
        ) { text in
            if text.hasPrefix("*.") { return hostName(text.dropFirst(2)).map { .below($0) } }
            return hostName(text).map { .host(.name($0)) } ?? IPAddress(text).map { .host(.address($0)) }
        }
    }
}

extension Kind where T == Pin.Fingerprint {
    static var fingerprint: Kind {
        // Of nothing, should it ever be used.
        guard let blank = Pin.Fingerprint(String(repeating: "0", count: 64)) else {
            preconditionFailure("64 digits are a fingerprint")
        }
        return parsed(
            "a SHA-256 of 64 hexadecimal digits", pattern: "^([0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31})$",
            blank: blank
        ) { Pin.Fingerprint($0) }
    }
}

extension DefaultSettings {
    static func read(_ fields: Fields) -> DefaultSettings {
        DefaultSettings(
            mode: fields.optional("mode", .mode, default: .discover, "The mode of a service that names none."),
            uninspectable: fields.optional(
                "uninspectable", .action([.allow, .alert, .deny]), default: .alert,
                "What follows when something cannot be inspected."),
            hold: fields.optional(
                "hold", .hold, default: 64 * 1024, "Bytes of a body that are held for a verdict."))
    }
}

extension Kind where T == Int {
    static var hold: Kind { size(0...(64 << 20)) }
}

extension StateSettings {
    static func read(_ fields: Fields) -> StateSettings {
        StateSettings(
            directory: fields.path("directory", default: "state", "Where learned rules and keys are kept."),
            place: fields.place(of: "directory"))
    }
}

extension RecordSettings {
    static func read(_ fields: Fields) -> RecordSettings {
        RecordSettings(
            directory: fields.path("directory", default: "records", "Where sessions.jsonl and events.jsonl go."),
            rotate: fields.optional(
                "rotate", .size(64 << 10...1 << 40), default: 256 << 20, "Size at which a new file is begun."),
            keep: fields.optional("keep", .integer(0...10_000), default: 8, "Closed files that are kept."),
            flush: fields.optional(
                "flush", .time(Milliseconds(1)...Milliseconds(60_000)), default: Milliseconds(100),
                "All that a sudden death may lose."),
            queue: fields.optional(
                "queue", .size(1 << 20...1 << 36), default: 256 << 20,
                "Bytes of records that may wait for the writer; beyond it on_overload holds."),
            onOverload: fields.optional(
                "on_overload", .words(Overload.allCases), default: .wait,
                "New work waits for the writer, or records are dropped and counted."),
            place: fields.place(of: "directory"))
    }
}
