import Bytes

/// The lines of DNS transactions that are put together from frames.
extension LineEncoder {
    /// Appends the line of a transaction of which nothing is to be said but what its frames say.
    mutating func append(
        _ transaction: FramedTransaction, _ asker: borrowing AskerFrame, _ answer: borrowing AnswerFrame,
        to line: inout Buffer
    ) {
        var out = line.cursor(LineEncoder.fixedBytes + asker.text.count + answer.text.count)
        out.put(LineEncoder.sessionStart)
        putStart(transaction.id, transaction.startMicroseconds, transaction.durationMicroseconds, into: &out)
        put(asker, port: transaction.port, into: &out)
        out.put(answer.names)
        putOutcome(nil, out: transaction.bytesOut, in: transaction.bytesIn, inspected: 0, into: &out)
        out.put(answer.verdict)
        out.put(asker.listener)
        line.wrote(out.count)
    }

    /// Likewise where there is no frame of the answer: it was allowed by the rule, and nothing was found.
    mutating func append(
        _ transaction: FramedTransaction, _ asker: borrowing AskerFrame, _ names: NameFacts, rule: String?,
        to line: inout Buffer
    ) {
        let strings = LineCursor.bound(quoted: rule?.utf8.count ?? 0)
        var out = line.cursor(LineEncoder.fixedBytes + asker.text.count + names.bound + strings)
        out.put(LineEncoder.sessionStart)
        putStart(transaction.id, transaction.startMicroseconds, transaction.durationMicroseconds, into: &out)
        put(asker, port: transaction.port, into: &out)
        put(names, into: &out)
        putOutcome(nil, out: transaction.bytesOut, in: transaction.bytesIn, inspected: 0, into: &out)
        out.put(",\"uninspectable\":null,\"action\":\"allow\",\"would\":\"allow\",\"rule\":")
        if let rule { out.put(quoted: rule) } else { out.put("null") }
        out.put(",\"findings\":[],\"bytes_before_verdict\":0")
        out.put(asker.listener)
        line.wrote(out.count)
    }

    private func put(_ asker: borrowing AskerFrame, port: UInt16, into out: inout LineCursor) {
        out.put(asker.untilPort)
        out.put(decimal: UInt64(port))
        out.put(asker.fromPort)
    }
}
