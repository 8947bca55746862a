import OS
import Upstream

/// Moves the bytes of an unread tunnel from one socket to the other without bringing them here.
extension Worker {
    /// In one go before the other direction has its turn.
    private static let spliceBytes = 256 * 1024
    /// A flow of which so much is there at once is called for when it has brought what a fast link brings in a millisecond
    /// or two; should it bring less, a lull ends (`EventLoop.afterLull`).
    private static let bulkFrom = 128 * 1024
    private static let bulkCall = 2 * 1024 * 1024

    /// One move in and one out. The pipe is lent while bytes are in it, so that an idle tunnel owns none.
    func splice(
        _ source: inout Transport, _ sink: inout Transport, _ flow: inout Tunnel.Flow
    ) throws(Errno) -> (moved: Bool, out: Int) {
        // What was written before the splicing began goes first.
        guard !sink.isBacklogged else { return (false, 0) }
        var moved = false
        if flow.piped == 0, !flow.ended, source.readable {
            if flow.pipe == nil { flow.pipe = try lendPipe() }
            guard let pipe = flow.pipe else { return (false, 0) }
            switch try OS.splice(
                from: source.number, to: pipe.pipe.writing.number, count: Worker.spliceBytes)
            {
            case .moved(let count):
                flow.piped += count
                flow.burst += count
                source.spliced(in: count)
                moved = true
            case .wouldBlock:
                source.readWouldBlock()
                try pace(&flow, of: &source)
            case .ended:
                source.readWouldBlock()
                flow.ended = true
                moved = true
            }
        }
        var out = 0
        if flow.piped > 0, sink.isWritable, let pipe = flow.pipe {
            switch try OS.splice(from: pipe.pipe.reading.number, to: sink.number, count: flow.piped) {
            case .moved(let count):
                flow.piped -= count
                out = count
                moved = true
            case .wouldBlock, .ended: sink.writeWouldBlock()
            }
        }
        if flow.piped == 0, let pipe = flow.pipe {
            flow.pipe = nil
            takeBack(pipe)
        }
        return (moved, out)
    }

    /// Whether the kernel calls for every few bytes of a flow, or for many.
    private func pace(_ flow: inout Tunnel.Flow, of source: inout Transport) throws(Errno) {
        let isBulk = flow.burst >= Worker.bulkFrom
        flow.burst = 0
        guard isBulk != flow.isBulk else { return }
        flow.isBulk = isBulk
        try source.callFrom(bytes: isBulk ? Worker.bulkCall : 1)
    }
}
