import Bytes
import DLP
import Policy
import TLS

/// A configuration compiled for use: immutable, shared by all loops, replaced whole by a reload.
public final class Snapshot: Sendable {
    public let generation: UInt64
    public let settings: Settings
    public let policy: Policy
    /// What is written about each service, by its index in the policy; 0 is `unknown`.
    public let services: [ServiceSettings]
    /// What each service is read with, by its index in the policy.
    public let profiles: [Profile]
    /// What is no error and yet hardly meant.
    public let warnings: [ConfigError]
    /// Who may vouch for resolvers that are asked over TLS; nil where none is.
    public let trust: Trust?

    private init(
        _ generation: UInt64, _ settings: Settings, _ policy: Policy, _ source: PolicySource, _ sensors: Database,
        _ trust: Trust?
    ) {
        self.trust = trust
        precondition(policy.services.map(\.name) == source.services.map(\.name), "one order of services")
        self.generation = generation
        self.settings = settings
        self.policy = policy
        services = source.services
        profiles = source.services.map { service in
            let attachments = service.sensors.map { Attachment(sensor: $0.name, action: $0.action) }
            return Profile(sensors, attachments, enforcing: service.mode == .protect, hold: service.hold)
        }
        warnings = ConfigErrors(settings.doubts + sensors.warnings.map(SensorSource(settings).told)).errors
    }

    /// Compiles settings, or says all that is wrong with them at the places where it was written.
    public static func build(
        _ settings: Settings, generation: UInt64, learned: LearnedRules, ownAddresses: [IPAddress],
        fingerprintKey: [UInt8]
    ) -> Result<Snapshot, ConfigErrors> {
        let source = PolicySource(settings)
        let sensors = SensorSource(settings)
        let policy = source.compile(learned: learned, ownAddresses: ownAddresses)
        let database = sensors.compile(fingerprintKey: fingerprintKey)
        let trust = settings.trust
        let errors = policy.errors + database.errors + sensors.unknown + trust.errors
        guard errors.isEmpty, case .success(let policy) = policy, case .success(let database) = database,
            case .success(let trust) = trust
        else {
            return .failure(ConfigErrors(errors))
        }
        return .success(Snapshot(generation, settings, policy, source, database, trust))
    }

    /// Whether TLS to this name is meant to be read for this service (`tls.inspect`, `tls.passthrough`).
    public func inspects(_ name: DomainName?, service: Int) -> Bool {
        guard (services[service].inspect ?? settings.tls.inspect) != .never else { return false }
        guard let name else { return true }
        return !settings.tls.passthrough.contains { passed in
            switch passed {
            case .name(let other): other == name
            case .suffix(let suffix): name != suffix && name.isWithin(suffix)
            case .any, .prefix, .list: false
            }
        }
    }
}

extension Settings {
    /// The authorities of `tls.trust`, read where a resolver is asked over TLS.
    fileprivate var trust: Result<Trust?, ConfigErrors> {
        let resolvers = dns.resolvers + dns.zones.flatMap(\.resolvers)
        guard resolvers.contains(where: { $0.tlsName != nil }) else { return .success(nil) }
        do throws(TrustFault) {
            switch tls.trust {
            case .system: return .success(try Trust(.system))
            case .bundle(let path): return .success(try Trust(.file(path)))
            }
        } catch {
            return .failure(ConfigErrors([ConfigError(tls.trustPlace, "tls.trust: \(error)")]))
        }
    }
}

extension Result where Failure == ConfigErrors {
    var errors: [ConfigError] {
        if case .failure(let failure) = self { failure.errors } else { [] }
    }
}

extension Settings {
    /// What is no error and yet hardly meant.
    fileprivate var doubts: [ConfigError] {
        var doubts: [ConfigError] = []
        if let capture, !listeners.contains(where: { $0.intercept != .explicit }) {
            doubts.append(
                ConfigError(capture.place, "capture: no listener takes what is captured, so that all of it is dropped"))
        }
        let identified = Set(identities.map(\.service) + ["unknown"])
        for service in services where !identified.contains(service.name) {
            doubts.append(ConfigError(service.place, "services: no identity says who \(service.name) is"))
        }
        return doubts
    }
}
