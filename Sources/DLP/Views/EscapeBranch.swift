import Bytes
import Glibc

/// The text as it is with its escapes of one kind undone.
///
/// Most of a text has none, and there the view would be as the text is. So it is read only from where an escape was seen
/// to where nothing of it is left to be looked at, and begins each time with all that was known of the text.
final class EscapeBranch {
    let kind: EscapeKind
    private unowned(unsafe) let outer: View?
    private let view: View
    private(set) var isActive = false
    /// It was not read yet in this value.
    private var isFirst = true
    /// Work that the patterns had with the view more than with the text.
    private var debt: ContiguousArray<Int> = []
    /// Where the last escape ends in the view.
    private var escapesEnd: UInt64 = 0
    /// Escapes before this offset of the text are known to change nothing.
    private var idleTo: UInt64 = 0

    init(_ kind: EscapeKind, of stream: Stream, in outer: View?) {
        (self.kind, self.outer) = (kind, outer)
        view = View(kind.label, .escapes, of: stream, in: outer)
    }

    func begin() {
        resume()
        isFirst = true
        debt.removeAll(keepingCapacity: true)
    }

    /// Begins once more in the same value: the work that was done counts.
    func resume() {
        (isActive, escapesEnd, idleTo) = (false, 0, 0)
    }

    func reset() {
        begin()
        view.reset()
    }

    // MARK: Reading

    /// Whether what may be an escape here is none, or one that is known to change nothing.
    func isIdle(_ window: Window, at: Int, _ list: ReadList, _ search: Search, _ form: FormShape) -> Bool {
        if window.start + UInt64(at) < idleTo { return true }
        let all = UnsafeRawBufferPointer(start: window.base, count: window.count)
        let end = Surroundings.idleEnd(window, at, list, search, isForm: form.isForm) { from, limit in
            let some = UnsafeRawBufferPointer(rebasing: all[..<limit])
            guard let next = self.next(some, from: from, window.start, form) else { return nil }
            return (next, self.read(all, next, window.start))
        }
        guard let end else { return false }
        idleTo = window.start + UInt64(end)
        return true
    }

    /// Whether an escape is in a piece of the text, before that is read.
    func wantsFork(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ form: FormShape) -> Bool {
        if isActive { return false }
        var at = 0
        while let next = next(bytes, from: at, offset, form) {
            switch read(bytes, next, offset) {
            case .none, .open: at = next + 1
            default: return true
            }
        }
        return false
    }

    /// `before`: what the text was read of.
    func fork(from text: some Text, _ before: Window, _ branches: Branches) {
        view.fork(from: text, before, branches, debt: debt, isFirst: isFirst)
        (isActive, isFirst, escapesEnd) = (true, false, 0)
    }

    /// False where too much was decoded.
    func read(
        _ bytes: UnsafeRawBufferPointer, at offset: UInt64, of text: some Text, _ branches: Branches, _ form: FormShape,
        ended: Bool, settle: Bool
    ) -> Bool {
        guard isActive else { return true }
        decode(bytes, at: offset, form)
        guard view.read(ended: ended, settle: settle) else { return false }
        if ended {
            isActive = false
        } else if view.decoded.start >= escapesEnd {
            let shift = offset + UInt64(bytes.count) - view.decoded.count
            if let debt = view.reading.debt(to: text.reading, shift: shift), view.isLike(branches, shift: shift) {
                (isActive, self.debt) = (false, debt)
            }
        }
        return true
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ form: FormShape) {
        var at = 0
        while at < bytes.count {
            let next = next(bytes, from: at, offset, form) ?? bytes.count
            view.decoded.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<next]))
            at = next
            if at < bytes.count { at += put(read(bytes, at, offset), bytes, at, offset) }
        }
    }

    /// Puts an escape into the view; answers how long it is in the text.
    private func put(_ escape: Escape, _ bytes: UnsafeRawBufferPointer, _ at: Int, _ offset: UInt64) -> Int {
        let length: Int
        view.decoded.mark(offset + UInt64(at), .none)
        switch escape {
        case .none, .open:
            view.decoded.mark(offset + UInt64(at), .plain)
            view.decoded.bytes.append(bytes[at])
            return 1
        case .byte(let byte, let count):
            view.decoded.bytes.append(byte)
            length = count
        case .scalar(let value, let count):
            view.decoded.bytes.append(contentsOf: Escape.utf8(value))
            length = count
        case .nothing(let count): length = count
        }
        view.decoded.mark(offset + UInt64(at + length), .plain)
        view.seam(after: bytes[at + length - 1])
        escapesEnd = view.decoded.count
        return length
    }

    /// The next place where an escape could begin.
    private func next(_ bytes: UnsafeRawBufferPointer, from: Int, _ offset: UInt64, _ form: FormShape) -> Int? {
        guard let base = bytes.baseAddress, from < bytes.count else { return nil }
        func find(_ byte: UInt8, _ from: Int, _ end: Int) -> Int? {
            memchr(base + from, Int32(byte), end - from).map { UnsafeRawPointer($0) - base }
        }
        let first = find(kind.rawValue, from, bytes.count)
        guard kind == .percent, let valuesFrom = form.valuesFrom else { return first }
        let begin = max(from, Int(clamping: valuesFrom - min(valuesFrom, offset)))
        let end = first ?? bytes.count
        return begin < end ? find(UInt8(ascii: "+"), begin, end) ?? first : first
    }

    /// Only what was itself decoded is an escape within a view of others: all else the text around it tells.
    private func read(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ offset: UInt64) -> Escape {
        let escape: Escape =
            bytes[at] == kind.rawValue
            ? kind.read(UnsafeRawBufferPointer(rebasing: bytes[at...])) : .byte(UInt8(ascii: " "), length: 1)
        let length: Int
        switch escape {
        case .none: return .none
        case .open: length = bytes.count - at
        case .byte(_, let count), .scalar(_, let count), .nothing(let count): length = count
        }
        guard let outer else { return escape }
        let from = offset + UInt64(at)
        // What is decoded of an escape that is not whole could still be what comes.
        return escape == .open || outer.isDecoded(from: from, to: from + UInt64(length)) ? escape : .none
    }

    // MARK: What is open

    var held: UInt64? {
        isActive ? view.held : nil
    }

    var frontier: UInt64 { isActive ? view.frontier : .max }
}
