import Glibc

/// A POSIX semaphore: how one thread waits for another at a start or an end.
public final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    public init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    public func signal() { sem_post(semaphore) }

    /// Returns after a signal, or early when interrupted.
    public func wait() { sem_wait(semaphore) }
}
