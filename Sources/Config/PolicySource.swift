import Bytes
import Policy

/// What a policy is compiled from, and where each part of it was written.
struct PolicySource {
    /// At the indices of the policy: `unknown` first, then as written, then those that only an identity names.
    let services: [ServiceSettings]
    private let written: Int
    private let settings: Settings

    init(_ settings: Settings) {
        func defaults(_ name: String, _ place: Place) -> ServiceSettings {
            ServiceSettings(name: name, defaults: settings.defaults, place: place)
        }
        let unknown = settings.services.first { $0.name == Service.unknown } ?? defaults(Service.unknown, settings.top)
        var services = [unknown] + settings.services.filter { $0.name != Service.unknown }
        written = services.count
        var names = Set(services.map(\.name))
        for (identity, place) in zip(settings.identities, settings.places.identities)
        where names.insert(identity.service).inserted {
            services.append(defaults(identity.service, place.service))
        }
        self.services = services
        self.settings = settings
    }

    func compile(learned: LearnedRules, ownAddresses: [IPAddress]) -> Result<Policy, ConfigErrors> {
        let spec = PolicySpec(
            services: services[..<written].map(\.spec), identities: settings.identities,
            internalSuffixes: settings.dns.internalSuffixes + settings.dns.hosts.map(\.name),
            ownAddresses: ownAddresses, lists: settings.lists, defaultMode: settings.defaults.mode,
            defaultUninspectable: settings.defaults.uninspectable)
        return Policy.compile(spec, learned: learned).mapError { failure in
            ConfigErrors(failure.errors.map { ConfigError(place(of: $0.place), $0.message) })
        }
    }

    private func place(of place: PolicyError.Place) -> Place {
        switch place {
        case .policy: services[0].place
        case .service(let service): services[service].place
        case .rule(let service, let rule): services[service].rulePlaces[rule].rule
        case .identity(let identity): settings.places.identities[identity].service
        case .address(let identity, let address): settings.places.identities[identity].addresses[address]
        }
    }
}

extension ServiceSettings {
    /// Rules about lists that are not there. They are told as the files are read, with all else that is wrong in them.
    func unknownLists(among names: Set<String>) -> [ConfigError] {
        zip(rules, rulePlaces).compactMap { rule, places in
            guard case .list(let name) = rule.to, !names.contains(name) else { return nil }
            let expected = names.sorted().joined(separator: ", ")
            return ConfigError(places.to, "to: no list is called \(shown(name)), expected one of \(expected)")
        }
    }
}

extension Settings {
    /// Where that is said to stand which nobody wrote.
    var top: Place { Place(file: files.first ?? "", line: 1, column: 1) }
}

extension ServiceSettings {
    /// A service about which nothing is written.
    init(name: String, defaults: DefaultSettings, place: Place) {
        self.init(
            name: name, mode: defaults.mode, uninspectable: defaults.uninspectable, hold: defaults.hold, inspect: nil,
            sensors: [], rules: [], place: place, rulePlaces: [])
    }
}
