import Bytes

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
    /// The first bytes that came out, while they may still be those of another coding, which no label told of.
    private var head: [UInt8] = []
    private var sniffs = true

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
        while sniffs {
            let pulled = pullHead()
            if pulled == .starved { return pulled }
            switch Magic.of(head) {
            case .open: if case .failed = pulled { sniffs = false }
            case .none: sniffs = false
            case .coding where stages.count == limits.decodeDepth:
                return .failed(.decompressionBomb, stage: stages.count - 1)
            case .coding(let coding): addStage(coding)
            }
        }
        if head.isEmpty { return pull(stages.count - 1, into: output) }
        let count = min(head.count, output.count)
        output.copyBytes(from: head[..<count])
        head.removeFirst(count)
        return .bytes(count)
    }

    private func pullHead() -> Pulled {
        withUnsafeTemporaryAllocation(byteCount: Magic.bytesMax, alignment: 1) { room in
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[head.count...])
            let pulled = pull(stages.count - 1, into: rest)
            if case .bytes(let count) = pulled { head.append(contentsOf: rest[..<count]) }
            return pulled
        }
    }

    /// What came out is coded once more.
    private func addStage(_ coding: ContentCoding) {
        let stage = Stage(coding, buffered: true)
        guard let buffer = stage.buffer else { return }
        buffer.copyBytes(from: head)
        stage.give(UnsafeRawBufferPointer(rebasing: buffer[..<head.count]))
        head = []
        stages.append(stage)
    }

    /// No more comes: what waited for more is what it is.
    func end() { sniffs = false }

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

    /// Plain text under the label `deflate` or `br` shows itself within the first bytes: until then nothing should go out.
    var doubtful: Bool { sniffs && !head.isEmpty || stages.contains(where: \.doubtful) }

    /// What came last has not come out as far as it could be read.
    var withholds: Bool { !head.isEmpty || stages.contains(where: \.withholds) }

    /// Takes away stage `index` and all after it, and looks for no other.
    func drop(from index: Int) {
        stages.removeSubrange(index...)
        sniffs = false
        head = []
    }
}
