import Bytes
import OS

/// What other threads want done on a loop: a list under a mutex and an eventfd that wakes the loop.
///
/// Made before the loop's thread where that thread has a descriptor table of its own: the number must mean the same in
/// every table (`keepOwnDescriptors`).
public final class Mailbox: Sendable {
    private let wakeup: EventDescriptor
    private let letters = Guarded<[@Sendable (EventLoop) -> Void]>([])

    public init() throws(Errno) { wakeup = try EventDescriptor() }

    public var descriptor: Int32 { wakeup.descriptor.number }

    func post(_ letter: @escaping @Sendable (EventLoop) -> Void) {
        let first = letters.withLock {
            $0.append(letter)
            return $0.count == 1
        }
        if first { wakeup.signal() }
    }

    func deliver(on loop: EventLoop) {
        wakeup.clear()
        let taken = letters.withLock {
            let taken = $0
            $0.removeAll(keepingCapacity: true)
            return taken
        }
        for letter in taken { letter(loop) }
    }
}

/// The door to a loop for other threads.
public struct Poster: Sendable {
    private let mailbox: Mailbox

    init(_ mailbox: Mailbox) { self.mailbox = mailbox }

    /// Runs `letter` on the loop, in a later turn; letters of one thread keep their order.
    public func post(_ letter: @escaping @Sendable (EventLoop) -> Void) { mailbox.post(letter) }
}
