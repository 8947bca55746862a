import Bytes
import CCodecs
import Glibc

/// Undoes stacked content codings, a slice at a time, within the bounds of `limits`.
///
/// Pull by pull: `push` a slice, then `pull` until it starves. A slice never crosses a multiple of `Stage.sliceBytes`,
/// so that what is known per slice does not depend on how the body was cut.
final class Decoder {
    enum Pulled: Equatable {
        case bytes(Int)
        case starved
        /// Stage `stage` cannot go on. What it was given since `Stage.keptFrom` can be read as it is.
        case failed(Uninspectable, stage: Int)
    }

    /// Outermost coding first.
    private(set) var stages: [Stage]
    private let limits: Limits
    private var rawBound = 0

    /// Ratios are judged from this much output on: small bodies of one letter are no bombs.
    static let ratioFloor = 1024 * 1024

    /// `codings` in the order they were applied, all supported.
    init(_ codings: [ContentCoding], limits: Limits) {
        stages = codings.reversed().enumerated().map { Stage($1, buffered: $0 > 0) }
        self.limits = limits
    }

    /// What undoes codings in the order they were applied, and why not all of it is read: the coding applied last is undone
    /// first, and what lies under an unknown one is read as it is.
    static func undoing(_ codings: [ContentCoding], limits: Limits) -> (Decoder?, Uninspectable?) {
        guard codings.count <= limits.decodeDepth else { return (nil, .decompressionBomb) }
        let unknown = codings.lastIndex(of: .unsupported)
        let known = Array(codings[(unknown.map { $0 + 1 } ?? 0)...])
        return (known.isEmpty ? nil : Decoder(known, limits: limits), unknown.map { _ in .unknownCoding })
    }

    var labels: [String] { stages.map(\.coding.label) }

    /// The raw bytes of one slice; they must stay until the last pull. `rawEnd`: offset after them in the body.
    func push(_ slice: UnsafeRawBufferPointer, rawEnd: UInt64) {
        stages[0].give(slice)
        let slices = (Int(clamping: rawEnd) + Stage.sliceBytes - 1) / Stage.sliceBytes
        rawBound = slices * Stage.sliceBytes
    }

    func pull(into output: UnsafeMutableRawBufferPointer) -> Pulled {
        pull(stages.count - 1, into: output)
    }

    /// Outputs that a stage may have given once the current slice is read. A function of the slice, not of the cut.
    private var producedMax: Int {
        min(limits.decodedBytes, max(Self.ratioFloor, limits.decodedRatio.multipliedClamping(by: rawBound)))
    }

