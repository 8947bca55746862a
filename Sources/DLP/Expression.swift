import Bytes
import CPCRE2

/// One PCRE2 expression, compiled for the JIT: whole matches and partial ones, anchored at the start it is asked about.
///
/// Immutable after `init`; PCRE2 lets any number of threads match with one code at a time.
final class Expression: @unchecked Sendable {
    let code: OpaquePointer
    /// The bytes a match can begin with.
    let firstBytes: ByteSet
    /// No match is shorter.
    let lengthMin: Int
    /// Bytes before a start that the expression may look at, one more so that `^` sees that there is a before.
    let lookBehind: Int
    /// Begins with `^` or `\A`: only the first byte of a value can be a start.
    let startsOnly: Bool
    /// Has `$` or `\Z`, which look at a newline and at whether the value ends after it.
    let mindsLastNewline: Bool
    /// What the first bytes of a match can be.
    let prefix: [ByteSet]
    /// No match has fewer digits.
    let digitsMin: Int
    /// What cannot stand before a match.
    let refusedBefore: ByteSet
    let syntax: Syntax
    /// Bytes of the longest match with what it looks ahead at, or none.
    let lengthMax: Int?

    struct Refusal: Error {
        var offset: Int?
        var message: String
    }

    init(_ source: String, limits: Limits) throws(Refusal) {
        let bytes = [UInt8](source.utf8)
        let syntax = try Syntax(bytes)
        self.syntax = syntax
        let common = UInt32(PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C) | PCRE2_NO_DOTSTAR_ANCHOR
        // The unanchored form is asked for what it knows of its first byte and thrown away.
        let unanchored = try Self.compile(bytes, common)
        defer { pcre2_code_free_8(unanchored) }
        firstBytes = Self.firstBytes(unanchored)
        lengthMin = Int(Self.number(unanchored, PCRE2_INFO_MINLENGTH))
        let behind = Int(Self.number(unanchored, PCRE2_INFO_MAXLOOKBEHIND))
        lookBehind = max(behind * max(syntax.lookBehindDepth, 1), Self.lookBehindMin) + 1
        startsOnly = Self.number(unanchored, PCRE2_INFO_ALLOPTIONS) & PCRE2_ANCHORED != 0
        mindsLastNewline = syntax.mindsLastNewline
        lengthMax = syntax.lengthMax
        digitsMin = syntax.digitsMin
        refusedBefore = syntax.refusedBefore
        prefix = Self.agreed(syntax.prefix, firstBytes, lengthMin)
        if !syntax.takesBytes {
            throw Refusal(message: "can match nothing but the empty string, expected one that takes what it looks for")
        }
        if lookBehind > limits.matchBytes {
            throw Refusal(
                message:
                    "looks back \(lookBehind - 1) bytes, expected less than limits.match_bytes (\(limits.matchBytes))")
        }
        code = try Self.compile(bytes, common | PCRE2_ANCHORED)
        if pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) != 0 {
            pcre2_code_free_8(code)
            throw Refusal(message: "cannot be compiled to machine code, expected a smaller or simpler expression")
        }
    }

    deinit { pcre2_code_free_8(code) }

    /// Kept before every start: what tells a bare JSON number from text when it is overwritten.
    private static let lookBehindMin = 16

    /// The prefix as far as PCRE2, which reads the expression on its own account, does not speak against it.
    private static func agreed(_ prefix: [ByteSet], _ firstBytes: ByteSet, _ lengthMin: Int) -> [ByteSet] {
        guard let first = prefix.first,
            firstBytes == .all || firstBytes.isSubset(of: first) || isCase(first, of: firstBytes)
        else {
            return firstBytes == .all ? [] : [firstBytes]
        }
        return [first.intersection(firstBytes)] + prefix.dropFirst().prefix(max(lengthMin - 1, 0))
    }

    /// Both cases of a letter are taken where PCRE2 does not say whether case matters: then one of them is no disagreement.
    private static func isCase(_ first: ByteSet, of firstBytes: ByteSet) -> Bool {
        let ranges = firstBytes.ranges
        return first.count == 1 && first.isSubset(of: firstBytes) && ranges.count == 2 && firstBytes.count == 2
            && ranges[0].lowerBound | 0x20 == ranges[1].lowerBound
    }

    private static func compile(_ source: [UInt8], _ options: UInt32) throws(Refusal) -> OpaquePointer {
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        pcre2_set_bsr_8(context, UInt32(PCRE2_BSR_UNICODE))
        var number: Int32 = 0
        var offset = 0
        if let code = pcre2_compile_8(source, source.count, options, &number, &offset, context) { return code }
        var text = [UInt8](repeating: 0, count: 256)
        let length = pcre2_get_error_message_8(number, &text, text.count)
        throw Refusal(offset: offset, message: String(decoding: text.prefix(max(Int(length), 0)), as: UTF8.self))
    }

    private static func number(_ code: OpaquePointer, _ what: Int32) -> UInt32 {
        var value: UInt32 = 0
        pcre2_pattern_info_8(code, UInt32(what), &value)
        return value
    }

    private static func firstBytes(_ code: OpaquePointer) -> ByteSet {
        if number(code, PCRE2_INFO_FIRSTCODETYPE) == 1 {
            // PCRE2 does not say here whether case matters, so both are taken.
            let byte = UInt8(truncatingIfNeeded: number(code, PCRE2_INFO_FIRSTCODEUNIT))
            let other = (byte | 0x20) &- 0x61 < 26 ? byte ^ 0x20 : byte
            return ByteSet([byte, other])
        }
        var bitmap: UnsafePointer<UInt8>?
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_FIRSTBITMAP), &bitmap)
        return bitmap.map { ByteSet(bitmap: $0) } ?? .all
    }
}
