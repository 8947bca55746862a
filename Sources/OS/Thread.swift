import CLinux
import Glibc

/// Starts a thread that makes what it runs and runs it until it returns.
///
/// What `body` makes belongs to that thread for life.
public func startThread(named name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) -> ThreadHandle {
    let start = Unmanaged.passRetained(ThreadStart(name: String(name.prefix(15)), body: body))
    var thread = pthread_t()
    let result = pthread_create(
        &thread, nil,
        { context in
            guard let context else { return nil }
            let start = Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
            pthread_setname_np(pthread_self(), start.name)
            start.body()
            return nil
        }, start.toOpaque())
    guard result == 0 else {
        start.release()
        throw Errno(result)
    }
    return ThreadHandle(thread: thread)
}

/// A thread that can be waited for.
public struct ThreadHandle: @unchecked Sendable {
    let thread: pthread_t

    public func join() { pthread_join(thread, nil) }
}

private final class ThreadStart: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}
