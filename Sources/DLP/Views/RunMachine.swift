/// Finds runs of an encoding in a text, as it comes, and decodes them.
protocol RunMachine {
    static var label: String { get }
    /// Whether this byte right before a run would be of it.
    static func joins(_ byte: UInt8) -> Bool
    init()

    /// Looks at the bytes from `at` on, which moves; the first of all is at `offset` of the text.
    mutating func step(
        _ bytes: UnsafeRawBufferPointer, _ at: inout Int, offset: UInt64, ended: Bool, into decoded: inout Decoded
    ) -> RunStep

    /// The first byte that may be part of a run, or of what is not decoded yet of one.
    var openFrom: UInt64? { get }
    /// Nothing that has come is of a run, but for the last byte.
    var isIdle: Bool { get }
    /// A run has begun.
    var isInside: Bool { get }
}

enum RunStep {
    /// All that was given was looked at.
    case starved
    /// A run begins, at this offset of the text. What is decoded next is of it.
    case begins(UInt64)
    case ends
}

/// The runs of one encoding in one text.
final class RunBranch<Machine: RunMachine> {
    var machine = Machine()
    private let view: View
    private var list = ReadList.none

    private let isAtLimit: Bool

    /// `isAtLimit`: what is decoded is not read, only told of.
    init(of stream: Stream, in outer: View?, isAtLimit: Bool) {
        self.isAtLimit = isAtLimit
        view = View(Machine.label, .run, of: stream, in: outer)
    }

    func begin(_ list: ReadList) {
        resume(list)
        view.close()
    }

    /// Begins once more in the same value: the work that was done counts.
    func resume(_ list: ReadList) {
        self.list = list
        machine = Machine()
    }

    func reset() {
        machine = Machine()
        view.reset()
    }

    /// `has`: there is a sign of a run in it. False where too much was decoded.
    func read(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, has: Bool, ended: Bool, settle: Bool) -> Bool {
        if has { return read(bytes, at: offset, ended: ended, settle: settle) }
        // Without one only the end of what came before is of interest, and the beginning of what may come.
        var from = 0
        while !machine.isIdle, from + Self.tailBytes < bytes.count {
            let piece = UnsafeRawBufferPointer(rebasing: bytes[from..<from + Self.tailBytes])
            if !read(piece, at: offset + UInt64(from), ended: false, settle: settle) { return false }
            from += Self.tailBytes
        }
        if machine.isIdle { from = max(from, bytes.count - Self.tailBytes) }
        let tail = UnsafeRawBufferPointer(rebasing: bytes[from...])
        return read(tail, at: offset + UInt64(from), ended: ended, settle: settle)
    }

    private static var tailBytes: Int { 64 }

    private func read(_ bytes: UnsafeRawBufferPointer, at offset: UInt64, ended: Bool, settle: Bool) -> Bool {
        var at = 0
        while true {
            switch machine.step(bytes, &at, offset: offset, ended: ended, into: &view.decoded) {
            case .begins(let from): view.begin(list, at: from, isUnread: isAtLimit, joins: Machine.joins)
            case .ends: if !read(ended: true, settle: false) { return false }
            case .starved: return !machine.isInside || read(ended: false, settle: settle)
            }
        }
    }

    private func read(ended: Bool, settle: Bool) -> Bool {
        if !isAtLimit { return view.read(ended: ended, settle: settle) }
        view.pass()
        return true
    }

    private var isRead: Bool { machine.isInside && !isAtLimit }

    var held: UInt64? {
        if isAtLimit { return nil }
        let held = min(machine.openFrom ?? .max, isRead ? view.held ?? .max : .max)
        return held == .max ? nil : held
    }

    var frontier: UInt64 { min(machine.openFrom ?? .max, isRead ? view.frontier : .max) }

    // MARK: Two texts that are the same so far

    func isLike(_ other: RunBranch, shift: UInt64) -> Bool {
        guard machine.isInside == other.machine.isInside,
            machine.openFrom.map({ $0 + shift }) == other.machine.openFrom
        else { return false }
        if !machine.isInside { return true }
        guard view.runFrom + shift == other.view.runFrom, view.isRunVerbatim else { return false }
        if isAtLimit { return true }
        return view.reading.debt(to: other.view.reading, shift: 0) != nil && view.isLike(other.view.branches, shift: 0)
    }

    func take(over other: RunBranch) {
        machine = other.machine
        if machine.isInside { view.copy(other.view, isUnread: isAtLimit) }
    }
}
