import Bytes

/// Writes records as JSON Lines. The order and the names of the fields are an interface: scripts read them.
///
/// Keys are constants with their punctuation, so a line is a run of moves; nothing is allocated, and only what must be
/// masked is copied.
struct LineEncoder: ~Copyable {
    private var time = TimeText()
    var scratch = Buffer()

    /// Keys, numbers, addresses and labels of any one line, of which the longest takes less than half.
    static let fixedBytes = 2048

    /// Appends the line of a session, its line feed included; answers where in it the parts lie that a `LineFrame` keeps.
    @discardableResult
    mutating func append(_ session: borrowing SessionRecord, to line: inout Buffer) -> LineFrame.Places {
        let start = line.count
        // No closure here and below: it would copy the record with all its references.
        var out = line.cursor(LineEncoder.bound(session))
        switch session.kind {
        case .session: out.put(LineEncoder.sessionStart)
        case .open: out.put("{\"kind\":\"open\",\"id\":\"")
        }
        putStart(session.id, session.startMicroseconds, session.durationMicroseconds, into: &out)
        let parties = out.count
        let client = putParties(session, into: &out)
        let request = out.count
        putRequest(session, into: &out)
        let outcome = out.count
        putOutcome(
            session.status, out: session.bytesOut, in: session.bytesIn, inspected: session.bytesInspected, into: &out)
        let ending = out.count
        if let why = session.uninspectable {
            out.put(",\"uninspectable\":")
            out.put(quoted: why)
        } else {
            out.put(",\"uninspectable\":null")
        }
        putVerdict(session, into: &out)
        out.put(",\"findings\":[")
        if !session.findings.isEmpty {
            line.wrote(out.count)
            appendFindings(session.findings, to: &line)
            out = line.cursor(LineEncoder.bound(session))
        }
        out.put("]")
        if session.findings.count > SessionRecord.findingsMax {
            out.put(",\"findings_omitted\":")
            out.put(decimal: UInt64(session.findings.count - SessionRecord.findingsMax))
        }
        out.put(",\"bytes_before_verdict\":")
        out.put(decimal: session.bytesBeforeVerdict)
        let end = line.count + out.count
        putEnd(session, into: &out)
        line.wrote(out.count)
        return LineFrame.Places(
            parties: start + parties..<start + request, client: start + client,
            request: start + request..<start + outcome,
            ending: start + ending..<line.count, listener: end)
    }

    /// Appends the line of an exchange whose parties and verdict are those of the frame.
    mutating func append(_ exchange: FramedExchange, in frame: borrowing LineFrame, to line: inout Buffer) {
        var out = line.cursor(frame.count + exchange.bound)
        out.put(LineEncoder.sessionStart)
        putStart(exchange.id, exchange.startMicroseconds, exchange.durationMicroseconds, into: &out)
        out.put(frame.parties.readable)
        putRequest(exchange.method, exchange.host, exchange.path, into: &out)
        putOutcome(
            exchange.status, out: exchange.bytesOut, in: exchange.bytesIn, inspected: exchange.bytesInspected,
            into: &out)
        out.put(frame.ending.readable)
        line.wrote(out.count)
    }

    static let sessionStart: StaticString = "{\"kind\":\"session\",\"id\":\""

    /// Appends one line for the threat, one for the violation and one for each finding; answers how many.
    mutating func appendEvents(of session: borrowing SessionRecord, to line: inout Buffer) -> Int {
        var lines = 0
        if session.hasThreatEvent {
            appendEvent("{\"kind\":\"threat\",\"id\":\"", session, nil, to: &line)
            lines += 1
        }
        if session.isViolation {
            appendEvent("{\"kind\":\"violation\",\"id\":\"", session, nil, to: &line)
            lines += 1
        }
        for index in 0..<min(session.findings.count, SessionRecord.findingsMax) {
            appendEvent("{\"kind\":\"finding\",\"id\":\"", session, session.findings[index], to: &line)
            lines += 1
        }
        return lines
    }

    private mutating func appendEvent(
        _ start: StaticString, _ session: borrowing SessionRecord, _ finding: FindingRecord?, to line: inout Buffer
    ) {
        var out = line.cursor(LineEncoder.bound(session))
        out.put(start)
        putWho(session, into: &out)
        putVerdict(session, into: &out)
        if let finding {
            line.wrote(out.count)
            line.append(",\"finding\":")
            LineEncoder.append(finding, to: &line)
            out = line.cursor(LineEncoder.bound(session))
        }
        putEnd(session, into: &out)
        line.wrote(out.count)
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
            line.append("\"")
        }
        line.append(",\"time\":\"")
        var out = line.cursor(TimeText.count)
        time.put(microseconds: microseconds, into: &out)
        line.wrote(out.count)
        line.append("\"")
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

