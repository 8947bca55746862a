import Bytes
import Loop

/// Where questions come in and answers go out: a socket for datagrams, or a connection.
class NameDoor: Handler {
    let context: ListenerContext
    unowned(unsafe) let worker: Worker

    init(_ context: ListenerContext, _ worker: Worker) {
        self.context = context
        self.worker = worker
    }

    /// A datagram may be forged and is small; what came by a connection was not, and its answer may be as long as it is.
    var isStream: Bool { false }

    /// Sends an answer from the address that was asked.
    func answer(_ bytes: UnsafeRawBufferPointer, to client: Endpoint, from asked: Endpoint) {}

    /// A question that came in here will have no answer.
    func gaveUp() {}

    /// No more questions are taken.
    func drain() {}
}
