import Bytes

/// Writes records as JSON Lines. The order and the names of the fields are an interface: scripts read them.
///
/// Keys are constants with their punctuation, so a line is a run of copies; nothing is allocated but by a record that
/// must be masked.
struct LineEncoder: ~Copyable {
    private var time = TimeText()
    private var scratch = Buffer()

    /// Appends the line of a session, its line feed included.
    mutating func append(_ session: borrowing SessionRecord, to line: inout Buffer) {
        switch session.kind {
        case .session: line.append("{\"kind\":\"session\",\"id\":\"")
        case .open: line.append("{\"kind\":\"open\",\"id\":\"")
        }
        appendWho(session, to: &line)
        if let status = session.status {
            line.append(",\"status\":")
            line.append(decimal: UInt64(clamping: status))
        }
        line.append(",\"bytes_out\":")
        line.append(decimal: session.bytesOut)
        line.append(",\"bytes_in\":")
        line.append(decimal: session.bytesIn)
        line.append(",\"bytes_inspected\":")
        line.append(decimal: session.bytesInspected)
        line.append(",\"uninspectable\":")
        if let why = session.uninspectable { line.append(quoted: why) } else { line.append("null") }
        appendVerdict(session, to: &line)
        if let threat = session.threat {
            line.append(",\"threat\":")
            line.append(quoted: threat.rawValue)
        }
        line.append(",\"findings\":[")
        let written = min(session.findings.count, SessionRecord.findingsMax)
        for index in 0..<written {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            append(session.findings[index], to: &line)
        }
        line.append(UInt8(ascii: "]"))
        appendOmitted(session.findings.count - written, to: &line)
        line.append(",\"bytes_before_verdict\":")
        line.append(decimal: session.bytesBeforeVerdict)
        line.append(",\"listener\":")
        line.append(quoted: session.listener)
        line.append("}\n")
    }

    /// Appends one line for the threat, one for the violation and one for each finding; answers how many.
    mutating func appendEvents(of session: borrowing SessionRecord, to line: inout Buffer) -> Int {
        var lines = 0
        if let threat = session.threat {
            line.append("{\"kind\":\"threat\",\"id\":\"")
            appendWho(session, to: &line)
            appendVerdict(session, to: &line)
            line.append(",\"threat\":")
            line.append(quoted: threat.rawValue)
            appendEnd(session, to: &line)
            lines += 1
        }
        if session.isViolation {
            line.append("{\"kind\":\"violation\",\"id\":\"")
            appendWho(session, to: &line)
            appendVerdict(session, to: &line)
            appendEnd(session, to: &line)
            lines += 1
        }
        for index in 0..<min(session.findings.count, SessionRecord.findingsMax) {
            line.append("{\"kind\":\"finding\",\"id\":\"")
            appendWho(session, to: &line)
            appendVerdict(session, to: &line)
            line.append(",\"finding\":")
            append(session.findings[index], to: &line)
            appendEnd(session, to: &line)
            lines += 1
        }
        return lines
    }

    /// Appends an event of the gateway itself: learning has stopped, records were dropped.
    mutating func append(
        event kind: StaticString, id: RecordID?, microseconds: Int64, service: String?, message: String?,
        count: UInt64?, to line: inout Buffer
    ) {
        line.append("{\"kind\":")
        line.append(quoted: kind)
        if let id {
            line.append(",\"id\":\"")
            line.append(id)
            line.append(UInt8(ascii: "\""))
        }
        line.append(",\"time\":\"")
        time.append(microseconds: microseconds, to: &line)
        line.append(UInt8(ascii: "\""))
        if let service {
            line.append(",\"service\":")
            line.append(quoted: service)
        }
        if let message {
            line.append(",\"message\":")
            line.append(quoted: message)
        }
        if let count {
            line.append(",\"count\":")
            line.append(decimal: count)
        }
        line.append("}\n")
    }

    // MARK: Parts

