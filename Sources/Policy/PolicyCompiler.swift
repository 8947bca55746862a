import Bytes

/// Checks a `PolicySpec`, collecting all that is wrong with it, and resolves the names of services and pods to numbers.
struct PolicyCompiler {
    private let spec: PolicySpec
    private(set) var services: [ServiceSpec]
    /// Those that are written, and the built-in ones of other names.
    let lists: [ListSpec]
    private(set) var pods: [String] = []
    private(set) var identities: [(prefix: Prefix, identity: Identity)] = []
    private var errors: [PolicyError] = []

    init(_ spec: PolicySpec) {
        self.spec = spec
        services = spec.services
        let names = Set(spec.lists.map(\.name))
        lists = spec.lists + ListSpec.builtIn.filter { !names.contains($0.name) }
    }

    /// All that is wrong; if nothing is, the other fields are complete.
    mutating func check() -> [PolicyError] {
        if spec.services.first?.name != Service.unknown {
            fail(.policy, "the first service must be `\(Service.unknown)`, for clients that no identity matches")
        }
        checkLists()
        var numbers: [String: Int] = [:]
        for (index, service) in spec.services.enumerated() {
            check(service, at: index)
            if let other = numbers[service.name] {
                fail(.service(index), "service `\(service.name)` is already defined by services[\(other)]")
            } else {
                numbers[service.name] = index
            }
        }
        checkIdentities(&numbers)
        return errors
    }

    private mutating func fail(_ place: PolicyError.Place, _ message: String) {
        errors.append(PolicyError(place, message))
    }

    private mutating func check(_ service: ServiceSpec, at index: Int) {
        if !Service.isName(service.name) {
            fail(.service(index), "a service name is 1 to 253 bytes without spaces and control characters")
        }
        if service.uninspectable == .redact {
            fail(.service(index), "uninspectable must be allow, alert or deny: what was not read cannot be redacted")
        }
        for (number, rule) in service.rules.enumerated() {
            let place = PolicyError.Place.rule(service: index, rule: number)
            if rule.action != .allow && rule.action != .deny {
                fail(place, "the action of a network rule must be allow or deny, found \(rule.action.label)")
            }
            if rule.ports.contains(where: { $0.lowerBound == 0 }) {
                fail(place, "port must be 1-65535, found 0")
            }
            if case .list(let name) = rule.to, !lists.contains(where: { $0.name == name }) {
                let known = lists.map(\.name).sorted().joined(separator: ", ")
                fail(place, "no list is called `\(name)`, expected one of \(known)")
            }
        }
    }

    private mutating func checkLists() {
        var names: Set<String> = []
        for list in spec.lists {
            if !names.insert(list.name).inserted { fail(.policy, "the list `\(list.name)` is defined twice") }
            for entry in list.entries {
                switch entry {
                case .name, .suffix, .prefix: break
                case .any, .list:
                    fail(.policy, "list `\(list.name)`: expected names, suffixes and ranges, found \(entry)")
                }
            }
        }
    }

    private mutating func checkIdentities(_ numbers: inout [String: Int]) {
        var podNumbers: [[String]: Int] = [:]
        var owners: [Prefix: (identity: Int, service: String)] = [:]
        for (index, identity) in spec.identities.enumerated() {
            if identity.addresses.isEmpty { fail(.identity(index), "at least one address is needed") }
            let service = number(of: identity.service, at: index, &numbers)
            var pod: Int?
            if let name = identity.pod {
                if name.isEmpty { fail(.identity(index), "the name of a pod must not be empty") }
                pod = podNumbers[[identity.service, name]] ?? pods.count
                if pod == pods.count { pods.append(name) }
                podNumbers[[identity.service, name]] = pod
            }
            for (number, prefix) in identity.addresses.enumerated() {
                if let owner = owners[prefix] {
                    fail(
                        .address(identity: index, address: number),
                        "\(prefix) is already given to `\(owner.service)` by identity.pods[\(owner.identity)]")
                    continue
                }
                owners[prefix] = (index, identity.service)
                identities.append((prefix, Identity(service: service, pod: pod)))
            }
        }
    }

    /// The index of a service; one that only identities name comes into being with the defaults.
    private mutating func number(of name: String, at identity: Int, _ numbers: inout [String: Int]) -> Int {
        if let known = numbers[name] { return known }
        if !Service.isName(name) {
            fail(.identity(identity), "a service name is 1 to 253 bytes without spaces and control characters")
        }
        numbers[name] = services.count
        services.append(
            ServiceSpec(
                name: name, mode: spec.defaultMode, uninspectable: spec.defaultUninspectable, rules: []))
        return services.count - 1
    }
}

extension Service {
    /// Whether a text can be the name of a service: it stands in records, reports and the state file.
    static func isName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
    }
}
