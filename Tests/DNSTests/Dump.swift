import Bytes

@testable import DNS

/// Queries as clients write them, and messages in words.
enum Dump {
    static func query(
        _ name: String = "www.test", _ type: RecordType = .a, id: Int = 0x1234, flags: Int = 0x0100, edns: Int? = 1232,
        isDNSSECOK: Bool = false, options: [UInt8] = []
    ) -> [UInt8] {
        let header = [id, flags, 1, 0, 0, edns == nil ? 0 : 1].flatMap { Packet.be16($0) }
        let question = Packet.name(name) + Packet.be16(Int(type.rawValue)) + Packet.be16(1)
        return header + question + (edns.map { opt($0, isDNSSECOK: isDNSSECOK, options: options) } ?? [])
    }

    static func opt(_ size: Int, version: Int = 0, isDNSSECOK: Bool = false, options: [UInt8] = []) -> [UInt8] {
        [0, 0, 41] + Packet.be16(size) + Packet.be32(version << 16 | (isDNSSECOK ? 0x8000 : 0))
            + Packet.be16(options.count) + options
    }

    static func read(_ bytes: [UInt8]) -> Query? {
        guard case .query(let query) = bytes.withUnsafeBytes({ Query.read($0) }) else { return nil }
        return query
    }

    /// A signature over a type, by a zone.
    static func rrsig(_ owner: [UInt8], over type: Int, by zone: String, ttl: Int = 60) -> [UInt8] {
        Packet.record(
            owner, 46, ttl: ttl,
            Packet.be16(type) + [13, 2] + Packet.be32(60) + Packet.be32(9) + Packet.be32(8) + Packet.be16(7)
                + Packet.name(zone) + [0xde, 0xad])
    }

    /// Each record of a section as `owner time type data`.
    static func records(_ bytes: some Sequence<UInt8>, _ section: KeyPath<Message, Message.Records>) -> [String] {
        Array(bytes).withUnsafeBytes { bytes in
            guard let message = try? Message(bytes) else { return ["malformed"] }
            return message[keyPath: section].map { record in
                "\(name(record.name, message)) \(record.timeToLive) \(type(record.type)) \(data(record, message))"
            }
        }
    }

    static func answers(_ bytes: some Sequence<UInt8>) -> [String] { records(bytes, \.answers) }
    static func authorities(_ bytes: some Sequence<UInt8>) -> [String] { records(bytes, \.authorities) }
    static func additionals(_ bytes: some Sequence<UInt8>) -> [String] { records(bytes, \.additionals) }

    static func name(_ name: WireName, _ message: Message) -> String {
        let text = name.labels(in: message.bytes).map { String(decoding: message.bytes[$0], as: UTF8.self) }
        return text.isEmpty ? "." : text.joined(separator: ".")
    }

    static func type(_ type: RecordType) -> String {
        let names: [RecordType: String] = [
            .a: "A", .ns: "NS", .cname: "CNAME", .soa: "SOA", .mx: "MX", .aaaa: "AAAA", .srv: "SRV", .dname: "DNAME",
            .opt: "OPT", .rrsig: "RRSIG", .nsec: "NSEC", .nsec3: "NSEC3", .https: "HTTPS",
        ]
        return names[type] ?? "TYPE\(type.rawValue)"
    }

    /// An address, names, or what is left in hexadecimal digits.
    static func data(_ record: ResourceRecord, _ message: Message) -> String {
        if let address = message.address(of: record) { return "\(address)" }
        if let covered = message.covered(by: record), let zone = message.signer(of: record) {
            return "\(type(covered)) \(name(zone, message))"
        }
        guard let layout = RecordData(record.type),
            var at = try? layout.firstName(of: message.bytes, in: record.data)
        else { return hex(message.bytes[record.data]) }
        var words = [hex(message.bytes[record.data.lowerBound..<at])]
        for _ in 0..<layout.names {
            guard let found = try? WireName(reading: message.bytes, at: at) else { return "malformed" }
            words.append(name(found, message))
            at = found.end
        }
        words.append(hex(message.bytes[at..<record.data.upperBound]))
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    static func stored(
        _ records: [[UInt8]], authorities: [[UInt8]] = [], name: String = "www.test", type: RecordType = .a,
        flags: UInt16 = 0x8180, isDNSSECOK: Bool = false
    ) throws(DNSFault) -> StoredAnswer {
        try stored(
            Packet.reply(to: query(name, type), flags: flags, records: records, authorities: authorities),
            isDNSSECOK: isDNSSECOK)
    }

    static func stored(_ bytes: [UInt8], isDNSSECOK: Bool = false) throws(DNSFault) -> StoredAnswer {
        let made: Result<StoredAnswer, DNSFault> = bytes.withUnsafeBytes { bytes in
            Result { () throws(DNSFault) in try StoredAnswer(Message(bytes), isDNSSECOK: isDNSSECOK) }
        }
        return try made.get()
    }
}
