extension Settings {
    /// What differs from the settings in force and cannot change while the gateway runs, each at its place.
    public func restartNeeded(from old: Settings) -> [ConfigError] {
        var errors: [ConfigError] = []
        func compare<T: Equatable>(_ what: String, _ before: T, _ after: T, _ place: Place) {
            guard before != after else { return }
            errors.append(ConfigError(place, "\(what): a change from \(before) to \(after) needs a restart"))
        }
        compare("workers", old.workers, workers, places.workers)
        compare("admin.socket", old.admin.socket, admin.socket, admin.place)
        compare(
            "admin.address", old.admin.address?.description ?? "none", admin.address?.description ?? "none", admin.place
        )
        compare("state.directory", old.state.directory, state.directory, state.place)
        compare("records.directory", old.records.directory, records.directory, records.place)
        // These are read into tables that all loops share and that outlive a snapshot.
        compare(
            "dns.public_suffixes", old.dns.publicSuffixes ?? "none", dns.publicSuffixes ?? "none",
            places.dns.publicSuffixes)
        let zones = { (settings: Settings) in
            settings.dns.trustedZones.map { $0.map(\.description).joined(separator: ", ") } ?? "the built-in"
        }
        compare("dns.trusted_zones", zones(old), zones(self), places.dns.trustedZones)
        compare("limits.dns_memory", old.limits.dnsMemory, limits.dnsMemory, places.dns.tables.memory)
        compare(
            "limits.dns_tunnel_pairs", old.limits.dnsTunnelPairs, limits.dnsTunnelPairs, places.dns.tables.tunnelPairs)
        errors += listenersChanged(from: old)
        return ConfigErrors(errors).errors
    }

    private func listenersChanged(from old: Settings) -> [ConfigError] {
        var errors: [ConfigError] = []
        for (listener, place) in zip(listeners, places.listeners) {
            guard let before = old.listeners.first(where: { $0.name == listener.name }) else {
                errors.append(ConfigError(place, "listeners: the new listener \(listener.name) needs a restart"))
                continue
            }
            if before.address != listener.address {
                let change = "a change from \(before.address) to \(listener.address)"
                errors.append(ConfigError(place, "address: \(change) needs a restart"))
            } else if before != listener {
                errors.append(ConfigError(place, "listeners: a change of \(listener.name) needs a restart"))
            }
        }
        for gone in old.listeners where !listeners.contains(where: { $0.name == gone.name }) {
            errors.append(ConfigError(places.doors, "listeners: the end of listener \(gone.name) needs a restart"))
        }
        return errors
    }
}
