import Bytes
import OS

/// Names a handler of one loop: its slot and the generation of that slot. A token outlives its handler safely.
public struct Token: Hashable, Sendable {
    let raw: UInt64

    init(slot: Int, generation: UInt32) { raw = UInt64(generation) << 32 | UInt64(UInt32(slot)) }
    init(raw: UInt64) { self.raw = raw }

    var slot: Int { Int(UInt32(truncatingIfNeeded: raw)) }
    var generation: UInt32 { UInt32(truncatingIfNeeded: raw >> 32) }

    /// No handler ever has it.
    public static let none = Token(raw: .max)
}

/// Something that a loop calls: a connection, a listener, a resolver's socket. The loop's slot table owns it.
///
/// Every call comes on the loop's own thread.
open class Handler {
    public internal(set) final var token = Token.none
    final var deadline = Ticks.never
    /// The tick of the wheel at which this handler will be looked at; `.max` when at none.
    final var armed = Int64.max
    /// Asked for with `EventLoop.again` and not come yet.
    final var awaitsTurn = false
    /// Asked for with `EventLoop.afterLull` and not come yet.
    final var awaitsLull = false

    public init() {}

    /// The descriptor has become ready. Edge-triggered: said once until the call would block.
    open func ready(_ events: Readiness) {}

    /// The deadline set with `EventLoop.setDeadline` has passed.
    open func expired() {}

    /// The turn that was asked for with `EventLoop.again` or `EventLoop.afterLull`.
    open func resumed() {}
}