    private func pull(_ index: Int, into output: UnsafeMutableRawBufferPointer) -> Pulled {
        let stage = stages[index]
        if let failure = stage.failure { return .failed(failure, stage: index) }
        var filled = 0
        while filled < output.count {
            if stage.starved {
                guard index > 0, let buffer = stage.buffer else { break }
                let pulled = pull(index - 1, into: buffer)
                guard case .bytes(let count) = pulled else {
                    if case .failed = pulled, filled == 0 { return pulled }
                    break
                }
                stage.give(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            let rest = UnsafeMutableRawBufferPointer(rebasing: output[filled...])
            filled += stage.step(into: rest, producedMax: producedMax)
            if let failure = stage.failure {
                if filled == 0 { return .failed(failure, stage: index) }
                break
            }
        }
        return filled > 0 ? .bytes(filled) : .starved
    }

    /// The first stage whose coding did not come to its end.
    var unfinished: Bool { stages.contains { !$0.finished } }

    /// Plain text under the label `deflate` shows itself within the first bytes: until then nothing should go out.
    var doubtful: Bool { stages.contains(where: \.doubtful) }

    /// Takes away stage `index` and all after it.
    func drop(from index: Int) { stages.removeSubrange(index...) }
}

/// One coding being undone by zlib.
final class Stage {
    static let sliceBytes = 512
    /// A wrong label is found out within these first bytes, which are kept so that they can be read as they are.
    static let headBytes = 1024
    private static let bufferBytes = 16 * 1024

    private enum State { case fresh, running, between, failed }

    let coding: ContentCoding
    /// Input from the stage before; the outermost reads the body itself.
    let buffer: UnsafeMutableRawBufferPointer?
    private(set) var failure: Uninspectable?
    /// Input since `keptFrom`.
    private(set) var kept: [UInt8] = []
    private(set) var keptFrom: UInt64 = 0
    /// Input not yet looked at.
    private(set) var input = UnsafeRawBufferPointer(start: nil, count: 0)

    private let stream: UnsafeMutablePointer<z_stream>
    private var state = State.fresh
    private var opened = false
    private var bare = false
    private var taken: UInt64 = 0
    private var produced = 0
    /// The last call filled its output and may have more.
    private var more = false

    init(_ coding: ContentCoding, buffered: Bool) {
        self.coding = coding
        buffer = buffered ? .allocate(byteCount: Self.bufferBytes, alignment: 16) : nil
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
    }

    deinit {
        if opened { inflateEnd(stream) }
        stream.deallocate()
        buffer?.deallocate()
    }

    var starved: Bool { input.isEmpty && !more }
    var finished: Bool { state == .between || (state == .fresh && taken == 0) }
    var doubtful: Bool { bare && taken < Self.headBytes && state == .running }

    func give(_ bytes: UnsafeRawBufferPointer) { input = bytes }

    /// Looks at some of the input; answers how many bytes came out.
    func step(into output: UnsafeMutableRawBufferPointer, producedMax: Int) -> Int {
        if more { return inflate(UnsafeRawBufferPointer(start: nil, count: 0), output, producedMax) }
        let room = Self.sliceBytes - Int(taken % UInt64(Self.sliceBytes))
        let slice = UnsafeRawBufferPointer(rebasing: input.prefix(room))
        keep(slice)
        switch state {
        case .failed: return 0
        case .fresh: return begin(slice.count, output, producedMax)
        case .between:
            // Another gzip member (RFC 1952 section 2.2), or something that does not belong here.
            guard coding == .gzip, slice.first == 0x1f else { return fail(.undecodable, slice.count) }
            inflateReset(stream)
            state = .running
        case .running: break
        }
        return inflate(slice, output, producedMax)
    }

    private func keep(_ slice: UnsafeRawBufferPointer) {
        let boundary = taken % UInt64(Self.sliceBytes) == 0
        if boundary && taken >= UInt64(Self.headBytes) {
            kept.removeAll(keepingCapacity: true)
            keptFrom = taken
        }
        keptUnread = kept.count
        kept.append(contentsOf: slice)
    }
    private var keptUnread = 0

    /// The first byte says gzip, the first two zlib (RFC 1950) or else bare deflate (RFC 1951).
    private func begin(_ offered: Int, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int) -> Int {
        var bits: Int32 = 15 + 16
        if coding == .deflate {
            if kept.count < 2 {
                advance(offered)
                return 0
            }
            let zlib = kept[0] & 0xf == 8 && kept[0] >> 4 <= 7 && (Int(kept[0]) << 8 | Int(kept[1])) % 31 == 0
            bits = zlib ? 15 : -15
            bare = !zlib
        }
        guard inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            preconditionFailure("out of memory")
        }
        opened = true
        state = .running
        // A first byte that had to wait for the second goes before it.
        let held = keptUnread
        var filled = 0
        if held > 0 {
            filled = kept.withUnsafeBytes {
                run(UnsafeRawBufferPointer(rebasing: $0[..<held]), output, producedMax).filled
            }
            guard failure == nil else {
                kept.removeLast(offered)
                return filled
            }
        }
        let slice = UnsafeRawBufferPointer(rebasing: input.prefix(offered))
        return filled + inflate(slice, UnsafeMutableRawBufferPointer(rebasing: output[filled...]), producedMax)
    }

    private func inflate(
        _ slice: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int
    ) -> Int {
        let (used, filled) = run(slice, output, producedMax)
        if used < slice.count { kept.removeLast(slice.count - used) }
        advance(used)
        return filled
    }

    private func run(
        _ slice: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer, _ producedMax: Int
    ) -> (used: Int, filled: Int) {
        var probe: UInt8 = 0
        let room = min(output.count, producedMax - produced)
        let (result, left): (Int32, Int) = withUnsafeMutablePointer(to: &probe) { probe in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: slice.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(slice.count)
            stream.pointee.next_out = room > 0 ? output.bindMemory(to: UInt8.self).baseAddress : probe
            stream.pointee.avail_out = UInt32(max(room, 1))
            return (CCodecs.inflate(stream, Z_NO_FLUSH), Int(stream.pointee.avail_out))
        }
        let used = slice.count - Int(stream.pointee.avail_in)
        let filled = max(room, 1) - left
        if room <= 0 && filled > 0 {
            _ = fail(.decompressionBomb, 0)
            return (used, 0)
        }
        produced += filled
        more = left == 0
        switch result {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END:
            more = false
            state = .between
        default: _ = fail(.undecodable, 0)
        }
        return (used, filled)
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
