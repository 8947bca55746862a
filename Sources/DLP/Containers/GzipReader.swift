/// Reads a gzip file that is no content coding: its members are one file (RFC 1952 section 2.2), named after the first.
///
/// ```
///   head ─▶ extra length ─▶ extra ─▶ name ─▶ comment ─▶ head checksum ─▶ begin ─▶ deflated ─▶ tail ─▶ head
/// ```
final class GzipReader: SteppingReader {
    private enum State {
        case head, extraLength, extra(left: Int), name, comment, checksum, begin, deflated, tail, padding, over, dead
    }

    private static let headBytes = 10
    private static let tailBytes = 8

    private let budget: ContainerBudget
    private let inflater: Inflater
    private var state = State.head
    private var head = Gather()
    private var flags: UInt8 = 0
    private var name: [UInt8] = []
    /// The entry that all members are.
    private var begun = false
    var place: UInt64 = 0
    private var dataFrom: UInt64 = 0

    init(_ budget: ContainerBudget) {
        self.budget = budget
        inflater = Inflater(.bare, budget)
    }

    func finish() -> ContainerStep {
        switch state {
        case .dead: return .starved
        case .over:
            state = .dead
            return .end
        case .padding:
            state = .over
            return finish()
        default:
            state = begun ? .over : .dead
            return .failed(.truncated)
        }
    }

    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch state {
        case .head:
            guard head.fill(Self.headBytes, from: &input) else { return .starved }
            return opened()
        case .extraLength:
            guard head.fill(2, from: &input) else { return .starved }
            state = .extra(left: head.u16(0))
            head.removeAll()
        case .extra(let left):
            let rest = left - input.take(min(input.count, left)).count
            state = rest > 0 ? .extra(left: rest) : .name
            if rest > 0 { return .starved }
        case .name: return text(Self.named, keeps: !begun, then: .comment, &input)
        case .comment: return text(Self.commented, keeps: false, then: .checksum, &input)
        case .checksum:
            guard flags & Self.checked == 0 || head.fill(2, from: &input) else { return .starved }
            head.removeAll()
            state = .begin
        case .begin: return beginMember()
        case .deflated: return inflated(&input)
        case .tail:
            guard head.fill(Self.tailBytes, from: &input) else { return .starved }
            head.removeAll()
            state = .padding
        case .padding: return between(&input)
        case .over:
            state = .dead
            return .end
        case .dead:
            _ = input.take(input.count)
            return .starved
        }
        return nil
    }

    // MARK: Heads

    private static let checked: UInt8 = 2
    private static let extended: UInt8 = 4
    private static let named: UInt8 = 8
    private static let commented: UInt8 = 16

    private func opened() -> ContainerStep? {
        guard head.bytes.starts(with: [0x1f, 0x8b, 8]), head.bytes[3] & 0xe0 == 0 else { return broken(.undecodable) }
        flags = head.bytes[3]
        head.removeAll()
        state = flags & Self.extended != 0 ? .extraLength : .name
        return nil
    }

    /// A text that a zero ends, if the flags say that it is there.
    private func text(
        _ flag: UInt8, keeps: Bool, then next: State, _ input: inout UnsafeRawBufferPointer
    ) -> ContainerStep? {
        if flags & flag != 0 {
            let run = input.take(input.length(before: 0))
            if keeps { name.append(contentsOf: run.prefix(ContainerName.bytesMax - name.count)) }
            if input.isEmpty { return .starved }
            _ = input.take(1)
        }
        state = next
        return nil
    }

    // MARK: Members

    private func beginMember() -> ContainerStep? {
        inflater.reset()
        dataFrom = place
        state = .deflated
        if begun { return nil }
        begun = true
        guard budget.enter() else {
            state = .dead
            return .failed(.decompressionBomb)
        }
        return .begin(ContainerEntry(label: ContainerName.label("gzip", name)))
    }

    private func inflated(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch inflater.pull(&input, at: place) {
        case .bytes(let run): return .bytes(run, at: max(inflater.mark, dataFrom), plain: false)
        case .starved: return .starved
        case .ended:
            state = .tail
            return nil
        case .failed(let outcome): return broken(outcome)
        }
    }

    /// Zeros fill up a block of a tape; another member may follow, and nothing else.
    private func between(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        guard let next = input.first(where: { $0 != 0 }) else {
            _ = input.take(input.count)
            return .starved
        }
        _ = input.take(input.firstIndex(of: next) ?? 0)
        if next != 0x1f { return broken(.undecodable) }
        state = .head
        return nil
    }

    private func broken(_ outcome: Uninspectable) -> ContainerStep {
        state = begun ? .over : .dead
        return .failed(outcome)
    }
}
