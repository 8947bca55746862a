import Bytes
import Config
import Glibc
import Loop
import OS

/// SIGTERM and SIGINT drain, SIGHUP reloads, SIGUSR1 reopens the record files.
final class SignalHandler: Handler {
    private unowned let gateway: Gateway
    private let signals: Signals
    private var isEnding = false

    init(_ gateway: Gateway) throws(Errno) {
        self.gateway = gateway
        signals = try Signals([SIGTERM, SIGINT, SIGHUP, SIGUSR1])
        super.init()
        try gateway.control.add(self, descriptor: signals.descriptor.number)
    }

    override func ready(_ events: Readiness) {
        while let signal = signals.next() {
            switch signal {
            case SIGHUP: gateway.reload()
            case SIGUSR1: gateway.reopenRecords()
            // A second one does not wait for the drain.
            default: isEnding ? gateway.control.stop() : gateway.drain()
            }
            if signal == SIGTERM || signal == SIGINT { isEnding = true }
        }
    }
}

/// Reloads when the files of the configuration change on disk, once they have been quiet for a moment.
final class ReloadWatcher: Handler {
    private unowned let gateway: Gateway
    private let watch: FileWatch
    private var latest = Ticks.never

    /// Editors and ConfigMap updates touch several files within milliseconds.
    private static let quiet = Milliseconds(100)
    /// A directory that is never quiet does not put the reload off for longer.
    private static let patience = Milliseconds.seconds(1)
    /// Where the kernel gives no watches the files are looked at this often.
    private static let poll = Milliseconds.seconds(5)

    init(_ gateway: Gateway) throws(Errno) {
        self.gateway = gateway
        watch = FileWatch(gateway.snapshot.settings)
        super.init()
        try gateway.control.add(self, descriptor: watch.descriptor >= 0 ? watch.descriptor : nil)
        if watch.descriptor < 0 { gateway.control.setDeadline(self, gateway.control.now + ReloadWatcher.poll) }
    }

    func follow(_ settings: Settings) { watch.follow(settings) }
    func follow(_ errors: ConfigErrors) { watch.follow(errors) }

    override func ready(_ events: Readiness) {
        let now = gateway.control.now
        latest = min(latest, now + ReloadWatcher.patience)
        gateway.control.setDeadline(self, min(now + ReloadWatcher.quiet, latest))
    }

    override func expired() {
        latest = .never
        if watch.changed() { gateway.reload() }
        if watch.descriptor < 0 { gateway.control.setDeadline(self, gateway.control.now + ReloadWatcher.poll) }
    }
}

/// Writes what was learned to the state file now and then; at the end of a drain it ends the wait.
final class StateSaver: Handler {
    private unowned let gateway: Gateway
    private var end = Ticks.never

    private static let every = Milliseconds.seconds(2)

    init(_ gateway: Gateway) throws(Errno) {
        self.gateway = gateway
        super.init()
        try gateway.control.add(self, descriptor: nil)
        gateway.control.setDeadline(self, gateway.control.now + StateSaver.every)
    }

    func stop(at end: Ticks) {
        self.end = end
        gateway.control.setDeadline(self, min(gateway.control.now + StateSaver.every, end))
    }

    override func expired() {
        gateway.save()
        if gateway.control.now >= end {
            gateway.log.warning("drain_timeout has passed; what is still open is closed")
            return gateway.control.stop()
        }
        gateway.control.setDeadline(self, min(gateway.control.now + StateSaver.every, end))
    }
}

/// Renews the keys of session tickets: a key that is taken from this process opens what was said in the hours before, and
/// not in the days.
final class TicketRenewer: Handler {
    private unowned let gateway: Gateway

    /// Twice as long as a ticket is good for, so that none is lost to it.
    private static let every = Milliseconds.minutes(4 * 60)

    init(_ gateway: Gateway) throws(Errno) {
        self.gateway = gateway
        super.init()
        try gateway.control.add(self, descriptor: nil)
        gateway.control.setDeadline(self, gateway.control.now + TicketRenewer.every)
    }

    override func expired() {
        gateway.snapshot.serverContext?.renewTicketKeys()
        gateway.control.setDeadline(self, gateway.control.now + TicketRenewer.every)
    }
}