    /// No line of a session without its findings is longer.
    private static func bound(_ session: borrowing SessionRecord) -> Int {
        var strings = session.service.utf8.count + session.listener.utf8.count
        strings += (session.pod?.utf8.count ?? 0) + (session.rule?.utf8.count ?? 0)
        strings += session.uninspectable?.utf8CodeUnitCount ?? 0
        strings += min(session.method?.count ?? 0, SessionRecord.methodBytesMax)
        strings += min(session.host?.count ?? 0, SessionRecord.hostBytesMax)
        strings += min(session.path?.count ?? 0, SessionRecord.pathBytesMax)
        strings += session.fqdn?.bytes.count ?? 0
        let objects = (session.names?.bound ?? 0) + (session.tls?.bound ?? 0)
        return fixedBytes + LineCursor.bound(quoted: strings) + objects + 64 * session.evidence.count
    }

    /// From the id to the path: what sessions and events have in common.
    private mutating func putWho(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        putStart(session.id, session.startMicroseconds, session.durationMicroseconds, into: &out)
        _ = putParties(session, into: &out)
        putRequest(session, into: &out)
    }

    mutating func putStart(
        _ id: RecordID, _ startMicroseconds: Int64, _ durationMicroseconds: Int64, into out: inout LineCursor
    ) {
        out.put(id)
        out.put("\",\"time\":\"")
        time.put(microseconds: startMicroseconds, into: &out)
        out.put("\",\"duration_us\":")
        out.put(decimal: UInt64(clamping: durationMicroseconds))
    }

    /// Answers where the client ends.
    private mutating func putParties(_ session: borrowing SessionRecord, into out: inout LineCursor) -> Int {
        out.put(",\"service\":")
        out.put(quoted: session.service)
        if let pod = session.pod {
            out.put(",\"pod\":")
            out.put(quoted: pod)
        }
        out.put(",\"mode\":")
        out.put(quoted: session.mode.label)
        out.put(",\"client\":")
        put(session.client, into: &out)
        let client = out.count
        if let destination = session.destination {
            out.put(",\"destination\":")
            put(destination, into: &out)
        }
        if let dialed = session.dialed, dialed != session.destination {
            out.put(",\"dialed\":")
            put(dialed, into: &out)
        }
        putName(session, into: &out)
        out.put(",\"application\":")
        out.put(quoted: session.application.label)
        if session.tls != nil { putTLS(session, into: &out) }
        return client
    }

    private mutating func putName(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        if let fqdn = session.fqdn {
            out.put(",\"fqdn\":")
            fqdn.bytes.withUnsafeBytes { put($0, masked: session.maskedFQDN, into: &out) }
        }
        if let namedBy = session.namedBy {
            out.put(",\"named_by\":")
            out.put(quoted: namedBy.label)
        }
    }

    private mutating func putTLS(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        guard var tls = session.tls else { return }
        // Mostly it is the name of the session over again: what is masked there is not to be read here.
        if !session.maskedFQDN.isEmpty, tls.sni == session.fqdn?.description { tls.maskedSNI += session.maskedFQDN }
        put(tls, into: &out)
    }

    private mutating func putRequest(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        putRequest(
            session.method, session.host, session.path, maskedHost: session.maskedHost, maskedPath: session.maskedPath,
            into: &out)
        if let names = session.names { put(names, into: &out) }
    }

    private mutating func putRequest(
        _ method: UnsafeRawBufferPointer?, _ host: UnsafeRawBufferPointer?, _ path: UnsafeRawBufferPointer?,
        maskedHost: [Range<Int>] = [], maskedPath: [Range<Int>] = [], into out: inout LineCursor
    ) {
        if let method {
            out.put(",\"method\":")
            out.put(quoted: method.cut(SessionRecord.methodBytesMax))
        }
        if let host {
            out.put(",\"host\":")
            put(host.cut(SessionRecord.hostBytesMax), masked: maskedHost, into: &out)
        }
        if let path {
            out.put(",\"path\":")
            // The query may be the secret: only what precedes it is recorded.
            put(path.cut(SessionRecord.pathBytesMax).upTo(UInt8(ascii: "?")), masked: maskedPath, into: &out)
        }
    }

