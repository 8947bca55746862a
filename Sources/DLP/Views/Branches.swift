import CLinux

/// What there is in some bytes that could be of an encoding.
struct ViewSigns: OptionSet {
    var rawValue: UInt32

    /// As many digits of base64 as a run has at least.
    static let run = ViewSigns(rawValue: UInt32(WEIR_SIGN_RUN))
    /// Of which some may be hexadecimal.
    static let hex = ViewSigns(rawValue: UInt32(WEIR_SIGN_HEX))
    static let escape = ViewSigns(rawValue: UInt32(WEIR_SIGN_ESCAPE))
    static let plus = ViewSigns(rawValue: UInt32(WEIR_SIGN_PLUS))
    static let zero = ViewSigns(rawValue: UInt32(WEIR_SIGN_ZERO))
    /// NULs as UTF-16 has them.
    static let wide = ViewSigns(rawValue: UInt32(WEIR_SIGN_WIDE))

    init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Looks at the bytes up to `end`, or up to what may be one of `escapes`, which is `end` then.
    init(of bytes: UnsafeRawBufferPointer, _ from: Int, _ end: inout Int, upTo escapes: ViewSigns) {
        rawValue = 0
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        end = from + Int(weir_survey(base + from, UInt(end - from), escapes.rawValue, &rawValue))
    }
}

/// All that is decoded out of one text: the one place that knows the tree of views.
///
/// ```
///   value ─┬─ runs of base64 ── text ─┬─ …
///          ├─ runs of hex             ├─ …
///          ├─ runs of UTF-16 and -32
///          └─ escapes undone: percent, JSON, entities, quoted-printable ── text ─┬─ …
/// ```
/// What is new in a text is read piece by piece: most have no escapes, and nothing but the patterns and the runs to read
/// them. At an escape a short one begins, before which the view of it takes over what was known of the text (`fork`).
final class Branches {
    private unowned(unsafe) let stream: Stream
    /// Views within each other, of the whole tree.
    let depthMax: Int
    private let isAtLimit: Bool
    private let base64: RunBranch<DigitRuns<Base64Digits>>
    private let hex: RunBranch<DigitRuns<HexDigits>>
    private let wide: RunBranch<WideText>
    private let escapes: [EscapeBranch]
    private var form = FormShape()
    /// Where escapes begin that change nothing.
    private var idlePlaces: ContiguousArray<Int> = []
    /// Last bytes of what has come that are not read yet, from this offset on: they may be of an escape.
    private var unread = 0
    private var unreadFrom: UInt64 = .max
    /// Views of escapes are read.
    var isWatching: Bool { escapes.contains(where: \.isActive) }

    /// `outer`: the view that the text is; none: the value itself.
    init(_ stream: Stream, in outer: View?) {
        self.stream = stream
        depthMax = stream.owner.limits.viewDepth
        let isAtLimit = (outer?.depth ?? 0) >= depthMax
        self.isAtLimit = isAtLimit
        base64 = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        hex = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        wide = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        escapes = EscapeKind.allCases.map { EscapeBranch($0, of: stream, in: outer) }
    }

    func begin(_ list: ReadList) {
        base64.begin(list)
        hex.begin(list)
        wide.begin(list)
        for escape in escapes { escape.begin() }
        (form, unread, unreadFrom) = (FormShape(), 0, .max)
    }

    /// Begins once more in the same value.
    func resume(_ list: ReadList) {
        base64.resume(list)
        hex.resume(list)
        wide.resume(list)
        for escape in escapes { escape.resume() }
        (form, unread, unreadFrom) = (FormShape(), 0, .max)
    }

    func reset() {
        base64.reset()
        hex.reset()
        wide.reset()
        for escape in escapes { escape.reset() }
    }

    // MARK: Reading

    /// Bytes of a piece that begins with an escape; as long as its view is read each is longer than the one before.
    private static let pieceBytes = 32

