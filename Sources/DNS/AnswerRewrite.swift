import Bytes

// What a client may not be told is taken out of an answer before it is written.

extension StoredAnswer {
    /// The answer without addresses that are not kept, neither as records nor as hints (RFC 9460 section 7.3), and without
    /// what would hide the client's next words: `ech`, and HTTP/3 in `alpn`. Nil if there is nothing to change.
    ///
    /// An altered answer says no more that its signatures were checked, and the signatures of what changed are gone with
    /// it: they would be wrong (RFC 4035 section 3.2.3).
    public func rewritten(keeping: (IPAddress) -> Bool, dropsECH: Bool, dropsHTTP3: Bool) -> StoredAnswer? {
        if !hasServiceBinding, addresses.allSatisfy(keeping) { return nil }
        return bytes.withUnsafeBytes { bytes -> StoredAnswer? in
            guard let message = try? Message(bytes) else { return nil }
            let records = ContiguousArray(message.answers)
            var room = Buffer()
            let fates = records.map { record in
                Fate(record, of: message, keeping, dropsECH: dropsECH, dropsHTTP3: dropsHTTP3, room: &room)
            }
            guard fates.contains(where: { $0 != .kept }) else { return nil }
            return rebuilt(message, records, fates, room.readable)
        }
    }

    private func rebuilt(
        _ message: Message, _ records: ContiguousArray<ResourceRecord>, _ fates: [Fate], _ room: UnsafeRawBufferPointer
    ) -> StoredAnswer? {
        guard let question = message.question else { return nil }
        var writer = AnswerWriter(
            name: question.name, of: message.bytes, type: question.type, recordClass: question.recordClass,
            capacity: bytes.count)
        var hasAnswer = false
        for (index, record) in records.enumerated() {
            var data: UnsafeRawBufferPointer?
            switch fates[index] {
            case .dropped: continue
            case .changed(let range): data = UnsafeRawBufferPointer(rebasing: room[range])
            case .kept: break
            }
            if let type = message.covered(by: record) {
                let isBroken = records.indices.contains { other in
                    fates[other] != .kept && records[other].type == type
                        && message.same(records[other].name, record.name)
                }
                if isBroken { continue }
            }
            hasAnswer = hasAnswer || record.type == type || type == .any
            // It was written once in no less room, so it fits again.
            guard (try? writer.append(record, of: message, to: .answer, data: data)) != nil else { return nil }
        }
        for record in message.authorities {
            guard (try? writer.append(record, of: message, to: .authority)) != nil else { return nil }
        }
        return StoredAnswer(
            writer, code: responseCode, type: type, isNegative: isNegative || !hasAnswer, isAuthenticated: false,
            lifetimeSeconds: lifetimeSeconds)
    }
}

/// What becomes of one record.
private enum Fate: Equatable {
    case kept, dropped
    /// New data, by its place among all that is new.
    case changed(Range<Int>)

    init(
        _ record: ResourceRecord, of message: Message, _ keeping: (IPAddress) -> Bool, dropsECH: Bool, dropsHTTP3: Bool,
        room: inout Buffer
    ) {
        switch record.type {
        case .a, .aaaa:
            self = message.address(of: record).map(keeping) ?? true ? .kept : .dropped
        case .svcb, .https:
            // Recipients must ignore a record that is malformed (RFC 9460 section 2.2); one that reads it all the same
            // would see what we cannot take out.
            guard let binding = try? ServiceBinding(reading: message.bytes, data: record.data) else {
                self = .dropped
                return
            }
            let start = room.count
            let outcome = binding.write(
                keeping: keeping, dropsECH: dropsECH, dropsHTTP3: dropsHTTP3, into: &room)
            switch outcome {
            case .same: self = .kept
            case .dropped: self = .dropped
            case .changed: self = .changed(start..<room.count)
            }
        default:
            self = .kept
        }
    }
}