    func putOutcome(
        _ status: Int?, out bytesOut: UInt64, in bytesIn: UInt64, inspected: UInt64, into out: inout LineCursor
    ) {
        if let status {
            out.put(",\"status\":")
            out.put(decimal: UInt64(clamping: status))
        }
        out.put(",\"bytes_out\":")
        out.put(decimal: bytesOut)
        out.put(",\"bytes_in\":")
        out.put(decimal: bytesIn)
        out.put(",\"bytes_inspected\":")
        out.put(decimal: inspected)
    }

    private func putVerdict(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        out.put(",\"action\":")
        out.put(quoted: session.action.label)
        out.put(",\"would\":")
        out.put(quoted: session.would.label)
        if let rule = session.rule {
            out.put(",\"rule\":")
            out.put(quoted: rule)
        } else {
            out.put(",\"rule\":null")
        }
        if let reason = session.reason {
            out.put(",\"reason\":")
            out.put(quoted: reason.label)
        }
        if let threat = session.threat {
            out.put(",\"threat\":")
            out.put(quoted: threat.rawValue)
        }
        if !session.evidence.isEmpty {
            out.put(",\"evidence\":{")
            for (index, fact) in session.evidence.enumerated() {
                if index > 0 { out.put(",") }
                out.put(quoted: fact.key)
                out.put(":")
                out.put(decimal: UInt64(clamping: fact.value))
            }
            out.put("}")
        }
    }

    private func putEnd(_ session: borrowing SessionRecord, into out: inout LineCursor) {
        out.put(",\"listener\":")
        out.put(quoted: session.listener)
        out.put("}\n")
    }

    mutating func put(_ endpoint: Endpoint, into out: inout LineCursor) {
        out.put("\"")
        if endpoint.address.isV4 {
            out.put(v4: endpoint.address.v4Bits, port: endpoint.port)
        } else {
            scratch.removeAll()
            scratch.append(endpoint)
            out.put(scratch.readable)
        }
        out.put("\"")
    }

    mutating func put(_ bytes: UnsafeRawBufferPointer, masked: [Range<Int>], into out: inout LineCursor) {
        if masked.isEmpty {
            out.put(quoted: bytes)
            return
        }
        scratch.removeAll()
        scratch.append(bytes)
        let copy = scratch.mutableReadable
        for range in masked {
            for index in range.clamped(to: 0..<copy.count) { copy[index] = UInt8(ascii: "*") }
        }
        out.put(quoted: scratch.readable)
    }

    // MARK: Findings

    private func appendFindings(_ findings: [FindingRecord], to line: inout Buffer) {
        for (index, finding) in findings.prefix(SessionRecord.findingsMax).enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            LineEncoder.append(finding, to: &line)
        }
    }

    private static func append(_ finding: FindingRecord, to line: inout Buffer) {
        line.append("{\"sensor\":")
        line.append(quoted: finding.sensor)
        line.append(",\"rule\":")
        line.append(quoted: finding.rule)
        line.append(",\"version\":")
        line.append(quoted: finding.version)
        line.append(",\"action\":")
        line.append(quoted: finding.action.label)
        line.append(",\"confidence\":")
        line.append(quoted: finding.confidence)
        line.append(",\"context\":")
        line.append(quoted: finding.context)
        line.append(",\"offset\":")
        line.append(decimal: UInt64(clamping: finding.offset))
        line.append(",\"raw_offset\":")
        line.append(decimal: UInt64(clamping: finding.rawOffset))
        line.append(",\"length\":")
        line.append(decimal: UInt64(clamping: finding.length))
        line.append(",\"decoded\":[")
        for (index, step) in finding.decoded.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(quoted: step)
        }
        line.append("],\"match\":")
        line.append(quoted: finding.match)
        if !finding.excerpt.isEmpty {
            line.append(",\"excerpt\":")
            line.append(quoted: finding.excerpt)
        }
        if let fingerprint = finding.fingerprint {
            line.append(",\"fingerprint\":")
            line.append(quoted: fingerprint)
        }
        if let sealed = finding.sealed {
            line.append(",\"sealed\":")
            line.append(quoted: sealed)
        }
        line.append(UInt8(ascii: "}"))
    }
}

extension UnsafeRawBufferPointer {
    func cut(_ bound: Int) -> UnsafeRawBufferPointer {
        count <= bound ? self : UnsafeRawBufferPointer(rebasing: self[..<bound])
    }

    fileprivate func upTo(_ byte: UInt8) -> UnsafeRawBufferPointer {
        guard let end = offset(of: byte, from: 0) else { return self }
        return UnsafeRawBufferPointer(rebasing: self[..<end])
    }
}
