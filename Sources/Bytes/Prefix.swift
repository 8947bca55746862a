/// An address range in CIDR form. The length counts bits of the 128-bit form: an IPv4 `/24` is stored as 120.
public struct Prefix: Hashable, Sendable {
    public let address: IPAddress
    /// 0...128.
    public let length: UInt8

    /// Host bits below `length` are cleared.
    public init(_ address: IPAddress, length: UInt8) {
        precondition(length <= 128, "a prefix has at most 128 bits")
        self.address = address.masked(to: length)
        self.length = length
    }

    /// A single address.
    public init(_ address: IPAddress) { self.init(address, length: 128) }

    /// Parses `10.0.0.0/8`, `2001:db8::/32` or a bare address; host bits that are set are an error.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(parts[0]) else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        let most: UInt8 = address.isV4 ? 32 : 128
        guard let length = UInt8(parts[1]), length <= most, parts[1].allSatisfy(\.isNumber) else { return nil }
        let bits = address.isV4 ? length + 96 : length
        guard address.masked(to: bits) == address else { return nil }
        self.init(address, length: bits)
    }

    /// A range of IPv6 addresses holds no IPv4 address, not even `::/0`: the mapped form is our own way to keep them.
    @inlinable public func contains(_ other: IPAddress) -> Bool {
        (length >= 96 || !other.isV4) && other.masked(to: length) == address
    }
}

extension IPAddress {
    /// The address with all but its first `length` bits cleared.
    @inlinable public func masked(to length: UInt8) -> IPAddress {
        func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : ~(.max >> UInt64(bits)) }
        return IPAddress(high: high & mask(Int(length)), low: low & mask(Int(length) - 64))
    }
}

extension Prefix: CustomStringConvertible {
    public var description: String {
        address.isV4 && length >= 96 ? "\(address)/\(length - 96)" : "\(address)/\(length)"
    }
}
