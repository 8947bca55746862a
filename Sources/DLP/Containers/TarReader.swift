/// Reads a tar file: ustar and pax (POSIX.1-2008, pax), and the long names and sparse files of GNU tar.
///
/// Sparse files are read as they are stored, without their holes.
///
/// ```
///   header ─▶ content │ long name │ pax records │ more of a sparse map ─▶ padding ─▶ header
///     └ lost: looks for the next block that is a header
/// ```
final class TarReader: SteppingReader {
    private enum State {
        case header, begin, sparse
        case content(left: UInt64)
        case longName(left: UInt64), records(left: UInt64), skipped(left: UInt64)
        case over, dead
    }

    static let blockBytes = 512

    private let budget: ContainerBudget
    private var state = State.header
    private var block = Gather()
    private var header = TarHeader.none
    /// From records before the header of the entry they speak of.
    private var name = Gather()
    private var pax = PaxRecords()
    /// Of what is to be skipped after the entry so that the next header begins a block.
    private var padding = 0
    var place: UInt64 = 0
    /// Blocks of zeros were seen where a header should be: the end, behind which another archive may follow.
    private var ended = false
    private var lost = false

    init(_ budget: ContainerBudget) { self.budget = budget }

    func finish() -> ContainerStep {
        switch state {
        case .dead: return .starved
        case .over:
            state = .dead
            return .end
        case .content:
            state = .over
            ended = true
            return .failed(.truncated)
        case .header where block.isEmpty || ended || lost:
            // Writers that are cut off behind a whole entry are as common as those that leave the end away.
            state = .dead
            return .starved
        default:
            state = .dead
            return .failed(.truncated)
        }
    }

    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch state {
        case .header:
            guard block.fill(Self.blockBytes, from: &input) else { return .starved }
            defer { block.removeAll() }
            return opened()
        case .begin: return begun()
        case .sparse:
            guard block.fill(Self.blockBytes, from: &input) else { return .starved }
            if !TarHeader.sparseGoesOn(after: block.bytes) { state = .begin }
            block.removeAll()
            return nil
        case .content(let left): return content(left, &input)
        case .longName(let left): return collected(left, &input)
        case .records(let left):
            let run = input.take(min(input.count, Int(clamping: left)))
            for byte in run { pax.read(byte) }
            let rest = left - UInt64(run.count)
            state = rest > 0 ? .records(left: rest) : .skipped(left: UInt64(padding))
            return rest > 0 ? .starved : nil
        case .skipped(let left):
            let rest = left - UInt64(input.take(min(input.count, Int(clamping: left))).count)
            state = rest > 0 ? .skipped(left: rest) : .header
            return rest > 0 ? .starved : nil
        case .over:
            state = .skipped(left: UInt64(padding))
            return .end
        case .dead:
            _ = input.take(input.count)
            return .starved
        }
    }

    // MARK: Headers

    private func opened() -> ContainerStep? {
        guard let read = TarHeader(block.bytes) else {
            if block.bytes.allSatisfy({ $0 == 0 }) {
                ended = true
                return nil
            }
            defer { lost = true }
            return lost || ended ? nil : .failed(.undecodable)
        }
        (header, lost, ended) = (read, false, false)
        padding = Self.padding(after: read.size)
        switch read.kind {
        case .file: state = read.isSparse && TarHeader.sparseGoesOn(in: block.bytes) ? .sparse : .begin
        case .longName:
            name.removeAll()
            state = .longName(left: read.size)
        case .records:
            pax = PaxRecords()
            state = .records(left: read.size)
        case .other: state = .skipped(left: read.size + UInt64(padding))
        case .bare:
            forget()
            state = .header
        }
        return nil
    }

    private static func padding(after size: UInt64) -> Int { Int((0 &- size) % UInt64(blockBytes)) }

    /// What was said in advance holds for one entry.
    private func forget() {
        name.removeAll()
        pax = PaxRecords()
    }

    private func begun() -> ContainerStep? {
        guard budget.enter() else {
            state = .dead
            return .failed(.decompressionBomb)
        }
        let size = pax.size ?? header.size
        padding = Self.padding(after: size)
        let path = !pax.path.isEmpty ? pax.path : !name.isEmpty ? Array(name.bytes.prefix { $0 != 0 }) : header.path
        forget()
        state = .content(left: size)
        return .begin(ContainerEntry(label: ContainerName.label("tar", path)))
    }

    // MARK: Content

    private func content(_ left: UInt64, _ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if left == 0 {
            state = .over
            return nil
        }
        if input.isEmpty { return .starved }
        let run = input.take(min(input.count, Int(clamping: left)))
        state = .content(left: left - UInt64(run.count))
        return .bytes(run, at: place, plain: true)
    }

    private func collected(_ left: UInt64, _ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        var rest = Int(clamping: left)
        let isWhole = name.fill(&rest, keeping: ContainerName.bytesMax, from: &input)
        state = isWhole ? .skipped(left: UInt64(padding)) : .longName(left: UInt64(rest))
        return isWhole ? nil : .starved
    }
}