    /// From the id to the path: what sessions and events have in common.
    private mutating func appendWho(_ session: borrowing SessionRecord, to line: inout Buffer) {
        line.append(session.id)
        line.append("\",\"time\":\"")
        time.append(microseconds: session.startMicroseconds, to: &line)
        line.append("\",\"duration_us\":")
        line.append(decimal: UInt64(clamping: session.durationMicroseconds))
        line.append(",\"service\":")
        line.append(quoted: session.service)
        if let pod = session.pod {
            line.append(",\"pod\":")
            line.append(quoted: pod)
        }
        line.append(",\"mode\":")
        line.append(quoted: session.mode.label)
        line.append(",\"client\":")
        line.append(quoted: session.client)
        if let destination = session.destination {
            line.append(",\"destination\":")
            line.append(quoted: destination)
        }
        if let dialed = session.dialed, dialed != session.destination {
            line.append(",\"dialed\":")
            line.append(quoted: dialed)
        }
        if let fqdn = session.fqdn {
            line.append(",\"fqdn\":")
            fqdn.bytes.withUnsafeBytes { append($0, masked: session.maskedFQDN, to: &line) }
        }
        if let namedBy = session.namedBy {
            line.append(",\"named_by\":")
            line.append(quoted: namedBy.label)
        }
        line.append(",\"application\":")
        line.append(quoted: session.application.label)
        appendRequest(session, to: &line)
    }

    private mutating func appendRequest(_ session: borrowing SessionRecord, to line: inout Buffer) {
        if let method = session.method {
            line.append(",\"method\":")
            line.append(quoted: method.cut(SessionRecord.methodBytesMax))
        }
        if let host = session.host {
            line.append(",\"host\":")
            append(host.cut(SessionRecord.hostBytesMax), masked: session.maskedHost, to: &line)
        }
        if let path = session.path {
            line.append(",\"path\":")
            // The query may be the secret: only what precedes it is recorded.
            let bare = path.upTo(UInt8(ascii: "?")).cut(SessionRecord.pathBytesMax)
            append(bare, masked: session.maskedPath, to: &line)
        }
    }

    private func appendVerdict(_ session: borrowing SessionRecord, to line: inout Buffer) {
        line.append(",\"action\":")
        line.append(quoted: session.action.label)
        line.append(",\"would\":")
        line.append(quoted: session.would.label)
        line.append(",\"rule\":")
        if let rule = session.rule { line.append(quoted: rule) } else { line.append("null") }
        if let reason = session.reason {
            line.append(",\"reason\":")
            line.append(quoted: reason.label)
        }
    }

    private func append(_ finding: FindingRecord, to line: inout Buffer) {
        line.append("{\"sensor\":")
        line.append(quoted: finding.sensor)
        line.append(",\"rule\":")
        line.append(quoted: finding.rule)
        line.append(",\"action\":")
        line.append(quoted: finding.action.label)
        line.append(",\"context\":")
        line.append(quoted: finding.context)
        line.append(",\"offset\":")
        line.append(decimal: UInt64(clamping: finding.offset))
        line.append(",\"decoded\":[")
        for (index, step) in finding.decoded.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(quoted: step)
        }
        line.append("],\"match\":")
        line.append(quoted: finding.match)
        if let fingerprint = finding.fingerprint {
            line.append(",\"fingerprint\":")
            line.append(quoted: fingerprint)
        }
        line.append(UInt8(ascii: "}"))
    }

    private func appendOmitted(_ count: Int, to line: inout Buffer) {
        guard count > 0 else { return }
        line.append(",\"findings_omitted\":")
        line.append(decimal: UInt64(count))
    }

    private func appendEnd(_ session: borrowing SessionRecord, to line: inout Buffer) {
        line.append(",\"listener\":")
        line.append(quoted: session.listener)
        line.append("}\n")
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer, masked: [Range<Int>], to line: inout Buffer) {
        if masked.isEmpty {
            line.append(quoted: bytes)
            return
        }
        scratch.removeAll()
        scratch.append(bytes)
        let copy = scratch.mutableReadable
        for range in masked {
            for index in range.clamped(to: 0..<copy.count) { copy[index] = UInt8(ascii: "*") }
        }
        line.append(quoted: scratch.readable)
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func cut(_ bound: Int) -> UnsafeRawBufferPointer {
        count <= bound ? self : UnsafeRawBufferPointer(rebasing: self[..<bound])
    }

    fileprivate func upTo(_ byte: UInt8) -> UnsafeRawBufferPointer {
        guard let end = offset(of: byte, from: 0) else { return self }
        return UnsafeRawBufferPointer(rebasing: self[..<end])
    }
}
