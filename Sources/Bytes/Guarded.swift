import Synchronization

/// A value behind a lock, for what happens off the path of a byte.
///
/// It is `Mutex` and nothing more, except that ThreadSanitizer can follow it: on Linux a contended `Mutex` is handed over
/// in the kernel (FUTEX_LOCK_PI), where the sanitizer sees nothing and reports races that are none. An atomic that is
/// read at the start and written at the end of every critical section says the same in terms that it understands.
public struct Guarded<Value: ~Copyable>: ~Copyable, Sendable {
    private let mutex: Mutex<Value>
    private let handover = Atomic<Bool>(false)

    public init(_ value: consuming sending Value) { mutex = Mutex(value) }

    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        try mutex.withLock { value throws(Failure) in
            _ = handover.load(ordering: .acquiring)
            defer { handover.store(true, ordering: .releasing) }
            return try body(&value)
        }
    }
}
