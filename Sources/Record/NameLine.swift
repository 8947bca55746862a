import Bytes

/// The lines of DNS transactions: the `dns` object, and the line that is put together from frames.
extension LineEncoder {
    /// Appends the line of a transaction of which nothing is to be said but what its frames say.
    mutating func append(
        _ transaction: FramedTransaction, _ asker: borrowing AskerFrame, _ answer: borrowing AnswerFrame,
        to line: inout Buffer
    ) {
        var out = line.cursor(LineEncoder.fixedBytes + asker.text.count + answer.text.count)
        out.put(LineEncoder.sessionStart)
        putStart(transaction.id, transaction.startMicroseconds, transaction.durationMicroseconds, into: &out)
        out.put(asker.untilPort)
        out.put(decimal: UInt64(transaction.port))
        out.put(asker.fromPort)
        out.put(answer.names)
        putOutcome(nil, out: transaction.bytesOut, in: transaction.bytesIn, inspected: 0, into: &out)
        out.put(answer.verdict)
        out.put(asker.listener)
        line.wrote(out.count)
    }

    mutating func put(_ names: NameFacts, into out: inout LineCursor) {
        if names.count > 1 {
            out.put(",\"count\":")
            out.put(decimal: UInt64(clamping: names.count))
        }
        out.put(",\"dns\":{")
        var first = true
        func key(_ key: StaticString, _ out: inout LineCursor) {
            if !first { out.put(",") }
            first = false
            out.put(quoted: key)
            out.put(":")
        }
        if let name = names.name {
            key("name", &out)
            put(name, masked: names.masked, into: &out)
        }
        if let type = names.type {
            key("type", &out)
            LineEncoder.put(type, else: "TYPE", into: &out)
        }
        if let code = names.responseCode {
            key("rcode", &out)
            LineEncoder.put(code, else: "RCODE", into: &out)
        }
        if names.responseCode != nil {
            key("answers", &out)
            out.put("[")
            for (index, address) in names.answers.prefix(NameFacts.answersMax).enumerated() {
                out.put(index == 0 ? "\"" : ",\"")
                scratch.removeAll()
                scratch.append(address)
                out.put(scratch.readable)
                out.put("\"")
            }
            out.put("]")
        }
        if let resolver = names.resolver {
            key("resolver", &out)
            put(resolver, into: &out)
        }
        if let cached = names.cached {
            key("cached", &out)
            switch cached {
            case .no: out.put("false")
            case .yes: out.put("true")
            case .stale: out.put("\"stale\"")
            }
        }
        out.put("}")
    }

    private static func put(_ code: NameFacts.Code, else prefix: StaticString, into out: inout LineCursor) {
        if let label = code.label { return out.put(quoted: label) }
        out.put("\"")
        out.put(prefix)
        out.put(decimal: UInt64(code.number))
        out.put("\"")
    }
}
