import Bytes
import Config

extension CaptureSpec {
    /// What a configuration wants captured; nil if it says nothing of it.
    public init?(_ settings: Settings) {
        guard let capture = settings.capture else { return nil }
        func port(_ intercept: ListenerSettings.Intercept, v4: Bool?, dns: Bool = false) -> UInt16? {
            settings.listeners.first { listener in
                listener.intercept == intercept && (listener.protocol == .dns) == dns
                    && (v4 == nil || listener.address.address.isV4 == v4)
            }?.address.port
        }
        self.init(
            tproxyV4: port(.tproxy, v4: true), tproxyV6: port(.tproxy, v4: false), redirect: port(.redirect, v4: nil),
            dnsV4: port(.tproxy, v4: true, dns: true), dnsV6: port(.tproxy, v4: false, dns: true), mark: settings.mark,
            sourceClient: settings.listeners.contains { $0.source == .client })
        for source in capture.from {
            switch source {
            case .interface(let name): interfaces.append(name)
            case .prefix(let prefix): prefixes.append(prefix)
            }
        }
        if case .list(let ranges) = capture.tcp { tcp = .list(ranges) }
        udp = capture.udp
        exclude = capture.exclude
        allow = capture.allow.map { passage in
            switch passage {
            case .tcp(let ports): .tcp(ports)
            case .udp(let ports): .udp(ports)
            case .icmp: .icmp
            }
        }
        fail = capture.fail == .open ? .open : .closed
    }
}
