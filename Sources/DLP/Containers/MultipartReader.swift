/// Takes the parts out of a multipart body (RFC 2046 section 5.1, RFC 7578).
///
/// More is taken for a part than the RFC allows, as receivers do: a line ends with a bare line feed, too, and a part may
/// follow the delimiter that should be the last.
///
/// ```
///   preamble ─▶ delimiter ─▶ fields ─▶ content ─▶ delimiter …
/// ```
/// Only the first byte of what a delimiter is looked for by is a line feed, so that after a byte that does not fit the search
/// begins anew, and what was held back is the front of the delimiter itself.
final class MultipartReader: SteppingReader {
    private enum State {
        /// Within a part or, before the first, within nothing.
        case content
        /// What stands on the line of the delimiter.
        case delimiter
        case fields, begin, over, dead
    }

    private static let (withReturn, withLine, behindLine) = (0, 1, 2)

    /// RFC 2046 section 5.1.1; a little more than the 70 it allows.
    static let boundaryBytesMax = 128

    private let budget: ContainerBudget
    private let end: [UInt8]
    private var state = State.content
    /// How much of the delimiter was seen, the line feed before it counted.
    private var matched = 1
    /// Where in `held` what is held back begins: with the carriage return, the line feed, or what follows it, because the
    /// line feed was no content.
    private var heldFrom = MultipartReader.behindLine
    /// In `content`: within a part.
    private var inPart = false
    private var closed = false
    private var seen = false
    private var fields = PartFields()
    /// The two bytes behind a delimiter.
    private var behind: [UInt8] = []
    var place: UInt64 = 0
    private let held: UnsafeMutableRawBufferPointer

    /// `boundary`: of the parameter of the content type, without the dashes.
    init(_ budget: ContainerBudget, boundary: [UInt8]) {
        self.budget = budget
        end = Array("\n--".utf8) + boundary.prefix(Self.boundaryBytesMax).filter { $0 != 0x0a && $0 != 0x0d }
        // What is held back, as it was sent: a carriage return and the front of the delimiter.
        held = .allocate(byteCount: end.count + 1, alignment: 1)
        held.copyBytes(from: [0x0d] + end)
    }

    deinit { held.deallocate() }

    func finish() -> ContainerStep {
        switch state {
        case .dead: return .starved
        case .over:
            state = .dead
            return .end
        case .content where inPart && !heldBack.isEmpty:
            let from = place - UInt64(heldBack.count)
            return .bytes(release(), at: from, plain: true)
        case .content where closed && !inPart:
            state = .dead
            return .starved
        default:
            state = inPart ? .over : .dead
            return .failed(seen ? .truncated : .undecodable)
        }
    }

    func advance(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        switch state {
        case .content: return content(&input)
        case .over:
            (state, inPart) = (.delimiter, false)
            return .end
        case .delimiter: return delimiter(&input)
        case .fields:
            let isWhole = fields.read(&input, until: end)
            if isWhole { state = .begin }
            return isWhole ? nil : .starved
        case .begin: return begun()
        case .dead:
            _ = input.take(input.count)
            return .starved
        }
    }

    // MARK: Content

    private func content(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        if heldBack.isEmpty, matched == 0 {
            let run = plain(&input)
            if !run.isEmpty, inPart { return .bytes(run, at: place, plain: true) }
        }
        let from = place - UInt64(heldBack.count)
        while let byte = input.first {
            if matched == 0 ? byte == 0x0a : byte == end[matched] {
                matched += 1
                _ = input.take(1)
                if matched == end.count { return found() }
            } else if matched == 0, byte == 0x0d, heldFrom != Self.withReturn {
                heldFrom = Self.withReturn
                _ = input.take(1)
            } else {
                let run = release()
                return inPart && !run.isEmpty ? .bytes(run, at: from, plain: true) : nil
            }
        }
        return .starved
    }

    /// Takes what comes before a byte with which a delimiter could begin.
    private func plain(_ input: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var count = input.length(before: 0x0a)
        if count > 0, input[count - 1] == 0x0d { count -= 1 }
        return input.take(count)
    }

    private var heldBack: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: held[min(heldFrom, 1 + matched)..<1 + matched])
    }

    /// What was held back is no delimiter.
    private func release() -> UnsafeRawBufferPointer {
        defer { (matched, heldFrom) = (0, Self.withLine) }
        return heldBack
    }

    private func found() -> ContainerStep? {
        (seen, closed) = (true, false)
        _ = release()
        behind.removeAll(keepingCapacity: true)
        state = inPart ? .over : .delimiter
        return nil
    }

    // MARK: Delimiters and fields

    /// Two dashes say that it is the last; whatever else is on the line says nothing.
    private func delimiter(_ input: inout UnsafeRawBufferPointer) -> ContainerStep? {
        while behind.count < 2, let byte = input.first, byte != 0x0a {
            behind.append(byte)
            _ = input.take(1)
        }
        if behind.elementsEqual("--".utf8) {
            closed = true
            state = .content
            return nil
        }
        _ = input.take(input.length(before: 0x0a))
        if input.isEmpty { return .starved }
        _ = input.take(1)
        fields = PartFields()
        state = .fields
        return nil
    }

    private func begun() -> ContainerStep? {
        guard budget.enter() else {
            state = .dead
            return .failed(.decompressionBomb)
        }
        (inPart, state) = (true, fields.isCut ? .over : .content)
        // A delimiter may follow the empty line at once.
        if !fields.isCut { (matched, heldFrom) = (1, Self.behindLine) }
        return .begin(fields.entry)
    }
}
