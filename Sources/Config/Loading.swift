import Bytes
import DLP
import Policy

extension Settings {
    /// Reads a configuration file and all that it includes.
    public static func load(_ path: String) -> Result<Settings, ConfigErrors> {
        do {
            return parse(try Files.text(path), file: path)
        } catch {
            return .failure(
                ConfigErrors([
                    ConfigError(
                        Place(file: path, line: 1, column: 1), "expected a readable file, found \(error.reason)")
                ]))
        }
    }

    /// Reads a configuration from text as if it stood in `file`: what it includes is read from the disk beside that.
    public static func parse(_ text: String, file: String) -> Result<Settings, ConfigErrors> {
        let document: Document
        do {
            document = try Document.parse(text, file: file)
        } catch {
            return .failure(ConfigErrors([error]))
        }
        let diagnosis = Diagnosis(file: file, renamed: document.renamed)
        guard let root = document.root else {
            // Nothing but comments: every default.
            return parse("{}", file: file).map { settings in
                var settings = settings
                settings.digests = [file: Files.digest(text.utf8)]
                return settings
            }
        }
        let value = Value(node: root, key: "configuration", diagnosis: diagnosis)
        guard let main = Fields.read(value, { Main.read($0) }) else { return .failure(ConfigErrors(diagnosis.errors)) }
        var merge = Merge(main, diagnosis.errors, digest: Files.digest(text.utf8))
        for pattern in main.includes { merge.include(pattern) }
        return merge.finish()
    }
}

/// The main file: the sections only it may hold, those any file may hold, and which files to include.
struct Main {
    var settings: Settings
    var parts: Parts
    var includes: [Placed<String>]

    static func read(_ fields: Fields) -> Main {
        let listeners = fields.optional(
            "listeners", .list(Kind.section(ListenerSettings.read).placed), default: [],
            "Doors that clients come in by.")
        let state = fields.section("state", "What survives a restart.", StateSettings.read)
        let (defaults, hold) = fields.section("defaults", "What services have that do not say otherwise.") {
            (DefaultSettings.read($0), $0.place(of: "hold"))
        }
        var settings = Settings(
            admin: fields.section("admin", "Health, metrics and control.") {
                AdminSettings.read($0, state: state.directory)
            },
            tls: fields.section("tls", "Decryption.") { TLSSettings.read($0, state: state.directory) },
            state: state, records: fields.section("records", "Session records.", RecordSettings.read),
            files: [fields.place.file],
            places: SettingsPlaces(
                workers: fields.place(of: "workers"), hold: hold, doors: fields.place(of: "listeners")))
        settings.listeners = listeners.map(\.value)
        settings.places.listeners = listeners.map(\.place)
        settings.capture = fields.optional("capture", .section(CaptureSettings.read), "What weir nft sends here.")
        settings.log = fields.section("log", "Diagnostics, on stderr.", LogSettings.read)
        settings.workers = fields.optional("workers", .integer(0...1024), default: 0, "Event loops; 0: one per core.")
        (settings.dns, settings.places.dns) = fields.section("dns", "Names.", DNSSettings.read)
        (settings.limits, settings.places.dns.tables) = fields.section("limits", "Every bound of the gateway.") {
            let pairs = $0.place(of: "dns_tunnel_pairs")
            return (Limits.read($0), .init(memory: $0.place(of: "dns_memory"), tunnelPairs: pairs))
        }
        settings.defaults = defaults
        settings.evidence = fields.section(
            "evidence", "What findings show besides the masked match.", EvidenceSettings.read)
        let mark = fields.optional(
            "mark", .integer(1...0xffff_ffff), default: Int(Settings.markDefault),
            "SO_MARK of upstream connections, by which packet rules leave them alone.")
        settings.mark = UInt32(truncatingIfNeeded: mark)
        let includes = fields.optional(
            "include", .list(Kind.text.placed), default: [],
            "Files with more services, identity and sensors; patterns such as services.d/*.yaml.")
        settings.includes = includes.map { Files.resolve($0.value, beside: fields.place.file) }
        return Main(settings: settings, parts: Parts.read(fields, defaults), includes: includes)
    }
}

/// Brings the files of a configuration together and looks for what no file can see alone.
private struct Merge {
    /// More files than anybody keeps by hand, fewer than hurt.
    static let filesMax = 4096

    private var settings: Settings
    private var parts: Parts
    private var errors: [ConfigError]

    init(_ main: Main, _ errors: [ConfigError], digest: Int) {
        settings = main.settings
        settings.digests = Dictionary(uniqueKeysWithValues: main.settings.files.map { ($0, digest) })
        parts = main.parts
        self.errors = errors
    }

    mutating func include(_ pattern: Placed<String>) {
        let path = Files.resolve(pattern.value, beside: pattern.place.file)
        if let reason = Files.unlistable(path) {
            errors.append(ConfigError(pattern.place, "include: expected a readable directory, found \(reason)"))
        }
        for file in Files.included(path) where !settings.files.contains(file) {
            guard settings.files.count < Merge.filesMax else {
                errors.append(ConfigError(pattern.place, "include: expected at most \(Merge.filesMax) files"))
                return
            }
            settings.files.append(file)
            do {
                let text = try Files.text(file)
                settings.digests[file] = Files.digest(text.utf8)
                read(text, file)
            } catch {
                errors.append(ConfigError(pattern.place, "include: expected a readable file, found \(error.reason)"))
            }
        }
    }

