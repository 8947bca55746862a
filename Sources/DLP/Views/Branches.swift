import Bytes
import CLinux

/// What there is in some bytes that could be of an encoding.
struct ViewSigns: OptionSet {
    var rawValue: UInt32

    /// As many digits of base64 as a run has at least.
    static let run = ViewSigns(rawValue: UInt32(WEIR_SIGN_RUN))
    /// What an escape begins with, but for `+`.
    static let escape = ViewSigns(rawValue: UInt32(WEIR_SIGN_ESCAPE))
    static let zero = ViewSigns(rawValue: UInt32(WEIR_SIGN_ZERO))

    init(rawValue: UInt32) { self.rawValue = rawValue }

    init(of bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else {
            rawValue = 0
            return
        }
        rawValue = weir_view_signs(base, UInt(bytes.count))
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
/// What is new in a text is first looked at for escapes (`fork`), then read by the patterns, then by the views (`read`).
final class Branches {
    private unowned(unsafe) let stream: Stream
    /// Views within each other, of the whole tree.
    let depthMax: Int
    private let isAtLimit: Bool
    private let base64: RunBranch<DigitRuns<Base64Digits>>
    private let hex: RunBranch<DigitRuns<HexDigits>>
    private let wide: RunBranch<WideText>
    private let escapes: [EscapeBranch]
    /// What there is in what is new of the text.
    private var signs = ViewSigns()
    /// There may be an escape where none of their signs is.
    private var isWatching = true

    /// `outer`: the view that the text is; none: the value itself.
    init(_ stream: Stream, in outer: View?) {
        self.stream = stream
        depthMax = stream.owner.limits.viewDepth
        let isAtLimit = (outer?.depth ?? 0) >= depthMax
        self.isAtLimit = isAtLimit
        base64 = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        hex = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        wide = RunBranch(of: stream, in: outer, isAtLimit: isAtLimit)
        escapes = EscapeKind.allCases.map { EscapeBranch($0, of: stream, in: outer, isAtLimit: isAtLimit) }
    }

    func begin(_ list: ReadList) {
        base64.begin(list)
        hex.begin(list)
        wide.begin(list)
        for escape in escapes { escape.begin() }
        isWatching = true
    }

    func reset() {
        base64.reset()
        hex.reset()
        wide.reset()
        for escape in escapes { escape.reset() }
    }

    // MARK: Reading

    /// Before the patterns read what is new: from here on views of escapes may differ from the text.
    func fork(_ text: some Text, _ bytes: UnsafeRawBufferPointer) {
        signs = ViewSigns(of: bytes)
        let offset = text.newFrom
        if !signs.contains(.escape), !isWatching { return }
        isWatching = false
        for escape in escapes {
            let wants = escape.wantsFork(bytes, at: offset, signs)
            if escape.isWatching { isWatching = true }
            guard wants else { continue }
            if isAtLimit { stream.owner.cannotRead(.decompressionBomb) } else { escape.fork(from: text, self) }
        }
    }

    /// After the patterns have read it, and before it is kept. False where too much was decoded: then nothing more may be.
    func read(_ bytes: UnsafeRawBufferPointer, of text: some Text, ended: Bool, settle: Bool) -> Bool {
        let offset = text.newFrom
        let runs = signs.contains(.run)
        guard base64.read(bytes, at: offset, has: runs, ended: ended, settle: settle),
            hex.read(bytes, at: offset, has: runs, ended: ended, settle: settle),
            wide.read(bytes, at: offset, has: signs.contains(.zero), ended: ended, settle: settle)
        else { return false }
        for escape in escapes
        where !escape.read(bytes, of: text, self, ended: ended, settle: settle) { return false }
        return true
    }

    // MARK: Results

    /// The first byte of the text that could still be of a match in force in one of the views.
    var held: UInt64? {
        var held = min(base64.held ?? .max, hex.held ?? .max, wide.held ?? .max)
        for escape in escapes { held = min(held, escape.held ?? .max) }
        return held == .max ? nil : held
    }

    /// No finding of a view before this offset of the text is still to come.
    var frontier: UInt64 {
        escapes.reduce(min(base64.frontier, hex.frontier, wide.frontier)) { min($0, $1.frontier) }
    }

    // MARK: Two texts that are the same so far

    /// Goes on with the runs of a text whose offsets are greater by `shift`.
    func take(over other: Branches, shift: UInt64) {
        base64.take(over: other.base64, shift: shift)
        hex.take(over: other.hex, shift: shift)
        wide.take(over: other.wide, shift: shift)
    }

    /// Goes on with escapes of which the text has seen the beginning.
    func takeEscapes(of other: Branches, shift: UInt64) {
        for (own, others) in zip(escapes, other.escapes) { own.take(over: others, shift: shift) }
    }

    func isLike(_ other: Branches, shift: UInt64) -> Bool {
        escapes.allSatisfy(\.isIdle) && base64.isLike(other.base64, shift: shift)
            && hex.isLike(other.hex, shift: shift) && wide.isLike(other.wide, shift: shift)
    }
}
