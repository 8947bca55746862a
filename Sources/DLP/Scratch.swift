import CPCRE2
import Glibc

/// What matching needs besides the expressions, one per loop: PCRE2's match data and JIT stack, and the window in which
/// the end of one read is joined to the beginning of the next.
public final class Scratch {
    let matchData: OpaquePointer
    /// For the first try at a start; cheap starts never see the other.
    let quick: OpaquePointer
    let full: OpaquePointer
    private let stack: OpaquePointer
    private var steps = 0
    let starts = Starts()

    private(set) var window: UnsafeMutablePointer<UInt8>
    private(set) var windowSize: Int

    static let stackBytesMin = 64 * 1024
    static let stackBytesMax = 512 * 1024
    /// New bytes read at once.
    static let sliceBytes = 32 * 1024

    public init() {
        guard let matchData = pcre2_match_data_create_8(1, nil), let quick = pcre2_match_context_create_8(nil),
            let full = pcre2_match_context_create_8(nil),
            let stack = pcre2_jit_stack_create_8(Self.stackBytesMin, Self.stackBytesMax, nil)
        else { preconditionFailure("out of memory") }
        (self.matchData, self.quick, self.full, self.stack) = (matchData, quick, full, stack)
        pcre2_jit_stack_assign_8(quick, nil, UnsafeMutableRawPointer(stack))
        pcre2_jit_stack_assign_8(full, nil, UnsafeMutableRawPointer(stack))
        windowSize = Self.sliceBytes
        window = .allocate(capacity: windowSize)
    }

    deinit {
        pcre2_match_data_free_8(matchData)
        pcre2_match_context_free_8(quick)
        pcre2_match_context_free_8(full)
        pcre2_jit_stack_free_8(stack)
        window.deallocate()
    }

    func prepare(steps: Int, quickSteps: Int) {
        guard steps != self.steps else { return }
        self.steps = steps
        pcre2_set_match_limit_8(quick, UInt32(clamping: min(quickSteps, steps)))
        pcre2_set_match_limit_8(full, UInt32(clamping: steps))
    }

    /// Room for `count` bytes; what the window held is lost.
    func reserve(_ count: Int) {
        guard count > windowSize else { return }
        window.deallocate()
        windowSize = count
        window = .allocate(capacity: count)
    }

    /// Puts what was kept at the front of the window, with room for a slice behind it.
    func join(_ kept: [UInt8]) -> Int {
        reserve(kept.count + Self.sliceBytes)
        kept.withUnsafeBytes { bytes in
            if let from = bytes.baseAddress { memcpy(window, from, bytes.count) }
        }
        return kept.count
    }

    /// Puts bytes at the end of the window; `join` has made room for a slice.
    func append(_ bytes: UnsafeRawBufferPointer, _ filled: inout Int) {
        precondition(bytes.count <= windowSize - filled, "a slice fits behind what was kept")
        guard let from = bytes.baseAddress else { return }
        memcpy(window + filled, from, bytes.count)
        filled += bytes.count
    }
}
