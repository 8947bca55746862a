import Bytes

/// A workload identity with its settings, as compiled.
public struct Service: Sendable {
    /// Place in `Policy.services`; 0 is `unknown`.
    public let index: Int
    public let name: String
    public let mode: Mode
    /// What follows when something could not be inspected: `allow`, `alert` or `deny`.
    public let uninspectable: Action
    /// The number under which learned rules know the service.
    let learnedAs: UInt32

    /// The service of clients that no identity matches.
    public static let unknown = "unknown"
}

/// Who a client is.
public struct Identity: Hashable, Sendable {
    /// Index into `Policy.services`.
    public var service: Int
    /// Index into `Policy.pods`; absent for an address that is not one pod's.
    public var pod: Int?

    public init(service: Int, pod: Int?) {
        self.service = service
        self.pod = pod
    }
}
