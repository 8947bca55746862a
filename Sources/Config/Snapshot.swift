import Bytes
import DLP
import Glibc
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
    /// Who may vouch for servers that are spoken to over TLS; nil where none is.
    public let trust: Trust?
    /// Who vouches for us to clients whose TLS is read; nil where none is read, and before the first start.
    public let authority: Authority?
    /// How those are spoken to.
    public let serverContext: ServerContext?

    private init(
        _ generation: UInt64, _ settings: Settings, _ policy: Policy, _ source: PolicySource, _ sensors: Database,
        _ parties: Parties
    ) {
        (trust, authority, serverContext) = (parties.trust, parties.authority, parties.serverContext)
        precondition(policy.services.map(\.name) == source.services.map(\.name), "one order of services")
        self.generation = generation
        self.settings = settings
        self.policy = policy
        services = source.services
        profiles = source.services.map { service in
            var attachments = service.sensors.map { Attachment(sensor: $0.name, action: $0.action) }
            if !settings.honeytokens.isEmpty {
                attachments.append(Attachment(sensor: Honeytoken.sensor, action: .deny))
            }
            return Profile(sensors, attachments, enforcing: service.mode == .protect, hold: service.hold)
        }
        warnings =
            ConfigErrors(
                settings.doubts + parties.doubts + sensors.warnings.map(SensorSource(settings).told)
            ).errors
    }

    /// Compiles settings, or says all that is wrong with them at the places where it was written.
    public static func build(
        _ settings: Settings, generation: UInt64, learned: LearnedRules, ownAddresses: [IPAddress],
        fingerprintKey: [UInt8]
    ) -> Result<Snapshot, ConfigErrors> {
        let source = PolicySource(settings)
        let sensors = SensorSource(settings)
        let policy = source.compile(learned: learned, ownAddresses: ownAddresses)
        let evidence = settings.evidenceSpec
        let database = sensors.compile(
            fingerprintKey: fingerprintKey, evidence: (try? evidence.get()) ?? EvidenceSpec())
        let parties = settings.parties
        let errors = policy.errors + evidence.errors + database.errors + sensors.unknown + parties.errors
        guard errors.isEmpty, case .success(let policy) = policy, case .success(let database) = database,
            case .success(let parties) = parties
        else {
            return .failure(ConfigErrors(errors))
        }
        return .success(Snapshot(generation, settings, policy, source, database, parties))
    }

    /// How much of its TLS is meant to be read.
    public func inspect(service: Int) -> TLSSettings.Inspect { services[service].inspect ?? settings.tls.inspect }

    /// Whether TLS to this name is meant to be read for this service (`tls.inspect`, `tls.passthrough`).
    public func inspects(_ name: DomainName?, service: Int) -> Bool {
        guard inspect(service: service) != .never else { return false }
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

/// Who vouches for whom.
private struct Parties {
    var trust: Trust?
    var authority: Authority?
    var serverContext: ServerContext?
    var doubts: [ConfigError] = []
}

extension Settings {
    /// Whether TLS of any service is meant to be read.
    public var inspectsAny: Bool {
        tls.inspect != .never || services.contains { ($0.inspect ?? .never) != .never }
    }

    /// Those of `tls`, read where something is spoken over TLS.
    fileprivate var parties: Result<Parties, ConfigErrors> {
        var parties = Parties()
        var errors: [ConfigError] = []
        let resolvers = dns.resolvers + dns.zones.flatMap(\.resolvers)
        if inspectsAny || resolvers.contains(where: { $0.tlsName != nil }) {
            let revocation = revocation(&errors)
            parties.doubts = (revocation?.doubts ?? []).map(revocationError)
            do throws(TrustFault) {
                let source: TLS.Trust.Source =
                    switch tls.trust {
                    case .system: .system
                    case .bundle(let path): .file(path)
                    }
                parties.trust = try Trust(source, pins: tls.pins, revocation: revocation)
                if inspectsAny { parties.serverContext = try ServerContext() }
            } catch {
                errors.append(ConfigError(tls.trustPlace, "tls.trust: \(error)"))
            }
        }
        // Before the first start there is none.
        if inspectsAny, access(tls.certificate, F_OK) == 0 || access(tls.key, F_OK) == 0 {
            do throws(AuthorityFault) {
                parties.authority = try Authority(certificate: tls.certificate, key: tls.key)
            } catch {
                errors.append(ConfigError(tls.authorityPlace, "tls.authority: \(error)"))
            }
        }
        return errors.isEmpty ? .success(parties) : .failure(ConfigErrors(errors))
    }

    private func revocation(_ errors: inout [ConfigError]) -> Revocation? {
        do throws(TrustFault) {
            return tls.revocation.isEmpty ? nil : try Revocation(tls.revocation)
        } catch {
            errors.append(revocationError("\(error)"))
            return nil
        }
    }

    private func revocationError(_ message: String) -> ConfigError {
        ConfigError(tls.revocationPlace, "tls.revocation: \(message)")
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
