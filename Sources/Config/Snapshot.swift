import Bytes
import DLP
import Policy

/// A configuration compiled for use: immutable, shared by all loops, replaced whole by a reload.
public final class Snapshot: Sendable {
    public let generation: UInt64
    public let settings: Settings
    public let policy: Policy
    /// What is written about each service, by its index in the policy.
    public let services: [ServiceSettings]
    public let profiles: [Profile]

    private init(
        generation: UInt64, settings: Settings, policy: Policy, services: [ServiceSettings], profiles: [Profile]
    ) {
        self.profiles = profiles
        self.generation = generation
        self.settings = settings
        self.policy = policy
        self.services = services
    }

    /// Compiles settings, or says all that is wrong with them at the places where it was written.
    public static func build(
        _ settings: Settings, generation: UInt64, learned: LearnedRules, ownAddresses: [IPAddress],
        fingerprintKey: [UInt8]
    ) -> Result<Snapshot, ConfigErrors> {
        let source = PolicySource(settings)
        return source.compile(learned: learned, ownAddresses: ownAddresses).map { policy in
            precondition(policy.services.map(\.name) == source.services.map(\.name), "one order of services")
            guard
                case .success(let db) = Database.compile(
                    settings.sensors, limits: settings.limits, fingerprintKey: fingerprintKey)
            else { preconditionFailure("sensors") }
            return Snapshot(
                generation: generation, settings: settings, policy: policy, services: source.services,
                profiles: source.services.map { s in
                    Profile(
                        db, s.sensors.map { Attachment(sensor: $0.name, action: $0.action) },
                        enforcing: s.mode == .protect, hold: s.hold)
                })
        }
    }
}
