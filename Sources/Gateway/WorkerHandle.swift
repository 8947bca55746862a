import Bytes
import Config
import Glibc
import Loop
import OS

/// A worker's thread as the control thread sees it: somewhere to post to, and something to wait for.
struct WorkerHandle: Sendable {
    private let thread: ThreadHandle
    private let poster: Poster
    private let local: WorkerLocal

    /// Starts a thread whose worker listens on all listeners; returns when it does, or throws why it does not.
    ///
    /// - Parameter shared: descriptors by which workers and the control thread wake each other, `mailbox`'s among them.
    static func start(
        _ index: Int, hub: Hub, snapshot: Snapshot, mailbox: Mailbox, shared: [Int32]
    ) throws -> WorkerHandle {
        let report = StartReport()
        let local = WorkerLocal()
        let thread = try startThread(named: "weir-\(index)") {
            let worker: Worker
            do throws(Gateway.StartError) {
                // Where it is not allowed (a strict seccomp profile) the shared table does as well.
                try? keepOwnDescriptors(shared)
                worker = try Worker.make(hub: hub, snapshot: snapshot, mailbox: mailbox)
            } catch {
                return report.say(.failure(error))
            }
            local.worker = worker
            report.say(.success(worker.loop.poster))
            worker.loop.run()
            worker.end()
        }
        switch report.wait() {
        case .success(let poster): return WorkerHandle(thread: thread, poster: poster, local: local)
        case .failure(let error):
            thread.join()
            throw error
        }
    }

    /// Runs `letter` on the worker's own thread.
    func post(_ letter: @escaping @Sendable (Worker) -> Void) {
        poster.post { [local] _ in local.worker.map(letter) }
    }

    func stop() { poster.post { $0.stop() } }
    func join() { thread.join() }
}

/// Set and read by the worker's own thread only.
private final class WorkerLocal: @unchecked Sendable {
    var worker: Worker?
}

/// One answer from a starting thread.
private final class StartReport: Sendable {
    private let answer = Guarded<Result<Poster, Gateway.StartError>?>(nil)
    private let said = Semaphore()

    func say(_ result: Result<Poster, Gateway.StartError>) {
        answer.withLock { $0 = result }
        said.signal()
    }

    func wait() -> Result<Poster, Gateway.StartError> {
        while true {
            said.wait()
            if let result = answer.withLock({ $0 }) { return result }
        }
    }
}

extension Worker {
    static func make(hub: Hub, snapshot: Snapshot, mailbox: Mailbox) throws(Gateway.StartError) -> Worker {
        let worker: Worker
        do throws(Errno) { worker = try Worker(hub: hub, snapshot: snapshot, mailbox: mailbox) } catch {
            throw Gateway.StartError(description: "a worker could not start: \(error)")
        }
        for listener in snapshot.settings.listeners {
            do throws(Errno) { try worker.listen(listener) } catch {
                throw Gateway.StartError(description: worker.explain(error, of: listener))
            }
        }
        return worker
    }

    private func explain(_ error: Errno, of listener: ListenerSettings) -> String {
        let what = "listener \(listener.name) on \(listener.address): \(error)"
        if error.code == EADDRINUSE, listener.protocol == .dns, listener.intercept == .tproxy {
            return what + "; answers leave from UDP port 53 of this host, which must not be another server's either"
        }
        return error.code == EPERM ? what + "; a \(listener.intercept.rawValue) listener needs CAP_NET_ADMIN" : what
    }
}
