import Bytes

/// Which names a service may reach without being read for a while, because its clients do not trust our authority or the
/// origin wants what only they have (`tls.inspect: auto`). Of all loops; asked once for each TLS connection that is to be read.
final class Bypass: Sendable {
    private struct Key: Hashable {
        var service: String
        var name: Host
    }

    private enum Standing {
        case passes(until: Ticks, why: String)
        /// A client of the service has trusted our certificate for this name.
        case trusted
    }

    private let standings = Guarded<[Key: Standing]>([:])

    static let lasts = Milliseconds.minutes(10)
    /// Beyond that all are forgotten: what is to pass is found out again.
    private static let most = 16 * 1024

    /// Why the name passes unread, if it does.
    func reason(_ service: String, _ name: Host, now: Ticks) -> String? {
        standings.withLock { standings in
            guard case .passes(let until, let why)? = standings[Key(service: service, name: name)], now < until else {
                return nil
            }
            return why
        }
    }

    /// From now on it passes, unless `mayBeChance` and a client has trusted us with this name before.
    func open(_ service: String, _ name: Host, why: String, mayBeChance: Bool = false, now: Ticks) {
        standings.withLock { standings in
            let key = Key(service: service, name: name)
            if mayBeChance, case .trusted? = standings[key] { return }
            if standings.count >= Bypass.most { standings.removeAll() }
            standings[key] = .passes(until: now + Bypass.lasts, why: why)
        }
    }

    func trusted(_ service: String, _ name: Host) {
        standings.withLock { standings in
            let key = Key(service: service, name: name)
            if case .trusted? = standings[key] { return }
            if standings.count >= Bypass.most { standings.removeAll() }
            standings[key] = .trusted
        }
    }
}
