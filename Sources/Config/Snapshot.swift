import Bytes
import DLP
import Policy

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

    private init(
        _ generation: UInt64, _ settings: Settings, _ policy: Policy, _ source: PolicySource, _ sensors: Database
    ) {
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
        let errors = policy.errors + database.errors + sensors.unknown
        guard errors.isEmpty, case .success(let policy) = policy, case .success(let database) = database else {
            return .failure(ConfigErrors(errors))
        }
        return .success(Snapshot(generation, settings, policy, source, database))
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
