import Bytes
import Glibc

/// The text as it is with its escapes of one kind undone.
///
/// Most of a text has none, and there the view would be as the text is. So it is read only from where an escape was seen
/// to where nothing of it is left to be looked at, and begins each time with all that was known of the text.
final class EscapeBranch {
    private let kind: EscapeKind
    private unowned(unsafe) let outer: View?
    /// Nothing is undone, only told of.
    private let isAtLimit: Bool
    private let view: View
    private var isActive = false
    /// Offset of the text less that of the view, behind all that was decoded.
    private var shift: UInt64 = 0
    /// Work that the patterns had with the view more than with the text.
    private var debt: ContiguousArray<Int> = []
    /// Where the last escape ends in the view.
    private var escapesEnd: UInt64 = 0
    /// An escape whose end has not come, from this offset of the text on.
    private var pending: [UInt8] = []
    private var pendingFrom: UInt64 = 0
    private var form = FormShape()

    init(_ kind: EscapeKind, of stream: Stream, in outer: View?, isAtLimit: Bool) {
        (self.kind, self.outer, self.isAtLimit) = (kind, outer, isAtLimit)
        view = View(kind.label, .escapes, of: stream, in: outer)
    }

    func begin() {
        (isActive, shift, escapesEnd, form) = (false, 0, 0, FormShape())
        debt.removeAll(keepingCapacity: true)
        pending.removeAll(keepingCapacity: true)
    }

    func reset() {
        begin()
        view.reset()
    }

    // MARK: Reading

    /// Whether an escape is in what is new of the text, before that is read, or the beginning of one.
    func wantsFork(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, _ signs: ViewSigns) -> Bool {
        if kind == .percent { form.read(bytes, at: offset) }
        if isActive || !signs.contains(.escape) && !isWatching { return false }
        if !isAtLimit { return hasEscape(bytes, at: offset) }
        if pending.isEmpty { return hasEscape(bytes, at: offset) }
        let joined = pending + Array(bytes)
        pending.removeAll(keepingCapacity: true)
        return joined.withUnsafeBytes { hasEscape($0, at: pendingFrom) }
    }

    /// There may be an escape without any of their signs: the rest of one, or `+` in a form.
    var isWatching: Bool { isAtLimit && !pending.isEmpty || kind == .percent && form.isOpenOrForm }

    private func hasEscape(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) -> Bool {
        var at = 0
        while let next = next(bytes, from: at, offset) {
            switch read(bytes, next, offset) {
            case .none: at = next + 1
            case .open where isAtLimit:
                wait(bytes, next, offset)
                return false
            default: return true
            }
        }
        return false
    }

