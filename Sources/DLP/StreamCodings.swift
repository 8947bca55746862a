import Bytes

/// Reading what is coded: the way from bytes of the wire to those of the value.
extension Stream {
    /// Waits for the first bytes, and reads on as they say.
    func readFirst(_ raw: UnsafeRawBufferPointer, end: Bool, settle: Bool) {
        let count = min(raw.count, Magic.bytesMax - head.count)
        head.append(contentsOf: raw[..<count])
        let magic = Magic.of(head)
        guard magic != .open || end else { return }
        source = .plain
        if case .coding(let coding) = magic {
            source = .coded(Decoder([coding], limits: owner.limits))
            unpack()
        }
        let first = head
        head = []
        first.withUnsafeBytes { read($0, end: end && count == raw.count, settle: settle && count == raw.count) }
        if count < raw.count { read(UnsafeRawBufferPointer(rebasing: raw[count...]), end: end, settle: settle) }
    }

    func readCoded(_ raw: UnsafeRawBufferPointer, _ decoder: Decoder, end: Bool, settle: Bool) {
        var rest = raw
        var filled = owner.scratch.join(carry)
        while !rest.isEmpty {
            let room = Stage.sliceBytes - Int(rawBytes % UInt64(Stage.sliceBytes))
            let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(room))
            decoder.push(slice, rawEnd: rawBytes + UInt64(slice.count))
            if let (outcome, stage) = drain(decoder, &filled) {
                owner.cannotRead(outcome)
                scan(filled, ended: true, settle: false)
                return readOn(rest, slice.count, decoder, outcome, stage, end: end, settle: settle)
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(slice.count))
            mark(slice.count, decoder)
        }
        if end {
            decoder.end()
            if let (outcome, _) = drain(decoder, &filled) { owner.cannotRead(outcome) }
            if decoder.unfinished { owner.cannotRead(.truncated) }
        }
        scan(filled, ended: end, settle: settle)
    }

    /// Bytes of one slice have been decoded.
    private func mark(_ count: Int, _ decoder: Decoder) {
        let sliceFrom = rawBytes - rawBytes % UInt64(Stage.sliceBytes)
        rawBytes += UInt64(count)
        let (raw, decoded, aligned) = (rawBytes, valueBytes, rawBytes % UInt64(Stage.sliceBytes) == 0)
        if decoder.withholds {
            map.mark(withheldFrom: sliceFrom, decoded: decoded, aligned: aligned)
            containers?.mark { $0.mark(withheldFrom: sliceFrom, decoded: decoded, aligned: aligned) }
        } else {
            map.mark(raw: raw, decoded: decoded, aligned: aligned)
            containers?.mark { $0.mark(raw: raw, decoded: decoded, aligned: aligned) }
        }
    }

    /// Takes all that the decoder has for the slice it was given.
    private func drain(_ decoder: Decoder, _ filled: inout Int) -> (Uninspectable, stage: Int)? {
        while true {
            if filled == owner.scratch.windowSize {
                scan(filled, ended: false, settle: false)
                filled = owner.scratch.join(carry)
            }
            let room = UnsafeMutableRawBufferPointer(
                start: owner.scratch.window + filled, count: owner.scratch.windowSize - filled)
            switch decoder.pull(into: room) {
            case .bytes(let count):
                filled += count
                valueBytes += UInt64(count)
            case .starved: return nil
            case .failed(let outcome, let stage): return (outcome, stage)
            }
        }
    }

    /// A coding broke, or was never there: what its stage was given last is read as it is, and all that follows.
    private func readOn(
        _ raw: UnsafeRawBufferPointer, _ sliceBytes: Int, _ decoder: Decoder, _ outcome: Uninspectable, _ index: Int,
        end: Bool, settle: Bool
    ) {
        guard outcome == .undecodable else {
            source = .blind
            rawBytes += UInt64(raw.count)
            return
        }
        let stage = decoder.stages[index]
        // What has been read decoded is not taken apart once more.
        if valueBytes > 0 { boundary = nil }
        containers?.close()
        if index == 0 {
            let used = sliceBytes - stage.input.count
            rawBytes += UInt64(used)
            source = .plain
            begin(from: stage.keptFrom)
            stage.kept.withUnsafeBytes { scanWhole($0, end: false, settle: false) }
            return read(UnsafeRawBufferPointer(rebasing: raw[used...]), end: end, settle: settle)
        }
        let unread = stage.input
        decoder.drop(from: index)
        begin(from: stage.keptFrom)
        let sliceFrom = rawBytes - rawBytes % UInt64(Stage.sliceBytes)
        map.mark(raw: sliceFrom, decoded: 0, aligned: true)
        containers?.mark { $0.mark(raw: sliceFrom, decoded: 0, aligned: true) }
        valueBytes = UInt64(stage.kept.count + unread.count)
        stage.kept.withUnsafeBytes { scanWhole($0, end: false, settle: false) }
        withExtendedLifetime(stage) { scanWhole(unread, end: false, settle: false) }
        readCodedRest(raw, sliceBytes, decoder, end: end, settle: settle)
    }

    /// Goes on within a slice that the decoder already has.
    private func readCodedRest(
        _ raw: UnsafeRawBufferPointer, _ sliceBytes: Int, _ decoder: Decoder, end: Bool, settle: Bool
    ) {
        var filled = owner.scratch.join(carry)
        if let (outcome, stage) = drain(decoder, &filled) {
            owner.cannotRead(outcome)
            scan(filled, ended: true, settle: false)
            return readOn(raw, sliceBytes, decoder, outcome, stage, end: end, settle: settle)
        }
        scan(filled, ended: false, settle: false)
        mark(sliceBytes, decoder)
        readCoded(UnsafeRawBufferPointer(rebasing: raw[sliceBytes...]), decoder, end: end, settle: settle)
    }
}
