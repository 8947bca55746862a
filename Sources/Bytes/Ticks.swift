/// A moment on the monotonic clock, in milliseconds. Time is always handed in: nothing below `OS` reads a clock.
public struct Ticks: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    @inlinable public static func < (a: Ticks, b: Ticks) -> Bool { a.milliseconds < b.milliseconds }
    @inlinable public static func + (a: Ticks, b: Milliseconds) -> Ticks {
        Ticks(milliseconds: a.milliseconds + b.count)
    }
    @inlinable public static func - (a: Ticks, b: Ticks) -> Milliseconds {
        Milliseconds(a.milliseconds - b.milliseconds)
    }

    /// Later than any deadline.
    public static let never = Ticks(milliseconds: .max)
}

/// A span of time in milliseconds.
public struct Milliseconds: Hashable, Comparable, Sendable {
    public var count: Int64

    @inlinable public init(_ count: Int64) { self.count = count }
    @inlinable public static func < (a: Milliseconds, b: Milliseconds) -> Bool { a.count < b.count }
    public static let zero = Milliseconds(0)
    @inlinable public static func seconds(_ count: Int64) -> Milliseconds { Milliseconds(count * 1000) }
    @inlinable public static func minutes(_ count: Int64) -> Milliseconds { Milliseconds(count * 60_000) }
}
