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
        out.put(asker.untilPort)
        out.put(decimal: UInt64(transaction.port))
        out.put(asker.fromPort)
        out.put(answer.names)
        putOutcome(nil, out: transaction.bytesOut, in: transaction.bytesIn, inspected: 0, into: &out)
        out.put(answer.verdict)
        out.put(asker.listener)
        line.wrote(out.count)
    }
}
