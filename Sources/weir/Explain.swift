import ArgumentParser
import Bytes
import DLP
import Policy

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what would happen to a request, and which rule says so.",
        discussion: "Works from the configuration and the learned rules alone: nothing is sent or looked up.")

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The service that would ask.")
    var service: String

    @Option(help: "The request method.")
    var method = "GET"

    @Option(help: "The address that the host's name has; without it rules about addresses cannot match a name.")
    var address: String?

    @Argument(help: "http://host[:port]/path, or https:// for a TLS tunnel.")
    var url: String

    func run() throws {
        let offline = try Offline.load(options.config)
        let index = try offline.service(service)
        let target = try Target(url)
        var question = Question(
            service: index, name: nil, address: try parsedAddress(), port: target.port,
            application: target.isTLS ? .tls : .http)
        switch target.host {
        case .name(let name): question.name = name
        case .address(let literal): question.address = literal
        }
        print(offline.snapshot.policy.explain(question))
        if !target.isTLS { scan(target.path, offline.snapshot.profiles[index]) }
    }

    private func parsedAddress() throws -> IPAddress? {
        guard let address else { return nil }
        guard let parsed = IPAddress(address) else { throw ValidationError("\(address) is not an IP address") }
        return parsed
    }

    /// The url is the one part of a request that is at hand.
    private func scan(_ path: String, _ profile: Profile) {
        let inspection = Inspection(scratch: Scratch())
        inspection.reset(profile)
        var path = path
        path.withUTF8 { inspection.scan(UnsafeRawBufferPointer($0), as: .url) }
        for finding in inspection.findings {
            print("finding      \(finding.sensor)/\(finding.rule) \(finding.action.label) in the url: \(finding.match)")
        }
    }

    private struct Target {
        var host: Host
        var port: UInt16
        var path: String
        var isTLS: Bool

        init(_ url: String) throws {
            let wrong = ValidationError("expected http://host[:port]/path, found \(url)")
            guard let scheme = url.firstRange(of: "://") else { throw wrong }
            switch url[..<scheme.lowerBound].lowercased() {
            case "http": isTLS = false
            case "https": isTLS = true
            default: throw wrong
            }
            let rest = url[scheme.upperBound...]
            let end = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) ?? rest.endIndex
            path = rest[end...].isEmpty ? "/" : String(rest[end...])
            var authority = rest[..<end]
            port = isTLS ? 443 : 80
            if let colon = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
                guard let explicit = UInt16(authority[authority.index(after: colon)...]), explicit > 0 else {
                    throw wrong
                }
                port = explicit
                authority = authority[..<colon]
            }
            guard let host = Host(String(authority)) else { throw wrong }
            self.host = host
        }
    }
}
