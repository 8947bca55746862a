import Bytes
import Loop
import OS
import Record
import Synchronization

/// What the admin API answers.
extension Gateway {
    func serve(_ method: String, _ path: String, mayControl: Bool, to connection: AdminConnection) {
        switch (method, path) {
        case ("GET", "/healthz"), ("HEAD", "/healthz"):
            connection.answer(200, "text/plain", "ok\n")
        case ("GET", "/readyz"), ("HEAD", "/readyz"):
            if isDraining {
                connection.answer(503, "text/plain", "draining\n")
            } else if hub.writer.isBlocked {
                let why = hub.writer.failure.map { ": \($0)" } ?? ""
                connection.answer(503, "text/plain", "records are not taken by the disk\(why)\n")
            } else {
                connection.answer(200, "text/plain", "ready\n")
            }
        case ("GET", "/metrics"):
            answer(connection, MetricsText.contentType) { self.metrics($0) }
        case ("GET", "/status"):
            answer(connection, "application/json") { self.status($0) }
        case ("POST", "/reload") where mayControl:
            reload()
            if pendingErrors.isEmpty {
                connection.answer(200, "text/plain", "configuration \(snapshot.generation) is in force\n")
            } else {
                connection.answer(422, "text/plain", pendingErrors.map { "\($0)\n" }.joined())
            }
        case (_, "/reload"):
            connection.answer(405, "text/plain", "reload is a POST on the admin socket\n")
        case (_, "/healthz"), (_, "/readyz"), (_, "/metrics"), (_, "/status"):
            connection.answer(405, "text/plain", "expected GET\n")
        default:
            connection.answer(404, "text/plain", "expected /healthz, /readyz, /metrics, /status or /reload\n")
        }
    }

    /// Answers from the counters of all loops; each copies its own in its own time.
    ///
    /// The letters know the connection by its token only: if a worker were the last to let go of it, its number would be
    /// closed in the worker's own descriptor table, where it is another connection's.
    private func answer(
        _ connection: AdminConnection, _ type: StaticString, _ text: @escaping (Counters) -> String
    ) {
        let asker = connection.token
        let gathering = Gathering(wanted: workers.count) { [control] in
            (control.handler(asker) as? AdminConnection)?.answer(200, type, text($0))
        }
        for worker in workers {
            worker.post { [poster = control.poster] worker in
                var counters = worker.counters
                counters.cachedAnswers = Int64(worker.resolver.cachedAnswers)
                poster.post { [counters] _ in gathering.add(counters) }
            }
        }
    }

    private func metrics(_ counters: Counters) -> String {
        var gauges = Gauges(version: version)
        gauges.configGeneration = snapshot.generation
        (gauges.reloadsSucceeded, gauges.reloadsFailed) = reloads
        gauges.read(hub.writer)
        var text = Buffer(capacity: 16 * 1024)
        let names = hub.numberedNames
        MetricsText.write(
            counters: counters, services: names.services, sensors: names.sensors, gauges: gauges, into: &text)
        return String(decoding: text.readable, as: UTF8.self)
    }

    private func status(_ counters: Counters) -> String {
        var text = Buffer(capacity: 1024)
        func field(_ name: StaticString, _ value: Int64) {
            text.append(",\"")
            text.append(name)
            text.append("\":")
            text.append(text: String(value))
        }
        text.append("{\"version\":")
        text.append(quoted: version)
        field("uptime_seconds", (control.now - started).count / 1000)
        field("generation", Int64(snapshot.generation))
        field("workers", Int64(workers.count))
        field("services", Int64(snapshot.policy.services.count))
        field("learned_rules", Int64(hub.learned.count))
        field("client_connections", counters.connections(.client))
        field("records_queued", Int64(hub.writer.queued))
        text.append(",\"records_blocked\":")
        text.append(text: hub.writer.isBlocked ? "true" : "false")
        text.append(",\"listeners\":[")
        for (index, listener) in snapshot.settings.listeners.enumerated() {
            if index > 0 { text.append(",") }
            text.append(quoted: "\(listener.name) \(listener.intercept.rawValue) \(listener.address)")
        }
        text.append("],\"errors\":[")
        for (index, error) in pendingErrors.enumerated() {
            if index > 0 { text.append(",") }
            text.append(quoted: "\(error)")
        }
        text.append("]}\n")
        return String(decoding: text.readable, as: UTF8.self)
    }
}

/// Counters of several loops on their way into one sum. Made, added to and finished on the control thread.
private final class Gathering: @unchecked Sendable {
    private var sum: Counters?
    private var wanted: Int
    private let done: (Counters) -> Void

    init(wanted: Int, _ done: @escaping (Counters) -> Void) {
        self.wanted = wanted
        self.done = done
    }

    func add(_ counters: Counters) {
        if sum == nil { sum = counters } else { sum?.merge(counters) }
        wanted -= 1
        if wanted == 0, let sum { done(sum) }
    }
}
