import Bytes

/// One content coding being undone, with what is needed to read it as it is where it turns out to be none.
final class Stage {
    static let sliceBytes = 512
    /// A wrong label is found out within these first bytes, which are kept so that they can be read as they are.
    static let headBytes = 1024
    private static let bufferBytes = 16 * 1024
    /// More than the largest block of zstd (RFC 8878 section 3.1.1.2.4).
    private static let blockBytes = 256 * 1024

    private enum State { case fresh, running, between, failed }

    /// As labelled, until the first bytes say that it is another.
    private(set) var coding: ContentCoding
    /// Input from the stage before; the outermost reads the body itself.
    let buffer: UnsafeMutableRawBufferPointer?
    private(set) var failure: Uninspectable?
    /// Input since `keptFrom`.
    private(set) var kept: [UInt8] = []
    private(set) var keptFrom: UInt64 = 0
    /// Of `kept`, what was there before the slice that is looked at.
    private var keptUnread = 0
    /// Input not yet looked at.
    private(set) var input = UnsafeRawBufferPointer(start: nil, count: 0)

    private var codec: Codec?
    private var state = State.fresh
    /// The coding has nothing by which a wrong label would show at once.
    private var isBare = false
    private var taken: UInt64 = 0
    private var produced = 0
    /// What had come out at `keptFrom`.
    private var producedBefore = 0
    /// The last call filled its output and may have more.
    private var more = false

    init(_ coding: ContentCoding, buffered: Bool) {
        self.coding = coding
        buffer = buffered ? .allocate(byteCount: Self.bufferBytes, alignment: 16) : nil
    }

    deinit { buffer?.deallocate() }

    var starved: Bool { input.isEmpty && !more }
    var finished: Bool { state == .between || (state == .fresh && taken == 0) }
    var doubtful: Bool { taken < Self.headBytes && (state == .fresh && taken > 0 || state == .running && isBare) }

    /// Bytes of a block have come that comes out when it is whole: what is not compressed in it is plain to everybody.
    var withholds: Bool { (coding == .zstd || coding == .br) && state == .running }

    func give(_ bytes: UnsafeRawBufferPointer) { input = bytes }

    /// Looks at some of the input; answers how many bytes came out.
    func step(into output: UnsafeMutableRawBufferPointer, producedMax: Int) -> Int {
        if more { return decode(UnsafeRawBufferPointer(start: nil, count: 0), output, producedMax) }
        let room = Self.sliceBytes - Int(taken % UInt64(Self.sliceBytes))
        let slice = UnsafeRawBufferPointer(rebasing: input.prefix(room))
        keep(slice)
        switch state {
        case .failed: return 0
        case .fresh: return begin(slice.count, output, producedMax)
        case .between:
            guard coding.continues(with: slice.first) else { return fail(.undecodable, slice.count) }
            codec?.restart()
            state = .running
        case .running: break
        }
        return decode(slice, output, producedMax)
    }

    private func keep(_ slice: UnsafeRawBufferPointer) {
        let boundary = taken % UInt64(Self.sliceBytes) == 0
        let isOut = coding != .zstd || produced > producedBefore || kept.count >= Self.blockBytes
        if boundary && taken >= UInt64(Self.headBytes) && isOut {
            kept.removeAll(keepingCapacity: true)
            keptFrom = taken
            producedBefore = produced
        }
        keptUnread = kept.count
        kept.append(contentsOf: slice)
    }

    /// The first bytes say which coding it is, or else the label does.
    private func begin(_ offered: Int, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int) -> Int {
        guard let format = format() else {
            advance(offered)
            return 0
        }
        codec = Codec(format)
        isBare = format == .bareDeflate || format == .brotli
        state = .running
        // First bytes that had to wait for others go before them.
        let held = keptUnread
        var filled = 0
        if held > 0 {
            kept.withUnsafeBytes { kept in
                var at = 0
                while at < held, failure == nil, state == .running {
                    let rest = UnsafeMutableRawBufferPointer(rebasing: output[filled...])
                    let (used, count) = run(UnsafeRawBufferPointer(rebasing: kept[at..<held]), rest, producedMax)
                    at += used
                    filled += count
                }
            }
            guard failure == nil else {
                kept.removeLast(offered)
                return filled
            }
        }
        let slice = UnsafeRawBufferPointer(rebasing: input.prefix(offered))
        return filled + decode(slice, UnsafeMutableRawBufferPointer(rebasing: output[filled...]), producedMax)
    }

    /// Nil where that cannot be said yet.
    private func format() -> Codec.Format? {
        switch Magic.of(kept) {
        case .coding(let actual): coding = actual
        case .open: return nil
        case .none: break
        }
        switch coding {
        case .gzip: return .gzip
        case .unsupported: preconditionFailure("what nobody can undo is no stage")
        case .zstd: return .zstd
        case .br: return .brotli
        case .deflate:
            // zlib (RFC 1950), or else bare (RFC 1951).
            guard kept.count >= 2 else { return nil }
            let zlib = kept[0] & 0xf == 8 && kept[0] >> 4 <= 7 && (Int(kept[0]) << 8 | Int(kept[1])) % 31 == 0
            return zlib ? .zlib : .bareDeflate
        }
    }

    private func decode(
        _ slice: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int
    ) -> Int {
        let (used, filled) = run(slice, output, producedMax)
        if used < slice.count { kept.removeLast(slice.count - used) }
        advance(used)
        if state == .between {
            // What came so far was what it said: it is not to be read once more as it is.
            kept.removeAll(keepingCapacity: true)
            keptFrom = taken
        }
        return filled
    }

    private func run(
        _ slice: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int
    ) -> (used: Int, filled: Int) {
        guard let codec else { preconditionFailure("begun before it runs") }
        let room = min(output.count, producedMax - produced)
        if room <= 0 { return probe(codec, slice) }
        let step = codec.step(slice, into: UnsafeMutableRawBufferPointer(rebasing: output[..<room]))
        note(step)
        produced += step.filled
        return (step.used, step.filled)
    }

    /// There is no room for more output: is there any?
    private func probe(_ codec: Codec, _ slice: UnsafeRawBufferPointer) -> (used: Int, filled: Int) {
        var byte: UInt8 = 0
        let step = withUnsafeMutableBytes(of: &byte) { codec.step(slice, into: $0) }
        if step.filled > 0 { _ = fail(.decompressionBomb, 0) } else { note(step) }
        return (step.used, 0)
    }

    private func note(_ step: Codec.Step) {
        more = step.more
        switch step.state {
        case .running: break
        case .ended: state = .between
        case .broken: _ = fail(.undecodable, 0)
        }
    }

    private func fail(_ outcome: Uninspectable, _ unused: Int) -> Int {
        failure = outcome
        state = .failed
        more = false
        if unused > 0 { kept.removeLast(unused) }
        return 0
    }

    private func advance(_ count: Int) {
        taken += UInt64(count)
        input = UnsafeRawBufferPointer(rebasing: input.dropFirst(count))
    }
}