    /// Bytes that are passed over at once where no escape of them changes anything; and those read before that is tried again.
    private static let idleBytes = 2048
    private static let busyBytes = 256

    /// Reads a window from `from` on: the patterns, and all that is decoded out of it. False where too much was decoded:
    /// then nothing more may be.
    func read(_ window: Window, from: Int, of text: some Text, settle: Bool) -> Bool {
        let all = UnsafeRawBufferPointer(start: window.base, count: window.count)
        form.read(UnsafeRawBufferPointer(rebasing: all[from...]), at: window.start + UInt64(from))
        let asked: ViewSigns = form.isForm ? [.escape, .plus] : .escape
        var (at, length) = (from - unread, Self.pieceBytes)
        let limit = window.ended ? window.count : uncut(all, at, window.count)
        (unread, unreadFrom) = (0, .max)
        // Before `busyTo` escapes may change something.
        var busyTo = at
        repeat {
            var (signs, end) = (ViewSigns(), limit)
            var isPlain = false
            if !isWatching {
                signs = ViewSigns(of: all, at, &end, upTo: asked)
                if end < limit, at >= busyTo, end - at <= Self.busyBytes, canPass(text) {
                    let idleEnd = uncut(all, at, idleEnd(window, end, limit, &signs, text.list, asked))
                    let passed = idleEnd > end ? pass(window, at, idleEnd, signs, text) : at
                    busyTo = passed == idleEnd ? at : min(passed + Self.busyBytes, max(idleEnd, end))
                    if passed > at {
                        at = passed
                        continue
                    }
                }
                length = Self.pieceBytes
                end = end < limit ? uncut(all, at, end) : limit
                isPlain = end > at || at == limit
                signs.subtract([.escape, .plus])
            }
            if !isPlain {
                end = at
                repeat {
                    end = min(end + length, limit)
                } while end < limit && uncut(all, at, end) == at
                end = end < limit ? uncut(all, at, end) : limit
                length *= 2
                var last = end
                signs = [.escape, ViewSigns(of: all, at, &last, upTo: [])]
            }
            let piece = window.prefix(end)
            guard read(piece, from: at, of: text, whole: window, signs, settle: settle && end == limit) else {
                return false
            }
            at = end
        } while at < limit
        if limit < window.count {
            (unread, unreadFrom) = (window.count - limit, window.start + UInt64(limit))
        }
        return true
    }

    /// `end`, or where before it something begins that may be an escape which goes on behind it, be it with what is decoded
    /// next: no piece ends within.
    private func uncut(_ bytes: UnsafeRawBufferPointer, _ from: Int, _ end: Int) -> Int {
        var (end, at) = (end, end)
        while at > from, end - at < Surroundings.escapeBytesMax {
            at -= 1
            let kind = EscapeKind(rawValue: bytes[at])
            if kind?.read(UnsafeRawBufferPointer(rebasing: bytes[at..<end])) == .open { end = at }
        }
        return end
    }

    // MARK: Passing over what changes nothing

    private func canPass(_ text: some Text) -> Bool {
        !isAtLimit && !text.reading.isWaiting && text.list.unknown.isEmpty && !base64.machine.isInside
            && !hex.machine.isInside
    }

    /// From an escape at `from` on the first that may change something, or the end of what is passed over at once. What
    /// there is before that is added to the signs.
    private func idleEnd(
        _ window: Window, _ from: Int, _ limit: Int, _ signs: inout ViewSigns, _ list: ReadList, _ asked: ViewSigns
    ) -> Int {
        let all = UnsafeRawBufferPointer(start: window.base, count: window.count)
        let limit = min(from + Self.idleBytes, limit)
        idlePlaces.removeAll(keepingCapacity: true)
        var at = from
        while at < limit {
            let first = window.base[at]
            let kind = escapes.first { $0.kind.rawValue == first } ?? escapes[0]
            if !kind.isIdle(window, at: at, list, stream.owner.search, form) { return at }
            idlePlaces.append(at)
            var end = limit
            signs.formUnion(ViewSigns(of: all, at + 1, &end, upTo: asked))
            at = end
        }
        return limit
    }