    /// What comes next says whether this is an escape.
    private func wait(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ offset: UInt64) {
        pending.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at...]))
        pendingFrom = offset + UInt64(at)
    }

    func fork(from text: some Text, _ branches: Branches) {
        view.fork(from: text, branches, shift: shift, debt: debt)
        isActive = true
    }

    /// False where too much was decoded.
    func read(
        _ bytes: UnsafeRawBufferPointer, of text: some Text, _ branches: Branches, ended: Bool, settle: Bool
    ) -> Bool {
        let offset = text.newFrom
        guard isActive else { return true }
        if pending.isEmpty {
            decode(bytes, at: offset, ended: ended)
        } else {
            let joined = pending + Array(bytes)
            pending.removeAll(keepingCapacity: true)
            joined.withUnsafeBytes { decode($0, at: pendingFrom, ended: ended) }
        }
        guard view.read(ended: ended, settle: settle) else { return false }
        if ended {
            isActive = false
        } else if pending.isEmpty, view.windowStart >= escapesEnd {
            shift = offset + UInt64(bytes.count) - view.decoded.count
            if let debt = view.reading.debt(to: text.reading, shift: shift), view.isLike(branches, shift: shift) {
                (isActive, self.debt) = (false, debt)
            }
        }
        return true
    }

    private func decode(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, ended: Bool) {
        var at = 0
        while at < bytes.count {
            let next = next(bytes, from: at, offset) ?? bytes.count
            view.decoded.bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[at..<next]))
            at = next
            if at == bytes.count { return }
            let escape = read(bytes, at, offset)
            if escape == .open, !ended {
                return wait(bytes, at, offset)
            }
            at += put(escape, bytes, at, offset)
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
            view.decoded.bytes.append(
                contentsOf: UTF8.encode(Unicode.Scalar(value) ?? "\u{fffd}") ?? UTF8.encodedReplacementCharacter)
            length = count
        case .nothing(let count): length = count
        }
        view.decoded.mark(offset + UInt64(at + length), .plain)
        view.seam(after: bytes[at + length - 1])
        escapesEnd = view.decoded.count
        return length
    }

    /// The next place where an escape could begin.
    private func next(_ bytes: UnsafeRawBufferPointer, from: Int, _ offset: UInt64) -> Int? {
        guard let base = bytes.baseAddress, from < bytes.count else { return nil }
        func find(_ byte: UInt8, _ from: Int, _ end: Int) -> Int? {
            memchr(base + from, Int32(byte), end - from).map { UnsafeRawPointer($0) - base }
        }
        let first = find(kind.first, from, bytes.count)
        guard kind == .percent, let valuesFrom = form.valuesFrom else { return first }
        let begin = max(from, Int(clamping: valuesFrom - min(valuesFrom, offset)))
        let end = first ?? bytes.count
        return begin < end ? find(UInt8(ascii: "+"), begin, end) ?? first : first
    }

    /// Only what was itself decoded is an escape within a view of others: all else the text around it tells.
    private func read(_ bytes: UnsafeRawBufferPointer, _ at: Int, _ offset: UInt64) -> Escape {
        let escape: Escape =
            bytes[at] == kind.first
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
        guard isActive else { return nil }
        let held = min(view.held ?? .max, pending.isEmpty ? .max : pendingFrom)
        return held == .max ? nil : held
    }

    var frontier: UInt64 { isActive ? min(view.frontier, pending.isEmpty ? .max : pendingFrom) : .max }

    // MARK: Two texts that are the same so far

    var isIdle: Bool { !isActive && shift == 0 }

    /// Goes on with an escape of which the text that was forked has seen the beginning, and nothing before.
    func take(over other: EscapeBranch, shift: UInt64) {
        form = other.form
        form.shift(by: shift)
        guard other.isActive, !other.pending.isEmpty, other.view.windowStart >= other.escapesEnd, other.shift >= shift,
            !isAtLimit
        else { return }
        (isActive, debt, escapesEnd) = (true, other.debt, other.escapesEnd)
        self.shift = other.shift - shift
        (pending, pendingFrom) = (other.pending, other.pendingFrom - shift)
        view.copy(other.view, shift: shift, isUnread: false)
    }
}

/// Whether a text begins as a form does, with a name and `=`: then `+` is a space in its values.
private struct FormShape {
    /// What comes after the first `=`.
    private(set) var valuesFrom: UInt64?
    private var isOpen = true

    private static let nameBytesMax: UInt64 = 64

    var isOpenOrForm: Bool { isOpen || valuesFrom != nil }

    /// Goes on in a text whose offsets are less by so much.
    mutating func shift(by count: UInt64) {
        valuesFrom = valuesFrom.map { $0 - min(count, $0) }
    }

    mutating func read(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
        guard isOpen else { return }
        for at in 0..<bytes.count {
            let place = offset + UInt64(at)
            switch bytes[at] {
            case UInt8(ascii: "=") where place > 0:
                valuesFrom = place + 1
                isOpen = false
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
                if place >= Self.nameBytesMax { isOpen = false }
            default: isOpen = false
            }
            if !isOpen { return }
        }
    }
}
