import DNS

/// Binary protocols, by the first message of their clients. A few magic bytes are certain; headers of lengths and
/// numbers are held to what clients really send, since any stream of bytes could look a little like them.
enum BinaryStart {
    /// AMQP 0-9-1 section 4.2.2, AMQP 1.0 section 2.2: the name, then a protocol id or the old version.
    static func amqp(_ bytes: UnsafeRawBufferPointer) -> Guess {
        let name = Guess.prefix(bytes, "AMQP")
        guard name == .yes else { return name }
        guard let id = bytes.byte(4) else { return .maybe }
        return id <= 3 ? .yes : .no
    }

    /// A CONNECT packet: its type, a length in base 128, and the protocol's name and level (MQTT 5.0 section 3.1).
    static func mqtt(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard let type = bytes.byte(0) else { return .maybe }
        guard type == 0x10 else { return .no }
        var at = 1
        while let digit = bytes.byte(at) {
            at += 1
            if digit < 0x80 { break }
            guard at <= 4 else { return .no }
        }
        guard at > 1, bytes[at - 1] < 0x80 else { return .maybe }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[at...])
        let name = Guess.prefix(rest, "\0\u{4}MQTT")
        return name == .no ? Guess.prefix(rest, "\0\u{6}MQIsdp") : name
    }

    /// A startup message of version 3 or one of the requests that stand in its place (PostgreSQL, message formats).
    static func postgreSQL(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard startsWithZeros(bytes) else { return .no }
        guard let length = bytes.integer(0, 4) else { return .maybe }
        guard (8...10_000).contains(length) else { return .no }
        guard let code = bytes.integer(4, 4) else { return .maybe }
        switch (code >> 16, code & 0xffff) {
        case (1234, 5679), (1234, 5680): return length == 8 ? .yes : .no
        case (1234, 5678): return (16...268).contains(length) ? .yes : .no
        case (3, _):
            // The same bytes are the front of a Kafka Metadata request, whose correlation id comes next and not
            // a parameter's name.
            guard let letter = bytes.byte(8) else { return .maybe }
            return Ascii.isLower(letter) && length > 9 ? .yes : .no
        default: return .no
        }
    }

    /// A request header: length, API key and version, correlation id, and the client's id (Kafka, request header v1).
    static func kafka(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard startsWithZeros(bytes) else { return .no }
        guard let length = bytes.integer(0, 4) else { return .maybe }
        guard length >= 10 else { return .no }
        guard let key = bytes.integer(4, 2) else { return .maybe }
        guard key <= 92 else { return .no }
        guard let version = bytes.integer(6, 2) else { return .maybe }
        guard version <= 20 else { return .no }
        guard let correlation = bytes.integer(8, 4) else { return .maybe }
        guard correlation < 1 << 31 else { return .no }
        guard let idLength = bytes.integer(12, 2) else { return .maybe }
        // Without an id only the requests that open a connection: Metadata, SaslHandshake, ApiVersions.
        if idLength == 0 || idLength == 0xffff { return [3, 17, 18].contains(key) ? .yes : .no }
        guard idLength <= min(255, length - 10) else { return .no }
        let id = bytes[14...].prefix(idLength)
        guard id.allSatisfy(Ascii.isPrintable) else { return .no }
        return id.count == idLength ? .yes : .maybe
    }

    /// A query over TCP: its length, and a message of one question (RFC 1035 section 4.2.2).
    static func dns(_ bytes: UnsafeRawBufferPointer) -> Guess {
        // A question is short: a first byte above 3 is another protocol's.
        if let high = bytes.byte(0), high > 3 { return .no }
        guard let length = bytes.integer(0, 2) else { return .maybe }
        guard length >= 17 else { return .no }
        let message = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(2).prefix(length))
        // A query (recursion desired or not), a NOTIFY or an UPDATE, without what only responses say.
        if let flags = message.byte(2), ![0x00, 0x01, 0x20, 0x24, 0x28].contains(flags) { return .no }
        if let flags = message.byte(3), flags & 0xcf != 0 { return .no }
        guard let header = Header(message) else { return .maybe }
        guard header.questions == 1, header.opcode != 0 || header.answers == 0 && header.authorities <= 1,
            header.additionals <= 2
        else { return .no }
        do {
            let question = try Question(reading: message, at: Header.length)
            return [1, 3, 4, 254, 255].contains(question.recordClass) ? .yes : .no
        } catch .cut {
            return message.count < length ? .maybe : .no
        } catch {
            return .no
        }
    }

    /// A message header: length, request id, no response id, and an operation (MongoDB wire protocol); little-endian.
    static func mongoDB(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard bytes.count >= 4 else { return .maybe }
        // The longest message that a server takes.
        let length = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
        guard (26...48_000_000).contains(length) else { return .no }
        guard bytes.dropFirst(8).prefix(4).allSatisfy({ $0 == 0 }) else { return .no }
        guard bytes.count >= 16 else { return .maybe }
        let operation = Int(bytes[12]) | Int(bytes[13]) << 8 | Int(bytes[14]) << 16 | Int(bytes[15]) << 24
        return [2004, 2012, 2013].contains(operation) ? .yes : .no
    }

    /// A frame header with OPTIONS or STARTUP (CQL binary protocol v3 to v5).
    static func cassandra(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard let version = bytes.byte(0) else { return .maybe }
        guard (3...5).contains(version) else { return .no }
        if let flags = bytes.byte(1), flags > 0x1f { return .no }
        guard let operation = bytes.byte(4) else { return .maybe }
        guard operation == 1 || operation == 5 else { return .no }
        guard let length = bytes.integer(5, 4) else { return .maybe }
        if operation == 5 { return length == 0 ? .yes : .no }
        // STARTUP holds a map of texts whose keys are written in capitals.
        guard (4...4096).contains(length) else { return .no }
        guard let pairs = bytes.integer(9, 2) else { return .maybe }
        guard (1...16).contains(pairs) else { return .no }
        guard let keyLength = bytes.integer(11, 2) else { return .maybe }
        guard (1...64).contains(keyLength) else { return .no }
        guard let letter = bytes.byte(13) else { return .maybe }
        return Ascii.isUpper(letter) ? .yes : .no
    }

    /// A sequence of a message id and a bind, search or extended request (RFC 4511 section 4.1.1).
    static func ldap(_ bytes: UnsafeRawBufferPointer) -> Guess {
        guard let sequence = bytes.byte(0) else { return .maybe }
        guard sequence == 0x30 else { return .no }
        guard let short = bytes.byte(1) else { return .maybe }
        guard short < 0x80 || (0x81...0x84).contains(short) else { return .no }
        var at = short < 0x80 ? 2 : 2 + Int(short & 0x7f)
        guard let integer = bytes.byte(at) else { return .maybe }
        guard integer == 2 else { return .no }
        guard let idLength = bytes.byte(at + 1) else { return .maybe }
        guard (1...4).contains(idLength) else { return .no }
        at += 2 + Int(idLength)
        guard let operation = bytes.byte(at) else { return .maybe }
        return [0x60, 0x63, 0x77].contains(operation) ? .yes : .no
    }

    /// Lengths of 32 bits whose upper half is zero, as far as they are there.
    private static func startsWithZeros(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.prefix(2).allSatisfy { $0 == 0 }
    }
}
