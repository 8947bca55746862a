/// One thing wrong with a policy, and where it was written.
public struct PolicyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Indices into the `PolicySpec`.
    public enum Place: Hashable, Sendable {
        case policy
        case service(Int)
        case rule(service: Int, rule: Int)
        case identity(Int)
        case address(identity: Int, address: Int)
    }

    public var place: Place
    public var message: String

    public init(_ place: Place, _ message: String) {
        self.place = place
        self.message = message
    }

    public var description: String {
        switch place {
        case .policy: message
        case .service(let service): "services[\(service)]: \(message)"
        case .rule(let service, let rule): "services[\(service)].rules[\(rule)]: \(message)"
        case .identity(let identity): "identity.pods[\(identity)]: \(message)"
        case .address(let identity, let address): "identity.pods[\(identity)].addresses[\(address)]: \(message)"
        }
    }
}

/// All that is wrong with a policy, at once.
public struct PolicyErrors: Error, Hashable, Sendable, CustomStringConvertible {
    public var errors: [PolicyError]

    public init(_ errors: [PolicyError]) { self.errors = errors }

    public var description: String { errors.map(\.description).joined(separator: "\n") }
}
