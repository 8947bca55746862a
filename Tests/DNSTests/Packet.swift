import Bytes

@testable import DNS

/// Writes messages as servers do, and as they should not.
enum Packet {
    /// A reply to a query, with its question as it came.
    static func reply(
        to query: some Collection<UInt8>, flags: UInt16 = 0x8180, records: [[UInt8]], authorities: [[UInt8]] = []
    )
        -> [UInt8]
    {
        let query = Array(query)
        let end = query.withUnsafeBytes { try? Question(reading: $0, at: Header.length).end } ?? query.count
        let counts = [1, records.count, authorities.count, 0].flatMap { be16($0) }
        return query[0..<2] + be16(Int(flags)) + counts + query[12..<end] + records.joined() + authorities.joined()
    }

    static func be16(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }
    static func be32(_ value: Int) -> [UInt8] { be16(value >> 16) + be16(value & 0xffff) }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    /// The name at the question, by a pointer.
    static let asked: [UInt8] = [0xc0, 12]

    static func record(_ owner: [UInt8], _ type: Int, ttl: Int, _ data: [UInt8]) -> [UInt8] {
        owner + be16(type) + be16(1) + be32(ttl) + be16(data.count) + data
    }

    static func a(_ owner: [UInt8], ttl: Int = 60, _ address: String) -> [UInt8] {
        record(owner, 1, ttl: ttl, be32(Int(IPAddress(address)?.v4Bits ?? 0)))
    }

    static func aaaa(_ owner: [UInt8], ttl: Int = 60, _ address: String) -> [UInt8] {
        let address = IPAddress(address) ?? .anyV6
        let parts = [address.high, address.low].flatMap { word in
            be32(Int(word >> 32)) + be32(Int(word & 0xffff_ffff))
        }
        return record(owner, 28, ttl: ttl, parts)
    }

    static func cname(_ owner: [UInt8], ttl: Int = 60, _ target: [UInt8]) -> [UInt8] {
        record(owner, 5, ttl: ttl, target)
    }

    static func a(ttl: Int = 60, _ address: String) -> [UInt8] { a(asked, ttl: ttl, address) }
    static func aaaa(ttl: Int = 60, _ address: String) -> [UInt8] { aaaa(asked, ttl: ttl, address) }
    static func cname(ttl: Int = 60, _ target: [UInt8]) -> [UInt8] { cname(asked, ttl: ttl, target) }

    static func soa(ttl: Int, minimum: Int) -> [UInt8] {
        let fields = [1, 3600, 600, 86400, minimum].flatMap { be32($0) }
        return record(asked, 6, ttl: ttl, name("ns.test") + name("root.test") + fields)
    }
}

func name(_ text: String) -> DomainName {
    guard let name = DomainName(text) else { preconditionFailure("a test's name: \(text)") }
    return name
}

func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(text) else { preconditionFailure("a test's address: \(text)") }
    return address
}