    /// Reads what nothing comes of: no pattern could begin, no run does, and the escapes change nothing. Answers where that
    /// ends, at `end` at the latest.
    private func pass(_ window: Window, _ from: Int, _ end: Int, _ signs: ViewSigns, _ text: some Text) -> Int {
        let bytes = UnsafeRawBufferPointer(start: window.base, count: end)
        // `+` may be within a run.
        let (hasRun, hasHex) = (signs.contains(.run) || form.isForm, signs.contains(.hex) || form.isForm)
        var stop = min(
            text.reading.firstStart(stream.owner.search, window.prefix(end), text.list),
            base64.machine.firstRun(bytes, from, has: hasRun), hex.machine.firstRun(bytes, from, has: hasHex))
        // An escape is passed over as a whole, and what may begin in it is of what was undone, too.
        if stop < end, let last = idlePlaces.last(where: { $0 <= stop }), stop - last < Surroundings.escapeBytesMax {
            stop = last
        }
        stop = uncut(bytes, from, stop)
        guard stop > from, wide.machine.isIdle(bytes, from, stop, has: signs.contains(.zero)) else { return from }
        text.pass(to: window.start + UInt64(stop))
        base64.machine.pass(bytes, from, stop, offset: window.start)
        hex.machine.pass(bytes, from, stop, offset: window.start)
        wide.machine.pass(bytes, stop, offset: window.start)
        return stop
    }

    private func read(
        _ piece: Window, from: Int, of text: some Text, whole: Window, _ signs: ViewSigns, settle: Bool
    ) -> Bool {
        let bytes = UnsafeRawBufferPointer(start: piece.base + from, count: piece.count - from)
        let offset = piece.start + UInt64(from)
        if signs.contains(.escape) {
            let before = Window(base: piece.base, count: from, start: piece.start, ended: false)
            for escape in escapes where escape.wantsFork(bytes, at: offset, form) {
                if isAtLimit {
                    stream.owner.cannotRead(.decompressionBomb)
                } else {
                    escape.fork(from: text, before, self)
                }
            }
        }
        text.scan(piece, of: whole, settle: settle)
        guard base64.read(bytes, at: offset, has: signs.contains(.run), ended: piece.ended, settle: settle),
            hex.read(bytes, at: offset, has: signs.contains(.hex), ended: piece.ended, settle: settle),
            wide.read(bytes, at: offset, has: signs.contains(.wide), ended: piece.ended, settle: settle)
        else { return false }
        if !signs.contains(.escape) { return true }
        return escapes.allSatisfy {
            $0.read(bytes, at: offset, of: text, self, form, ended: piece.ended, settle: settle)
        }
    }

    // MARK: Results

    /// The first byte of the text that could still be of a match in force in one of the views.
    var held: UInt64? {
        var held = min(base64.held ?? .max, hex.held ?? .max, wide.held ?? .max, unreadFrom)
        for escape in escapes { held = min(held, escape.held ?? .max) }
        return held == .max ? nil : held
    }

    /// No finding of a view before this offset of the text is still to come.
    var frontier: UInt64 {
        escapes.reduce(min(base64.frontier, hex.frontier, wide.frontier, unreadFrom)) { min($0, $1.frontier) }
    }

    // MARK: Two texts that are the same so far

    /// Goes on as another text does, but for its escapes, which are told of there.
    func take(over other: Branches) {
        base64.take(over: other.base64)
        hex.take(over: other.hex)
        wide.take(over: other.wide)
        (form, unread, unreadFrom) = (other.form, other.unread, other.unreadFrom)
    }

    func isLike(_ other: Branches, shift: UInt64) -> Bool {
        escapes.allSatisfy { !$0.isActive } && base64.isLike(other.base64, shift: shift)
            && hex.isLike(other.hex, shift: shift) && wide.isLike(other.wide, shift: shift)
    }
}