    private mutating func read(_ text: String, _ file: String) {
        do {
            let document = try Document.parse(text, file: file)
            guard let root = document.root else { return }
            let diagnosis = Diagnosis(file: file, renamed: document.renamed)
            let value = Value(node: root, key: "included file", diagnosis: diagnosis)
            if let more = Fields.read(value, { [defaults = settings.defaults] in Parts.read($0, defaults) }) {
                parts.services += more.services
                parts.identities += more.identities
                parts.sensors += more.sensors
                parts.lists += more.lists
                parts.detectors += more.detectors
                parts.honeytokens += more.honeytokens
            }
            errors += diagnosis.errors
        } catch {
            errors.append(error)
        }
    }

    mutating func finish() -> Result<Settings, ConfigErrors> {
        refuseHolds()
        refuseUnknownLists()
        let listeners = zip(settings.listeners, settings.places.listeners)
        refuseRepeats("listener", listeners.map { ($0.name, $1) })
        refuseRepeats("address", listeners.map { ($0.address.port == 0 ? "" : $0.address.description, $1) })
        refuseRepeats("service", parts.services.map { ($0.name, $0.place) })
        refuseRepeats("sensor", parts.sensors.map { ($0.spec.name, $0.places.name) })
        refuseRepeats("detector", parts.detectors.map { ($0.detector.spec.name, $0.places.name) })
        refuseRepeats("honeytoken", parts.honeytokens.map { ($0.name, $0.place) })
        refuseRepeats("list", parts.lists.map { ($0.spec.name, $0.place) })
        for sensor in parts.sensors {
            refuseRepeats("rule", zip(sensor.spec.rules, sensor.places.rules).map { ($0.name, $1.name) })
        }
        let ranges = parts.identities.flatMap { zip($0.spec.addresses, $0.places.addresses) }
        refuseRepeats("address", ranges.map { ($0.description, $1) })
        let (dns, places) = (settings.dns, settings.places.dns)
        func named(_ name: DomainName) -> String { name == placeholderDomain ? "" : name.description }
        refuseRepeats("zone", zip(dns.zones, places.zones).map { (named($0.suffix), $1) })
        refuseRepeats("host", zip(dns.hosts, places.hosts).map { (named($0.name), $1) })
        settings.services = parts.services
        settings.identities = parts.identities.map(\.spec)
        settings.places.identities = parts.identities.map(\.places)
        settings.lists = parts.lists.map(\.spec)
        settings.sensors = parts.sensors.map(\.spec)
        settings.places.sensors = parts.sensors.map(\.places)
        settings.detectors = parts.detectors.map(\.detector)
        settings.honeytokens = parts.honeytokens
        settings.places.detectors = parts.detectors.map(\.places)
        if errors.isEmpty { return .success(settings) }
        return .failure(ConfigErrors(errors + laterErrors))
    }

    /// What compiling the sensors would show once these errors are mended, told with them: not where something is
    /// wrong already, and nothing of sensors that are missed where some could not be read. Of the policy nothing is
    /// left to show.
    private var laterErrors: [ConfigError] {
        let sensors = zip(settings.sensors, settings.places.sensors)
        let hollow = sensors.flatMap { zip($0.rules, $1.rules).filter(\.0.patterns.isEmpty).map(\.1.name) }
        let places = Set(errors.map(\.place) + hollow)
        let source = SensorSource(settings)
        let found = source.compile(fingerprintKey: []).errors + (lacks("sensors") ? [] : source.unknown)
        return found.filter { !places.contains($0.place) }
    }

    /// Whether something of this section may be missed because it could not be read.
    private func lacks(_ section: String) -> Bool {
        errors.contains { error in
            ["\(section):", "include:", "not YAML:"].contains { error.message.hasPrefix($0) }
        }
    }

    private mutating func refuseUnknownLists() {
        if lacks("lists") { return }
        let names = Set(parts.lists.map(\.spec.name) + ListSpec.builtIn.map(\.name))
        errors += parts.services.flatMap { $0.unknownLists(among: names) }
    }

    /// A body that is to be held must fit.
    private mutating func refuseHolds() {
        let (most, defaults) = (settings.limits.holdTotal, settings.defaults.hold)
        let services = parts.services.filter { $0.hold != defaults }.map { ($0.hold, $0.place) }
        for (hold, place) in [(defaults, settings.places.hold)] + services where hold > most {
            let message = "expected at most limits.hold_total, \(Units.size(most)), found \(Units.size(hold))"
            errors.append(ConfigError(place, "hold: \(message)"))
        }
    }

    private mutating func refuseRepeats(_ what: String, _ named: [(name: String, place: Place)]) {
        var seen: [String: Place] = [:]
        // A name that could not be read is empty, and an error already.
        for (name, place) in named where !name.isEmpty {
            if let first = seen[name] {
                errors.append(ConfigError(place, "duplicate \(what) \(name), first defined at \(first)"))
            } else {
                seen[name] = place
            }
        }
    }
}
