import Bytes

/// The records of a response that answer its question: those of the name that was asked, of the names that aliases lead
/// to from there, and the authorities of their zones. A server may put more into a response; nobody asked for it, so it
/// is not believed (RFC 2181 section 5.4.1, RFC 5452 section 6).
struct AnswerChain {
    /// Links that are followed.
    static let linksMax = 16
    /// Records of a response with aliases: each is compared with each name of the chain.
    static let recordsMax = 1024
    /// Records of the authority section that are looked at; a proof that a name does not exist takes eight.
    static let authoritiesMax = 64

    private let message: Message
    private let question: Question
    private let isDNSSECOK: Bool
    /// Where the aliases lead, one after the other.
    private var targets: ContiguousArray<WireName> = []

    /// Whether the last name of the chain has a record that was asked for.
    private(set) var hasAnswer = false

    init(_ message: Message, question: Question, isDNSSECOK: Bool) {
        self.message = message
        self.question = question
        self.isDNSSECOK = isDNSSECOK
    }

    private func hasName(_ isMeant: (WireName) -> Bool) -> Bool {
        isMeant(question.name) || targets.contains(where: isMeant)
    }

    /// Writes the records of the chain, link by link.
    mutating func writeAnswers(into writer: inout AnswerWriter) throws(DNSFault) {
        while true {
            let name = targets.last ?? question.name
            var alias: ResourceRecord?
            for record in message.answers where matches(record) && message.same(record.name, name) {
                hasAnswer = hasAnswer || isAsked(record.type)
                if record.type == .cname, alias == nil { alias = record }
            }
            if hasAnswer {
                for record in message.answers where matches(record) && isAsked(record) {
                    if message.same(record.name, name) { try writer.append(record, of: message, to: .answer) }
                }
                return
            }
            guard message.header.answers <= AnswerChain.recordsMax else { throw .size }
            try writeRedirections(into: &writer)
            guard let alias, let target = message.target(of: alias) else { return }
            try writer.append(alias, of: message, to: .answer)
            for record in message.answers where covers(record, .cname) && message.same(record.name, name) {
                try writer.append(record, of: message, to: .answer)
            }
            guard targets.count < AnswerChain.linksMax else { throw .chain }
            targets.append(target)
        }
    }

    /// Writes the DNAME records above the last name, from which its alias was made (RFC 6672 section 3.1); one that lies
    /// above an earlier name too has been written there.
    private func writeRedirections(into writer: inout AnswerWriter) throws(DNSFault) {
        for record in message.answers where matches(record) && (record.type == .dname || covers(record, .dname)) {
            guard isBelow(targets.last ?? question.name, record.name),
                targets.isEmpty || !isBelow(question.name, record.name),
                !targets.dropLast().contains(where: { isBelow($0, record.name) })
            else { continue }
            try writer.append(record, of: message, to: .answer)
        }
    }

    private func isBelow(_ name: WireName, _ ancestor: WireName) -> Bool {
        ancestor.length < name.length && message.isWithin(name, ancestor)
    }

    /// Writes what the zones of the chain say of themselves. `denialTime` goes into their SOA records (RFC 2308 section 3).
    func writeAuthorities(into writer: inout AnswerWriter, denialTime: UInt32?) throws(DNSFault) {
        for record in message.authorities.prefix(AnswerChain.authoritiesMax) where matches(record) {
            guard isInBailiwick(record) else { continue }
            let time = record.type == .soa ? denialTime : nil
            try writer.append(record, of: message, to: .authority, timeToLive: time)
        }
    }

    /// How long a denial may be believed: as long as the SOA record of a zone of the chain says.
    var denialTime: UInt32? {
        for record in message.authorities.prefix(AnswerChain.authoritiesMax) where record.type == .soa {
            if matches(record), isInBailiwick(record) { return message.denialTime(of: record) }
        }
        return nil
    }

    /// A server that knows no more than whom to ask.
    var isReferral: Bool {
        message.authorities.prefix(AnswerChain.authoritiesMax).contains {
            $0.type == .ns && matches($0) && isInBailiwick($0)
        }
    }
}

// MARK: - What belongs

extension AnswerChain {
    /// A record of the question's class; what only looks like a record, OPT and TSIG, has no place in these sections.
    private func matches(_ record: ResourceRecord) -> Bool {
        (record.recordClass == question.recordClass || question.recordClass == 255)
            && record.type != .opt && record.type != .tsig
    }

    private func isAsked(_ type: RecordType) -> Bool { type == question.type || question.type == .any }

    /// Signatures come only to those who want them (RFC 3225), or ask for them by name.
    private func isAsked(_ record: ResourceRecord) -> Bool {
        isAsked(record.type) || covers(record, question.type)
    }

    private func covers(_ record: ResourceRecord, _ type: RecordType) -> Bool {
        isDNSSECOK && record.type == .rrsig && message.covered(by: record) == type
    }

    private func isInBailiwick(_ record: ResourceRecord) -> Bool {
        switch record.type {
        case .nsec, .nsec3:
            return isDNSSECOK && isProof(record, of: record.type)
        case .rrsig:
            guard isDNSSECOK, let covered = message.covered(by: record) else { return false }
            return covered == .nsec || covered == .nsec3 ? isProof(record, of: covered) : isAbove(record.name)
        default:
            return isAbove(record.name)
        }
    }

    /// Whether a name of the chain is `ancestor` or lies below it.
    private func isAbove(_ ancestor: WireName) -> Bool { hasName { message.isWithin($0, ancestor) } }

    /// Proofs of absence stand beside the names of the chain, in a zone above them: an NSEC3 record just below the zone's
    /// own name (RFC 5155 section 3), an NSEC record anywhere in the zone that signed it.
    private func isProof(_ record: ResourceRecord, of type: RecordType) -> Bool {
        if type == .nsec3 { return message.parent(of: record.name).map(isAbove) ?? false }
        if record.type == .rrsig { return isSigned(record, for: record.name) }
        return message.authorities.prefix(AnswerChain.authoritiesMax).contains {
            covers($0, .nsec) && matches($0) && message.same($0.name, record.name) && isSigned($0, for: record.name)
        }
    }

    private func isSigned(_ signature: ResourceRecord, for name: WireName) -> Bool {
        guard let zone = message.signer(of: signature) else { return false }
        return isAbove(zone) && message.isWithin(name, zone)
    }
}
