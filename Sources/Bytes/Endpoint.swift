/// An address and a port: one end of a connection.
public struct Endpoint: Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16

    @inlinable public init(_ address: IPAddress, _ port: UInt16) {
        self.address = address
        self.port = port
    }

    /// Parses `10.0.0.1:80` or `[::1]:80`; the port is required.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(host) else { return nil }
        self.init(address, port)
    }
}

extension Buffer {
    /// Appends `10.0.0.1:80` or `[::1]:80`.
    public mutating func append(_ endpoint: Endpoint) {
        if endpoint.address.isV4 {
            append(endpoint.address)
        } else {
            append(UInt8(ascii: "["))
            append(endpoint.address)
            append(UInt8(ascii: "]"))
        }
        append(UInt8(ascii: ":"))
        append(decimal: UInt64(endpoint.port))
    }
}

extension Endpoint: CustomStringConvertible {
    public var description: String {
        var buffer = Buffer()
        buffer.append(self)
        return String(decoding: buffer.readable, as: UTF8.self)
    }
}
